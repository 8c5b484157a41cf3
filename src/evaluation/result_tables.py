"""What the stages measured, as Markdown for README, docs/ and the cards."""

import json
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.markdown import align_table
from core.params import read_params
from evaluation.cv_scores import format_cv_scores
from evaluation.metrics import IN_UNITS, format_metric
from records.schema import Schema, read_message_schema

PARAMS = Path("params.yaml")


def read_report(name: str) -> dict[str, Any]:
    """Return a JSON file of reports/.

    Raises
    ------
    UserError
        If there is no such file, or it is not JSON, such as after a merge with conflicts.
    """
    path = Path("reports", f"{name}.json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", "run 'make repro' to make it") from error
    except ValueError as error:
        raise UserError(
            f"{path} is not JSON ({error})", "run 'make repro' to make it again"
        ) from error


def format_number(name: str, value: float | None) -> str:
    """Return a metric with four decimals, or as people write numbers in the target's unit."""
    if value is None:
        return ""
    # Adding zero removes the sign of a negative number that rounds to zero.
    return format_metric(name, value) if name in IN_UNITS else f"{round(value, 4) + 0:.4f}"


def describe_results() -> str:
    """Return all metrics beside those of the baseline, and the cross-validation score."""
    metrics, intervals = read_report("metrics"), read_report("intervals")
    rows = [["metric", "test", "95% interval", "baseline", "training"]]
    for name, value in metrics["test"].items():
        interval = intervals["test"][name]
        low, high = (format_number(name, interval[end]) for end in ("low", "high"))
        others = (format_number(name, metrics[part].get(name)) for part in ("baseline", "train"))
        numbers = (format_number(name, value), f"{low} to {high}", *others)
        rows.append([name.replace("_", " "), *numbers])
    scores = format_cv_scores(metrics["cv"])
    return f"{align_table(rows)}\n\nCross-validation on the training set: {scores}."


def describe_key_results() -> str:
    """Return the metrics that say most, in words."""
    metrics, intervals = read_report("metrics"), read_report("intervals")["test"]
    negative, positive = read_message_schema(PARAMS).classes
    words = {
        "mcc": "Matthews correlation (MCC)",
        "recall": f"recall: {positive} that is caught",
        "precision": f"precision: {positive} among what is called {positive}",
        f"{negative}_blocked": f"false-positive rate: {negative} called {positive}",
        "roc_auc": "area under the ROC curve",
    }
    rows = [["metric on the test set", "value", "95% interval"]]
    for name, meaning in words.items():
        low, high = intervals[name]["low"], intervals[name]["high"]
        rows.append([meaning, f"{metrics['test'][name]:.4f}", f"{low:.4f} to {high:.4f}"])
    counts = read_report("preprocessing")["test"]
    return (
        f"{align_table(rows)}\n\nMeasured on {counts['rows']:,} messages that the model has not "
        f"seen, {counts['labels'][positive]:,} of them {positive}.\n"
        "Cross-validation on the training set (mean ± standard deviation): "
        f"{format_cv_scores(metrics['cv'])}."
    )


def describe_operating_point() -> str:
    """Return what the threshold chosen by cross-validation achieves."""
    point = read_report("metrics")["operating_point"]
    rows = [["threshold", "measured on", "recall", "false-positive rate"]]
    for place, prefix in (("cross-validation", "cv_"), ("test set", "")):
        rates = (f"{point[prefix + name]:.4f}" for name in ("recall", "fpr"))
        rows.append([f"{point['threshold']:.4f}", place, *rates])
    return align_table(rows)


def describe_counts() -> str:
    """Return how many rows, and rows of each label, there are after each step."""
    accepted, split = read_report("validation"), read_report("preprocessing")
    labels = list(accepted.get("labels", {}))
    rows = "messages" if "length" in accepted else "rows"
    table = [
        ["step", rows, *labels],
        ["rows read", accepted["read"]],
        ["rejected by validation", accepted["rejected"]],
        ["accepted", accepted["accepted"], *(accepted["labels"][n]["count"] for n in labels)],
        ["exact duplicates, removed", split["exact_duplicates"]],
    ]
    for side, name in (("train", "training set"), ("test", "test set")):
        table.append([name, split[side]["rows"], *(split[side]["labels"][n] for n in labels)])
    cells = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in table]
    paragraphs = [align_table([row + [""] * (2 + len(labels) - len(row)) for row in cells])]
    paragraphs.append(describe_groups(accepted, split, rows))
    if reasons := accepted["reasons"]:
        shown = ", ".join(f"{reason} ({n:,})" for reason, n in reasons.items())
        paragraphs.append(f"Reasons for rejection: {shown}.")
    if target := accepted.get("target"):
        low, middle, high = (f"{target[name]:,.6g}" for name in ("minimum", "median", "maximum"))
        paragraphs.append(f"The target goes from {low} to {high}; its median is {middle}.")
    return "\n\n".join(paragraphs)


def describe_groups(accepted: dict[str, Any], split: dict[str, Any], rows: str) -> str:
    """Return how many groups the split keeps together, and how long messages are."""
    counted = f"The {split['distinct']:,} distinct {rows} form {split['groups']:,} groups"
    if "length" not in accepted:
        return (
            f"{counted}, each on one side of the split; the largest has {split['largest_group']:,}."
        )
    length = accepted["length"]
    return (
        f"{counted} of near-duplicates; the largest has {split['largest_group']}. A message has\n"
        f"{length['q0']:.0f} to {length['q100']:.0f} characters, half of them at most "
        f"{length['q50']:.0f}."
    )


def describe_robustness() -> str:
    """Return what is caught and blocked under each attack, worst first."""
    found = read_report("robustness")
    if not found.get("applies", True):
        return "Not measured: only messages of two labels are disguised."
    negative, positive = read_message_schema(PARAMS).classes
    rows = [["disguise", f"{positive} caught", "95% interval", f"{negative} blocked"]]
    attacks = sorted(found["attacks"].items(), key=lambda item: item[1]["caught"]["rate"])
    for name, measured in [("none", found["clean"]), *attacks]:
        caught, blocked = measured["caught"], measured["blocked"]
        interval = f"{caught['low']:.3f} to {caught['high']:.3f}"
        rates = (f"{caught['rate']:.3f}", interval, f"{blocked['rate']:.4f}")
        rows.append([name.replace("_", " "), *rates])
    summary = f"Mean {found['mean']:.3f}, worst {found['worst']:.3f}."
    return f"{align_table(rows)}\n\n{summary}"


# What the table of examples shows of each task.
EXAMPLE_METRICS = {"binary": "average_precision", "multiclass": "accuracy", "regression": "mae"}


def tabulate_examples() -> str:
    """Return the metrics of each example beside those of its baseline."""
    rows = [["example", "task", "metric", "test set", "baseline", "cross-validation"]]
    for path in sorted(Path("examples").glob("*/metrics.json")):
        metrics = json.loads(path.read_text(encoding="utf-8"))
        schema = read_params(path.with_name("params.yaml"), "schema", Schema)
        name = EXAMPLE_METRICS[schema.task]
        found = (f"{metrics[part][name]:,.4g}" for part in ("test", "baseline"))
        scores = format_cv_scores(metrics["cv"])
        rows.append([path.parent.name, schema.task, name.replace("_", " "), *found, scores])
    return align_table(rows)
