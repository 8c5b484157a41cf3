"""Tests of what the service does about clients and circumstances that are not as they should be."""

import http.client
import json
import os
import re
import resource
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from commands import serve
from core.errors import UserError
from tests.support.running_service import PATIENCE, ROOT, make_folder, run_service, wait_for

SPAM = "WIN cash now, claim your free PRIZE"
HAM = "see you at home for lunch"
HEADERS = {"Content-Type": "application/json"}
HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
MARKER = "unmistakable-marker"
TOKEN = "correct horse battery staple"
IS_LINUX = sys.platform == "linux"
# What a client may take, in the service of impatient_service.
SECONDS = 1
# Processor time of an answer, also on a slow machine.
CPU_SECONDS = 2

# Longer than any test waits.
LONG = "600"

# The service, but that a message can make it fail.
FAILING_SERVICE = f"""
import sys
sys.path.insert(0, {str(ROOT / "src")!r})
from commands import serve
from core.log import run_stage
from service import serving_model

def fail_on_request(loaded, texts, answer=serving_model.answer):
    if "fail" in texts[0]:
        raise RuntimeError("told to fail")
    return answer(loaded, texts)

if __name__ == "__main__":
    serving_model.answer = fail_on_request
    run_stage(serve.main, log_file=None)
"""


@pytest.fixture(scope="module")
def impatient_service(tmp_path_factory):
    """Return a service that gives clients a second, and takes feedback."""
    folder = make_folder(tmp_path_factory.mktemp("impatient"))
    with run_service(
        folder, "--timeout", str(SECONDS), FEEDBACK_URL="sqlite:///feedback.db"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def guarded_service(tmp_path_factory):
    """Return a service that wants a token, is patient, logs requests, and fails if told to."""
    folder = make_folder(tmp_path_factory.mktemp("guarded"))
    (folder / "serve.py").write_text(FAILING_SERVICE)
    variables = {"SERVICE_TOKEN": TOKEN, "FEEDBACK_URL": "sqlite:///feedback.db"}
    with run_service(folder, "--access-log", "--timeout", LONG, **variables) as running:
        yield running


@pytest.fixture(scope="module")
def client():
    """Return a client that keeps its connections."""
    # Nothing here is encrypted, and reading certificates takes longer than a test.
    with httpx.Client(timeout=PATIENCE, verify=False) as opened:
        yield opened


def check_service(service, client, **headers):
    """Check that the process which was started still answers rightly."""
    answer = client.post(
        f"{service.url}/v1/predict", json={"texts": [SPAM, HAM]}, headers=headers or None
    )
    assert answer.status_code == 200
    assert [row["label"] for row in answer.json()["predictions"]] == ["spam", "ham"]
    assert service.process.poll() is None


@contextmanager
def at_little_cost(service):
    """Check that what a service does meanwhile takes little processor time."""
    if not IS_LINUX:
        yield
        return
    before = service.read_cpu_seconds()
    yield
    assert service.read_cpu_seconds() - before < CPU_SECONDS


def check_problem(answer, status, detail):
    """Check that an answer is a problem, and what it says; return it."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    problem = answer.json()
    assert problem["status"] == status
    assert detail in problem["detail"]
    return problem


def post(service, client, content, path="/v1/predict"):
    return client.post(f"{service.url}{path}", content=content, headers=HEADERS)


def connect(service):
    return socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)


def read_answer(connection):
    """Return the answer on a socket, which is closed after it or not."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return httpx.Response(
        answer.status, headers=list(answer.headers.items()), content=answer.read()
    )


def send_until_closed(connection, content, pause=0.0):
    """Send something again and again until the other side closes; return how many bytes."""
    connection.settimeout(0.5)
    deadline = time.monotonic() + PATIENCE
    sent = 0
    while time.monotonic() < deadline:
        try:
            sent += connection.send(content[sent % len(content) :])
        except TimeoutError:
            continue
        except ConnectionError:
            return sent
        time.sleep(pause)
    pytest.fail(f"the service takes {sent:,} bytes and does not close")


