"""Tests of checking that everything works."""

import ast
import importlib.metadata
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import boto3
import pytest

from commands import doctor
from core.errors import UserError
from tests.conftest import find_free_port

SOURCE = Path(doctor.__file__).parents[1]
CONFIG = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = s3://messages/dvc\n"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Make a folder in which everything but the remote works the current one."""
    monkeypatch.chdir(tmp_path)
    for variable in ("NAME", "EMAIL"):
        monkeypatch.delenv(f"GIT_AUTHOR_{variable}", raising=False)
        monkeypatch.delenv(f"GIT_COMMITTER_{variable}", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "gitconfig").write_text("[user]\n    name = Test\n    email = test@example.org\n")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text(CONFIG)
    (tmp_path / "dvc.lock").touch()
    pin = f"pytest=={pytest.__version__}"
    hashes = " \\\n    --hash=sha256:0\n    # via nothing\n"
    (tmp_path / "requirements.txt").write_text(f"# pins\n{pin}{hashes}")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    (tmp_path / ".venv" / ".runtime").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    (tmp_path / ".gitignore").write_text("gitconfig\n.venv\n")
    for command in ("init --initial-branch main", "add --all", "commit --message Test"):
        subprocess.run(["git", *command.split()], check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def remote(s3_server, monkeypatch):
    """Point the AWS chain to a real server; return a client for it."""
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    yield client
    client.close()


def find_fault(check):
    """Return what a check says that is wrong, and the fix."""
    with pytest.raises(UserError) as caught:
        check()
    return caught.value.message, caught.value.fix


@pytest.mark.usefixtures("checkout", "remote")
def test_all_works(capsys):
    assert doctor.main([])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "ok   python",
        "ok   environment",
        "ok   git",
        "ok   dvc",
        "ok   remote",
        "ok   disk",
    ]


@pytest.mark.usefixtures("checkout")
def test_what_does_not_work_comes_with_its_fix(capsys):
    Path("dvc.lock").unlink()
    assert not doctor.main([])
    out = capsys.readouterr().out
    assert "FAIL dvc: there is no dvc.lock\n     fix: git checkout dvc.lock, or make repro" in out
    assert "FAIL remote: there is no access key with its secret\n     fix: name both" in out
    assert "ok   disk" in out


def test_a_python_that_is_too_old(monkeypatch):
    monkeypatch.setattr(doctor, "PYTHON", (99, 0))
    what, fix = find_fault(doctor.check_python)
    assert what.endswith("is too old")
    assert fix == "install Python 99.0 or newer, then make PYTHON=python99.0 setup"
    assert find_fault(doctor.check_remote)[0] == "not tried, this Python is too old"


def test_no_environment(checkout):
    (checkout / ".venv" / "bin" / "python").unlink()
    assert find_fault(doctor.check_environment) == ("there is no .venv", "make setup")


def test_an_environment_that_was_never_finished_or_is_out_of_date(checkout):
    expected = ("requirements.txt is newer than .venv", "make setup")
    later = time.time() + 10
    os.utime(checkout / "requirements.txt", (later, later))
    assert find_fault(doctor.check_environment) == expected
    (checkout / ".venv" / ".runtime").unlink()
    assert find_fault(doctor.check_environment) == expected


def test_no_file_of_pinned_packages(checkout):
    (checkout / "requirements.txt").unlink()
    expected = ("there is no requirements.txt", "git checkout requirements.txt")
    assert find_fault(doctor.check_environment) == expected


@pytest.mark.usefixtures("checkout")
def test_the_python_of_another_environment(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "elsewhere")
    what, fix = find_fault(doctor.check_environment)
    assert what == f"{sys.executable} is not the Python of .venv"
    assert fix == "make doctor"


def test_packages_that_are_not_as_pinned(checkout):
    found = importlib.metadata.version("boto3")
    lines = ["boto3==0.1 \\", "no-such-a==1 \\", "no-such-b==1 ; sys_platform == 'win32' \\"]
    (checkout / "requirements.txt").write_text("\n".join(lines))
    (checkout / ".venv" / ".runtime").touch()
    what, fix = find_fault(doctor.check_environment)
    assert what == f"boto3 {found}, not 0.1; no-such-a missing, not 1"
    assert fix == "make clean setup"
    lines += ["no-such-c==1", "no-such-d[extra]==1"]
    (checkout / "requirements.txt").write_text("\n".join(lines))
    (checkout / ".venv" / ".runtime").touch()
    assert find_fault(doctor.check_environment)[0].endswith("no-such-c missing, not 1 and 1 more")


@pytest.mark.usefixtures("checkout")
def test_the_state_of_the_repository():
    assert doctor.check_git() == "main, clean"
    Path("new").touch()
    assert doctor.check_git() == "main, 1 uncommitted changes"


@pytest.mark.usefixtures("checkout")
def test_no_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert find_fault(doctor.check_git) == ("Git is not installed", "install it")


def test_no_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert find_fault(doctor.check_git)[0] == "this folder is not a Git repository"


def test_no_name_for_commits(checkout, monkeypatch):
    (checkout / "gitconfig").write_text("[user]\n    email = test@example.org\n")
    what, fix = find_fault(doctor.check_git)
    assert what == "user.name is not set"
    assert fix == "git config --global user.name 'Your Name'"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Test")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Test")
    assert doctor.check_git() == "main, clean"


