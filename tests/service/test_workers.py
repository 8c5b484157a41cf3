"""Tests of several processes that serve: one dies, all reload, all end."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from sklearn.linear_model import LogisticRegression

from commands import serve
from core.errors import UserError
from models.store import save_model
from tests.support.running_service import PATIENCE, make_folder, run_service, wait_for
from tests.support.small_model import fit_model, read_version

pytestmark = pytest.mark.slow

SPAM = "WIN cash now, claim your free PRIZE"


@pytest.fixture(scope="module")
def busy_service(tmp_path_factory):
    """Return a service of two processes; check that they end as they should."""
    folder = make_folder(tmp_path_factory.mktemp("workers"))
    url = "sqlite:///store/feedback.db"
    with run_service(folder, "--workers", "2", FEEDBACK_URL=url) as running:
        wait_for_workers(running, set())
        yield running
        workers = list_workers(running)
        # As a terminal does it: the signal goes to all.
        for pid in (*workers, running.process.pid):
            os.kill(pid, signal.SIGINT)
        assert running.process.wait(PATIENCE) == 0
        check_end(running, workers)


def list_workers(service):
    """Return the processes that serve: children which are not multiprocessing's own helper."""
    found = subprocess.run(
        ["pgrep", "-P", str(service.process.pid), "-f", "spawn_main"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {int(pid) for pid in found.stdout.split()}


def wait_for_workers(service, gone):
    """Wait until two processes serve, and others have gone; return them."""

    def find():
        log = service.read_log()
        started = {int(pid) for pid in re.findall(r"Started server process \[(\d+)\]", log)}
        workers = list_workers(service) - gone
        complete = log.count("Application startup complete")
        return len(workers & started) == 2 and complete >= len(started) and workers

    return wait_for(find, service.read_log)


def check_end(service, workers):
    """Check that no process is left, and that none complained."""
    wait_for(lambda: not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers))
    log = service.read_log()
    assert "Traceback" not in log
    assert "KeyboardInterrupt" not in log
    with socket.create_server(("127.0.0.1", service.port)):
        pass


def ask(connection):
    """Return which model answers a request."""
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/predict", json.dumps({"text": SPAM}), headers)
    with connection.getresponse() as answer:
        found = json.load(answer)
    assert answer.status == 200, found
    assert found["predictions"][0]["label"] == "spam"
    return found["model_version"]


def correct(connection):
    """Send a correction; return the status of the answer."""
    headers = {"Content-Type": "application/json"}
    content = json.dumps({"text": SPAM, "label": "ham"})
    connection.request("POST", "/v1/feedback", content, headers)
    with connection.getresponse() as answer:
        answer.read()
    return answer.status


@contextmanager
def connect(service):
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    try:
        connection.connect()
        yield connection
    finally:
        connection.close()


def find_worker(service, connection):
    """Return which process has the other end of a connection, as soon as one has taken it."""
    ours = connection.sock.getsockname()[1]
    ends = f"0100007F:{service.port:04X} 0100007F:{ours:04X}"

    def find():
        lines = Path("/proc/net/tcp").read_text().splitlines()
        inodes = {line.split()[9] for line in lines if ends in line}
        for worker in list_workers(service):
            # It may end, and its files may be closed, while they are listed.
            with contextlib.suppress(OSError):
                for file in Path(f"/proc/{worker}/fd").iterdir():
                    if str(file.readlink()) in {f"socket:[{inode}]" for inode in inodes}:
                        return worker
        return None

    return wait_for(find, service.read_log)


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="connections are read from /proc")
def test_a_process_that_is_killed_takes_only_its_own_connections(busy_service):
    before = wait_for_workers(busy_service, set())
    victim = min(before)
    known, failed, spared, answered = [], [], [], []
    stop = threading.Event()

    def ask_on_one_connection():
        with connect(busy_service) as connection:
            ask(connection)
            worker = find_worker(busy_service, connection)
            known.append(worker)
            try:
                while not stop.is_set():
                    ask(connection)
                spared.append(worker)
            except (OSError, http.client.HTTPException):
                failed.append(worker)

    def ask_on_new_connections():
        while not stop.is_set():
            try:
                with connect(busy_service) as connection:
                    ask(connection)
                answered.append(True)
            except (OSError, http.client.HTTPException):
                answered.append(False)

    threads = [threading.Thread(target=ask_on_one_connection) for _ in range(8)]
    threads.append(threading.Thread(target=ask_on_new_connections))
    for thread in threads:
        thread.start()
    wait_for(lambda: len(known) == 8 and len(answered) > 10)
    os.kill(victim, signal.SIGKILL)
    after = wait_for_workers(busy_service, {victim})
    count = len(answered)
    wait_for(lambda: len(answered) > count + 10)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(failed) <= {victim}
    assert victim not in spared
    assert len(failed) + len(spared) == 8
    # One that it answers at that moment, and one that waits while the system takes it apart.
    assert answered.count(False) <= 2
    assert len(after & before) == 1
    with urllib.request.urlopen(f"{busy_service.url}/metrics", timeout=PATIENCE) as answer:
        counted = re.search(rb'predictions_total\{label="spam"\} (\d+)', answer.read())
    # Those of the process that was killed are counted on.
    assert int(counted[1]) >= answered.count(True)


