"""Tests of how the service is started."""

import resource
import signal
import socket
import tempfile

import pytest

from commands import serve
from core.errors import UserError
from tests.conftest import find_free_port


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.org", False),
    ],
)
def test_knows_which_addresses_only_this_machine_can_reach(host, expected):
    assert serve.is_loopback(host) is expected


def test_a_port_that_is_taken_is_named():
    port = find_free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(UserError, match=f"port {port}: addr"),
    ):
        serve.bind("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_named():
    with pytest.raises(UserError, match=r"cannot listen on 192\.0\.2\.1, port 8000: cannot assign"):
        serve.bind("192.0.2.1", 8000)


def test_listens_on_loopback_by_default():
    args = serve.build_parser().parse_args([])
    assert serve.is_loopback(args.host)
    with serve.bind(args.host, 0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("option", ["--workers", "--timeout"])
def test_a_number_that_makes_no_sense_is_named(option):
    with pytest.raises(ValueError, match=f"{option} is 0: give more than 0"):
        serve.main([option, "0"])


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ((256, resource.RLIM_INFINITY), (10_240, resource.RLIM_INFINITY)),
        ((1024, 4096), (4096, 4096)),
        ((20_000, 20_000), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_no_more_open_files_are_asked_for_than_macos_grants(monkeypatch, found, wanted):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: found)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    serve.raise_file_limit()
    assert asked == ([wanted] if wanted else [])


def test_beyond_loopback_any_name_may_be_asked():
    assert serve.name_hosts("0.0.0.0", []) == frozenset()
    names = serve.name_hosts("127.0.0.1", ["Proxy.example"])
    assert names == {"localhost", "127.0.0.1", "::1", "proxy.example"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_while_the_model_is_loaded_sees_no_traceback(monkeypatch, tmp_path, number):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)]
    monkeypatch.setattr(serve, "load_newest", lambda _: signal.raise_signal(number))
    try:
        serve.main(["--port", "0"])
    finally:
        for one, handler in zip((signal.SIGTERM, signal.SIGHUP), before, strict=True):
            signal.signal(one, handler)
    assert list(tmp_path.iterdir()) == []


def test_secrets_come_from_the_environment_and_are_not_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("SERVICE_TOKEN", "secret-token")
    monkeypatch.setenv("FEEDBACK_URL", "sqlite:///secret.db")
    settings = serve.read_settings(serve.build_parser().parse_args([]), tmp_path)
    assert settings.token == "secret-token"
    assert settings.feedback_url == "sqlite:///secret.db"
    assert "secret-token" not in repr(settings)
    assert "secret.db" not in repr(settings)
