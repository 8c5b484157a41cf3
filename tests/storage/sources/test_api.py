"""Tests of fetching JSON records of an API, from a real HTTP server."""

import gzip
import http.server
import json
import socket
import threading
import time
import traceback

import pytest
from pydantic import ValidationError

from core.errors import UserError
from storage.sources import api, limits
from storage.sources.fetch import fetch_source
from tests.conftest import find_free_port

SECRET = "Bearer s3cr3t"


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives the answers that a test put into ``server.answers``, and notes the requests."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the body, status and headers of the path."""
        self.server.requests.append((self.path, dict(self.headers)))
        answer = self.server.answers.get(self.path, (b"", 404, {}))
        body, status, headers = answer(self) if callable(answer) else answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def start_server():
    """Return a function that starts a server; it has ``answers``, ``requests`` and ``url``."""
    started = []

    def start():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.answers, server.requests = {}, []
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture
def fetch(tmp_path, server, monkeypatch):
    """Return a function that fetches from the server and returns the bytes fetched."""
    monkeypatch.setenv("API_TOKEN", SECRET)
    counter = iter(range(100))

    def run(path="/", max_megabytes=1, timeout=10, **options):
        options = {"api": f"{server.url}{path}", **options}
        folder = tmp_path / f"fetched-{next(counter)}"
        folder.mkdir()
        kept = limits.Limits(max_megabytes=max_megabytes, timeout=timeout)
        return fetch_source(api.ApiSource(**options), folder, kept).read_bytes()

    return run


WITH_TOKEN = {"headers": [{"name": "Authorization", "variable": "API_TOKEN"}]}


def answer(content, status=200, **headers):
    return json.dumps(content).encode(), status, headers


def test_stores_the_records_of_all_pages_as_json_lines(fetch, server):
    page = {"data": {"items": [{"b": 1, "a": "é"}, {"c": None}]}, "links": {"next": "?page=2"}}
    last = {"data": {"items": [{"a": [1, {"z": 1.5, "y": True}]}]}, "links": {"next": None}}
    server.answers = {"/items": answer(page), "/items?page=2": answer(last)}
    content = fetch("/items", records="data.items", next="links.next")
    lines = [json.loads(line) for line in content.splitlines()]
    assert lines == [*page["data"]["items"], *last["data"]["items"]]
    assert content.splitlines()[0] == b'{"a": "\\u00e9", "b": 1}'
    assert content.endswith(b'{"a": [1, {"y": true, "z": 1.5}]}\n')


@pytest.mark.parametrize("last", [{}, {"links": {}}, {"links": {"next": ""}}, {"links": "none"}])
def test_the_last_page_has_no_next_link(fetch, server, last):
    server.answers["/"] = answer({"items": [{"a": 1}], **last})
    assert fetch(records="items", next="links.next") == b'{"a": 1}\n'


def test_a_page_may_be_the_list_itself(fetch, server):
    server.answers["/"] = answer([{"a": 1}])
    assert fetch() == b'{"a": 1}\n'


def test_a_compressed_page_is_unpacked(fetch, server):
    headers = {"Content-Encoding": "gzip"}
    server.answers["/"] = (gzip.compress(b'[{"a": 1}]'), 200, headers)
    assert fetch() == b'{"a": 1}\n'


