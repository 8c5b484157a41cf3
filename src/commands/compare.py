"""Print the experiments of a commit as a table: a readable ``dvc exp show``, best first.

By hand: python src compare

Rows are sorted by their cross-validation score, shown with its standard deviation over the folds.
A configuration that is chosen on the test set looks better than it is, so test metrics are shown
only with --test: the main ones, each with its 95% interval in brackets. Parameters are shown if
they differ between rows. The table is Markdown.
"""

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from typing import Any

from core.errors import UserError
from core.log import run_stage
from core.markdown import align_table
from core.processes import run_dvc
from evaluation.cv_scores import pair_deviations
from evaluation.metrics import is_lower_better

# Some names begin with a label, such as spam_caught, so names are matched by their ends.
HEADLINES = (".f1", ".mcc", ".recall_at_max_fpr", "_caught", "_blocked")
CROSS_VALIDATION, TEST = "cv.", "test."
MISSING = "-"


@dataclass(frozen=True)
class Row:
    """What ``dvc exp show`` reports about one experiment, the baseline, or the workspace.

    Metrics have DVC's names, such as cv.f1. The spread of a cross-validation metric is its standard
    deviation, that of a test metric the two ends of its interval.
    """

    name: str
    state: str  # success, running, queued, failed, unreadable
    params: dict[str, Any]
    metrics: dict[str, float]
    spreads: dict[str, tuple[float, ...]]


def show_experiments(num: int) -> list[dict]:
    """Return the output of ``dvc exp show --json`` for the last ``num`` commits.

    Raises
    ------
    UserError
        If it fails; the message is DVC's.
    """
    return json.loads(run_dvc("exp", "show", "--json", "--num", str(num)))


def read_rows(shown: list[dict]) -> list[Row]:
    """Return the workspace if it differs from the commit, then each commit with its experiments."""
    workspace, *commits = shown
    rows = [read_row(workspace, "workspace")]
    for commit in commits:
        rows.append(read_row(commit, f"{commit['name'] or commit['rev'][:7]} (baseline)"))
        for experiment in commit["experiments"] or []:
            state = (experiment["executor"] or {"state": "success"})["state"]
            tip = experiment["revs"][0]
            rows.append(read_row(tip, tip["name"] or tip["rev"][:7], state))
    if rows[1:] and (rows[0].params, rows[0].metrics) == (rows[1].params, rows[1].metrics):
        del rows[0]
    return rows


def read_row(shown: dict, name: str, state: str = "success") -> Row:
    """Return one row; its metrics are empty unless it succeeded, as DVC shows the baseline's."""
    if shown["data"] is None:
        return Row(name, "unreadable", {}, {}, {})
    data = shown["data"]
    params: dict[str, Any] = {}
    for file in data["params"].values():
        params |= flatten(file.get("data") or {})
    metrics: dict[str, float] = {}
    spreads: dict[str, tuple[float, ...]] = {}
    for file in data["metrics"].values() if state == "success" else ():
        values = file.get("data") or {}
        for metric, (mean, deviation) in pair_deviations(values.get("cv", {})).items():
            metrics[CROSS_VALIDATION + metric] = mean
            spreads[CROSS_VALIDATION + metric] = (deviation,)
        for metric, value in values.get("test", {}).items():
            if isinstance(value, dict):
                spreads[TEST + metric] = value["low"], value["high"]
            else:
                metrics[TEST + metric] = value
    return Row(name, state, params, metrics, spreads)


def list_metrics(rows: list[Row], with_test: bool) -> list[str]:
    """Return the names of all metrics in the rows; those of the test set only if asked for."""
    names = dict.fromkeys(name for row in rows for name in row.metrics)
    return [name for name in sorted(names, key=is_of_test) if with_test or not is_of_test(name)]


def is_of_test(name: str) -> bool:
    return name.startswith(TEST)


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested dictionaries by their dotted names; an empty one is a leaf."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            leaves |= flatten(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def find_changed_params(rows: list[Row]) -> list[str]:
    """Return the parameters whose values differ between rows, in their order."""
    rows = [row for row in rows if row.params]
    names = dict.fromkeys(name for row in rows for name in row.params)
    return [name for name in names if len({format_param(row, name) for row in rows}) > 1]


