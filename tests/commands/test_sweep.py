"""Tests of sweeps as far as no experiment runs; tests/pipeline/test_experiments.py runs some."""

import signal
import subprocess

import pytest

from commands import sweep


def test_a_grid_has_every_combination_once():
    grid = sweep.expand_grid(["a.b=1,10,1", "c=x,y"])
    assert grid == [("a.b=1", "c=x"), ("a.b=1", "c=y"), ("a.b=10", "c=x"), ("a.b=10", "c=y")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1,10", ["a=1", "a=10"]),
        ("a=range(1,4)", ["a=1", "a=2", "a=3"]),
        ("a=range(0,1,0.5)", ["a=0.0", "a=0.5"]),
        ("a=choice(x,y)", ["a=x", "a=y"]),
        ("a=null,3", ["a=null", "a=3"]),
        ("a=1e-05,0.1", ["a=1e-05", "a=0.1"]),
        ("a=[1,2],[3]", ["a=[1,2]", "a=[3]"]),
        ("a='x,y',z", ["a='x,y'", "a=z"]),
        ("a=1", ["a=1"]),
        ("a=[1,2]", ["a=[1,2]"]),
        ("+a=1,2", ["+a=1", "+a=2"]),
        ("~a", ["~a"]),
        ("other.yaml:a=1,2", ["other.yaml:a=1", "other.yaml:a=2"]),
    ],
)
def test_values_are_listed_as_the_queue_of_dvc_takes_them(text, expected):
    assert sweep.expand_override(text) == expected


@pytest.mark.parametrize("text", ["a", "a=1,", "a=choice(1", "a=interval(1,2)", "a=glob(*)"])
def test_what_cannot_be_listed_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match=r"^cannot read -S 'a.*': [^\n]+$"):
        sweep.expand_grid([text])


def test_a_grid_of_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to sweep: give at least one -S"):
        sweep.main(["--metrics=metrics.json"])


def test_no_job_at_a_time_is_refused():
    with pytest.raises(ValueError, match="--jobs is 0: give at least 1"):
        sweep.main(["--metrics=metrics.json", "--jobs=0", "-S", "a=1"])


def test_a_name_depends_only_on_parameters_and_changes():
    name = sweep.name_experiment(("a=1", "b=2"), b"")
    assert name == sweep.name_experiment(("a=1", "b=2"), b"")
    assert name != sweep.name_experiment(("a=1", "b=3"), b"")
    assert name != sweep.name_experiment(("a=1", "b=2"), b"diff")


STAGE_ERROR = "09:21:11 model_building ERROR params.yaml: no estimator 'magic'"
DVC_ERROR = "ERROR: failed to reproduce 'model_building': failed to run: python, exited with 1"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (f"Running stage\n{STAGE_ERROR}\n{DVC_ERROR}\n", STAGE_ERROR),
        (f"Traceback\n  line\nKeyError: 'x'\n{DVC_ERROR}\n", "KeyError: 'x'"),
        (
            "ERROR: could not override 'a'.\nHaving any troubles?\n",
            "ERROR: could not override 'a'.",
        ),
        (f"Killed\n{DVC_ERROR}\n", "Killed"),
        (f"{DVC_ERROR}\n", DVC_ERROR),
        ("", "it printed nothing"),
    ],
)
def test_the_error_that_helps_is_found(log, expected):
    assert sweep.find_error(log) == expected


@pytest.fixture
def started(monkeypatch):
    """Have the shell run the overrides in place of an experiment; return what was started."""
    runs = []

    def start(snapshot, overrides, name, log):
        process = subprocess.Popen(["sh", "-c", *overrides], start_new_session=True)
        runs.append(sweep.Run(name, overrides, snapshot, log, process, 0.0))
        return runs[-1]

    monkeypatch.setattr(sweep, "start_run", start)
    return runs


def test_no_more_run_at_a_time_than_asked_for(started, tmp_path):
    experiments = dict.fromkeys("abcde", ("sleep 0.1",))
    for run in sweep.run_grid(tmp_path, experiments, 2, tmp_path):
        assert run.process.returncode == 0
        assert sum(other.process.returncode is None for other in started) <= 2
    assert [run.name for run in started] == list(experiments)


def test_what_still_runs_at_the_end_is_killed(started, tmp_path):
    runs = sweep.run_grid(tmp_path, {"quick": ("true",), "slow": ("sleep 60 | cat",)}, 2, tmp_path)
    assert next(runs).name == "quick"
    runs.close()
    assert [run.process.returncode for run in started] == [0, -signal.SIGKILL]


def test_ended_from_the_keyboard_the_status_is_that_of_a_shell(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "run_sweep", interrupt)
    with pytest.raises(SystemExit) as exit_:
        sweep.main(["--metrics=metrics.json", "-S", "a=1"])
    assert exit_.value.code == 130


def test_a_failed_experiment_is_reported_with_its_error(started, tmp_path):
    log = tmp_path / "a.log"
    log.write_text(f"{STAGE_ERROR}\n{DVC_ERROR}\n")
    list(sweep.run_grid(tmp_path, {"a": ("exit 1",)}, 1, tmp_path))
    with pytest.raises(ValueError, match=STAGE_ERROR):
        sweep.collect_run(tmp_path, started[0], tmp_path / "metrics.json")


def test_outside_of_git_the_message_is_that_of_git(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="git rev-parse: fatal: not a git repository"):
        sweep.main(["--metrics=metrics.json", "-S", "a=1"])
