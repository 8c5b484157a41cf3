"""Tests that a pipeline killed at any moment leaves nothing half-written."""

import hashlib
import os
import shutil
import signal
import subprocess
import time

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


# Against the order of the pipeline, so that each stage finds what it reads.
RENAMES = {
    "model_evaluation": (14, "after"),
    "model_building": (2, "before"),
    "preprocessing": (1, "after"),
    "data_validation": (3, "before"),
}
# In the log, when the whole pipeline is killed.
MOMENT = "preprocessing INFO tokenised"


def test_stages_and_the_whole_pipeline_killed_while_they_work(repository, finished):
    stages = yaml.safe_load((repository.path / "dvc.yaml").read_text())["stages"]
    for stage, (renames, when) in RENAMES.items():
        for out in [*stages[stage]["outs"], *stages[stage].get("metrics", [])]:
            path = repository.path / (out if isinstance(out, str) else next(iter(out)))
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        command = stages[stage]["cmd"].split()
        run = repository.try_run(command[0], "-c", KILLER, str(renames), when, *command[1:])
        assert run.returncode == -signal.SIGKILL, run.stdout
        there, expected = read_outputs(repository, stage)
        assert there == {path: expected[path] for path in there}

    # Nothing can be restored from the cache, so every stage runs again.
    shutil.rmtree(repository.path / ".dvc" / "cache")
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
    while not (log.is_file() and MOMENT in log.read_text()):
        assert process.poll() is None, "the pipeline ended before the moment came"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    repository.run("dvc", "repro")
    assert repository.read_lock() == finished.read_lock()
    assert repository.run("git", "status", "--porcelain") == ""
    assert list(repository.path.rglob("*.tmp")) == []
    assert "up to date" in repository.run("dvc", "status")
