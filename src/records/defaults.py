"""Choose settings for a new data set by its size, task and columns, with the evidence."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.errors import UserError
from records.duplicates import number_groups
from records.rehearsal import Rehearsal
from records.schema import Schema
from records.tasks import TASKS
from records.train_test_split import choose_groups
from records.value_formats import find_series, show
from text.normalise import normalise_text

MIN_ROWS = 20
MAX_LOST = 0.5
# Above so many characters on average, n-grams of characters take long and add little.
LONG_TEXT = 1000
# Above so many characters in all, pairs of words take much memory.
LARGE_TEXT = 20_000_000
# With fewer groups of training rows, of each label, too few folds are possible.
MIN_GROUPS = 4
# With fewer rows, trees learn too little.
SMALL_TABLE = 300
# Below this share a label is rare.
RARE_SHARE = 0.2
# Settings of section preprocessing that the template has.
SIMILARITY, TEST_SIZE, RANDOM_STATE = 0.7, 0.2, 0
# The score by which candidates are compared.
SCORING = {"binary": "roc_auc", "multiclass": "f1_macro", "regression": "r2"}
# Metrics that a promotion must not make worse, with their tolerances.
GUARDS = {
    "binary": [
        {"metric": "mcc", "tolerance": 0.005},
        {"metric": "recall", "tolerance": 0.01},
        {"metric": "fpr", "tolerance": 0.001},
    ],
    "multiclass": [
        {"metric": "mcc", "tolerance": 0.005},
        {"metric": "macro_f1", "tolerance": 0.01},
    ],
    "regression": [
        {"metric": "r2", "tolerance": 0.01},
        {"metric": "mae", "relative_tolerance": 0.02},
    ],
}
ROBUSTNESS_GUARD = {"metric": "robustness.worst", "tolerance": 0.02}


@dataclass(frozen=True)
class Shape:
    """What the settings of a data set depend on.

    Attributes
    ----------
    task : str
        The task of the schema.
    n_rows : int
        Valid rows.
    lost : Counter
        How many rows are rejected for each reason.
    label_counts : Series of int
        Rows of each label; empty for regression.
    numbers : ndarray of float
        The target of a regression.
    has_positive : bool
        Whether one of two labels is the positive one.
    is_messages : bool
        Whether the only feature is one column of text.
    lengths : ndarray of int
        Characters of each text; empty if no feature is text.
    duplicates : str
        Which rows are copies, as ``number_groups`` takes it.
    n_groups : int
        Groups of training rows; of labels, those of the label that has the fewest.
    joined : str
        Why ``duplicates`` is not the usual one, '' if it is.
    """

    task: str
    n_rows: int
    lost: Counter[str]
    label_counts: pd.Series
    numbers: np.ndarray
    has_positive: bool
    is_messages: bool
    lengths: np.ndarray
    duplicates: str
    n_groups: int
    joined: str

    @property
    def has_text(self) -> bool:
        """Whether a feature is text."""
        return bool(len(self.lengths))

    @property
    def is_long(self) -> bool:
        """Whether texts are as long as articles."""
        return self.has_text and bool(self.lengths.mean() > LONG_TEXT)

    @property
    def is_large(self) -> bool:
        """Whether there is so much text that its features must be few."""
        return int(self.lengths.sum()) > LARGE_TEXT


def measure(rehearsal: Rehearsal, schema: Schema) -> Shape:
    """Return what the settings depend on."""
    rows, target = rehearsal.rows, rehearsal.rows[schema.target]
    has_labels = TASKS[schema.task].has_classes
    lengths = [rows[name].str.len().to_numpy(int) for name in schema.text]
    duplicates, n_groups, joined = choose_duplicates(rows, schema)
    return Shape(
        task=schema.task,
        n_rows=len(rows),
        lost=rehearsal.reasons,
        label_counts=target.value_counts() if has_labels else pd.Series(dtype=int),
        numbers=np.array([]) if has_labels else target.to_numpy(float),
        has_positive=schema.positive is not None,
        is_messages=schema.is_messages,
        lengths=np.concatenate(lengths) if lengths else np.array([], int),
        duplicates=duplicates,
        n_groups=n_groups,
        joined=joined,
    )


def choose_duplicates(rows: pd.DataFrame, schema: Schema) -> tuple[str, int, str]:
    """Return ``duplicates``, ``n_groups`` and ``joined`` of a ``Shape``.

    Where few columns with few values make most rows equal, or all texts are similar, the groups
    would be too few to split them.
    """
    rows = rows.assign(**{name: rows[name].map(normalise_text) for name in schema.text})
    methods = ["near", "exact", "keep"] if schema.is_messages else ["exact", "keep"]
    joined = ""
    for method in methods:
        groups = number_groups(rows, schema, method, SIMILARITY)
        n_groups = count_groups(rows[schema.target], groups, schema)
        if n_groups >= MIN_GROUPS:
            break
        joined = joined or (
            f"{methods[0]} leaves only {groups.nunique():,} groups of rows for training and testing"
        )
    return method, n_groups, joined


def count_groups(target: pd.Series, groups: pd.Series, schema: Schema) -> int:
    """Return how many groups are for training, 0 if none is for testing.

    Of labels it is the number of those with the fewest groups. A group that has rows of several
    labels counts for the last of them, as in the split.
    """
    task = TASKS[schema.task]
    strata = task.stratify(target)
    is_test = choose_groups(strata, groups, TEST_SIZE, RANDOM_STATE)
    if not task.has_classes:
        return groups[~is_test].nunique() if is_test.any() else 0
    if len(np.unique(strata[is_test])) < len(np.unique(strata)):
        return 0
    highest = pd.Series(strata[~is_test]).groupby(groups[~is_test].to_numpy()).max()
    return int(min((highest == stratum).sum() for stratum in np.unique(strata)))


def choose_limits(shape: Shape) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the limits of validation, and the evidence for them."""
    longest = int(shape.lengths.max(initial=0))
    max_length = 2000
    while max_length < longest:
        # 2000, 5000, 10000, 20000, ...
        max_length = max_length * 5 // 2 if str(max_length)[0] == "2" else max_length * 2
    n_lost = shape.lost.total()
    share = n_lost / max(1, shape.n_rows + n_lost)
    reasons = ", ".join(f"{n:,} with {reason}" for reason, n in shape.lost.most_common())
    if share > MAX_LOST or shape.n_rows < MIN_ROWS:
        raise UserError(
            f"only {shape.n_rows:,} of {shape.n_rows + n_lost:,} rows can be used"
            + (f": {reasons}" if reasons else f", at least {MIN_ROWS} are needed"),
            "clean the file, add rows, or name another target",
        )
    allowed = max(0.01, math.ceil(share * 150) / 100)
    rarest = int(shape.label_counts.min()) if len(shape.label_counts) else shape.n_rows
    notes = {
        "max_length": f"the longest text has {longest:,} characters" if shape.has_text else "",
        "max_rejected_share": reasons,
        "min_rows_per_label": f"the rarest label has {rarest:,}" if len(shape.label_counts) else "",
    }
    limits = {
        "max_length": max_length,
        "max_rejected_share": min(allowed, 1),
        "min_rows_per_label": max(1, min(100, rarest // 2)),
    }
    return limits, notes


def choose_split(rows: pd.DataFrame, schema: Schema) -> tuple[dict[str, Any], dict[str, str]]:
    """Return how to split; rows that follow one another in time are split by time."""
    for name in schema.date:
        why = find_series(rows[name])
        # Labels that only occur early or late would be missing on one side.
        if why and not TASKS[schema.task].has_classes:
            split = {"split_method": "time", "split_column": name}
            return split, {"split_method": f"{show(name)} has {why}"}
    hint = f"or time by {show(schema.date[0])}, to predict what comes later" if schema.date else ""
    return {"split_method": "stratified", "split_column": None}, {"split_method": hint}


def choose_branches(shape: Shape) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings of n-grams, and the evidence for them."""
    settings = {
        "characters": not shape.is_long,
        "max_ngram": 1 if shape.is_large else 2,
        "min_df": 2 if shape.is_large else 1,
    }
    notes = {}
    if shape.is_long:
        notes["characters"] = f"texts of {shape.lengths.mean():,.0f} characters on average"
    if shape.is_large:
        notes["words"] = f"{shape.lengths.sum():,} characters in all"
    return settings, notes


def choose_model(shape: Shape) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings of ``model_building``, and the evidence for them."""
    has_labels = bool(len(shape.label_counts))
    rarest = int(shape.label_counts.min()) if has_labels else shape.n_rows
    share = rarest / max(1, shape.n_rows)
    linear = "logistic_regression" if has_labels else "ridge"
    is_pair = is_messages_of_two(shape)
    params: dict[str, Any] = {}
    candidates: list[Any] = []
    if is_pair and not shape.is_long:
        estimator, params, why = "ensemble", {"C": 100, "tol": 0.1}, "best for short messages"
    elif shape.has_text:
        estimator, why = linear, "a linear model, for many n-grams of texts"
        params = {"C": 10} if has_labels else {}
    elif shape.n_rows < SMALL_TABLE:
        estimator, why = linear, f"a linear model, for only {shape.n_rows} rows"
        candidates = ["random_forest"]
    else:
        estimator, candidates = "hist_gradient_boosting", [linear]
        why = "best for most tables; compared with a linear model"
    scoring = SCORING[shape.task]
    if is_pair:
        scoring = "matthews_corrcoef"
    elif shape.has_positive and share < RARE_SHARE:
        scoring = "average_precision"
    # Every fold needs two groups of rows of each label.
    cv = int(np.clip(shape.n_groups // 2, 2, 5))
    transform, transform_why = choose_transform(shape.numbers)
    is_weighted = has_labels and (is_pair or share < RARE_SHARE)
    model = {
        "estimator": estimator,
        "params": params,
        "candidates": candidates,
        "target_transform": transform,
        "class_weight": "balanced" if is_weighted else None,
        "augmentation": is_pair and estimator == "ensemble",
        "cv": cv,
        "scoring": scoring,
    }
    notes = {
        "estimator": why,
        "target_transform": transform_why,
        "class_weight": f"the rarest label has {share:.1%} of the rows" if has_labels else "",
        "cv": f"the rarest label has {rarest} rows" if cv < 5 and has_labels else "",
        "augmentation": "" if is_pair else "only for two labels and one column of text",
    }
    return model, notes


def choose_transform(numbers: np.ndarray) -> tuple[str, str]:
    """Return the transformation of a target, and the evidence."""
    if len(numbers) == 0 or numbers.min() <= 0:
        return "none", "none, log"
    low, high = np.quantile(numbers, [0.05, 0.95])
    if high < 10 * low:
        return "none", "none, log"
    return "log", f"all above 0, and 90% of them from {low:g} to {high:g}"


def choose_guards(shape: Shape) -> list[dict[str, Any]]:
    """Return the metrics that a promotion must not make worse."""
    more = [ROBUSTNESS_GUARD] if is_messages_of_two(shape) else []
    return [*GUARDS[shape.task], *more]


def is_messages_of_two(shape: Shape) -> bool:
    """Return whether one column of text gets one of two labels, as messages of spam and ham do."""
    return shape.is_messages and shape.has_positive
