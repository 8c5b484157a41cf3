"""Tests that no request costs the service more than its share of time or memory."""

import contextlib
import http.client
import json
import random
import re
import select
import socket
import string
import sys
import threading

import httpx
import pytest

from service.schemas import REQUEST_CHARACTERS, TEXT_LENGTH
from tests.support.running_service import make_folder, run_service, wait_for

HEADERS = {"Content-Type": "application/json"}
# What one of these requests may cost on a slow machine. Without limits it is minutes.
CPU_SECONDS = 5
ODD = string.ascii_letters + string.digits + ".-@_/:#"
IS_LINUX = sys.platform == "linux"


@pytest.fixture(scope="module")
def attacked_service(tmp_path_factory):
    """Return a service of one process."""
    folder = make_folder(tmp_path_factory.mktemp("attacked"))
    with run_service(folder, "--timeout", "60", FEEDBACK_URL="sqlite:///feedback.db") as running:
        yield running


@pytest.fixture(scope="module")
def client():
    with httpx.Client(timeout=120, verify=False) as opened:
        yield opened


def make_odd_words(length, seed, size=3):
    """Return a text of words that no other has, with marks within, so that each is worked on."""
    rng = random.Random(seed)
    words = ("".join(rng.choices(ODD, k=size)) for _ in range(length // (size + 1)))
    return " ".join(words)


# What makes a regular expression try many ways, or normalising work long or make much.
PIECES = {
    "letters": "a",
    "dotted": "a1.",
    "tags": "<a",
    "addresses": "a@b.",
    "links": "http://a.",
    "phone": "1-",
    "quotes": "a'",
    "emoticons": ":-",
    "brackets": "(1",
    "entities": "&#",
    "number": "1",
    "marks": "\u0300\u0316",
    "late marks": "\u0300\uff9e",
    "emoji": "☎️",
    "ideographs": "中",
    "small": "a ",
}


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
@pytest.mark.skipif(not IS_LINUX, reason="processor time is read from /proc")
def test_no_text_takes_long(attacked_service, client, piece):
    text = (piece * TEXT_LENGTH)[:TEXT_LENGTH]
    before = attacked_service.read_cpu_seconds()
    answer = client.post(f"{attacked_service.url}/v1/predict", json={"texts": [text] * 10})
    assert answer.status_code == 200
    answer = client.post(f"{attacked_service.url}/v1/predict", json={"text": text, "explain": True})
    assert answer.status_code == 200
    assert attacked_service.read_cpu_seconds() - before < CPU_SECONDS


@pytest.mark.skipif(not IS_LINUX, reason="processor time is read from /proc")
@pytest.mark.parametrize(
    "texts",
    [
        [make_odd_words(TEXT_LENGTH, seed) for seed in range(10)],
        [make_odd_words(100, seed) for seed in range(1000)],
        ["a1." * 3333] * 33 + ["a"] * 100,
        ["㏂" * 2500] * 400,
        ["\ufdfa" * TEXT_LENGTH] * 10,
        ["\u0300\u0316" * 5000] * 10,
        ["\u1e69\u0323" * 5000] * 10,
    ],
    ids=["odd words", "short", "dotted", "four", "phrases", "marks", "composed"],
)
def test_no_request_takes_long_and_others_are_answered(attacked_service, client, texts):
    before = attacked_service.read_cpu_seconds()
    is_over = threading.Event()
    statuses = []

    def ask_for_health():
        with httpx.Client(timeout=60, verify=False) as other:
            while not (statuses and is_over.is_set()):
                statuses.append(other.get(f"{attacked_service.url}/healthz").status_code)

    thread = threading.Thread(target=ask_for_health)
    thread.start()
    answer = client.post(f"{attacked_service.url}/v1/predict", json={"texts": texts})
    is_over.set()
    thread.join()
    assert answer.status_code in (200, 413)
    assert set(statuses) == {200}
    spent = attacked_service.read_cpu_seconds() - before
    # Asking for health costs something, too.
    assert spent - 0.002 * len(statuses) < CPU_SECONDS


@pytest.mark.slow
@pytest.mark.skipif(not IS_LINUX, reason="memory is read from /proc")
def test_what_does_not_recur_is_not_kept(attacked_service, client):
    rng = random.Random(0)

    def ask(n_requests):
        for _ in range(n_requests):
            texts = ["".join(rng.choices(string.ascii_letters, k=TEXT_LENGTH)) for _ in range(10)]
            answer = client.post(f"{attacked_service.url}/v1/predict", json={"texts": texts})
            assert answer.status_code == 200

    ask(5)
    before = attacked_service.read_memory()
    ask(20)
    # Keeping these 200 texts took 24 MB.
    assert attacked_service.read_memory() - before < 15_000_000


@pytest.mark.skipif(not IS_LINUX, reason="processor time is read from /proc")
def test_a_client_that_leaves_is_worked_for_no_further(attacked_service, client):
    texts = [make_odd_words(TEXT_LENGTH, seed) for seed in range(100, 110)]
    content = json.dumps({"texts": texts}).encode()
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = head + b"Content-Length: %d\r\n\r\n" % len(content) + content
    assert sum(map(len, texts)) <= REQUEST_CHARACTERS
    metrics = f"{attacked_service.url}/metrics"
    before = attacked_service.read_cpu_seconds()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", attacked_service.port)) as connection:
            connection.sendall(request)
    # Their end is counted as 499, or as 503 of those who came while the others waited.
    counted = re.compile(r'method="POST",route="/v1/predict",status="(499|503)"\} (\d+)')

    def count_ends():
        return {k: int(n) for k, n in counted.findall(client.get(metrics).text)}

    wait_for(lambda: sum(count_ends().values()) == 20)
    assert count_ends()["499"] > 0
    # Each of them would take half a second.
    assert attacked_service.read_cpu_seconds() - before < CPU_SECONDS


def read_answers(connection, n):
    """Return the statuses of answers on a socket, until ``n`` or the other side closes."""
    statuses = []
    with connection.makefile("rb") as file:
        while len(statuses) < n and (line := file.readline()):
            statuses.append(int(line.split()[1]))
            length = 0
            while (line := file.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            file.read(length)
    return statuses


def test_requests_that_follow_one_another_closely_are_all_answered(attacked_service):
    n = 20_000
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    address = ("127.0.0.1", attacked_service.port)
    with socket.create_connection(address, timeout=120) as connection:
        sender = threading.Thread(target=connection.sendall, args=[request * n])
        sender.start()
        statuses = read_answers(connection, n)
        sender.join()
    assert statuses == [200] * n


@pytest.mark.parametrize("size", [70_000, 98_000])
def test_headers_that_come_at_once_are_limited_too(attacked_service, size):
    line = b"X-Header: " + b"a" * 986 + b"\r\n"
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + line * (size // len(line)) + b"\r\n"
    with socket.create_connection(("127.0.0.1", attacked_service.port), timeout=60) as connection:
        connection.sendall(request)
        assert read_answers(connection, 1) == [431]


def test_headers_within_the_limit_are_taken(attacked_service):
    line = b"X-Header: " + b"a" * 986 + b"\r\n"
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + line * 60 + b"\r\n"
    with socket.create_connection(("127.0.0.1", attacked_service.port), timeout=60) as connection:
        connection.sendall(request * 3)
        assert read_answers(connection, 3) == [200] * 3


@pytest.mark.parametrize("end", [b"rubbish\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 80_000])
def test_what_is_refused_follows_the_answers_before_it(attacked_service, end):
    content = json.dumps({"text": make_odd_words(TEXT_LENGTH, 7)}).encode()
    first = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    first += b"Content-Length: %d\r\n\r\n" % len(content) + content
    with socket.create_connection(("127.0.0.1", attacked_service.port), timeout=60) as connection:
        connection.sendall(first + end)
        assert read_answers(connection, 3) == [200, 431 if len(end) > 1000 else 400]


@pytest.mark.parametrize(
    ("version", "lines", "status"),
    [
        (b"1.1", b"", 400),
        (b"1.1", b"Host:\r\n", 400),
        (b"1.1", b"Host: \t\r\n", 400),
        (b"1.1", b"Host: :80\r\n", 400),
        (b"1.1", b"Host: localhost\r\nHost: evil.example\r\n", 400),
        (b"1.1", b"Host: localhost\r\n", 200),
        (b"1.0", b"Host:\r\n", 400),
        (b"1.0", b"", 200),
    ],
)
def test_a_request_names_the_service_once(attacked_service, version, lines, status):
    with socket.create_connection(("127.0.0.1", attacked_service.port), timeout=60) as connection:
        connection.sendall(b"GET /healthz HTTP/" + version + b"\r\n" + lines + b"\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == status
        if status == 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Host" in json.load(answer)["detail"]


UPGRADE = b"Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"


def test_a_wish_for_another_protocol_is_passed_over(attacked_service):
    content = json.dumps({"text": "WIN cash now"}).encode()
    head = b"POST /v1/predict HTTP/1.1\r\nContent-Type: application/json\r\n" + UPGRADE
    head += b"HTTP2-Settings: AAMAAABk\r\nContent-Length: %d\r\n\r\n" % len(content)
    after = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    address = ("127.0.0.1", attacked_service.port)
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(head + content + after)
        assert read_answers(connection, 2) == [200, 200]
    # However it is cut into pieces; nothing of the body is taken for another request.
    smuggled = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /healthz HTTP/1.1\r\n" + UPGRADE + b"Content-Length: %d\r\n\r\n" % len(smuggled)
    with socket.create_connection(address, timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (head[:40], head[40:], smuggled[:5], smuggled[5:], after):
            connection.sendall(piece)
            threading.Event().wait(0.02)
        assert read_answers(connection, 2) == [405, 200]
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n" + UPGRADE + b"\r\n" + after)
        assert read_answers(connection, 2) == [200, 200]


def test_large_bodies_that_end_together_are_parsed_one_by_one(attacked_service, client):
    content = json.dumps({"texts": [["\xa0" * 9999 + "a"] * 8, [1.5] * 100_000]}).encode()
    assert len(content) < 1_000_000
    url = f"{attacked_service.url}/v1/predict"
    statuses = []

    def ask():
        answer = httpx.post(url, content=content, headers=HEADERS, timeout=60, verify=False)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert client.get(f"{attacked_service.url}/healthz").status_code == 200
    assert statuses == [422] * 12


def test_many_bodies_that_are_held_at_once_are_refused(attacked_service, client):
    # A byte is missing of each, so none is answered for what it holds.
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    start = head + b"Content-Length: 1000000\r\n\r\n" + b" " * 999_999
    address = ("127.0.0.1", attacked_service.port)
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(80):
            connection = stack.enter_context(socket.create_connection(address, timeout=60))
            connection.sendall(start)
            connections.append(connection)
        answered, _, _ = select.select(connections, [], [], 60)
        answer = http.client.HTTPResponse(answered[0])
        answer.begin()
        assert answer.status == 503
        assert "too much data is being received" in json.load(answer)["detail"]
    assert client.get(f"{attacked_service.url}/healthz").status_code == 200
