"""Score the messages or rows of a file into another file, with rejected rows in a third."""

import csv
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from core.errors import UserError
from core.files import atomic_path
from features.branches import count_unseen
from models.predictions import Decision, Prediction
from models.scoring import name_version, score_chunks
from records.chunks import Chunk, Columns, Rejection
from records.files import (
    STREAM,
    choose_format,
    create_text,
    is_packed,
    open_source,
    open_target,
    unpacked_name,
)
from records.new_rows import NewRows, keep_rows
from records.schema import check_encoding

VERSION = "model_version"
BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
COUNTER = "{elapsed}{postfix}"

logger = logging.getLogger(__name__)


class NothingScoredError(Exception):
    """All rows of a file were rejected."""


@dataclass(frozen=True)
class FileOptions:
    """Which files to read and write, and how.

    Attributes
    ----------
    source, target : Path
        The file to read and the file to write; ``STREAM`` for standard input and output.
    rejected : Path or None
        CSV file for rejected rows; None: beside the target, or warnings if that is a stream.
    kind : str or None
        Format of both files; None: that of their suffixes.
    encoding : str or None
        Of the source; None: that of the parameters.
    prefix : str
        Start of the names of the added columns.
    n_jobs : int
        How many processes score.
    """

    source: Path
    target: Path
    rejected: Path | None = None
    kind: str | None = None
    encoding: str | None = None
    prefix: str = ""
    n_jobs: int = 1

    @property
    def rejects(self) -> Path | None:
        """The file for rejected rows; None if they are logged as warnings instead."""
        if self.rejected or self.target == STREAM:
            return self.rejected
        return unpacked_name(self.target).with_suffix(".rejected.csv")


@dataclass(frozen=True)
class Scorer:
    """What to read of each row, and how to predict from it.

    Attributes
    ----------
    model : Pipeline
        The model.
    content, path : bytes, Path
        The model's file, from which other processes load it.
    prediction : Prediction
        How models of the task predict.
    decision : Decision
        What turns the model's output into answers.
    columns : str or TableColumns
        The column of messages, or the columns of a table.
    rows : NewRows or None
        What checks the rows of a table.
    """

    model: Pipeline
    content: bytes
    path: Path
    prediction: Prediction
    decision: Decision
    columns: Columns
    rows: NewRows | None

    @property
    def unit(self) -> str:
        """What a file holds."""
        return "rows" if self.rows else "messages"

    @property
    def separator(self) -> str:
        """Of fields in CSV."""
        return "," if isinstance(self.columns, str) else self.columns.separator

    def name_added(self, prefix: str) -> dict[str, type]:
        """Return the names and types of the columns to add."""
        nothing = self.prediction.score(self.model, self.decision.labels, [])
        answer = self.prediction.answer(nothing, self.decision)
        return {**{prefix + name: kind for name, kind, _ in answer}, prefix + VERSION: str}


class Counts(NamedTuple):
    """How many rows of a file were scored, why others were not, and unseen values by column."""

    n_scored: int
    reasons: Counter[str]
    unseen: Counter[str]


