"""Score the messages of a file into another file, with rejected rows in a third."""

import csv
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from core.errors import UserError
from core.files import atomic_path
from models.scoring import name_version, score_chunks
from records.chunks import Rejection
from records.files import (
    STREAM,
    choose_format,
    create_text,
    is_packed,
    open_source,
    open_target,
    unpacked_name,
)
from records.schema import FileParams, Schema, check_encoding

ADDED = ("label", "probability", "model_version")
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
        The file of messages and the file to write; ``STREAM`` for standard input and output.
    rejected : Path or None
        CSV file for rejected rows; None: beside the target, or warnings if that is a stream.
    kind : str or None
        Format of both files; None: that of their suffixes.
    encoding, text_column : str or None
        Of the source; None: those of the parameters.
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
    text_column: str | None = None
    prefix: str = ""
    n_jobs: int = 1

    @property
    def rejects(self) -> Path | None:
        """The file for rejected rows; None if they are logged as warnings instead."""
        if self.rejected or self.target == STREAM:
            return self.rejected
        return unpacked_name(self.target).with_suffix(".rejected.csv")


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


def score_file(
    options: FileOptions,
    model: Pipeline,
    content: bytes,
    path: Path,
    threshold: float,
    schema: Schema,
    params: FileParams,
) -> tuple[int, Counter[str]]:
    """Score the messages of a file; return the number of scored rows, and reasons of the others.

    Parameters
    ----------
    options : FileOptions
        The files.
    model : Pipeline
        The model.
    content, path : bytes, Path
        The model's file, from which other processes load it.
    threshold : float
        Least probability of the positive label.
    schema : Schema
        The labels, and the column of the messages unless the options name one.
    params : FileParams
        Defaults of the options.

    Raises
    ------
    UserError
        If an option does not fit the files, or the source is not valid.
    """
    source_path, target, rejected = options.source, options.target, options.rejects
    kind = choose_format(source_path, target, options.kind)
    encoding = choose_encoding(kind, options.encoding, params.encoding)
    check_paths(source_path, target, rejected)
    added = [options.prefix + name for name in ADDED]
    version, labels = name_version(content), schema.label_pair
    n_scored, reasons = 0, Counter[str]()
    with ExitStack() as stack:
        enter = stack.enter_context
        column = options.text_column or schema.text[0]
        source = enter(open_source(source_path, kind, column, added, encoding))
        rejects = enter(atomic_path(rejected.resolve())) if rejected else None
        # If nothing is scored, the old output stays, and only the rejected rows are written.
        enter(suppress(NothingScoredError))
        output = enter(nullcontext(target) if target == STREAM else atomic_path(target.resolve()))
        # Opened after both have a temporary name, so that both are complete before one is renamed;
        # the output first, so that an error names it if the disk is full.
        write = enter(open_target(output, kind, source.header, added, is_packed(target)))
        reject = enter(open_rejected(rejects, rejected is not None and is_packed(rejected)))
        bar = enter(
            tqdm(total=source.size, disable=None, bar_format=BAR if source.size else COUNTER)
        )
        for chunk, found in score_chunks(
            source.chunks, model, content, path, labels.positive, options.n_jobs
        ):
            predicted = np.where(found >= threshold, labels.positive, labels.negative)
            write(chunk.rows, [predicted.tolist(), found.tolist(), [version] * len(found)])
            for row in chunk.rejected:
                reject(row)
            n_scored += len(found)
            reasons.update(row.reason for row in chunk.rejected)
            bar.set_postfix_str(f"{n_scored:,} messages", refresh=False)
            bar.update(source.tell() - bar.n)
        if reasons and not n_scored:
            raise NothingScoredError
    return n_scored, reasons


def check_rejected(
    options: FileOptions, n_scored: int, reasons: Counter[str], limit: float
) -> None:
    """Raise ``UserError`` if no row could be scored, or more than a share of them is rejected."""
    n_rejected = reasons.total()
    if not n_rejected:
        return
    source = "standard input" if options.source == STREAM else options.source
    (reason, count), *_ = reasons.most_common(1)
    where = f"see {options.rejects}" if options.rejects else "each is named above"
    found = f"most often for {reason} ({count}), {where}"
    if not n_scored:
        raise UserError(f"no row of {source} could be scored, {found}", "check --text-column")
    n_rows = n_scored + n_rejected
    if n_rejected / n_rows > limit:
        raise UserError(
            f"{n_rejected} of {n_rows} rows of {source} rejected, more than {limit:.1%}, {found}",
            "if that is right, run it again with --max-rejected 1",
        )
