"""Tests of ``python src``."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMANDS = sorted(path.stem for path in (ROOT / "src" / "commands").glob("[!_]*.py"))


def run(*arguments):
    command = [sys.executable, "src", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_lists_every_command_on_a_separate_line(arguments):
    listed = run(*arguments)
    assert listed.returncode == 0
    head, *lines = listed.stdout.splitlines()
    assert head.startswith("usage: python src COMMAND")
    described = dict(line.split(maxsplit=1) for line in lines if line)
    assert sorted(described) == COMMANDS
    assert all(len(says) > 20 and not says.endswith(".") for says in described.values())


@pytest.mark.parametrize("name", ["prdict", "__init__", "../data_ingestion", "--version"])
def test_refuses_an_unknown_command_in_one_sentence(name):
    refused = run(name, "--help")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith("python src: there is no command ")
    assert refused.stderr.endswith(f", only {', '.join(COMMANDS)}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    shown = run(name, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    # Arguments after `python src repro` are passed to DVC.
    program = "dvc repro" if name == "repro" else f"python src {name}"
    assert shown.stdout.startswith(f"usage: {program}")
