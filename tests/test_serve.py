"""Tests of how the service is started."""

import socket

import pytest

import serve
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
def test_tells_whether_an_address_is_of_this_machine_alone(host, expected):
    assert serve.is_loopback(host) is expected


def test_a_port_that_is_taken_is_named():
    port = find_free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(OSError, match=f"port {port}: addr"),
    ):
        serve.bind("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_named():
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1, port 8000: cannot assign"):
        serve.bind("192.0.2.1", 8000)


def test_listens_on_loopback_unless_told_otherwise():
    args = serve.build_parser().parse_args([])
    assert serve.is_loopback(args.host)
    with serve.bind(args.host, 0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("option", ["--workers", "--timeout"])
def test_a_number_that_makes_no_sense_is_named(option):
    with pytest.raises(ValueError, match=f"{option} is 0: give more than 0"):
        serve.main([option, "0"])


def test_secrets_come_from_the_environment_and_are_not_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("SERVICE_TOKEN", "secret-token")
    monkeypatch.setenv("FEEDBACK_URL", "sqlite:///secret.db")
    settings = serve.read_settings(serve.build_parser().parse_args([]), tmp_path)
    assert settings.token == "secret-token"
    assert settings.feedback_url == "sqlite:///secret.db"
    assert "secret-token" not in repr(settings)
    assert "secret.db" not in repr(settings)
