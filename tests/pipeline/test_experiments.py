"""Tests of experiments: DVC's own ways to run them, sweeps, and how they are compared."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time

import psutil
import pytest

from commands import compare, sweep
from tests.pipeline.conftest import EXPERIMENT, GRID, METRICS, copy_repository, work_in

PATIENCE_SECONDS = 180


def list_experiments(repository):
    return repository.run("dvc", "exp", "list", "--name-only").split()


def split_cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def copy(swept, tmp_path):
    """Return a copy of the repository with two experiments, and work in it."""
    repository = copy_repository(swept[0], tmp_path)
    with work_in(repository):
        yield repository


def test_a_sweep_ends_with_a_table_of_its_grid(swept):
    header, _, *rows = map(split_cells, swept[1].splitlines())
    assert header[:3] == ["experiment", "C", "threshold"]
    assert header[3:] == ["cv matthews corrcoef"]
    values = {tuple(row[1:3]) for row in rows if row[0].startswith("sweep-")}
    assert values == {("1", "0.4"), ("100", "0.4")}
    assert "main (baseline)" in {row[0] for row in rows}
    assert len(rows) == 3
    for cell in (cell for row in rows for cell in row[3:]):
        assert re.fullmatch(r"[01]\.\d{4} ± 0\.\d{4}", cell)


def test_experiments_are_compared_best_first(swept, capsys):
    with work_in(swept[0]):
        compare.main(["--test", "--sort-by=test.brier_score"])
    header, _, *rows = map(split_cells, capsys.readouterr().out.splitlines())
    scores = [float(row[header.index("test brier score")].split()[0]) for row in rows]
    assert len(scores) >= 2
    assert scores == sorted(scores)


def test_a_sweep_leaves_nothing_but_experiments(swept):
    repository, _ = swept
    assert repository.run("git", "status", "--porcelain") == ""
    assert repository.run("git", "stash", "list") == ""
    assert list((repository.path / ".dvc" / "tmp").glob("sweep-*")) == []
    assert len(list_experiments(repository)) == 2


def test_an_experiment_of_a_sweep_can_be_applied(copy):
    copy.run("dvc", "exp", "apply", EXPERIMENT)
    params = (copy.path / "params.yaml").read_text()
    assert "C: 1\n" in params
    assert "threshold: 0.4\n" in params
    assert "up to date" in copy.run("dvc", "status")


def test_a_failing_experiment_fails_the_sweep_and_spares_the_others_and_local_changes(copy):
    copy.set_params({"model_evaluation.max_fpr": 0.01})
    before = copy.run("git", "diff")
    grid = "--set-param=model_evaluation.threshold=0.9999,2"
    run = copy.try_run("python", "src", "sweep", METRICS, "--jobs=2", grid)
    assert run.returncode == 1, run.stdout
    assert "2 experiments, 2 at a time, each with the uncommitted changes" in run.stdout
    assert "threshold=2 failed: " in run.stdout
    assert "threshold: input should be less than 1, got 2" in run.stdout
    score = r"matthews corrcoef [01]\.\d{4} ± 0\.\d{4}"
    assert re.search(rf"threshold=0\.9999 in \d+\.\d s: {score}", run.stdout)
    assert run.stdout.splitlines()[-1].endswith(
        "1 of 2 experiments failed, see logs/sweep: model_evaluation.threshold=2"
    )
    rows = [line for line in run.stdout.splitlines() if line.startswith("| sweep-")]
    [name] = [split_cells(row)[0] for row in rows if "| 0.9999 " in row]
    assert len(list_experiments(copy)) == 3

    assert copy.run("git", "diff") == before
    ref = copy.run("git", "for-each-ref", f"refs/exps/*/*/{name}", "--format=%(refname)").strip()
    params = copy.run("git", "show", f"{ref}:params.yaml")
    assert "max_fpr: 0.01\n" in params
    assert "threshold: 0.9999\n" in params


def test_code_that_git_does_not_know_is_refused(copy):
    (copy.path / "src" / "idea.py").touch()
    with pytest.raises(ValueError, match=r"Git does not track src/idea\.py, so experiments would"):
        sweep.main([METRICS, *GRID])


def find_processes(folder):
    """Return the processes that work in a folder or below."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd().startswith(f"{folder}{os.sep}"):
                found.append(process)
    return found


def wait_until(is_so, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"{what} in {PATIENCE_SECONDS} s"
        time.sleep(0.1)


def test_a_sweep_that_is_stopped_leaves_nothing_running(copy):
    grid = "--set-param=model_building.params.C=2,3,4"
    command = ["python", "src", "sweep", METRICS, "--jobs=2", grid]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_until(
            lambda: any("src/model_building.py" in p.cmdline() for p in find_processes(copy.path)),
            "no experiment started",
        )
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert "stopped; the experiments that had ended are kept" in errors
    assert find_processes(copy.path) == []
    assert list((copy.path / ".dvc" / "tmp").glob("sweep-*")) == []
    assert copy.run("git", "status", "--porcelain") == ""


def test_an_experiment_in_the_workspace_changes_it(copy):
    change = ["-S", "model_evaluation.threshold=0.7"]
    output = copy.run("dvc", "exp", "run", "--name", "here", *change)
    assert re.findall(r"Running stage '(\w+)'", output) == ["robustness", "model_evaluation"]
    assert "here" in list_experiments(copy)
    assert "threshold: 0.7" in (copy.path / "params.yaml").read_text()
    compare.main([])


def test_a_queue_runs_a_grid_and_reports_what_failed(copy, capsys):
    queue = ["dvc", "exp", "run", "--queue"]
    copy.run(*queue, "--name", "grid", "-S", "model_evaluation.threshold=0.6,0.7")
    copy.run(*queue, "--name", "bad", "-S", "model_evaluation.threshold=2")
    compare.main([])
    rows = map(split_cells, capsys.readouterr().out.splitlines())
    states = {row[0]: row[1] for row in rows}
    assert states["grid-1"] == states["bad"] == "queued"

    copy.run("dvc", "queue", "start", "-j", "2")
    # The queue's workers leave by themselves.
    wait_until(lambda: find_processes(copy.path / ".dvc") == [], "the queue is not done")
    listed = copy.run("dvc", "queue", "status")
    states = dict(re.findall(r"^\w{7} +(\S+) +\S+ \w\w +(\w+)", listed, re.MULTILINE))
    assert states == {"bad": "Failed", **{f"grid-{n}": "Success" for n in (1, 2)}}
    compare.main([])
    *_, last = map(split_cells, capsys.readouterr().out.splitlines())
    assert last[:2] == ["bad", "failed"]
    assert last[-1] == "-"


def test_curves_of_two_experiments_lie_over_one_another(swept):
    repository, _ = swept
    pair = list_experiments(repository)[:2]
    plots = json.loads(repository.run("dvc", "plots", "diff", *pair, "--json"))["data"]
    for title in ("ROC", "Precision and recall", "Rates by threshold"):
        [plot] = plots[title]
        assert sorted(plot["revisions"]) == sorted(pair)
        assert {point["rev"] for point in plot["content"]["data"]["values"]} == set(pair)