def test_sends_headers_to_every_page_and_not_what_netrc_says(fetch, server, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.answers = {
        "/": answer({"items": [{"a": 1}], "next": "/2"}),
        "/2": answer({}, 302, Location="/3"),
        "/3": answer({"items": [{"a": 2}]}),
    }
    assert fetch(records="items", next="next", **WITH_TOKEN) == b'{"a": 1}\n{"a": 2}\n'
    assert [headers["Authorization"] for _, headers in server.requests] == [SECRET] * 3
    assert [path for path, _ in server.requests] == ["/", "/2", "/3"]


def test_never_sends_a_header_to_another_server(fetch, server, start_server):
    other = start_server()
    other.answers["/"] = answer({"items": [{"a": 2}]})
    server.answers = {
        "/redirect": answer({}, 302, Location=f"{other.url}/"),
        "/link": answer({"items": [{"a": 1}], "next": f"{other.url}/"}),
        "/scheme": answer({"items": [{"a": 1}], "next": server.url.replace("http", "https")}),
    }
    for path, problem in (
        ("/redirect", r"page 1: it redirects to another server \(127\.0\.0\.1\), which must not"),
        ("/link", r"page 1: its next page is on another server \(127\.0\.0\.1\), which must not"),
        ("/scheme", "page 1: its next page is on another server"),
    ):
        with pytest.raises(UserError, match=problem):
            fetch(path, records="items", next="next", **WITH_TOKEN)
    assert other.requests == []
    assert fetch("/redirect", records="items") == b'{"a": 2}\n'
    assert fetch("/link", records="items", next="next") == b'{"a": 1}\n{"a": 2}\n'


def html(_):
    return b"<!DOCTYPE html><title>Log in</title>", 200, {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (html, "the answer is HTML or XML, not JSON: check the address and the headers"),
        ((b"no", 500, {}), r"the server answers with status 500 Internal Server Error$"),
        ((b"no", 401, {}), "status 401 Unauthorized"),
        ((b"no", 599, {}), "status 599$"),
        ((b'{"items": [', 200, {}), r"not valid JSON \(Expecting value at character 11\)"),
        ((b"", 200, {}), r"not valid JSON \(Expecting value at character 0\)"),
        ((b"\xff\xfe\xfd", 200, {}), r"not valid JSON \(UnicodeDecodeError\)"),
        ((b'{"items": [{"a": NaN}]}', 200, {}), r"not valid JSON"),
        ((b'{"items": [{"a": 1e999}]}', 200, {}), "a number is too large"),
        ((b'{"items": [{"a": 1' + b"0" * 5000 + b"}]}", 200, {}), "not valid JSON"),
        ((b"[" * 200_000, 200, {}), r"not valid JSON \(RecursionError\)"),
        (answer({"items": {"a": 1}}), "'items' is a dict, not a list: correct records"),
        (answer({"items": [{"a": 1}, 5]}), "record 2 is a int, not an object"),
        (
            answer({"data": [], "more": 1}),
            "has no 'items', there is data, more in place of 'items'",
        ),
        (answer([{"a": 1}]), "the answer has no 'items', there is a list in place of 'items'"),
        (answer({"items": []}), "the API returns no records"),
        (answer({"items": [{}], "next": 5}), "'next' is a int, not an address"),
        (answer({"items": [{}], "next": "ftp://h/"}), "an address must start with http:// or"),
        (answer({"items": [{}], "next": "http://[/"}), "an address must start with http:// or"),
        (answer({"items": [{}], "next": "#2"}), "next page is one that was already fetched"),
        (answer({}, 302, Location="file:///etc/passwd"), "an address must start with http:// or"),
        (answer({}, 302, Location="/"), "page 1: it redirects more than 5 times"),
        ((b"x", 200, {"Content-Length": "100", "Connection": "close"}), "the answer breaks off"),
        (
            (b"\x1f\x8bxx", 200, {"Content-Encoding": "gzip"}),
            r"the request fails \(ContentDecodingError\)",
        ),
    ],
)
def test_says_what_is_wrong_with_an_answer(fetch, server, given, problem):
    def respond(handler):
        handler.close_connection = True
        return given(handler) if callable(given) else given

    server.answers["/"] = respond
    with pytest.raises(UserError, match=problem) as caught:
        fetch(records="items", next="next", timeout=2)
    assert "\n" not in str(caught.value)


def test_says_that_pages_lead_back(fetch, server):
    for page, target in ((1, 2), (2, 3), (3, 1)):
        server.answers[f"/{page}"] = answer({"items": [{}], "next": f"/{target}"})
    with pytest.raises(UserError, match="page 3: its next page is one that was already fetched"):
        fetch("/1", records="items", next="next")


def test_limits_the_number_of_pages(fetch, server, monkeypatch):
    monkeypatch.setattr(api, "MAX_PAGES", 5)

    class Endless(dict):
        def get(self, path, _):
            return answer({"items": [{}], "next": f"/{int(path[1:]) + 1}"})

    server.answers = Endless()
    with pytest.raises(UserError, match="page 6: there are more than 5 pages: ask for more"):
        fetch("/1", records="items", next="next")
    assert len(server.requests) == 5


