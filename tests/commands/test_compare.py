"""Tests of the table of experiments."""

import csv
import io

import pytest

from commands import compare
from core.errors import UserError


def show(name, c, score, *, executor=None, **params):
    """Return an experiment as ``dvc exp show --json`` has it; the test set says the contrary."""
    mcc = round(1 - score, 6)
    cv = {"f1": score, "f1_std": 0.01}
    metrics = {"accuracy": 0.5, "mcc": mcc, "eggs_caught": mcc, "ham_blocked": 1 - mcc}
    intervals = {key: {"low": value / 2, "high": value} for key, value in metrics.items()}
    data = {
        "params": {"params.yaml": {"data": {"model": {"C": c, "tol": 0.1}, **params}}},
        "metrics": {
            "metrics.json": {"data": {"cv": cv, "test": metrics, "train": {"mcc": 1.0}}},
            "intervals.json": {"data": {"test": intervals}},
        },
    }
    revision = {"rev": "0123456789", "name": name, "data": data}
    return {"revs": [revision], "executor": executor}


def show_commit(name, c, score, *experiments):
    """Return a commit and its experiments as ``dvc exp show --json`` has them."""
    return {**show(name, c, score)["revs"][0], "experiments": list(experiments)}


@pytest.fixture
def shown():
    worse, better = show("worse", 1, 0.7), show("better", 10, 0.9)
    waiting = show("waiting", 5, 0.8, executor={"state": "queued"})
    return [
        show_commit(None, 100, 0.8),
        show_commit("main", 100, 0.8, worse, better, waiting),
    ]


def split_cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def print_table(shown, monkeypatch, capsys):
    """Return a function that runs the script and returns the lines it prints."""

    def run(*argv):
        monkeypatch.setattr(compare, "show_experiments", lambda _: shown)
        compare.main(list(argv))
        return capsys.readouterr().out.splitlines()

    return run


def test_rows_are_best_first_and_those_not_done_last(print_table):
    lines = [split_cells(line) for line in print_table()]
    names = ["better", "main (baseline)", "worse", "waiting"]
    assert [line[0] for line in lines[2:]] == names
    assert lines[-1] == ["waiting", "queued", "5", "-"]


def test_the_test_set_has_no_say_unless_asked(print_table):
    header, _, best, *_ = print_table()
    assert split_cells(header) == ["experiment", "state", "C", "cv f1"]
    assert split_cells(best)[2:] == ["10", "0.9000 ± 0.0100"]
    assert not any("test" in line for line in print_table("--csv"))


def test_headlines_of_the_test_set_are_shown_when_asked(print_table):
    header, _, best, *_ = print_table("--test")
    headlines = ["test mcc", "test eggs caught", "test ham blocked"]
    assert split_cells(header)[3:] == ["cv f1", *headlines]
    interval = "0.1000 [0.050, 0.100]"
    assert split_cells(best)[3:] == ["0.9000 ± 0.0100", interval, interval, "0.9000 [0.450, 0.900]"]


def test_there_are_no_states_when_all_are_done(shown, print_table):
    del shown[1]["experiments"][2]
    assert "state" not in print_table()[0]


def test_fewer_errors_are_better(print_table):
    assert split_cells(print_table("--test", "--sort-by=test.ham_blocked")[2])[0] == "worse"


def test_a_metric_to_sort_by_is_shown(print_table):
    assert "test accuracy" in print_table("--test", "--sort-by=test.accuracy")[0]


def test_a_workspace_with_results_of_its_own_is_a_row(shown, print_table):
    shown[0] = show_commit(None, 50, 0.95)
    assert split_cells(print_table()[2])[0] == "workspace"


def test_a_param_that_another_experiment_lacks_is_missing_there(shown, print_table):
    shown[1]["experiments"][0] = show("worse", 1, 0.7, flag=True)
    cells = [split_cells(line) for line in print_table()]
    column = cells[0].index("flag")
    assert [line[column] for line in cells[2:]] == ["-", "-", "true", "-"]


def test_an_experiment_that_dvc_cannot_read_is_shown_without_figures(shown, print_table):
    shown[1]["experiments"][0]["revs"][0]["data"] = None
    assert split_cells(print_table()[-2]) == ["worse", "unreadable", "-", "-"]


def test_a_commit_without_intervals_has_only_metrics(shown, print_table):
    del shown[1]["experiments"][1]["revs"][0]["data"]["metrics"]["intervals.json"]
    assert split_cells(print_table("--test")[2])[4:] == ["0.1000", "0.1000", "0.9000"]


def test_a_commit_without_cross_validation_comes_last(shown, print_table):
    del shown[1]["experiments"][1]["revs"][0]["data"]["metrics"]["metrics.json"]["data"]["cv"]
    better = next(line for line in print_table()[-2:] if "better" in line)
    assert split_cells(better)[3:] == ["-"]


def test_csv_has_full_names_and_every_metric(print_table):
    rows = list(csv.DictReader(io.StringIO("\n".join(print_table("--csv", "--test")))))
    assert rows[0]["model.C"] == "10"
    assert [float(rows[0][f"cv.f1{end}"]) for end in ("", "_std")] == [0.9, 0.01]
    assert [float(rows[0][f"test.mcc{end}"]) for end in ("", "_low", "_high")] == [0.1, 0.05, 0.1]
    assert {"test.accuracy", "test.ham_blocked_high", "state"} <= set(rows[0])
    assert rows[-1]["cv.f1"] == rows[-1]["test.mcc_low"] == ""


def test_an_unknown_metric_is_refused_with_a_sentence(print_table):
    message = r"no metric 'test\.mcc': choose one of cv\.f1; --test adds those of the test set"
    with pytest.raises(ValueError, match=message):
        print_table("--sort-by=test.mcc")


def test_without_metrics_the_next_step_is_named(shown, print_table):
    shown[0]["data"]["metrics"] = {}
    del shown[1]
    with pytest.raises(ValueError, match="no metrics to compare: run 'make repro' first"):
        print_table()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["model.params.C", "words.max_ngram"], ["C", "max_ngram"]),
        (["words.max_ngram", "characters.max_ngram"], ["words.max_ngram", "characters.max_ngram"]),
        (["C", "params.C"], ["C", "params.C"]),
        (["a.x.y", "b.x.y"], ["a.x.y", "b.x.y"]),
    ],
)
def test_names_are_as_short_as_they_can_be(names, expected):
    assert compare.shorten_names(names) == expected


def test_an_error_of_dvc_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"exp show.* failed: you are not inside of a DVC"):
        compare.main([])