def is_closed(connection):
    """Return whether the other side closes a connection; what it still sends is dropped."""
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (b"", ""),
        (b"null", ""),
        (b"[]", ""),
        (b'"text"', ""),
        (b"{}", "/text"),
        (b'{"text": 1}', "/text"),
        (b'{"text": 1e999}', "/text"),
        (b'{"text": null}', "/text"),
        (b'{"text": ["a"]}', "/text"),
        (b'{"text": {"a": 1}}', "/text"),
        (b'{"text": true}', "/text"),
        (b'{"text": ""}', "/text"),
        (b'{"text": "\\t\\n \\u00a0"}', "/text"),
        (b'{"text": "a", "text": 5}', "/text"),
        (b'{"text": "\\ud800"}', "/text"),
        (b'{"text": "\xed\xa0\x80"}', "/text"),
        (b'{"texts": ["a", "\\udfff"]}', "/texts/1"),
        (b'{"text": "a", "explain": NaN}', "/explain"),
        (b'{"text": "a", "other": 1}', "/other"),
        (b'{"text": "a", "texts": ["b"]}', "/text"),
        (b'{"texts": []}', "/texts"),
        (b'{"texts": {"0": "a"}}', "/texts"),
        (b'{"texts": ["a", null]}', "/texts/1"),
        (b'{"texts": [' + b'"a",' * 1000 + b'"a"]}', "/texts"),
        (b'{"texts": [' + b"0," * 490_000 + b"0]}", "/texts"),
        (b'{"text": "' + b"a" * 900_000 + b'"}', "/text"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_a_wrong_request_is_told_where_it_is_wrong(service, client, content, pointer):
    with at_little_cost(service):
        problem = check_problem(post(service, client, content), 422, pointer)
    assert problem["errors"][0]["pointer"] == pointer
    check_service(service, client)


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"{", "not JSON: Expecting property name"),
        (b'{"text": "a"} b', "not JSON: Extra data at character 14"),
        (b'{"text": "a\x00b"}', "not JSON: Invalid control character"),
        (b'{"text": "a\xffb"}', "not UTF-8: invalid start byte at byte 11"),
        (b'{"text": ' + b"9" * 5000 + b"}", "a number with too many digits"),
        (b"[" * 999_999, "nested too deeply"),
        (b'{"text":' * 100_000, "nested too deeply"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_a_body_that_is_not_json_gets_the_reason(service, client, content, detail):
    check_problem(post(service, client, content), 400, detail)
    check_service(service, client)


def test_keys_are_repeated_only_so_far(service, client):
    problem = check_problem(post(service, client, json.dumps({"k" * 900_000: 1})), 422, "/kkk")
    assert len(problem["detail"]) < 1000
    assert all(len(fault["pointer"]) < 1000 for fault in problem["errors"])


def test_a_key_that_is_not_unicode_is_refused(service, client):
    check_problem(post(service, client, b'{"text": "a", "\\ud800": 1}'), 422, "")


def test_tens_of_thousands_of_unknown_keys_are_refused_at_little_cost(service, client):
    content = json.dumps({f"k{i}": 1 for i in range(70_000)})
    with at_little_cost(service):
        check_problem(post(service, client, content), 422, "70,000 keys")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_refused(service, client, kind):
    answer = client.post(
        f"{service.url}/v1/predict", content=b'{"text": "a"}', headers={"Content-Type": kind}
    )
    check_problem(answer, 415, "Content-Type: application/json")


def test_a_text_of_exactly_the_limit_is_scored_and_explained(service, client):
    text = f"{SPAM} ".ljust(10_000, "x")
    answer = client.post(f"{service.url}/v1/predict", json={"text": text, "explain": True})
    assert answer.status_code == 200
    assert len(answer.json()["predictions"][0]["words"]) == len(text.split())
    assert post(service, client, json.dumps({"text": text + "x"})).status_code == 422


@pytest.mark.parametrize(
    "text", ["\0", "a\0b", "\x1b[31m\x07", "\u202e\ufeff", "\U0010ffff", "\x7f"]
)
def test_control_characters_are_scored(service, client, text):
    answer = client.post(f"{service.url}/v1/predict", json={"text": text, "explain": True})
    assert answer.status_code == 200
    assert 0 <= answer.json()["predictions"][0]["probability"] <= 1


def test_a_correction_with_a_nul_is_refused(impatient_service, client):
    content = b'{"text": "a\\u0000b", "label": "ham"}'
    answer = post(impatient_service, client, content, "/v1/feedback")
    problem = check_problem(answer, 422, "NUL")
    assert problem["errors"][0]["pointer"] == "/text"
    content = b'{"text": "a", "label": "eggs"}'
    answer = post(impatient_service, client, content, "/v1/feedback")
    problem = check_problem(answer, 422, "must be ham or spam")
    assert problem["errors"][0]["pointer"] == "/label"


def test_a_body_of_10_mb_is_refused_by_its_length(service, client):
    with connect(service) as connection:
        connection.sendall(HEAD + b"Content-Length: 10000000\r\n\r\n" + b" " * 10_000_000)
        check_problem(read_answer(connection), 413, "more than 1,000,000 bytes")
        # What came was read to its end: the next request is not taken for a part of it.
        content = json.dumps({"text": SPAM}).encode()
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        assert read_answer(connection).json()["predictions"][0]["label"] == "spam"
    check_problem(post(service, client, b" " * 10_000_000), 413, "more than 1,000,000 bytes")
    check_service(service, client)


def test_a_body_of_10_mb_is_refused_as_it_comes(service, client):
    chunk = b"%x\r\n%b\r\n" % (100_000, b" " * 100_000)
    with connect(service) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 100)
        connection.sendall(b"0\r\n\r\n")
        check_problem(read_answer(connection), 413, "more than 1,000,000 bytes")
    answer = post(service, client, (b" " * 100_000 for _ in range(100)))
    check_problem(answer, 413, "more than 1,000,000 bytes")
    check_service(service, client)


