"""Tests of setting up: what `make` says and does before there is an environment."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def make(tmp_path):
    """Return a function that runs make in a folder with the Makefile and a python of our making."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)

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
    assert (
        "lacks its venv module: install it (Debian, Ubuntu: apt install python3-venv)" in run.stderr
    )


def test_a_missing_python_is_refused_with_a_sentence(make):
    run = make("", "PYTHON=no-such-python", "repro")
    assert run.returncode != 0
    assert "no-such-python is not installed: install Python 3.11 or newer" in run.stderr


def test_help_lists_every_target(make):
    makefile = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    listed = re.findall(r"^make ([a-z]+) +\S", make("", "help").stdout, re.MULTILINE)
    assert sorted(listed) == sorted(targets)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_with_hashes(name):
    text = (ROOT / name).read_text()
    assert "://" not in text
    pins = re.split(r"\n(?=[a-z0-9])", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE))
    assert len(pins) > 20
    for pin in pins:
        assert re.match(r"[\w.-]+(\[[\w,]+\])?==\S+ ", pin), pin[:60]
        assert "--hash=sha256:" in pin, pin[:60]
