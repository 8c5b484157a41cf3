"""Tests of printing to a terminal or a pipe."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.terminal import CLOSED_PIPE, escape_unprintable

SOURCE = Path(__file__).parents[2] / "src"
PROGRAM = """
from core.terminal import exit_on_closed_pipe
with exit_on_closed_pipe():
    print("some text", flush=True)
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain £5 日本 🙂", "plain £5 日本 🙂"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc\0", r"a\r\nb\tc\x00"),
        ("\u202egone \x9b1m", r"\u202egone \x9b1m"),
    ],
)
def test_escapes_control_characters(text, shown):
    assert escape_unprintable(text) == shown


def test_a_closed_pipe_ends_the_program_without_output():
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=SOURCE,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (CLOSED_PIPE, "")