def shorten_names(names: list[str]) -> list[str]:
    """Return the shortest unique end of each dotted name."""
    short = []
    for name in names:
        parts = name.split(".")
        ends = (".".join(parts[-n:]) for n in range(1, len(parts) + 1))
        others = [f".{other}" for other in names if other != name]
        unique = (end for end in ends if not any(other.endswith(f".{end}") for other in others))
        short.append(next(unique, name))
    return short


def choose_metric(metrics: list[str], asked: str | None) -> str:
    """Return the metric to sort by: ``asked``, or else the first one, of cross-validation.

    Raises
    ------
    UserError
        If there is no such metric.
    """
    if not metrics:
        raise UserError("there are no metrics to compare", "run 'make repro' first")
    if asked is None:
        return metrics[0]
    if asked not in metrics:
        raise UserError(
            f"there is no metric {asked!r}",
            f"choose one of {', '.join(metrics)}; --test adds those of the test set",
        )
    return asked


def sort_rows(rows: list[Row], metric: str) -> list[Row]:
    """Return the rows best first; those without the metric come last."""
    sign = 1 if is_lower_better(metric) else -1
    return sorted(
        rows, key=lambda row: (metric not in row.metrics, sign * row.metrics.get(metric, 0))
    )


def format_param(row: Row, name: str) -> str:
    """Return a parameter as it is written in params.yaml."""
    if name not in row.params:
        return MISSING
    value = row.params[name]
    return value if isinstance(value, str) else json.dumps(value)


def format_metric(row: Row, name: str) -> str:
    """Return a metric with its deviation, or its interval in brackets."""
    if name not in row.metrics:
        return MISSING
    spread = row.spreads.get(name, ())
    if len(spread) == 1:
        return f"{row.metrics[name]:.4f} ± {spread[0]:.4f}"
    brackets = f" [{', '.join(f'{end:.3f}' for end in spread)}]" if spread else ""
    return f"{row.metrics[name]:.4f}{brackets}"


def make_table(rows: list[Row], metrics: list[str], sorted_by: str) -> str:
    """Return the rows as a Markdown table, with a column of states unless all succeeded."""
    params = find_changed_params(rows)
    shown = [
        name
        for name in metrics
        if not is_of_test(name) or name.endswith(HEADLINES) or name == sorted_by
    ]
    has_states = any(row.state != "success" for row in rows)
    header = ["experiment", *["state"] * has_states, *shorten_names(params)]
    table = [[*header, *(name.replace(".", " ").replace("_", " ") for name in shown)]]
    for row in rows:
        cells = [row.name, *[row.state] * has_states]
        cells += [format_param(row, name) for name in params]
        table.append(cells + [format_metric(row, name) for name in shown])
    return align_table(table)


def print_csv(rows: list[Row], metrics: list[str]) -> None:
    """Print the rows as CSV, with full names, all digits and all of the metrics."""
    params = find_changed_params(rows)
    ends = {name: ("_low", "_high") if is_of_test(name) else ("_std",) for name in metrics}
    columns = [name + end for name in metrics for end in ("", *ends[name])]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["experiment", "state", *params, *columns])
    for row in rows:
        figures = [
            figure
            for name in metrics
            for figure in (
                row.metrics.get(name, ""),
                *row.spreads.get(name, ("",) * len(ends[name])),
            )
        ]
        values = [format_param(row, name) for name in params]
        writer.writerow([row.name, row.state, *values, *figures])


def main(argv: list[str] | None = None) -> None:
    """Print the table that ``argv`` asks for."""
    parser = argparse.ArgumentParser(description="Print a table of the experiments, best first.")
    parser.add_argument("--sort-by", metavar="METRIC", help="default: the cross-validation score")
    parser.add_argument("--test", action="store_true", help="show metrics of the test set, too")
    parser.add_argument("--num", type=int, default=1, help="number of commits to show (1)")
    parser.add_argument("--csv", action="store_true", help="print CSV with all digits instead")
    args = parser.parse_args(argv)
    rows = read_rows(show_experiments(args.num))
    metrics = list_metrics(rows, args.test)
    metric = choose_metric(metrics, args.sort_by)
    rows = sort_rows(rows, metric)
    if args.csv:
        print_csv(rows, metrics)
    else:
        print(make_table(rows, metrics, metric), flush=True)


def run_program() -> None:
    run_stage(main)