def test_a_body_that_is_announced_but_refused_need_not_be_sent(impatient_service, client):
    with connect(impatient_service) as connection:
        connection.sendall(HEAD + b"Content-Length: 10000000\r\n\r\n")
        check_problem(read_answer(connection), 413, "more than 1,000,000 bytes")
        # Nor can it be sent for ever.
        connection.sendall(b" ")
        assert is_closed(connection)
    check_service(impatient_service, client)


def test_endless_headers_are_refused(impatient_service, client):
    line = b"X-Header: " + b"a" * 10_000 + b"\r\n"
    with connect(impatient_service) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        # Far more than the limit can be under way.
        assert send_until_closed(connection, line) < 50_000_000
    with connect(impatient_service) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + line * 7)
        check_problem(read_answer(connection), 431, "more than 65,536 bytes")
    check_service(impatient_service, client)


@pytest.mark.skipif(not IS_LINUX, reason="memory is read from /proc")
def test_endless_trailers_are_not_kept(impatient_service, client):
    before = impatient_service.read_memory()
    with connect(impatient_service) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
        assert send_until_closed(connection, b"X-Trailer: a\r\n" * 1000) > 0
    assert impatient_service.read_memory() - before < 30_000_000
    check_service(impatient_service, client)


def test_a_page_whose_name_resolves_to_this_machine_is_refused(service):
    for host in ("evil.example", "evil.example:80", f"localhost.evil.example:{service.port}"):
        answer = httpx.get(f"{service.url}/v1/model", headers={"Host": host}, verify=False)
        check_problem(answer, 421, "--allow-host")
    for host in ("LOCALHOST", f"127.0.0.1:{service.port}", f"[::1]:{service.port}"):
        answer = httpx.get(f"{service.url}/v1/model", headers={"Host": host}, verify=False)
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"rubbish\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_not_http_is_told_so(guarded_service, client, request_bytes):
    with connect(guarded_service) as connection:
        connection.sendall(request_bytes)
        check_problem(read_answer(connection), 400, "Invalid HTTP request")
        assert is_closed(connection)
    check_service(guarded_service, client, Authorization=f"Bearer {TOKEN}")