@dataclass
class Checker:
    """Checks the rows of a table, and counts values of categories that no training row has."""

    scorer: Scorer
    unseen: Counter[str] = field(default_factory=Counter)

    def check(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Yield chunks with the rows to score."""
        rows = self.scorer.rows
        if rows is None:
            yield from chunks
            return
        columns = self.scorer.model.named_steps["columns"]
        for chunk in chunks:
            checked = rows.check_chunk(chunk)
            self.unseen.update(count_unseen(columns, checked.texts))
            yield checked


def drop_infinite(chunk: Chunk, found: np.ndarray) -> tuple[Chunk, np.ndarray]:
    """Reject rows for which a model predicts no finite number."""
    if np.isfinite(found).all():
        return chunk, found
    is_finite = np.isfinite(found.reshape(len(found), -1)).all(axis=1)
    lines = np.asarray(chunk.lines)[~is_finite].tolist()
    rejected = [Rejection(line, "no finite prediction") for line in lines]
    kept = replace(keep_rows(chunk, is_finite), rejected=sorted([*chunk.rejected, *rejected]))
    return kept, found[is_finite]


@contextmanager
def open_rejected(path: Path | None, compress: bool) -> Iterator[Callable[[Rejection], object]]:
    """Give a function that writes rejected rows to a CSV file, or logs them as warnings."""
    if path is None:
        yield lambda row: logger.warning("line %d rejected: %s %s", *row)
        return
    with create_text(path, compress) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Rejection._fields)
        yield writer.writerow


def check_paths(source: Path, target: Path, rejected: Path | None) -> None:
    """Raise ``UserError`` if a path is used twice, or one to write to is not a writable file."""
    named = [path for path in (source, target, rejected) if path not in (None, STREAM)]
    if len({path.resolve() for path in named if path}) < len(named):
        raise UserError("--input, --output and --rejected must be different files")
    for path in (target, rejected):
        if path not in (None, STREAM) and path.exists() and not path.is_file():
            raise UserError(f"{path} exists and is not a file", "write to another, or to '-'")
        # DVC links to the files of its cache, which must stay as they are.
        if path and path.is_symlink() and path.exists() and not path.stat().st_mode & 0o222:
            raise UserError(f"{path} is a link to a read-only file", "remove the link")


def choose_encoding(kind: str, chosen: str | None, usual: str) -> str:
    """Return the input's encoding: the chosen one, else that of the training data.

    Raises
    ------
    UserError
        If Python does not know the chosen one, or the format has no choice.
    """
    if chosen is None:
        # JSON must be UTF-8, RFC 8259.
        return "utf-8" if kind == "jsonl" else usual
    if kind == "parquet":
        raise UserError("Parquet files define their own encoding", "leave out --encoding")
    try:
        return check_encoding(chosen)
    except ValueError as error:
        raise UserError(f"--encoding is {chosen!r}: {error}") from error


def score_file(options: FileOptions, scorer: Scorer, usual_encoding: str) -> Counts:
    """Score the messages or rows of a file.

    Parameters
    ----------
    options : FileOptions
        The files.
    scorer : Scorer
        What to read, and how to predict.
    usual_encoding : str
        The encoding of the source, unless the options name one.

    Raises
    ------
    UserError
        If an option does not fit the files, or the source is not valid.
    """
    source_path, target, rejected = options.source, options.target, options.rejects
    kind = choose_format(source_path, target, options.kind)
    encoding = choose_encoding(kind, options.encoding, usual_encoding)
    check_paths(source_path, target, rejected)
    types = scorer.name_added(options.prefix)
    added = list(types)
    prediction, decision = scorer.prediction, scorer.decision
    version = name_version(scorer.content)
    n_scored, reasons, checker = 0, Counter[str](), Checker(scorer)
    with ExitStack() as stack:
        enter = stack.enter_context
        source = enter(open_source(source_path, kind, scorer.columns, added, encoding))
        rejects = enter(atomic_path(rejected.resolve())) if rejected else None
        # If nothing is scored, the old output stays, and only the rejected rows are written.
        enter(suppress(NothingScoredError))
        output = enter(nullcontext(target) if target == STREAM else atomic_path(target.resolve()))
        # Opened after both have a temporary name, so that both are complete before one is renamed;
        # the output first, so that an error names it if the disk is full.
        write = enter(
            open_target(
                output,
                kind,
                source.header,
                added,
                is_packed(target),
                list(types.values()),
                scorer.separator,
            )
        )
        reject = enter(open_rejected(rejects, rejected is not None and is_packed(rejected)))
        bar = enter(
            tqdm(total=source.size, disable=None, bar_format=BAR if source.size else COUNTER)
        )
        for scored in score_chunks(
            checker.check(source.chunks),
            scorer.model,
            scorer.content,
            scorer.path,
            decision.labels,
            options.n_jobs,
            prediction.score,
        ):
            chunk, found = drop_infinite(*scored)
            values = [values for _, _, values in prediction.answer(found, decision)]
            write(chunk.rows, [*values, [version] * len(found)])
            for row in chunk.rejected:
                reject(row)
            n_scored += len(found)
            reasons.update(row.reason for row in chunk.rejected)
            bar.set_postfix_str(f"{n_scored:,} {scorer.unit}", refresh=False)
            bar.update(source.tell() - bar.n)
        if reasons and not n_scored:
            raise NothingScoredError
    return Counts(n_scored, reasons, checker.unseen)


def check_rejected(options: FileOptions, counts: Counts, limit: float, fix: str) -> None:
    """Raise ``UserError`` if no row could be scored, or more than a share of them is rejected.

    ``fix`` is what to do if there is none.
    """
    n_scored, reasons, _ = counts
    n_rejected = reasons.total()
    if not n_rejected:
        return
    source = "standard input" if options.source == STREAM else options.source
    (reason, count), *_ = reasons.most_common(1)
    where = f"see {options.rejects}" if options.rejects else "each is named above"
    found = f"most often for {reason} ({count}), {where}"
    if not n_scored:
        raise UserError(f"no row of {source} could be scored, {found}", fix)
    n_rows = n_scored + n_rejected
    if n_rejected / n_rows > limit:
        raise UserError(
            f"{n_rejected} of {n_rows} rows of {source} rejected, more than {limit:.1%}, {found}",
            "if that is right, run it again with --max-rejected 1",
        )
