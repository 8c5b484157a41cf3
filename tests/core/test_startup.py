"""Tests of preparing a process, each in a separate process."""

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core import startup


@pytest.fixture
def run_script(tmp_path):
    """Return a function that runs code as a stage, with some standard streams closed."""
    shutil.copytree(Path(startup.__file__).parent, tmp_path / "src" / "core")
    program = tmp_path / "src" / "stage.py"

    def run(script, closed="", **environment):
        program.write_text(f"import core.startup\n{script}")
        return subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, str(program)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_test_that_imports_a_stage_keeps_the_garbage_collector():
    assert gc.isenabled()


def test_a_stage_starts_without_the_garbage_collector(run_script):
    assert run_script("import gc\nprint(gc.isenabled())").stdout == "False\n"


def test_numeric_libraries_use_one_thread_whatever_the_environment_says(run_script):
    script = (
        "import numpy, sklearn.ensemble, threadpoolctl\n"
        "print({pool['num_threads'] for pool in threadpoolctl.threadpool_info()})"
    )
    ran = run_script(script, OMP_NUM_THREADS="4", OPENBLAS_NUM_THREADS="3")
    assert ran.stdout == "{1}\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_no_file_gets_the_number_of_a_closed_stream(run_script, tmp_path, closed):
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


def test_a_closed_stream_is_none(run_script):
    script = "import sys\nsys.stderr.write(f'{sys.stdin} {sys.stdout}')"
    assert run_script(script, "<&- >&-").stderr == "None None"


def test_escapes_characters_that_the_encoding_of_the_output_lacks(run_script):
    ran = run_script("print('caf\\xe9 £')", PYTHONIOENCODING="ascii")
    assert ran.stdout == "caf\\xe9 \\xa3\n"


def test_scipy_stats_is_imported_when_it_is_used(run_script):
    script = (
        "import sys, scipy, scipy.stats, sklearn.linear_model\n"
        "from scipy.stats import rankdata\n"
        "print('scipy.stats._stats_py' in sys.modules)\n"
        "print(rankdata([3, 1]), scipy.stats.norm.cdf(0))\n"
        "from scipy.stats import norm\n"
        "print(norm is scipy.stats.norm, sys.modules['scipy.stats'].__file__ is None)\n"
    )
    ran = run_script(script)
    assert ran.stderr == ""
    assert ran.stdout == "False\n[2. 1.] 0.5\nTrue False\n"


def test_a_module_within_scipy_stats_can_be_imported(run_script):
    script = "from scipy.stats.mstats import gmean\nprint(gmean([2, 8]).round(6))"
    assert run_script(script).stdout == "4.0\n"