LENGTH, CHUNKED = b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
# What slow clients begin with, what they go on with, and what of the request is slow.
SLOW = [
    (b"GET /healthz HTTP/1.1\r\n", b"X-Header: a\r\n", "headers"),
    (b"GET /", b"a", "headers"),
    (HEAD + LENGTH, b" ", "body"),
    (HEAD + LENGTH, b"", "body"),
    (HEAD + CHUNKED, b"1\r\n \r\n", "body"),
    (HEAD + CHUNKED + b"0\r\n", b"X-Trailer: a\r\n", "body"),
]


def trickle(service, start, piece):
    """Send something slowly; return the answer, and after how many seconds it came."""
    began = time.monotonic()
    with connect(service) as connection:
        connection.sendall(start)
        while not select.select([connection], [], [], 0.1)[0]:
            assert time.monotonic() - began < PATIENCE, "the service has endless patience"
            connection.sendall(piece)
        answer = read_answer(connection)
        assert is_closed(connection)
        return answer, time.monotonic() - began


def test_slow_clients_are_told_so_in_time(impatient_service, client):
    with ThreadPoolExecutor(len(SLOW)) as pool:
        running = [pool.submit(trickle, impatient_service, *case[:2]) for case in SLOW]
    for (_, _, part), future in zip(SLOW, running, strict=True):
        answer, seconds = future.result()
        check_problem(answer, 408, f"the {part} took longer than 1 seconds")
        assert seconds > SECONDS * 0.9
    check_service(impatient_service, client)


def test_slow_clients_keep_nobody_waiting(guarded_service, client):
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(guarded_service)) for _ in SLOW]
        for connection, (start, piece, _) in zip(slow, SLOW, strict=True):
            token = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
            connection.sendall(start.replace(b"Host: localhost\r\n", token) + piece)
        check_service(guarded_service, client, Authorization=f"Bearer {TOKEN}")
        # They still wait themselves.
        assert select.select(slow, [], [], 0)[0] == []


def test_empty_lines_do_not_keep_a_connection_open(impatient_service):
    with connect(impatient_service) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_answer(connection).status_code == 200
        send_until_closed(connection, b"\r\n", pause=0.1)


def test_a_client_that_does_not_read_its_answers_is_left(impatient_service, client):
    content = json.dumps({"text": "a " * 5000, "explain": True}).encode()
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", impatient_service.port))
        send_until_closed(connection, request)
    check_service(impatient_service, client)
    assert "Traceback" not in impatient_service.read_log()


def test_who_leaves_before_the_end_leaves_no_trace(service, client):
    content = json.dumps({"texts": [SPAM] * 1000}).encode()
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content
    logged = len(service.read_log())

    def count_ends():
        metrics = client.get(f"{service.url}/metrics").text
        found = re.findall(r'requests_total{method="POST",route="/v1/predict",.*} (\d+)', metrics)
        return sum(map(int, found))

    before = count_ends()
    # A part of a request, one that is being answered, and others that wait behind it.
    for sent in (request[:-1], request, request * 3):
        with connect(service) as connection:
            connection.sendall(sent)
            time.sleep(0.01)
    wait_for(lambda: count_ends() == before + 3)
    assert "Traceback" not in service.read_log()[logged:]
    check_service(service, client)


def test_a_thousand_idle_connections_keep_nobody_waiting(guarded_service, client):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip(f"this system allows {hard} open files")
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    token = {"Authorization": f"Bearer {TOKEN}"}
    with ExitStack() as stack:
        poll = select.poll()
        for _ in range(1000):
            poll.register(stack.enter_context(connect(guarded_service)), select.POLLIN)
        check_service(guarded_service, client, **token)
        # None had to go for that.
        assert poll.poll(0) == []
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    check_service(guarded_service, client, **token)


def test_an_idle_connection_is_closed(impatient_service):
    with connect(impatient_service) as connection:
        assert is_closed(connection)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of others are Linux's")
