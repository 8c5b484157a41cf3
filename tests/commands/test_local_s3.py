"""Tests of the S3 server on this machine, with the real one."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from commands import local_s3
from core.errors import UserError
from storage.s3 import Remote, RemoteError, open_client
from tests.conftest import find_free_port

SOURCE = Path(local_s3.__file__).parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make a repository's folder the current one; stop what the test starts there."""
    (tmp_path / ".dvc").mkdir()
    config = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = s3://a-bucket/dvc\n"
    (tmp_path / ".dvc" / "config").write_text(config)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    yield tmp_path / ".s3"
    local_s3.stop(tmp_path / ".s3")


def start(*arguments):
    local_s3.main(["start", f"--port={find_free_port()}", *arguments])


def read_pid(folder):
    return int((folder / "pid").read_text())


def open_server(folder):
    settings = local_s3.read_settings(folder / "env")
    return open_client(
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
    )


def is_answering(folder):
    """Return whether somebody listens where the server was."""
    url = urlsplit(local_s3.read_settings(folder / "env")["AWS_ENDPOINT_URL"])
    with socket.socket() as sock:
        return sock.connect_ex((url.hostname, url.port)) == 0


def kill(folder):
    """End the server as a crash would, and wait until it has."""
    os.kill(read_pid(folder), signal.SIGKILL)
    while (lock := local_s3.take_lock(folder / "pid")) is None:
        time.sleep(0.01)
    lock.close()


def test_the_first_start_makes_keys_and_the_bucket_and_says_how_to_use_it(folder, capsys):
    start()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"started an S3 server at http://127.0.0.1:\d+: make push .*", lines[0])
    assert "source .s3/env" in lines[1]
    with open_server(folder) as client:
        assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["a-bucket"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="command lines are not to be read here")
def test_others_can_read_neither_the_keys_nor_the_command_line_with_them(folder):
    start()
    secret = local_s3.read_settings(folder / "env")["AWS_SECRET_ACCESS_KEY"]
    assert (folder / "env").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    command = Path(f"/proc/{read_pid(folder)}/cmdline").read_text()
    assert "rclone" in command
    assert secret not in command


def test_a_restart_keeps_keys_port_and_objects(folder):
    start()
    settings = (folder / "env").read_text()
    with open_server(folder) as client:
        client.put_object(Bucket="a-bucket", Key="kept", Body=b"bytes")
    local_s3.main(["stop"])
    local_s3.main(["start"])
    assert (folder / "env").read_text() == settings
    with open_server(folder) as client:
        assert client.get_object(Bucket="a-bucket", Key="kept")["Body"].read() == b"bytes"


def test_a_second_start_says_that_it_runs(folder, capsys):
    start()
    pid = read_pid(folder)
    capsys.readouterr()
    start()
    assert "an S3 server is running already at http://127.0.0.1:" in capsys.readouterr().out
    assert read_pid(folder) == pid


def test_a_second_start_makes_the_bucket_of_a_new_url(folder):
    start()
    local = Path(".dvc/config.local")
    local.write_text("['remote \"storage\"']\n    url = s3://another-bucket/dvc\n")
    start()
    assert (folder / "objects" / "another-bucket").is_dir()


@pytest.mark.parametrize("address", ["0.0.0.0", "0", "::", "", "example.com", "no such name"])
def test_an_address_that_others_can_reach_is_refused(folder, monkeypatch, address):
    if address == "example.com":
        answer = [(socket.AF_INET, 0, 0, "", (ip, 0)) for ip in ("127.0.0.1", "93.184.216.34")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: answer)
    with pytest.raises(ValueError, match=r"use 127\.0\.0\.1"):
        start("--address", address)
    assert not folder.exists()


