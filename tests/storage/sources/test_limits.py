"""Tests of the limits on size and time."""

import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

import pytest

from core.errors import UserError
from storage.sources import archives, limits
from storage.sources.fetch import fetch_source
from storage.sources.limits import Limits, limit_time


@pytest.fixture
def short(monkeypatch):
    """Return limits with a total time of 0.2 seconds."""
    monkeypatch.setattr(limits, "TIMEOUTS", 0.2)
    return Limits(max_megabytes=1, timeout=1)


def test_stops_what_takes_too_long(short):
    with (
        pytest.raises(UserError, match=r"it takes more than 0\.2 seconds.*: raise data_ingestion"),
        limit_time(short),
    ):
        time.sleep(10)


def test_a_library_cannot_take_the_end_of_the_time_for_another_error(short):
    def wait():
        try:
            time.sleep(10)
        except limits.TooSlow:
            raise RuntimeError("connection lost") from None

    with pytest.raises(UserError, match="it takes more than"), limit_time(short):
        wait()


def test_other_errors_stay_as_they_are_and_the_alarm_is_off_afterwards(short):
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(RuntimeError, match="other"), limit_time(short):
        raise RuntimeError("other")
    time.sleep(0.3)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_download_that_never_ends_is_given_up(short, tmp_path):
    is_over = threading.Event()

    def send(server):
        connection, _ = server.accept()
        # The other side closes the connection at some point.
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while not is_over.wait(0.01):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=send, args=(server,))
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/data.csv"
        with pytest.raises(UserError, match="it takes more than"):
            fetch_source(url, tmp_path, short)
        is_over.set()
        thread.join()


def test_pip_is_ended_when_the_time_is_over(short, tmp_path, monkeypatch):
    program = tmp_path / "slow"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(UserError, match="it takes more than"):
        fetch_source("pypi://corpora==1.0/a.csv", tmp_path, short)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_wheel_has_the_same_size_limit(tmp_path, monkeypatch):
    program = tmp_path / "pip"
    program.write_text("#!/bin/sh\nhead -c 3000 /dev/zero > corpora-1.0-py3-none-any.whl\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(UserError, match=r"it has more than 0\.002 MB"):
        archives.download_wheel("corpora==1.0", tmp_path, Limits(max_megabytes=0.002, timeout=1))