def test_feedback_that_finds_no_room_is_refused_and_the_rest_works(impatient_service, client):
    def correct(text):
        content = json.dumps({"text": text, "label": "ham"})
        return post(impatient_service, client, content, "/v1/feedback")

    def read_texts():
        database = sqlite3.connect(impatient_service.folder / "feedback.db")
        rows = database.execute("SELECT inputs FROM corrections ORDER BY id").fetchall()
        database.close()
        return [json.loads(inputs) for (inputs,) in rows]

    assert correct("before").status_code == 201
    stored = read_texts()
    pid = impatient_service.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    # As on a disk that is full, files cannot grow; what SQLite needs is more, the log is less.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        answer = correct(f"{MARKER} refused")
        check_problem(answer, 503, "could not be stored: try again later")
        assert int(answer.headers["retry-after"]) > 0
        check_service(impatient_service, client)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    assert read_texts() == stored
    assert correct("after").status_code == 201
    assert read_texts() == [*stored, "after"]
    log = impatient_service.read_log()
    assert "feedback was not stored: the feedback store sqlite:///feedback.db cannot be" in log
    assert MARKER not in log
    check_service(impatient_service, client)


def test_messages_and_the_token_are_not_logged(guarded_service, client):
    def ask(expected, path="/v1/predict", token=TOKEN, **options):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        answer = client.post(f"{guarded_service.url}{path}", headers=headers, **options)
        assert answer.status_code == expected, answer.text
        assert MARKER not in answer.text
        return answer

    ask(200, json={"text": MARKER})
    ask(200, json={"texts": [MARKER, SPAM]})
    ask(201, "/v1/feedback", json={"text": MARKER, "label": "ham"})
    ask(422, "/v1/feedback", json={"text": MARKER, "label": MARKER})
    ask(400, content=f'{{"text": "{MARKER}"')
    ask(422, json={"text": [MARKER]})
    ask(422, json={"text": MARKER * 1000})
    ask(401, json={"text": MARKER}, token="wrong" + MARKER)
    ask(413, json={"text": MARKER * 1_000_000})
    failed = ask(500, json={"text": f"fail {MARKER}"})
    check_problem(failed, 500, "the service failed: see its log")
    ask(500, "/v1/feedback", json={"text": f"fail {MARKER}", "label": "ham"})
    log = guarded_service.read_log()
    # It was the log of these requests.
    assert '"POST /v1/predict HTTP/1.1" 413' in log
    assert "RuntimeError: told to fail" in log
    assert MARKER not in log
    assert TOKEN not in log
    check_service(guarded_service, client, Authorization=f"Bearer {TOKEN}")


def test_a_failure_does_not_end_the_connection(guarded_service):
    connection = http.client.HTTPConnection("127.0.0.1", guarded_service.port, timeout=PATIENCE)
    headers = {**HEADERS, "Authorization": f"Bearer {TOKEN}"}
    statuses = []
    for text in ("fail", SPAM):
        connection.request("POST", "/v1/predict", json.dumps({"text": text}), headers)
        opened = connection.sock
        with connection.getresponse() as answer:
            statuses.append(answer.status)
            answer.read()
    assert statuses == [500, 200]
    assert connection.sock is opened
    connection.close()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Authorization: Bearer\r\n",
        b"Authorization: Bearer wrong\r\n",
        b"Authorization: Bearer correct horse battery stapl\r\n",
        b"Authorization: Basic correct horse battery staple\r\n",
        b"Authorization: correct horse battery staple\r\n",
        b"Authorization: Bearer \xff\xfe\r\n",
        b"Authorization: Bearer \xc3\xa9\r\n",
    ],
)
def test_a_wrong_token_is_refused(guarded_service, header):
    for path in (b"/v1/model", b"/v1/predict", b"/%76%31/model", b"/metrics"):
        with connect(guarded_service) as connection:
            connection.sendall(
                b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n"
            )
            answer = read_answer(connection)
        check_problem(answer, 401, "Authorization: Bearer TOKEN")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_pages_and_health_want_no_token(guarded_service, client):
    for path in ("/", "/model", "/docs", "/healthz", "/readyz", "/openapi.json"):
        assert client.get(guarded_service.url + path).status_code == 200


