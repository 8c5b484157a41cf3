"""Decide what the target of new data is: the task, its labels, the positive one."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import UserError
from records.validation_params import NumberFormat
from records.value_formats import parse_number, show, show_some

# A whole number with so many different values may be a label or a quantity: a person must say.
UNCLEAR_COUNTS = range(3, 51)
MAX_LABELS = 100
MIN_LABEL_ROWS = 10


@dataclass(frozen=True)
class Target:
    """What the target is.

    Attributes
    ----------
    task : str
        The task of the schema.
    labels : list of str
        Of a binary task, negative first; of a multi-class one, sorted.
    positive : str or None
        The positive label of a binary task.
    evidence : dict of str to str
        Why, by key of the schema.
    is_used : ndarray of bool, shape (n_rows,)
        Which rows have a target that can be used.
    """

    task: str
    labels: list[str]
    positive: str | None
    evidence: dict[str, str]
    is_used: np.ndarray


def decide_target(
    values: pd.Series,
    style: NumberFormat,
    number_markers: set[str] | None,
    task: str,
    positive: str,
) -> Target:
    """Decide the task and its labels.

    Raises
    ------
    UserError
        If a person must decide, or the task that was asked for does not fit the values.
    """
    name, stripped = values.name, values.str.strip()
    counts = stripped[stripped.notna() & (stripped != "")].value_counts()
    counts = counts[
        [v in counts.index and v not in {"NaN", "nan", "#N/A", "<NA>", "\\N"} for v in counts.index]
    ]
    # Numbers with null markers; two or more labels are counted without them.
    if number_markers:
        counts = counts[~counts.index.isin([marker.strip() for marker in number_markers])]
    is_number = number_markers is not None
    if len(counts) < 2:
        raise UserError(
            f"every row has the same value in the target {name!r}"
            if len(counts)
            else f"no row has a value in the target {name!r}",
            "name another column as the target",
        )
    shown = ", ".join(f"{show(label, 30)} ({n:,})" for label, n in counts.head(5).items())
    shown += ", …" if len(counts) > 5 else ""
    chosen, why = task, "as asked for"
    if not task:
        chosen, why = guess_task(str(name), counts, style, is_number, shown)
    if chosen == "regression":
        if not is_number:
            raise UserError(
                f"task regression needs numbers, but the target {name!r} holds {shown}",
                "choose another task or target",
            )
        is_used = stripped.isin(counts.index).to_numpy()
        evidence = {"task": why, "labels": "", "positive": ""}
        return refuse_positive(Target(chosen, [], None, evidence, is_used), positive)
    if chosen == "binary" and len(counts) != 2:
        raise UserError(
            f"task binary needs two labels, but the target {name!r} has {len(counts):,}: {shown}",
            "choose another task or target",
        )
    if len(counts) > max(MAX_LABELS, len(stripped) // 2):
        raise UserError(
            f"the target {name!r} has {len(counts):,} different values: {shown}",
            "name a column with labels or numbers",
        )
    return decide_labels(stripped, counts, chosen, positive, why, shown)


def guess_task(
    name: str, counts: pd.Series, style: NumberFormat, is_number: bool, shown: str
) -> tuple[str, str]:
    """Return the task that fits the values of a target, and the evidence."""
    if len(counts) == 2:
        return "binary", f"two labels: {shown}"
    if not is_number:
        return "multiclass", f"{len(counts):,} labels: {shown}"
    numbers = [parse_number(value, style) for value in counts.index]
    is_whole = all(number.is_integer() for number in numbers)
    if is_whole and len({*numbers}) in UNCLEAR_COUNTS:
        raise UserError(
            f"the target {name!r} has {len({*numbers})} different whole numbers, from "
            f"{min(numbers):g} to {max(numbers):g}: they can be labels or quantities",
            "say which with TASK=multiclass or TASK=regression (--task)",
        )
    return "regression", (
        f"{len(counts):,} different numbers from {min(numbers):g} to {max(numbers):g}"
    )


def refuse_positive(target: Target, positive: str) -> Target:
    """Raise ``UserError`` if a positive label is named for a task that has none."""
    if positive:
        raise UserError(
            f"the task is {target.task}, which has no positive label", "leave out POSITIVE"
        )
    return target


def decide_labels(
    stripped: pd.Series, counts: pd.Series, task: str, positive: str, why: str, shown: str
) -> Target:
    """Return the labels of a classification; rare ones of several classes are left out."""
    name = stripped.name
    rare: list[str] = []
    least = MIN_LABEL_ROWS
    if task == "multiclass":
        refuse_positive(Target(task, [], None, {}, np.array([])), positive)
        rare = [str(label) for label, n in counts.items() if n < least]
    labels = sorted(str(label) for label in counts.index if label not in rare)
    if len(labels) < 2 or (task == "binary" and counts.min() < least):
        raise UserError(
            f"the target {name!r} needs two labels with at least {least} rows each, it has {shown}",
            "add rows, or name another column as the target",
        )
    left = ""
    if rare:
        left = f"left out, fewer than {least} rows each: {show_some(rare, 5)}"
    evidence = {"task": why, "labels": left, "positive": ""}
    chosen = None
    if task == "binary":
        # Equally frequent labels: the last one in the alphabet.
        chosen = min(labels, key=lambda label: (counts[label], [-ord(c) for c in label]))
        evidence["positive"] = f"the rarer label, in {counts[chosen]:,} rows (or set POSITIVE)"
        if positive:
            if positive not in labels:
                raise UserError(
                    f"the target {name!r} has no label {positive!r}, only {show_some(labels)}",
                    "correct POSITIVE",
                )
            chosen, evidence["positive"] = positive, "as asked for"
        labels.sort(key=lambda label: label == chosen)
    return Target(task, labels, chosen, evidence, stripped.isin(labels).to_numpy())
