"""Tests that a pipeline killed at any moment leaves nothing half-written."""

import hashlib
import os
import shutil
import signal
import subprocess
import time

import pytest
import yaml

# Runs a stage that kills itself just before, or just after, its n-th renaming of a file.
KILLER = """
import os, pathlib, runpy, signal, sys
count, when = int(sys.argv[1]), sys.argv[2]
sys.argv = sys.argv[3:]
sys.path.insert(0, "src")
rename = pathlib.Path.replace
def replace(source, target):
    global count
    count -= 1
    if count == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
    if count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path.replace = replace
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def forget_outputs(repository):
    """Remove every output and DVC's cache, so that nothing can be restored from there."""
    for folder in ("data/raw", "data/interim", "data/processed", ".dvc/cache", "reports/plots"):
        shutil.rmtree(repository.path / folder)
    for pattern in ("models/*.*", "reports/*.*"):
        for path in repository.path.glob(pattern):
            if path.stem not in ("README", "study"):
                path.unlink()


def read_outputs(repository, stage):
    """Return the digests of those outputs of a stage that are there, and those in the lock."""
    outs = yaml.safe_load(repository.read_lock())["stages"][stage]["outs"]
    files = [out for out in outs if not out["md5"].endswith(".dir")]
    there = {
        out["path"]: hashlib.md5((repository.path / out["path"]).read_bytes()).hexdigest()
        for out in files
        if (repository.path / out["path"]).exists()
    }
    return there, {out["path"]: out["md5"] for out in files}


def finish(repository, finished):
    repository.run("dvc", "repro")
    assert repository.read_lock() == finished.read_lock()
    assert repository.run("git", "status", "--porcelain") == ""
    assert list(repository.path.rglob("*.tmp")) == []
    assert "up to date" in repository.run("dvc", "status")


@pytest.mark.parametrize(
    ("stage", "renames", "when"),
    [
        ("data_validation", 3, "before"),
        ("preprocessing", 1, "after"),
        ("model_building", 2, "before"),
        ("model_evaluation", 14, "after"),
    ],
)
def test_a_stage_killed_while_it_writes(repository, finished, stage, renames, when):
    outs = yaml.safe_load((repository.path / "dvc.yaml").read_text())["stages"][stage]
    for out in [*outs["outs"], *outs.get("metrics", [])]:
        path = repository.path / (out if isinstance(out, str) else next(iter(out)))
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    command = outs["cmd"].split()
    run = repository.try_run(command[0], "-c", KILLER, str(renames), when, *command[1:])
    assert run.returncode == -signal.SIGKILL, run.stdout
    there, expected = read_outputs(repository, stage)
    assert there == {path: expected[path] for path in there}
    shutil.rmtree(repository.path / ".dvc" / "cache")
    finish(repository, finished)


def test_the_whole_pipeline_killed_while_it_works(repository, finished):
    moment = "preprocessing INFO tokenised"
    forget_outputs(repository)
    log = repository.path / "logs" / "pipeline.log"
    log.unlink()
    process = subprocess.Popen(
        ["dvc", "repro", "--quiet"],
        cwd=repository.path,
        env=repository.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (log.is_file() and moment in log.read_text()):
        assert time.monotonic() < deadline, "the moment never came"
        assert process.poll() is None, "the pipeline ended before the moment came"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finish(repository, finished)
