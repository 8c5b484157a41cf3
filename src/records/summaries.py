"""What validation found: counts for the report, and whether the rows are enough to learn from."""

from collections import Counter

import numpy as np
import pandas as pd

from core.errors import UserError
from records.schema import Schema
from records.tasks import TASKS
from records.validation_params import ValidationParams

QUANTILES = (0, 0.25, 0.5, 0.75, 0.95, 1)
# How many unknown labels an error shows, and how many characters of each.
SHOWN_LABELS = 3
SHOWN_LENGTH = 40
# What to add about unknown labels, by the task.
OTHER_TASKS = {"binary": " (task binary has two labels, task multiclass more)"}


def summarise(
    accepted: pd.DataFrame, rejected: pd.DataFrame, n_stripped: int, schema: Schema
) -> dict:
    """Return counts, the target's labels or quantiles, what each column has, and reasons.

    ``added`` counts the accepted rows that come from the additions, ``stripped_labels`` the rows
    whose label had blanks around it (``n_stripped``). ``length`` is that of the texts, if these are
    the only feature, in characters.
    """
    target = accepted[schema.target]
    report = {
        "read": len(accepted) + len(rejected),
        "accepted": len(accepted),
        "added": int(accepted["added"].sum()),
        "rejected": len(rejected),
        "stripped_labels": n_stripped,
        "reasons": dict(sorted(Counter(rejected["reason"]).items())),
    }
    if TASKS[schema.task].has_classes:
        report["labels"] = {
            label: {"count": int(count), "share": round(count / max(1, len(accepted)), 6)}
            for label, count in target.value_counts(sort=False).items()
        }
    else:
        report["target"] = describe_column(target)
    if schema.is_messages:
        report["length"] = count_lengths(accepted[schema.text[0]])
    if not schema.is_messages:
        kinds = schema.kinds
        report["columns"] = {
            column: {"kind": kinds[column], **describe_column(accepted[column])}
            for column in schema.features
        }
    return report


def count_lengths(texts: pd.Series) -> dict[str, float]:
    """Return quantiles of the length of texts in characters."""
    lengths = texts.str.len()
    return {f"q{100 * q:g}": float(np.quantile(lengths, q)) for q in QUANTILES if len(texts)}


def describe_column(values: pd.Series) -> dict:
    """Return how many values are missing, and minimum, median and maximum, or the distinct ones."""
    present = values[values != ""] if values.dtype == "str" else values
    present = present.dropna()
    described: dict = {"missing": len(values) - len(present)}
    if values.dtype == "str":
        return {**described, "distinct": int(present.nunique())}
    if not len(present):
        return described
    shown = {"minimum": present.min(), "median": present.median(), "maximum": present.max()}
    is_number = values.dtype == "float64"
    return {
        **described,
        **{name: float(value) if is_number else str(value) for name, value in shown.items()},
    }


def list_unknown_labels(rejected: pd.DataFrame) -> str:
    """Return the most frequent unknown labels with their counts, or ''."""
    counts = Counter(rejected.loc[rejected["reason"] == "unknown label", "detail"])
    shown = ", ".join(
        f"{label[:SHOWN_LENGTH]} in {n}" for label, n in counts.most_common(SHOWN_LABELS)
    )
    return f"; the most frequent unknown labels: {shown}" if shown else ""


def check_limits(
    report: dict, rejected: pd.DataFrame, schema: Schema, params: ValidationParams
) -> None:
    """Raise ``UserError`` if too many rows are rejected, or the rest cannot be learned from."""
    unknown = list_unknown_labels(rejected)
    unknown += OTHER_TASKS.get(schema.task, "") if unknown else ""
    check_share(report, rejected, unknown, schema, params)
    for label, counted in report.get("labels", {}).items():
        if counted["count"] < params.min_rows_per_label:
            raise UserError(
                f"{counted['count']} rows have the label {label!r}, fewer than "
                f"data_validation.min_rows_per_label ({params.min_rows_per_label})",
                f"add such rows or check schema.labels{unknown}",
            )
    if not report["accepted"]:
        raise UserError("no row is valid", "fix the rows or the parameters of data_validation")
    target = report.get("target")
    if target["minimum"] == target["maximum"] if target else len(report["labels"]) < 2:
        raise UserError(
            f"every row has the same value of the target {schema.target!r}",
            "add rows with other values, or correct schema.target",
        )
    for column, described in report.get("columns", {}).items():
        if described["missing"] == report["accepted"]:
            raise UserError(
                f"all values of the column {column!r} are missing",
                "move it to schema.drop, or correct null_markers of data_validation",
            )


def check_share(
    report: dict, rejected: pd.DataFrame, unknown: str, schema: Schema, params: ValidationParams
) -> None:
    """Raise ``UserError`` if too many rows are rejected; ``unknown`` lists unknown labels."""
    share = report["rejected"] / report["read"]
    if share <= params.max_rejected_share:
        return
    reasons = ", ".join(f"{count} with {reason}" for reason, count in report["reasons"].items())
    first = ""
    if not schema.is_messages:
        row, reason, detail = rejected[["row", "reason", "detail"]].iloc[0]
        first = f"; the first one is row {row}: {reason} ({detail})"
    raise UserError(
        f"{report['rejected']} of {report['read']} rows rejected ({share:.1%}), more than "
        f"data_validation.max_rejected_share ({params.max_rejected_share:.1%}): {reasons}",
        f"fix the rows or the parameters of data_validation{unknown}{first}",
    )
