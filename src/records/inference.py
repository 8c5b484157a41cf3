"""Decide what the columns of a table are, with the evidence, for a person to check.

Only ``python src start`` does this. The pipeline reads what params.yaml says, and guesses nothing.
Everything is decided from values as strings, and from all of them.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from core.errors import UserError
from core.terminal import escape_unprintable
from records.leakage import ALMOST_UNIQUE
from records.schema import FEATURE_KINDS, RESERVED, TOKENS_SUFFIX
from records.validation_params import NumberFormat
from records.values import LARGEST

MIN_WORDS = 3
MIN_TEXT_SHARE = 0.01
# A whole number with so many different values may be a label or a quantity: a person must say.
UNCLEAR_COUNTS = range(3, 51)
MAX_LABELS = 100
MIN_LABEL_ROWS = 10
# Columns with fewer values may have none in the training rows.
MIN_VALUES = 10
SIGNS = "$€£¥₹%"
WITHOUT_SIGNS = str.maketrans("", "", SIGNS)
# Decimal sign and separator of thousands, the usual ones first.
STYLES: list[tuple[str, str]] = [
    (".", ""),
    (".", ","),
    (",", ""),
    (",", "."),
    (".", " "),
    (",", " "),
]
STYLES += [
    (".", "'"),
    (",", "'"),
    (".", "\u00a0"),
    (",", "\u00a0"),
    (".", "\u202f"),
    (",", "\u202f"),
]
# Values that often mean that there is none. Those in the first set do so in every column, those in
# the second where the others are all numbers or dates.
ALWAYS_NULL = {"NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>", "\\N"}
OFTEN_NULL = {"none", "nil", "missing", "unknown", "undefined", "inf", "infinity", "nan", "na"}
OFTEN_NULL |= {"-inf", "+inf", "?", "-", "--", ".", "*", "n.a.", "#div/0!", "#value!", "#ref!"}
OFTEN_NULL |= {"not available", "null", "n/a", "#n/a", "nat"}
# Only a column with at least so large a share of numbers can be one of numbers with null markers.
MIN_NUMBERS = 0.5
IS_ID = re.compile(
    r"(^|.*[\W_])(id|ids|key|uid|uuid|guid|idx|index|no|nr|rownum|row|identifier|unnamed: \d+)$"
    r"|^(id|key|uid|uuid|guid|index|identifier)([\W_].*)?$",
    re.IGNORECASE,
)
ENDS_WITH_ID = re.compile(r".*[a-z](Id|ID|Key|No)$")
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d-%m-%y")
MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%m-%d-%y")
UNAMBIGUOUS = ["%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y"]
UNAMBIGUOUS += ["%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d/%b/%Y", "%a %d %b %Y"]
ISO = re.compile(r"\d{4}-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[-+]\d\d:?\d\d)?)?)?")
# Dates that repeat so regularly are a series over time.
MIN_DATES = 30
MIN_COVERAGE = 0.9


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


def show(value: object, length: int = 40) -> str:
    """Return a value of the data for a message or a comment: on one line, and not too long."""
    text = escape_unprintable(str(value))
    return text if len(text) <= length else text[: length - 1] + "…"


def show_some(values: Sequence[object], n: int = 3) -> str:
    """Return some values for a message or a comment."""
    return ", ".join(show(value, 30) for value in values[:n]) + (", …" if len(values) > n else "")


def build_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    """Return the pattern of numbers that are written with these signs, without currency signs."""
    groups = rf"|[1-9][0-9]{{0,2}}({re.escape(thousands)}[0-9]{{3}})+" if thousands else ""
    point = re.escape(decimal)
    return re.compile(rf"[-+]?(([0-9]+{groups})({point}[0-9]*)?|{point}[0-9]+)([eE][-+]?[0-9]+)?")


# What numbers look like in every style.
LIKE_NUMBER = re.compile(rf"[-+0-9.,'\s\u00a0\u202feE{re.escape(SIGNS)}]*[0-9][^a-zA-Z]*")
PATTERNS = {style: build_pattern(*style) for style in STYLES}


def remove_signs(value: str) -> str:
    """Return a number without currency and percent signs, and without blanks around it."""
    return value.translate(WITHOUT_SIGNS).strip()


def parse_number(value: str, style: NumberFormat) -> float:
    """Return a number that matches the pattern of ``style``."""
    bare = remove_signs(value)
    if style.thousands:
        bare = bare.replace(style.thousands, "")
    return float(bare.replace(style.decimal, "."))


def find_markers(values: Sequence[str], is_value: Sequence[bool]) -> set[str] | None:
    """Return the null markers of a column whose other values are all numbers or dates.

    Parameters
    ----------
    values : sequence of str
        The different values.
    is_value : sequence of bool
        Which are numbers, or dates.

    Returns
    -------
    set of str or None
        None if the column is not one of numbers or dates.
    """
    others = {value for value, good in zip(values, is_value, strict=True) if not good}
    if len(values) - len(others) < max(1, MIN_NUMBERS * len(values)) and len(others) > 1:
        return None
    if len(others) == len(values) or not all(is_marker(value) for value in others):
        return None
    return others


def is_marker(value: str) -> bool:
    """Return whether a value may mean that there is none."""
    bare = value.strip()
    return not bare or bare in ALWAYS_NULL or bare.lower() in OFTEN_NULL


def match_numbers(values: Sequence[str], style: tuple[str, str]) -> set[str] | None:
    """Return the null markers of a column of numbers, None if it is something else."""
    pattern = PATTERNS[style]
    return find_markers(
        values, [pattern.fullmatch(remove_signs(value)) is not None for value in values]
    )


def may_be_numbers(values: Sequence[str]) -> bool:
    """Return whether the values of a column can be numbers in some style."""
    kept = [value for value in values if not is_marker(value)]
    return bool(kept) and all(map(LIKE_NUMBER.fullmatch, kept))


def choose_style(
    distinct: Mapping[str, Sequence[str]], separator: str
) -> tuple[NumberFormat, dict[str, set[str]], str]:
    """Return how numbers are written, the markers of each column of numbers, and the evidence.

    The style is that in which most columns are numbers; of equally good ones the usual one.

    Parameters
    ----------
    distinct : mapping of str to sequence of str
        The different values of each column.
    separator : str
        What separates the fields in the file.
    """
    able = {name: values for name, values in distinct.items() if may_be_numbers(values)}
    # Where a semicolon separates fields, the comma is usually the decimal sign.
    is_comma = separator == ";"
    styles = [STYLES[0], *sorted(STYLES[1:], key=lambda style: is_comma and style[0] != ",")]
    best: dict[str, set[str]] = {}
    chosen = STYLES[0]
    for each in styles:
        numbers = {name: match_numbers(values, each) for name, values in able.items()}
        matched = {name: markers for name, markers in numbers.items() if markers is not None}
        if len(matched) > len(best):
            best, chosen = matched, each
    written = [v for name, markers in best.items() for v in able[name] if v not in markers]
    signs = tuple(sign for sign in SIGNS if any(sign in value for value in written))
    style = NumberFormat(*chosen, signs)
    usable = {
        name: markers
        for name, markers in best.items()
        if all(abs(parse_number(v, style)) <= LARGEST for v in able[name] if v not in markers)
    }
    examples = [v for v in written if style.thousands and style.thousands in v]
    return style, usable, f"as in {show_some(examples, 2)}" if examples else ""


def find_date_formats(name: str, values: Sequence[str]) -> list[str]:
    """Return the date formats that fit every value, '' for ISO 8601; none if no format does."""
    stripped = [value.strip() for value in values]
    if not all(any(c.isdigit() for c in value) and len(value) <= 40 for value in stripped):
        return []
    if all(map(ISO.fullmatch, stripped)):
        dates = pd.to_datetime(pd.Series(stripped), format="ISO8601", errors="coerce", utc=True)
        return [""] if dates.notna().all() else []
    first = stripped[0]
    formats = [
        day + hours
        for day in (*UNAMBIGUOUS, *DAY_FIRST, *MONTH_FIRST)
        for hours in TIMES
        if is_date(first, day + hours)
    ]
    if re.search(r"date|day|^dt", name, re.IGNORECASE) and is_date(first, "%Y%m%d"):
        formats.append("%Y%m%d")
    return [each for each in formats if fits(stripped, each)]


def is_date(value: str, date_format: str) -> bool:
    """Return whether one value is a date in this format; much faster than ``fits``."""
    try:
        time.strptime(value, date_format)
    except ValueError:
        return False
    return True


def fits(values: Sequence[str], date_format: str) -> bool:
    """Return whether every value is a date in this format."""
    dates = pd.to_datetime(pd.Series(values, dtype="str"), format=date_format, errors="coerce")
    return bool(dates.notna().all())


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


def find_series(dates: pd.Series) -> str:
    """Return the evidence that rows follow one another in time, '' if they do not."""
    days = dates.drop_duplicates().sort_values()
    if dates.isna().any() or len(days) < MIN_DATES:
        return ""
    step = days.diff().median()
    if len(days) < MIN_COVERAGE * ((days.iloc[-1] - days.iloc[0]) / step + 1):
        return ""
    first, last = (f"{day:%Y-%m-%d}" for day in (days.iloc[0], days.iloc[-1]))
    return f"{len(days):,} dates without large gaps, {first} to {last}"
