"""Read new data from a file, and score it: what is compared with the reference."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.errors import UserError
from models.file_scoring import choose_encoding, drop_infinite
from models.loaded import LoadedModel
from models.scoring import score_chunks
from monitoring.signals import measure_signals
from monitoring.trigrams import Trigrams
from records.checks import Rejections, check_target
from records.chunks import Chunk
from records.files import choose_format, open_source
from records.raw_tables import make_column
from records.splitting import split_csv, split_tsv

# Formats whose rows are fields; those of large tables are text as received.
SPLIT = ("csv", "tsv")


@dataclass(frozen=True)
class Batch:
    """New data.

    Attributes
    ----------
    rows : DataFrame of shape (n_rows, n_signals)
        Its signals.
    predicted : ndarray of float, shape (n_rows,) or (n_rows, n_labels)
        What the model predicts.
    target : Series of shape (n_rows,)
        The true labels or numbers, missing where the data has none.
    reasons : Counter of str
        Why other rows were rejected.
    """

    rows: pd.DataFrame
    predicted: np.ndarray
    target: pd.Series
    reasons: Counter[str]


def read_batch(
    path: Path, loaded: LoadedModel, seen: Mapping[str, Trigrams], kind: str | None, n_jobs: int
) -> Batch:
    """Read and score the rows of a file.

    Parameters
    ----------
    path : Path
        A file as ``predict`` takes it, which may have the target, too; ``STREAM`` for standard
        input.
    loaded : LoadedModel
        The model.
    seen : mapping of str to Trigrams
        Those of the training rows, by text column.
    kind : str or None
        Format of the file; None: that of its suffix.
    n_jobs : int
        How many processes score.

    Raises
    ------
    UserError
        If the file is not valid, or has no row that can be scored.
    """
    description = loaded.description
    kind = choose_format(path, path, kind)
    rules = description.values  # noqa: PD011  (it is no table)
    encoding = choose_encoding(kind, None, rules.encoding)
    rows: list[pd.DataFrame] = []
    predicted: list[np.ndarray] = []
    targets: list[pd.Series] = []
    reasons: Counter[str] = Counter()
    with open_source(path, kind, loaded.columns, [], encoding) as source:
        for scored in score_chunks(
            check(loaded, source.chunks),
            loaded.pipeline,
            loaded.content,
            loaded.path,
            loaded.decision.labels,
            n_jobs,
            loaded.prediction.score,
        ):
            chunk, found, _ = drop_infinite(*scored, None)
            reasons.update(row.reason for row in chunk.rejected)
            if len(found):
                rows.append(measure_signals(loaded.pipeline, description, chunk.texts, found, seen))
                predicted.append(found)
                targets.append(read_target(chunk.rows, source.header, kind, loaded))
    if not rows:
        (reason, count), *_ = reasons.most_common(1) or [("", 0)]
        found_instead = f": {count:,} rejected, most often for {reason}" if count else ""
        raise UserError(f"{path} has no row that can be scored{found_instead}")
    return Batch(
        pd.concat(rows, ignore_index=True),
        np.concatenate(predicted),
        pd.concat(targets, ignore_index=True),
        reasons,
    )


def check(loaded: LoadedModel, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield chunks with the rows to score."""
    return chunks if loaded.rows is None else map(loaded.rows.check_chunk, chunks)


def read_target(rows: Any, header: Any, kind: str, loaded: LoadedModel) -> pd.Series:
    """Return the typed target of rows as their format has them, missing where there is none."""
    description = loaded.description
    schema = description.data
    # A batch may lack labels that the training data had.
    labels = {"labels": description.classes} if not schema.labels else {}
    if kind in SPLIT:
        separator = "," if isinstance(loaded.columns, str) else loaded.columns.separator
        rows = [split_row(row, kind, separator) for row in rows]
    values = pick_target(rows, header, name_target(loaded))
    text = values.astype(object).where(values.notna(), None)
    typed, _ = check_target(
        make_column(text.tolist()),
        Rejections(len(values)),
        schema.model_copy(update=labels),
        description.values,
    )
    return typed


def name_target(loaded: LoadedModel) -> tuple[str, ...]:
    """Return the names that the target may have: that of the source first."""
    target = loaded.description.data.target
    rules = loaded.description.values  # noqa: PD011  (it is no table)
    old = [each.column for each in rules.rename if each.to == target]
    return (*old, target)


def split_row(row: str | list[str], kind: str, separator: str) -> list[str]:
    """Return the fields of a row, which may be split already."""
    if not isinstance(row, str):
        return row
    records = split_csv(iter([row]), separator) if kind == "csv" else split_tsv(iter([row]))
    return next(records)[1]


def pick_target(rows: Any, header: Any, names: Sequence[str]) -> pd.Series:
    """Return the values of a column of rows of lines or of Arrow, None where there is none."""
    if not isinstance(rows, list):
        from records.typed_files import convert_arrow

        name = next((each for each in names if each in rows.column_names), None)
        if name is None:
            return pd.Series([None] * len(rows), dtype="object")
        return convert_arrow(rows.column(name))
    if header is None:
        found = map(json.loads, rows)
        picked = [next((row[each] for each in names if each in row), None) for row in found]
        return pd.Series(picked, dtype="object")
    place = next((header.index(each) for each in names if each in header), None)
    return pd.Series([None if place is None else row[place] for row in rows], dtype="object")
