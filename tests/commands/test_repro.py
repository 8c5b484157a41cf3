"""Tests of running the pipeline twice at once, with the real dvc and a stage of a few lines."""

import subprocess
import sys
import time
from pathlib import Path

from commands import repro
from tests.pipeline.conftest import Repository

PROGRAM = [sys.executable, str(Path(repro.__file__).parents[1]), "repro"]
STAGE = """stages:
  wait:
    cmd: touch started; while [ ! -e go ]; do sleep 0.05; done; echo done > out
    outs: [out]
"""


def start(repository, *arguments):
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=repository.path,
        env=repository.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_second_waits_for_the_first_and_names_it(tmp_path):
    repository = Repository(tmp_path / "repository")
    repository.path.mkdir()
    repository.run("git", "init", "--quiet")
    repository.run("dvc", "init", "--quiet")
    (repository.path / "dvc.yaml").write_text(STAGE)
    with start(repository) as first:
        deadline = time.monotonic() + 60
        while not (repository.path / "started").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with start(repository) as second:
            assert second.stdout.readline() == (
                f"another make repro (process {first.pid}) is running here: waiting for it\n"
            )
            (repository.path / "go").touch()
            assert "Running stage 'wait'" in first.communicate(timeout=60)[0]
            output = second.communicate(timeout=60)[0]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "Stage 'wait' didn't change, skipping" in output


def test_arguments_and_exit_status_are_those_of_dvc(tmp_path):
    repository = Repository(tmp_path)
    repository.run("git", "init", "--quiet")
    repository.run("dvc", "init", "--quiet")
    (tmp_path / "dvc.yaml").write_text(STAGE)
    with start(repository, "no-such-stage") as process:
        assert "no-such-stage" in process.communicate(timeout=60)[0]
    assert process.returncode == 255


def test_another_folder_is_refused_with_a_sentence(tmp_path):
    with start(Repository(tmp_path)) as process:
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert (
        output == "repro: there is no .dvc in this folder: run it in the folder of the checkout\n"
    )
    assert not (tmp_path / ".dvc").exists()