def test_a_refusal_is_one_sentence(folder):
    command = [sys.executable, SOURCE, "local_s3", "start", "--address", "0.0.0.0"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    reason = "'0.0.0.0' can be reached from other machines: use 127.0.0.1"
    assert run.stderr == f"local_s3: {reason}\n"
    assert not folder.exists()


@pytest.mark.parametrize("address", ["localhost", "::1"])
def test_other_names_of_this_machine_will_do(folder, address):
    if address == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    start("--address", address)
    with open_server(folder) as client:
        assert client.list_buckets()["Buckets"]


def test_a_port_that_is_taken_is_passed_over():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        taken = sock.getsockname()[1]
        assert local_s3.find_free_port("127.0.0.1", range(taken, taken + 20)) > taken
        with pytest.raises(ValueError, match="no port is free"):
            local_s3.find_free_port("127.0.0.1", range(taken, taken + 1))


def test_stop_ends_the_server_and_keeps_its_objects(folder, capsys):
    start()
    assert is_answering(folder)
    local_s3.main(["stop"])
    assert "stopped the S3 server" in capsys.readouterr().out
    assert not is_answering(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["env", "log", "objects"]


def test_stop_has_nothing_to_do_without_a_server(folder, capsys):
    local_s3.main(["stop"])
    assert "the S3 server is not running" in capsys.readouterr().out
    assert not folder.exists()


def test_stop_spares_a_process_that_has_the_id_of_a_dead_server(folder, capsys):
    start()
    kill(folder)
    with subprocess.Popen(["sleep", "60"]) as other:
        (folder / "pid").write_text(str(other.pid))
        local_s3.main(["stop"])
        assert other.poll() is None
        other.kill()
    assert "the S3 server is not running" in capsys.readouterr().out
    assert not (folder / "pid").exists()


def test_a_server_that_ignores_the_polite_signal_is_killed(folder, monkeypatch):
    monkeypatch.setattr(local_s3, "SECONDS_TO_STOP", 0.1)
    monkeypatch.setattr(signal, "SIGTERM", signal.Signals.SIGCONT)
    start()
    local_s3.main(["stop"])
    assert not is_answering(folder)


def test_a_start_after_a_kill_removes_what_was_half_written(folder):
    start()
    kill(folder)
    left = folder / "objects" / "a-bucket" / ".rclone_temp_put_x"
    left.write_bytes(b"half")
    start()
    assert not left.exists()


def test_a_missing_rclone_is_reported(folder, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="rclone is not installed: run 'make s3'"):
        start()
    assert not (folder / "pid").exists()


def test_a_server_that_does_not_start_is_reported(folder, tmp_path, monkeypatch):
    (tmp_path / "rclone").write_text("#!/bin/sh\necho broken\nexit 1\n")
    (tmp_path / "rclone").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    with pytest.raises(UserError, match=r"does not answer: see \.s3/log"):
        start()
    assert (folder / "log").read_text() == "broken\n"
    assert not (folder / "pid").exists()


def test_a_running_server_that_does_not_answer_is_reported(folder, monkeypatch):
    monkeypatch.setattr(local_s3, "SECONDS_TO_START", 0.1)
    start()
    settings = (folder / "env").read_text()
    (folder / "env").write_text(re.sub(r"127.0.0.1:\d+", f"127.0.0.1:{find_free_port()}", settings))
    with pytest.raises(RemoteError, match="does not answer"):
        start()


def test_settings_of_rclone_in_the_environment_do_not_count(folder, monkeypatch):
    monkeypatch.setenv("RCLONE_READ_ONLY", "true")
    start()
    with open_server(folder) as client:
        client.put_object(Bucket="a-bucket", Key="a", Body=b"")


def test_only_a_bucket_in_s3_will_do(folder):
    Path(".dvc/config.local").write_text("['remote \"storage\"']\n    url = /mnt/share\n")
    with pytest.raises(ValueError, match="the remote is '/mnt/share', not s3://"):
        start()
    assert not folder.exists()


def test_the_bucket_must_be_valid(folder, monkeypatch):
    start()
    settings = local_s3.read_settings(folder / "env")
    monkeypatch.setattr(local_s3, "SECONDS_TO_START", 0)
    with pytest.raises(RemoteError, match="No_Bucket! is not a valid bucket name"):
        local_s3.create_bucket(settings, Remote("storage", "No_Bucket!", ""))


@pytest.fixture
def other(folder, tmp_path):
    """Return the server's folder of another checkout, not made yet, of the same user."""
    shutil.copytree(folder.parent / ".dvc", tmp_path / "other" / ".dvc")
    yield tmp_path / "other" / ".s3"
    local_s3.stop(tmp_path / "other" / ".s3")


def put_object(folder, key):
    with open_server(folder) as client:
        client.put_object(Bucket="a-bucket", Key=key, Body=b"bytes")


def test_another_checkout_uses_the_server_that_runs(folder, other, capsys):
    start()
    capsys.readouterr()
    start("--folder", str(other))
    lines = capsys.readouterr().out.splitlines()
    assert re.match("an S3 server is running already at http://127.0.0.1:", lines[0])
    assert lines[1] == f"it is shared with another checkout, its files are in {folder}"
    assert f"source {other}/env" in lines[2]
    assert local_s3.read_settings(other / "env") == local_s3.read_settings(folder / "env")
    assert read_pid(other) == read_pid(folder)


def test_another_checkout_starts_the_server_again_with_its_objects(folder, other):
    start()
    put_object(folder, "kept")
    local_s3.main(["stop"])
    start("--folder", str(other))
    with open_server(other) as client:
        assert client.get_object(Bucket="a-bucket", Key="kept")["Body"].read() == b"bytes"
    local_s3.main(["stop", "--folder", str(other)])
    assert not local_s3.is_running(folder)


def test_a_server_without_objects_gives_way_to_that_of_another_checkout(folder, other, monkeypatch):
    start("--folder", str(other))
    local_s3.main(["stop", "--folder", str(other)])
    monkeypatch.setenv("XDG_STATE_HOME", str(folder.parent / "state-2"))
    start()
    start("--folder", str(other))
    assert other.resolve() == folder


@pytest.mark.parametrize("name", ["objects/a-bucket/key", "notes.txt"])
def test_a_folder_that_holds_anything_of_its_own_stays(folder, other, name):
    start()
    (other / name).parent.mkdir(parents=True)
    (other / name).write_text("kept")
    start("--folder", str(other))
    assert not other.is_symlink()
    assert (other / name).read_text() == "kept"
    assert read_pid(other) != read_pid(folder)


def test_the_server_of_another_remote_is_not_used(folder, other, monkeypatch):
    start()
    monkeypatch.chdir(other.parent)
    Path(".dvc/config.local").write_text("['remote \"storage\"']\n    url = s3://b-bucket/dvc\n")
    start()
    assert not other.is_symlink()
    assert read_pid(other) != read_pid(folder)


def test_a_server_whose_checkout_was_removed_is_forgotten(folder, other):
    start("--folder", str(other))
    local_s3.main(["stop", "--folder", str(other)])
    folder.symlink_to(other)
    shutil.rmtree(other)
    start()
    assert not folder.is_symlink()
    assert [link.resolve() for link in local_s3.locate_links().iterdir()] == [folder]


def test_others_cannot_read_where_the_servers_are(folder):
    start()
    assert local_s3.locate_links().is_relative_to(folder.parent / "state")
    assert local_s3.locate_links().stat().st_mode & 0o077 == 0


def test_links_that_cannot_be_written_are_reported(folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(
        UserError, match=r"Not a directory\): name another folder in XDG_STATE_HOME"
    ):
        start()
    assert not (folder / "pid").exists()
