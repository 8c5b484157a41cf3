"""Decide what the columns of a table are, with the evidence, for a person to check.

Only ``python src start`` does this. The pipeline reads what params.yaml says, and guesses nothing.
Everything is decided from values as strings, and from all of them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from core.errors import UserError
from records.inferred_target import Target, decide_target
from records.leakage import ALMOST_UNIQUE
from records.schema import FEATURE_KINDS, RESERVED, TOKENS_SUFFIX
from records.validation_params import NumberFormat
from records.value_formats import (
    ALWAYS_NULL,
    choose_style,
    find_date_formats,
    fits,
    is_marker,
    show,
    show_some,
)

MIN_WORDS = 3
MIN_TEXT_SHARE = 0.01
# Columns with fewer values may have none in the training rows.
MIN_VALUES = 10
IS_ID = re.compile(
    r"(^|.*[\W_])(id|ids|key|uid|uuid|guid|idx|index|no|nr|rownum|row|identifier|unnamed: \d+)$"
    r"|^(id|key|uid|uuid|guid|index|identifier)([\W_].*)?$",
    re.IGNORECASE,
)
ENDS_WITH_ID = re.compile(r".*[a-z](Id|ID|Key|No)$")


@dataclass(frozen=True)
class Decision:
    """What a column is: one of the lists of the schema, and why.

    Attributes
    ----------
    kind : str
        The list of the schema.
    evidence : str
        For the comment on the column's line.
    date_format : str
        Of a date that is not written as ISO 8601 says.
    """

    kind: str
    evidence: str
    date_format: str = ""


@dataclass(frozen=True)
class Inference:
    """What a table is: as sections ``schema`` and ``data_validation`` of params.yaml say it.

    ``allow`` has the new names of columns that may predict the target almost perfectly.
    """

    target: Target
    columns: dict[str, Decision]
    style: NumberFormat
    null_markers: list[str]
    rename: dict[str, str]
    evidence: dict[str, str] = field(default_factory=dict)
    allow: list[str] = field(default_factory=list)

    def list_columns(self, kind: str) -> list[str]:
        """Return the new names of the columns in a list of the schema."""
        return [
            self.rename.get(name, name) for name, each in self.columns.items() if each.kind == kind
        ]


def decide_date(
    name: str, values: Sequence[str], asked: Mapping[str, str]
) -> tuple[str, set[str]] | None:
    """Return a column's date format and its null markers, None if it is not one of dates.

    Raises
    ------
    UserError
        If two formats fit, or the one that was asked for does not.
    """
    kept = [value for value in values if not is_marker(value)]
    markers = set(values) - set(kept)
    if name in asked:
        wrong = next((value for value in kept if not fits([value.strip()], asked[name])), None)
        if wrong is not None:
            raise UserError(
                f"column {name!r}: {show(wrong)!r} does not have the date format {asked[name]!r}",
                "correct --date-format",
            )
        return asked[name], markers
    formats = find_date_formats(name, kept) if kept else []
    if not formats:
        return None
    if len(formats) > 1:
        raise UserError(
            f"column {name!r} holds dates in which day and month cannot be told apart, such as "
            f"{show_some(kept, 2)}",
            "give the format, as in "
            + " or ".join(f"--date-format '{name}={each}'" for each in formats[:2]),
        )
    return formats[0], markers


def is_named_like_id(name: str) -> bool:
    """Return whether a column's name is one that identifiers have."""
    return bool(IS_ID.fullmatch(name.strip()) or ENDS_WITH_ID.fullmatch(name)) or not name.strip()


def counts_rows(values: Sequence[str], n_rows: int) -> bool:
    """Return whether values are 1 to ``n_rows``, or 0 to ``n_rows - 1``, in any order."""
    if len(values) != n_rows or not all(value.isascii() and value.isdigit() for value in values):
        return False
    numbers = {int(value) for value in values if len(value) < 16}
    return numbers in ({*range(n_rows)}, {*range(1, n_rows + 1)})