def test_limits_the_bytes_of_all_pages(fetch, server):
    long = "x" * 400
    server.answers = {
        "/1": answer({"items": [], "more": long, "next": "/2"}),
        "/2": answer({"items": [], "more": long, "next": "/3"}),
        "/3": answer({"items": [{"a": 1}], "more": long}),
    }
    with pytest.raises(UserError, match=r"page 3: it has more than 0\.001 MB: raise"):
        fetch("/1", records="items", next="next", max_megabytes=0.001)
    assert fetch("/2", records="items", next="next", max_megabytes=0.001) == b'{"a": 1}\n'


def test_a_small_answer_may_not_unpack_to_a_large_one(fetch, server):
    body = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    server.answers["/"] = (body, 200, {"Content-Encoding": "gzip"})
    with pytest.raises(UserError, match="it has more than 1 MB"):
        fetch()


def send_forever(server, pieces, is_over):
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        try:
            connection.sendall(pieces[0])
            while not is_over.wait(0.05):
                connection.sendall(pieces[1])
        except OSError:
            pass


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\n\r\n[", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    ],
)
def test_an_answer_that_never_ends_is_given_up(fetch, monkeypatch, pieces):
    monkeypatch.setattr(limits, "TIMEOUTS", 2)
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as endless:
        thread = threading.Thread(target=send_forever, args=(endless, pieces, is_over))
        thread.start()
        start = time.monotonic()
        with pytest.raises(UserError, match="it takes more than 1 seconds, 2 times the timeout"):
            fetch(api=f"http://127.0.0.1:{endless.getsockname()[1]}/", timeout=0.5)
        assert time.monotonic() - start < 5
        is_over.set()
        thread.join()


def test_says_that_a_server_does_not_answer(fetch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(UserError, match=r"page 1: .* does not answer within 0\.2 seconds"):
            fetch(api=url, timeout=0.2)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_says_that_there_is_no_server(fetch, scheme):
    with pytest.raises(UserError, match="page 1: the server cannot be reached"):
        fetch(api=f"{scheme}://127.0.0.1:{find_free_port()}/")


def test_says_that_a_certificate_is_not_valid(fetch, server):
    with pytest.raises(UserError, match="page 1: the server's certificate is not valid"):
        fetch(api=server.url.replace("http", "https"))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "the environment variable API_TOKEN is not set: set it, as in .env"),
        ("", "the environment variable API_TOKEN is not set"),
        ("s3cr3t\r\nX: 1", "API_TOKEN holds characters that a header cannot hold"),
        ("s3cr3t é", "API_TOKEN holds characters that a header cannot hold"),
    ],
)
def test_says_what_is_wrong_with_a_header(fetch, server, monkeypatch, value, problem):
    monkeypatch.delenv("API_TOKEN")
    if value is not None:
        monkeypatch.setenv("API_TOKEN", value)
    with pytest.raises(UserError, match=problem) as caught:
        fetch(**WITH_TOKEN)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
    assert server.requests == []


def test_a_line_end_after_a_secret_does_not_matter(fetch, server, monkeypatch):
    monkeypatch.setenv("API_TOKEN", f"{SECRET}\n")
    server.answers["/"] = answer([{"a": 1}])
    fetch(**WITH_TOKEN)
    assert server.requests[0][1]["Authorization"] == SECRET


def test_no_message_or_log_shows_a_secret(fetch, server, caplog):
    caplog.set_level("DEBUG")
    echo = SECRET.encode()
    server.answers = {
        "/text": (echo, 200, {}),
        "/status": (echo, 500, {}),
        "/redirect": (b"", 302, {"Location": "http://[s3cr3t"}),
        "/value": answer({"items": SECRET}),
        "/next": answer({"items": [{}], "next": f"ftp://{SECRET}"}),
    }
    for path in server.answers:
        with pytest.raises(UserError) as caught:
            fetch(path, records="items", next="next", **WITH_TOKEN)
        assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize(
    "url", ["host/path", "ftp://host/", "https://", "http://h:port/", "http://["]
)
def test_refuses_what_is_not_an_address(url):
    with pytest.raises(ValidationError, match="an address must start with http"):
        api.ApiSource(api=url)