@pytest.mark.parametrize("name", ["dvc.lock", ".dvc/config"])
def test_a_file_of_dvcs_that_is_not_there(checkout, name):
    (checkout / name).unlink()
    what, fix = find_fault(doctor.check_dvc)
    assert what == f"there is no {name}"
    assert fix.startswith(f"git checkout {name}")


@pytest.mark.usefixtures("checkout")
def test_a_dvc_that_does_not_run(monkeypatch):
    assert doctor.check_dvc() == importlib.metadata.version("dvc")
    monkeypatch.setattr(sys, "executable", "no-such-python")
    assert find_fault(doctor.check_dvc) == ("DVC does not run", "make setup")


@pytest.mark.usefixtures("checkout")
def test_the_remote_is_written_to_and_nothing_stays(remote):
    url = remote.meta.endpoint_url
    assert doctor.check_remote() == f"s3://messages/dvc at {url}"
    assert remote.list_objects_v2(Bucket="messages", Prefix="dvc/").get("Contents", []) == []


@pytest.mark.usefixtures("checkout", "remote")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "the secret is not that of the access key"),
        ("AWS_ACCESS_KEY_ID", "an-unknown-access-key", "the access key is unknown"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "http://127.0.0.1:9 does not answer"),
        ("AWS_PROFILE", "nobody", "The config profile (nobody) could not be found"),
    ],
)
def test_a_remote_that_cannot_be_used(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    what, fix = find_fault(doctor.check_remote)
    assert message in what
    assert fix


@pytest.mark.usefixtures("remote")
def test_a_bucket_that_is_not_there(checkout):
    (checkout / ".dvc" / "config.local").write_text(CONFIG.replace("messages", "no-such-bucket"))
    what, fix = find_fault(doctor.check_remote)
    assert what.endswith("there is no bucket no-such-bucket")
    assert fix == "make remote creates it"


def test_a_remote_that_is_not_in_s3(checkout):
    (checkout / ".dvc" / "config").write_text(CONFIG.replace("s3:/", ""))
    assert "not s3://BUCKET/PREFIX" in find_fault(doctor.check_remote)[0]


@pytest.mark.usefixtures("checkout")
def test_a_remote_cannot_be_tried_without_boto3(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert find_fault(doctor.check_remote) == ("not tried, boto3 is not installed", "make setup")


@pytest.mark.usefixtures("checkout", "remote")
def test_for_reading_only_the_remote_is_read(monkeypatch, capsys):
    def refuse(*_args):
        raise AssertionError("written to")

    monkeypatch.setattr("storage.s3.write_probe", refuse)
    assert doctor.main(["--remote"])
    assert re.fullmatch(r"ok   remote: s3://messages/dvc at http://\S+\n", capsys.readouterr().out)


def test_a_full_disk(monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage(1.5e9))
    what, fix = find_fault(doctor.check_disk)
    assert what == "only 1.5 GB are free, 2 are needed"
    assert fix.startswith("free some space")


def test_a_check_that_hangs_does_not_hold_up_the_others(capsys):
    end = threading.Event()
    healthy = doctor.run_checks({"slow": end.wait, "quick": lambda: "done"}, 0.2)
    end.set()
    assert not healthy
    out = capsys.readouterr().out
    assert out == "FAIL slow: no answer in 0.2 s\n     fix: try again\nok   quick: done\n"


def test_a_bug_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        doctor.run_checks({"broken": lambda: str(1 / 0)}, 1)


@pytest.mark.parametrize("accepts", [True, False])
def test_a_remote_that_never_answers_does_not_hold_it_up(checkout, accepts):
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        port = server.getsockname()[1] if accepts else find_free_port()
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        start = time.monotonic()
        run = subprocess.run(
            [sys.executable, SOURCE, "doctor"],
            cwd=checkout,
            env={**os.environ, **keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"},
            capture_output=True,
            text=True,
            check=False,
        )
        # Even on a busy machine; by its own limits the AWS SDK would try for minutes.
        assert time.monotonic() - start < 60
    assert run.returncode == 1
    assert re.search("^FAIL remote: .* answer", run.stdout, re.MULTILINE)


@pytest.mark.parametrize("path", ["__main__.py", "commands/doctor.py", "core/errors.py"])
def test_it_needs_nothing_but_an_old_python(path):
    tree = ast.parse((SOURCE / path).read_text(), feature_version=(3, 7))
    for node in tree.body:
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            is_standard = node.module.split(".")[0] in sys.stdlib_module_names
            assert is_standard or node.module == "core.errors"


def test_it_runs_before_anything_is_installed(tmp_path):
    # Without site-packages, as in a fresh clone.
    command = [sys.executable, "-S", SOURCE, "doctor"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == ""
    assert "FAIL environment: there is no .venv\n     fix: make setup" in run.stdout
    assert "ok   python" in run.stdout


def test_without_boto3_the_remote_is_not_tried(checkout):
    command = [sys.executable, "-S", SOURCE, "doctor", "--remote"]
    run = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stdout == "FAIL remote: not tried, boto3 is not installed\n     fix: make setup\n"