def decide_column(
    name: str,
    counts: pd.Series,
    n_rows: int,
    number_markers: set[str] | None,
    asked: Mapping[str, str],
) -> tuple[Decision, set[str]]:
    """Return what a column is, and its null markers; the first rule that matches decides.

    Parameters
    ----------
    name : str
        Name of the column.
    counts : Series of int, indexed by str
        How often each different value occurs.
    n_rows : int
        Number of rows, with those that have no value.
    number_markers : set of str or None
        The null markers of the column if its other values are all numbers.
    asked : mapping of str to str
        Date formats by column.

    Raises
    ------
    UserError
        If it holds dates in which day and month cannot be told apart.
    """
    values = list(map(str, counts.index))
    n_values = int(counts.sum())
    missing = f", {n_rows - n_values:,} missing" if n_values < n_rows else ""
    nothing = {"", *ALWAYS_NULL, *(marker.strip() for marker in number_markers or ())}
    n_known = int(counts[[value.strip() not in nothing for value in values]].sum())
    if n_known < min(MIN_VALUES, n_rows / 2):
        what = f"only {n_known:,} rows have a value" if n_known else "no row has a value"
        return Decision("drop", what), set()
    if len(values) == 1 and not missing:
        return Decision("drop", f"every row has {show(values[0])}"), set()
    is_unique = len(values) == n_rows
    looks_like_id = is_unique and (is_named_like_id(name) or counts_rows(values, n_rows))
    padded = next((value for value in values if re.fullmatch("0[0-9]+", value)), None)
    if padded and all(re.fullmatch("[0-9]+", value) for value in values) and name not in asked:
        if looks_like_id or (len(values) >= ALMOST_UNIQUE * n_values and len(values) > 2):
            return Decision("id", f"different in every row, leading zeros as in {padded}"), set()
        return Decision("category", f"leading zeros, as in {padded}{missing}"), set()
    if looks_like_id and name not in asked:
        why = "the name is that of an id" if is_named_like_id(name) else "they count the rows"
        return Decision("id", f"{n_rows:,} different values, and {why}"), set()
    date = None
    is_compact = re.search(r"date|day|^dt", name, re.IGNORECASE) and all(
        re.fullmatch(r"(19|20)[0-9]{6}", value) for value in values
    )
    if number_markers is None or name in asked or is_compact:
        date = decide_date(name, values, asked)
    if number_markers is not None and date is None:
        n_numbers = int(counts.drop(list(number_markers)).sum())
        absent = f", {n_rows - n_numbers:,} missing" if n_numbers < n_rows else ""
        usual = [value for value in values if value not in number_markers]
        what = f"{n_numbers:,} numbers, such as {show_some(usual, 2)}{absent}"
        return Decision("number", what), number_markers
    if date is not None:
        example = next(value for value in values if value not in date[1])
        how = f"written as {date[0]}" if date[0] else "ISO 8601"
        return Decision("date", f"dates, {how}, such as {show(example)}", date[0]), date[1]
    markers = {value for value in values if value.strip() in ALWAYS_NULL or not value.strip()}
    n_words = sum(len(v.split()) * n for v, n in zip(values, counts, strict=True)) / n_values
    share = len(values) / n_values
    if n_words >= MIN_WORDS and share > MIN_TEXT_SHARE:
        what = f"{n_words:.1f} words on average, {share:.0%} of the values are different"
        return Decision("text", what + missing), markers
    if share >= ALMOST_UNIQUE and len(values) > 2:
        what = f"{len(values):,} of {n_values:,} values are different: too many for a category"
        return Decision("id", what), markers
    shown = f"{len(values):,} values: {show_some(values)}{missing}"
    return Decision("category", shown), markers


def infer(
    table: pd.DataFrame,
    target: str,
    separator: str = ",",
    task: str = "",
    positive: str = "",
    asked: Mapping[str, str] | None = None,
) -> Inference:
    """Decide what a table's columns are, and what the task is.

    Parameters
    ----------
    table : DataFrame of str
        Values as strings, NaN where there is none.
    target : str
        Name of the target.
    separator : str
        What separates the fields in the file.
    task, positive : str
        As asked for; '' to decide them.
    asked : mapping of str to str, optional
        Date formats by column.

    Raises
    ------
    UserError
        If there is no such column, something can only be decided by a person, what was asked for
        does not fit the data, or no column can be a feature.
    """
    asked = asked or {}
    for name in (target, *asked):
        if name not in table:
            names = ", ".join(map(show, table.columns))
            raise UserError(f"there is no column {name!r}, only {names}", "correct the name")
    # Sorted by how frequent they are, then as they stand in the file.
    counts = {
        str(name): values.value_counts(sort=False).sort_values(ascending=False, kind="stable")
        for name, values in table.items()
    }
    distinct = {name: list(map(str, each.index)) for name, each in counts.items()}
    style, numbers, written = choose_style(distinct, separator)
    columns: dict[str, Decision] = {}
    markers: set[str] = set()
    certain: set[str] = set()
    for name in counts:
        if name != target:
            columns[name], own = decide_column(
                name, counts[name], len(table), numbers.get(name), asked
            )
            markers |= own
            if columns[name].kind in ("number", "date"):
                certain |= own
    # What means missing among numbers does so in the target, if two labels are left.
    labelled = table[target].mask(table[target].isin(certain))
    if labelled.nunique() < 2:
        labelled = table[target]
    found = decide_target(labelled, style, numbers.get(target), task, positive)
    if target in numbers and not found.labels:
        markers |= numbers[target]
    labels = {*found.labels} if found.labels else set()
    null_markers = sorted(marker for marker in markers - labels if marker.strip())
    columns = keep_a_feature(columns, counts)
    rename = choose_names([target, *columns], columns)
    evidence = {"thousands": written} if written else {}
    return Inference(found, columns, style, null_markers, rename, evidence)


def keep_a_feature(
    columns: Mapping[str, Decision], counts: Mapping[str, pd.Series]
) -> dict[str, Decision]:
    """Return the decisions; without any feature, the id with most letters becomes text.

    Raises
    ------
    UserError
        If no column can be a feature.
    """
    if any(each.kind in FEATURE_KINDS for each in columns.values()):
        return dict(columns)
    letters = {
        name: sum(c.isalpha() for value in counts[name].index[:1000] for c in str(value))
        for name, each in columns.items()
        if each.kind == "id" and name in counts and not is_named_like_id(name)
    }
    best = max(letters, key=letters.__getitem__, default="")
    if not letters.get(best):
        kinds = ", ".join(f"{show(name)} ({each.kind})" for name, each in columns.items())
        raise UserError(
            f"no column can be a feature: {kinds}",
            "name a file with more columns, or another target",
        )
    return {**columns, best: Decision("text", "no other column can be a feature")}


def choose_names(names: Sequence[str], columns: Mapping[str, Decision]) -> dict[str, str]:
    """Return new names for columns whose names the pipeline uses itself."""
    texts = [name for name, each in columns.items() if each.kind == "text"]
    taken = {*RESERVED, *(f"{name}{TOKENS_SUFFIX}" for name in texts)}
    rename: dict[str, str] = {}
    for name in names:
        if name in taken and not (name in columns and columns[name].kind == "drop"):
            new = f"{name}_value"
            while new in {*names, *taken, *rename.values()}:
                new += "_"
            rename[name] = new
            # A renamed text has tokens of another name.
            if name in texts:
                taken.add(f"{new}{TOKENS_SUFFIX}")
    return rename