def test_a_process_that_comes_back_serves_the_last_good_model(busy_service):
    model = busy_service.folder / "models" / "model.skops"
    params = busy_service.folder / "params.yaml"
    served, content, said = read_version(model), model.read_bytes(), params.read_bytes()
    before = wait_for_workers(busy_service, set())
    victim, other = sorted(before)
    try:
        model.write_bytes(b"garbage")
        params.write_text("{garbage")
        # No feedback can be stored either.
        (busy_service.folder / "store").rename(busy_service.folder / "elsewhere")
        (busy_service.folder / "store").write_text("in the way")
        os.kill(victim, signal.SIGKILL)
        wait_for_workers(busy_service, {victim})
        with connect(busy_service) as connection:
            while find_worker(busy_service, connection) == other:
                connection.close()
                connection.connect()
            assert ask(connection) == served
            assert correct(connection) == 503
            (busy_service.folder / "store").unlink()
            (busy_service.folder / "elsewhere").rename(busy_service.folder / "store")
            assert correct(connection) == 201
        assert busy_service.process.poll() is None
        assert busy_service.read_log().count("serving the previous model") == 1
        assert "Traceback" not in busy_service.read_log()
    finally:
        params.write_bytes(said)
        model.write_bytes(content)
    wait_for(lambda: busy_service.read_log().count(f"model {served} is the same") >= 2)


def test_a_hangup_reloads_every_process_and_ends_none(busy_service):
    before = wait_for_workers(busy_service, set())
    start = len(busy_service.read_log())
    busy_service.process.send_signal(signal.SIGHUP)
    wait_for(lambda: busy_service.read_log()[start:].count(" is the same ") >= 2)
    assert list_workers(busy_service) == before
    model = busy_service.folder / "models" / "model.skops"
    save_model(fit_model(LogisticRegression(C=40)), model)
    wait_for(lambda: busy_service.read_log()[start:].count(" replaces ") == 2)
    versions = []
    for _ in range(20):
        with connect(busy_service) as connection:
            versions.append(ask(connection))
    assert set(versions) == {read_version(model)}
    assert list_workers(busy_service) == before


def test_a_private_folder_that_was_swept_is_made_again(tmp_path):
    folder = make_folder(tmp_path / "served")
    with run_service(folder, "--workers", "2", TMPDIR=str(tmp_path)) as service:

        def read_counts():
            with urllib.request.urlopen(f"{service.url}/metrics", timeout=PATIENCE) as answer:
                return sum(map(int, re.findall(rb"predictions_total{[^}]*} (\d+)", answer.read())))

        workers = wait_for_workers(service, set())
        (private,) = tmp_path.glob("serve-*")
        shutil.rmtree(private)
        wait_for(lambda: len(list(private.glob("last_good.*"))) == 3)
        wait_for(lambda: len(list(private.glob("counter_*.db"))) == 2)
        with connect(service) as connection:
            ask(connection)
        assert read_counts() >= 1
        save_model(fit_model(LogisticRegression(C=30)), folder / "models" / "model.skops")
        wait_for(lambda: service.read_log().count(" replaces ") == 2)
        shutil.rmtree(private)
        victim = min(workers)
        os.kill(victim, signal.SIGKILL)
        wait_for_workers(service, {victim})
        version = read_version(folder / "models" / "model.skops")
        for _ in range(10):
            with connect(service) as connection:
                assert ask(connection) == version
        assert read_counts() >= 10
        assert "Traceback" not in service.read_log()
    assert list(tmp_path.glob("serve-*")) == []


def test_a_hangup_while_processes_start_ends_none_and_none_outlives_the_supervisor(tmp_path):
    folder = make_folder(tmp_path / "served")
    with run_service(folder, "--workers", "2") as service:
        workers = wait_for_workers(service, set())
        victim = min(workers)
        os.kill(victim, signal.SIGKILL)
        # From before the other one starts until it serves.
        wait_for(lambda: list_workers(service) - workers)
        (newest,) = list_workers(service) - workers
        while "is the same as before" not in service.read_log():
            os.kill(newest, signal.SIGHUP)
            time.sleep(0.05)
        workers = wait_for_workers(service, {victim})
        assert newest in workers
        assert service.read_log().count("another starts") == 1
        service.process.kill()
        service.process.wait()
        check_end(service, workers)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_temporary_folder_ends_no_process(tmp_path):
    folder, small = make_folder(tmp_path / "served"), tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)], check=False
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        with run_service(folder, "--workers", "2", TMPDIR=str(small)) as service:
            workers = wait_for_workers(service, set())
            with contextlib.suppress(OSError), (small / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(b"x" * 4096)
            for path in ("/", "/model", "/nothing", "/v1/model", "/metrics") * 4:
                with connect(service) as connection:
                    connection.request("GET", path)
                    assert connection.getresponse().status in (200, 404)
                with connect(service) as connection:
                    ask(connection)
            assert list_workers(service) == workers
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def make_supervisor(process):
    """Return a supervisor of a process that was not started, and has but what is given."""
    supervisor = object.__new__(serve.Supervisor)
    supervisor.processes = [process]
    supervisor.should_exit = threading.Event()
    return supervisor


def test_a_process_that_starts_slowly_is_not_taken_for_hung():
    # It cannot be asked anything.
    process = SimpleNamespace(process=SimpleNamespace(is_alive=lambda: True))
    supervisor = make_supervisor(process)
    supervisor.keep_subprocess_alive()
    assert supervisor.processes == [process]
    assert not supervisor.should_exit.is_set()


def test_a_process_that_cannot_start_ends_it_with_a_sentence(model_folder, monkeypatch):
    process = SimpleNamespace(
        process=SimpleNamespace(is_alive=lambda: False), join=lambda: None, exitcode=3
    )
    supervisor = make_supervisor(process)
    supervisor.run = supervisor.keep_subprocess_alive
    monkeypatch.chdir(model_folder)
    monkeypatch.setattr(serve, "Supervisor", lambda *_: supervisor)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with serve.bind("127.0.0.1", 0) as listening:
        monkeypatch.setattr(serve, "bind", lambda *_: listening)
        with pytest.raises(UserError, match="a process that serves could not start"):
            serve.main(["--workers", "2"])
    assert supervisor.should_exit.is_set()
