"""Tests of sharing results through a real S3 server, and of all that can go wrong with it."""

import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.conftest import find_free_port
from tests.pipeline.conftest import Repository

ROOT = Path(__file__).parents[2]
BUCKET = Path(".s3", "objects", "message-classification", "dvc", "files", "md5")
# Seconds, even on a busy machine: one try by the AWS SDK's own limits takes as long.
SOON = 60
IN_SYNC = "Cache and remote 'storage' are in sync."


def start_server(repository):
    """Start a server for a repository, again if it was killed, and tell the repository its keys."""
    program = str(ROOT / "src"), "local_s3"
    repository.run(sys.executable, *program, "start", f"--port={find_free_port()}")
    lines = (repository.path / ".s3" / "env").read_text().splitlines()
    repository.environment.update(line.split("=", 1) for line in lines)


def stop_server(repository):
    repository.run(sys.executable, str(ROOT / "src"), "local_s3", "stop")


@pytest.fixture
def shared(repository):
    """Return a copy of the finished repository that has a server of its own."""
    start_server(repository)
    yield repository
    stop_server(repository)


def find_outputs(repository):
    """Return the paths of what DVC keeps, with their digests in dvc.lock."""
    stages = yaml.safe_load(repository.read_lock())["stages"].values()
    outs = {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}
    in_git = repository.run("git", "ls-files").split()
    return {path: digest for path, digest in outs.items() if path not in in_git}


def wipe(repository):
    """Remove the cache and every output of a repository that is not the checkout."""
    assert ROOT not in (repository.path, *repository.path.parents)
    shutil.rmtree(repository.path / ".dvc" / "cache")
    for name in find_outputs(repository):
        path = repository.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def read_digests(folder, names):
    """Return the digest of every file under some paths."""
    paths = [path for name in names for path in [folder / name, *(folder / name).rglob("*")]]
    return {
        str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file()
    }


def find_runs(output):
    return re.findall(r"Running stage '(\w+)'", output)


def clone(repository, path):
    """Return a clone that reaches the same server."""
    repository.run("git", "clone", "--quiet", ".", str(path))
    settings = {name: v for name, v in repository.environment.items() if name.startswith("AWS_")}
    return Repository(path, settings)


def test_what_was_pushed_can_be_pulled(shared):
    outputs = find_outputs(shared)
    before = read_digests(shared.path, outputs)
    shared.run("dvc", "push")
    wipe(shared)
    assert read_digests(shared.path, outputs) == {}
    shared.run("dvc", "pull")
    assert read_digests(shared.path, outputs) == before
    assert IN_SYNC in shared.run("dvc", "status", "--cloud")
    assert find_runs(shared.run("dvc", "repro")) == []
    assert shared.run("git", "status", "--porcelain") == ""


def test_what_was_run_elsewhere_need_not_run_again(shared, finished, tmp_path):
    shared.run("dvc", "push", "--run-cache")
    other = clone(shared, tmp_path / "other")
    (other.path / "dvc.lock").unlink()
    other.run("dvc", "fetch", "--run-cache")
    output = other.run("dvc", "repro", "--pull")
    # DVC leaves metrics that Git keeps out of what it pushes, so their stages have to run.
    assert find_runs(output) == ["robustness", "model_evaluation"]
    assert output.count("is cached - skipping run") == 5
    assert other.read_lock() == finished.read_lock()
    assert other.run("git", "status", "--porcelain") == ""


def test_make_needs_no_more_than_its_own_server(repository):
    # The environment is that of the tests: nothing is installed.
    make = ["make", "-o", ".venv/.runtime", "-o", ".venv/bin/rclone"]
    output = repository.run(*make, "s3", f"ARGS=--port={find_free_port()}")
    try:
        assert len(output.splitlines()) == 2
        assert "files pushed" in repository.run(*make, "push")
        wipe(repository)
        digest = find_outputs(repository)["models/model.skops"]
        stored = repository.path / BUCKET / digest[:2] / digest[2:]
        whole = stored.read_bytes()
        stored.write_bytes(whole[:-1])
        run = repository.try_run(*make, "pull")
        assert run.returncode != 0
        said = [line for line in run.stdout.splitlines() if "damaged" in line]
        assert len(said) == 1
        place = f"files/md5/{digest[:2]}/{digest[2:]}"
        assert re.match(
            rf"models/model.skops is damaged on the remote \(s3://\S+/{place} ", said[0]
        )
        stored.write_bytes(whole)
        assert "1 file added" in repository.run(*make, "pull")
        assert find_runs(repository.run("dvc", "repro")) == []
    finally:
        assert "stopped the S3 server" in repository.run(*make, "s3-stop")
    run = repository.try_run(*make, "push")
    assert run.returncode != 0
    assert "FAIL remote: there is no access key with its secret" in run.stdout
    assert repository.run("git", "status", "--porcelain") == ""


def break_secret(repository):
    repository.environment["AWS_SECRET_ACCESS_KEY"] = "wrong"


def break_bucket(repository):
    url = "s3://no-such-bucket/dvc"
    repository.run("dvc", "remote", "modify", "--local", "storage", "url", url)


def break_server(repository):
    stop_server(repository)


