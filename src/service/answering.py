"""Answer messages or rows of many requests at once, and measure what that costs."""

import math
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from models.answers import RowError, answer, list_answers
from models.loaded import LoadedModel
from records.checks import Rejections
from records.chunks import TableColumns
from records.raw_tables import make_column, stack

# Costs are counted in characters of ordinary messages, of which 8,000 take 10 ms.
SECONDS_PER_CHARACTER = 10e-3 / 8_000
# Rows of a request that are scored together. Between two such pieces others have their turn.
PIECE_ROWS = 100
PIECE_CHARACTERS = 8_000
# How often a call is measured, and for how many rows.
REPETITIONS = 3
MEASURED_ROWS = 50
# A call for a message that costs no more, as of linear models, is not counted.
CHEAP_CALL = 1_000

# The values of a row, in the order of the schema.
Values = list[Any]
Answer = dict[str, Any]


def type_values(loaded: LoadedModel, rows: list[Values]) -> tuple[pd.DataFrame, Rejections]:
    """Return typed features, and why rows are rejected, by the rules for files."""
    assert loaded.rows is not None
    assert isinstance(loaded.columns, TableColumns)
    names = [names[-1] for names in loaded.columns.names]
    return loaded.rows.check(stack([make_column(each) for each in zip(*rows, strict=True)], names))


def list_errors(loaded: LoadedModel, rejections: Rejections) -> list[RowError]:
    """Return an error for each rejected row."""
    names = loaded.description.source_names
    return [
        RowError(place, names.get(column, column), reason)
        for place, (column, reason) in enumerate(
            zip(rejections.columns, rejections.reasons, strict=True)
        )
        if reason
    ]


def answer_rows(loaded: LoadedModel, rows: list[Values]) -> list[Answer | RowError]:
    """Return the answer for each row, or the error of a row that cannot be predicted for."""
    df, rejections = type_values(loaded, rows)
    outcomes: list[Any] = [None] * len(rows)
    for error in list_errors(loaded, rejections):
        outcomes[error.row] = error
    places = np.flatnonzero(rejections.reasons == "")
    if not len(places):
        return outcomes
    if len(places) < len(rows):
        df = df.iloc[places].reset_index(drop=True)
    found = loaded.prediction.score(loaded.pipeline, loaded.decision.labels, df)
    is_finite = np.isfinite(found.reshape(len(found), -1)).all(axis=1)
    answers = iter(list_answers(loaded, found[is_finite], df[is_finite]) if any(is_finite) else [])
    for place, is_good in zip(places.tolist(), is_finite.tolist(), strict=True):
        if is_good:
            outcomes[place] = next(answers)
        else:
            reason = "the model predicts no finite number for this row"
            outcomes[place] = RowError(place, "", reason)
    return outcomes


def answer_pieces(loaded: LoadedModel, pieces: list[list[Values]]) -> list[list[Answer | RowError]]:
    """Return, for each piece of rows, what ``answer_rows`` returns for its rows."""
    outcomes = iter(answer_rows(loaded, [row for piece in pieces for row in piece]))
    return [list(islice(outcomes, len(piece))) for piece in pieces]


def cut(rows: Iterable[Values], sizes: Iterable[int]) -> tuple[list[list[Values]], list[int]]:
    """Return the rows of a request in pieces that others need not wait for long, and their sizes.

    ``sizes`` are the costs of the rows.
    """
    pieces: list[list[Values]] = []
    totals: list[int] = []
    for row, size in zip(rows, sizes, strict=True):
        if not pieces or len(pieces[-1]) == PIECE_ROWS or totals[-1] + size > PIECE_CHARACTERS:
            pieces.append([])
            totals.append(0)
        pieces[-1].append(row)
        totals[-1] += size
    return pieces, totals


def measure(call: Callable[[], object]) -> float:
    """Return the cost of a call, in characters."""
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times) / SECONDS_PER_CHARACTER


def measure_texts(loaded: LoadedModel) -> int:
    """Return what a call costs besides the characters of its messages, 0 if that is little."""
    texts = [f"Is this the first message? {'①' * 40}"]
    # The first call takes longest, since it imports NLTK and compiles patterns.
    answer(loaded, texts)
    found = math.ceil(measure(lambda: answer(loaded, texts)))
    return found if found > CHEAP_CALL else 0


def measure_rows(loaded: LoadedModel, row: Values) -> tuple[int, int]:
    """Return what a call of ``answer_rows`` costs, and what each row adds to that."""
    # The first call imports and compiles.
    answer_rows(loaded, [row])
    one = measure(lambda: answer_rows(loaded, [row]))
    many = measure(lambda: answer_rows(loaded, [row] * MEASURED_ROWS))
    return math.ceil(one), max(1, math.ceil((many - one) / (MEASURED_ROWS - 1)))