def test_messages_are_logged_if_wanted_and_a_signal_lets_requests_end(model_folder):
    with run_service(model_folder, "--log-messages") as service:
        content = json.dumps({"texts": [f"{MARKER} {i} \n{HAM}" for i in range(1000)]}).encode()
        with connect(service) as connection:
            expecting = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(content)
            connection.sendall(HEAD + expecting)
            # The service is at work on this request.
            assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(content)
            service.process.send_signal(signal.SIGTERM)
            answer = read_answer(connection)
        assert answer.status_code == 200
        assert len(answer.json()["predictions"]) == 1000
        assert service.process.wait(PATIENCE) == 0
        log = service.read_log()
        assert "Traceback" not in log
        # One line each: a message's own line break does not begin another.
        assert sum(MARKER in line and HAM in line for line in log.splitlines()) == 1000
        with pytest.raises(ConnectionError):
            connect(service)


def test_an_interrupt_ends_it_without_traceback(model_folder):
    with run_service(model_folder, "--timeout", LONG) as service:
        # Who is only connected does not hold it up.
        with connect(service) as idle:
            service.process.send_signal(signal.SIGINT)
            assert service.process.wait(PATIENCE) == 0
            assert is_closed(idle)
        log = service.read_log()
        assert "Traceback" not in log
        assert "KeyboardInterrupt" not in log
        assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"*{service.port}*"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--port", "70000"], "--port is 70000: give a number from 0 to 65535"),
        (["--port", "-1"], "--port is -1: give"),
        (["--timeout", "nan"], "--timeout is nan: give more than 0"),
        (["--timeout", "inf"], "--timeout is inf: give"),
        (["--workers", "0"], "--workers is 0: give more than 0"),
        (["--threshold", "1.5"], "--threshold is 1.5: give a number from 0 to 1"),
        (["--threshold", "nan"], "--threshold is nan: give"),
        (["--coverage", "0.9"], "a model of task binary has no --coverage: leave it out"),
        (["--max-fpr", "0.1", "--points", "no.json"], "no.json does not exist, --max-fpr needs it"),
        (["--host", "host.invalid"], "cannot listen on host.invalid, port 8000:"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1, port 8000:"),
        (["--params", "nothing.yaml"], "nothing.yaml"),
        (["--model", "nothing.skops"], "nothing.skops does not exist: run 'dvc repro' to make it"),
    ],
)
def test_what_is_wrong_with_the_command_line_is_said(model_folder, monkeypatch, options, reason):
    monkeypatch.chdir(model_folder)
    monkeypatch.setattr(serve.uvicorn.Server, "run", lambda *_: pytest.fail("it is served"))
    with pytest.raises((UserError, FileNotFoundError)) as caught:
        serve.main(options)
    assert reason in str(caught.value)


def test_a_token_that_no_client_can_send_is_refused(model_folder, monkeypatch):
    monkeypatch.chdir(model_folder)
    monkeypatch.setenv("SERVICE_TOKEN", "from-a-file\n")
    monkeypatch.setattr(serve.uvicorn.Server, "run", lambda *_: pytest.fail("it is served"))
    with pytest.raises(ValueError, match="SERVICE_TOKEN has white space around it") as caught:
        serve.main([])
    assert "from-a-file" not in str(caught.value)


def test_what_keeps_it_from_starting_is_one_line_and_status_1(tmp_path):
    folder = make_folder(tmp_path)
    (folder / "models" / "model.skops").write_bytes(b"PK rubbish")
    run = subprocess.run(
        [sys.executable, str(ROOT / "src"), "serve", "--workers", "2", "--port", "0"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert "serve ERROR models/model.skops is damaged or no model" in line


def test_busy_clients_on_many_threads_all_get_their_own_answers(service):
    wrong = []

    def ask(number):
        text = SPAM if number % 2 else HAM
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
        for _ in range(20):
            connection.request("POST", "/v1/predict", json.dumps({"text": text}), HEADERS)
            with connection.getresponse() as answer:
                label = json.load(answer)["predictions"][0]["label"]
            if label != ("spam" if number % 2 else "ham"):
                wrong.append(number)
        connection.close()

    threads = [threading.Thread(target=ask, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
