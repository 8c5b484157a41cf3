"""Tests of what every program does before anything else, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common import startup

SOURCE = Path(startup.__file__).parents[1]


def run_script(script, closed="", **environment):
    """Run Python code after ``import common.startup``, some standard streams closed."""
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c"]
    return subprocess.run(
        [*command, f"import common.startup\n{script}"],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_place_of_a_closed_stream(tmp_path, closed):
    path = tmp_path / "a.txt"
    script = (
        "import os, subprocess, sys\n"
        f"file = open({str(path)!r}, 'w')\n"
        "file.write(str(file.fileno() > 2))\n"
        "print('out')\n"
        "sys.stderr.write('err')\n"
        "subprocess.run(['sh', '-c', 'echo child; echo child >&2'])\n"
    )
    ran = run_script(script, closed)
    assert ran.returncode == 0
    assert path.read_text() == "True"
    assert ran.stdout == ("" if ">&-" in closed.split() else "out\nchild\n")
    assert ran.stderr == ("" if "2>&-" in closed.split() else "errchild\n")


def test_a_closed_stream_can_be_told():
    script = "import sys\nsys.stderr.write(f'{sys.stdin} {sys.stdout}')"
    assert run_script(script, "<&- >&-").stderr == "None None"


def test_prints_what_the_encoding_of_the_output_lacks():
    ran = run_script("print('caf\\xe9 £')", PYTHONIOENCODING="ascii")
    assert ran.stdout == "caf\\xe9 \\xa3\n"