@pytest.mark.parametrize(
    ("command", "spoil", "message"),
    [
        ("push", break_secret, "Forbidden|SignatureDoesNotMatch"),
        ("pull", break_secret, "Forbidden|SignatureDoesNotMatch"),
        ("push", break_bucket, "The specified bucket does not exist"),
        ("pull", break_server, "Could not connect to the endpoint"),
    ],
)
def test_a_remote_that_cannot_be_used_is_told(shared, command, spoil, message):
    spoil(shared)
    if command == "pull":
        wipe(shared)
    run = shared.try_run("dvc", command)
    assert run.returncode != 0
    assert re.search(message, run.stdout)
    assert not list((shared.path / BUCKET).rglob("*"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' queues behave otherwise")
def test_a_server_that_cannot_be_connected_to_is_told_soon(repository):
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    limits = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "2"}
    # A queue that is full drops what knocks, like a host that is switched off.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        knocks = [socket.socket() for _ in range(4)]
        for knock in knocks:
            knock.setblocking(False)
            knock.connect_ex(server.getsockname())
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        repository.environment.update({**keys, **limits, "AWS_ENDPOINT_URL": url})
        start = time.monotonic()
        run = repository.try_run("dvc", "push")
        assert time.monotonic() - start < SOON
        for knock in knocks:
            knock.close()
    assert run.returncode != 0
    assert "Connect timeout on endpoint URL" in run.stdout


def test_make_gives_up_soon_on_a_server_that_never_answers(repository):
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        repository.environment.update({**keys, "AWS_ENDPOINT_URL": url})
        start = time.monotonic()
        run = repository.try_run("make", "-o", ".venv/.runtime", "push")
        assert time.monotonic() - start < SOON
    assert run.returncode != 0
    assert "FAIL remote: " in run.stdout


def test_a_corrupt_object_is_refused(shared):
    digest = find_outputs(shared)["models/model.skops"]
    shared.run("dvc", "push")
    wipe(shared)
    stored = shared.path / BUCKET / digest[:2] / digest[2:]
    whole = stored.read_bytes()
    stored.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    run = shared.try_run("dvc", "pull")
    assert run.returncode != 0
    assert "failed to pull data" in run.stdout
    assert "models/model.skops" in run.stdout.split("failed to pull data")[1]
    assert not (shared.path / "models" / "model.skops").exists()
    cached = shared.path / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    assert not cached.exists()
    stored.write_bytes(whole)
    shared.run("dvc", "pull")
    assert (shared.path / "models" / "model.skops").read_bytes() == whole


@pytest.fixture(scope="session")
def large_file(tmp_path_factory):
    """Return a file of 120 MB, several parts of an upload, that no compression makes smaller."""
    path = tmp_path_factory.mktemp("large") / "file"
    with path.open("wb") as file:
        for _ in range(12):
            file.write(os.urandom(10_000_000))
    return path


@pytest.fixture
def share_files(tmp_path, large_file):
    """Return a function that makes a repository of small files and a large one, and a server."""
    repository = Repository(tmp_path / "large")

    def make(count):
        folder = repository.path / "files"
        for path in (folder, repository.path / ".dvc"):
            path.mkdir(parents=True)
        for name in (".dvc/config", ".dvc/.gitignore", ".gitignore", ".dvcignore"):
            shutil.copy(ROOT / name, repository.path / name)
        (folder / "large").hardlink_to(large_file)
        rng = random.Random(0)
        for number in range(count):
            (folder / str(number)).write_bytes(rng.randbytes(2000))
        repository.run("git", "init", "--quiet", "--initial-branch", "main")
        repository.run("dvc", "config", "cache.type", "hardlink")
        repository.run("dvc", "add", "--quiet", "files")
        repository.commit()
        start_server(repository)
        return repository

    yield make
    stop_server(repository)


def check_pulled(repository, path):
    """Pull into a clone and compare every byte."""
    other = clone(repository, path)
    other.run("dvc", "pull")
    assert read_digests(other.path, ["files"]) == read_digests(repository.path, ["files"])
    assert IN_SYNC in other.run("dvc", "status", "--cloud")


@pytest.mark.slow
def test_a_large_file_and_many_small_ones(share_files, tmp_path):
    repository = share_files(500)
    repository.run("dvc", "push")
    check_pulled(repository, tmp_path / "other")


def measure(paths):
    """Return the size of the largest file; one that vanished meanwhile has none."""
    sizes = [0]
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return max(sizes)


@pytest.mark.slow
def test_a_server_killed_while_it_receives_loses_nothing(share_files, tmp_path):
    repository = share_files(20)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = ["dvc", "push"]
    objects = repository.path / ".s3" / "objects"
    with subprocess.Popen(
        command, cwd=repository.path, env=repository.environment, **quiet
    ) as push:
        while measure(objects.rglob(".rclone_*")) < 20_000_000:
            assert push.poll() is None, "the push ended before the server could be killed"
            time.sleep(0.005)
        os.kill(int((repository.path / ".s3" / "pid").read_text()), signal.SIGKILL)
    assert push.returncode != 0
    start_server(repository)
    assert not list(objects.rglob(".rclone_*"))
    assert IN_SYNC not in repository.run("dvc", "status", "--cloud")
    repository.run("dvc", "push")
    check_pulled(repository, tmp_path / "other")
