"""Score the messages or rows of a file into another file, with rejected rows in a third."""

import csv
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from core.errors import UserError
from core.files import atomic_path
from core.locks import take_lock
from models.explained_scoring import name_explanation, quote, score_explained
from models.loaded import LoadedModel
from models.scoring import Score, score_chunks
from models.unusual import find_unusual, write_by_row
from records.chunks import Chunk, Rejection
from records.files import (
    STREAM,
    choose_format,
    create_text,
    is_packed,
    open_source,
    open_target,
    unpacked_name,
)
from records.new_rows import keep_rows
from records.schema import check_encoding

VERSION = "model_version"
WARNINGS = "warnings"
# Labels from which on the probability of each may be written.
MANY = 3
NOT_IN_TSV = re.compile("[\t\r\n]")
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
    all_probabilities : bool
        Whether to write the probability of each of several labels.
    explain : bool
        Whether to write what each prediction comes from.
    """

    source: Path
    target: Path
    rejected: Path | None = None
    kind: str | None = None
    encoding: str | None = None
    prefix: str = ""
    n_jobs: int = 1
    all_probabilities: bool = False
    explain: bool = False

    @property
    def rejects(self) -> Path | None:
        """The file for rejected rows; None if they are logged as warnings instead."""
        if self.rejected or self.target == STREAM:
            return self.rejected
        return unpacked_name(self.target).with_suffix(".rejected.csv")


def name_unit(loaded: LoadedModel) -> str:
    """Return what a file to predict holds."""
    return "messages" if loaded.rows is None else "rows"


def name_added(loaded: LoadedModel, options: FileOptions) -> dict[str, type]:
    """Return the names and types of the columns to add.

    Raises
    ------
    UserError
        If the model has no such columns as the options ask for.
    """
    prediction, decision = loaded.prediction, loaded.decision
    if options.all_probabilities and len(decision.labels) < MANY:
        raise UserError(
            f"a model of task {loaded.description.data.task} has no --all-probabilities",
            "leave it out",
        )
    nothing = prediction.score(loaded.pipeline, decision.labels, [])
    answer = prediction.answer(nothing, decision, options.all_probabilities)
    types = {name: kind for name, kind, _ in answer}
    if options.explain:
        types[name_explanation(loaded)] = str
    if loaded.rows is not None:
        types[WARNINGS] = str
    types[VERSION] = str
    return {options.prefix + name: kind for name, kind in types.items()}


def refuse_unwritable(labels: Sequence[str], kind: str) -> None:
    """Raise ``UserError`` if the format of the output cannot hold a label."""
    if kind == "tsv" and (label := next(filter(NOT_IN_TSV.search, labels), None)) is not None:
        raise UserError(
            f"TSV cannot hold the label {label!r}: it has no way to write tabs and line ends",
            "use CSV, JSON lines or Parquet",
        )


class Counts(NamedTuple):
    """How many rows of a file were scored, why others were not, and unusual values by column."""

    n_scored: int
    reasons: Counter[str]
    unusual: Counter[tuple[str, str]]


def drop_infinite(
    chunk: Chunk, found: np.ndarray, explained: list[str] | None
) -> tuple[Chunk, np.ndarray, list[str] | None]:
    """Reject rows for which a model predicts no finite number."""
    if np.isfinite(found).all():
        return chunk, found, explained
    is_finite = np.isfinite(found.reshape(len(found), -1)).all(axis=1)
    lines = np.asarray(chunk.lines)[~is_finite].tolist()
    rejected = [Rejection(line, "no finite prediction") for line in lines]
    kept = replace(keep_rows(chunk, is_finite), rejected=sorted([*chunk.rejected, *rejected]))
    if explained is not None:
        explained = list(compress(explained, is_finite.tolist()))
    return kept, found[is_finite], explained


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


@contextmanager
def alone_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` as ``atomic_path`` does, to one process at a time.

    Raises
    ------
    UserError
        If another process is writing to ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        lock = take_lock(temporary)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    if lock is None:
        raise UserError(
            f"another process is writing to {path}", "wait for it, or name another file"
        )
    with lock, atomic_path(path) as name:
        yield name


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


def score_file(options: FileOptions, loaded: LoadedModel) -> Counts:
    """Score the messages or rows of a file.

    Parameters
    ----------
    options : FileOptions
        The files.
    loaded : LoadedModel
        What to read, and how to predict.

    Raises
    ------
    UserError
        If an option does not fit the files, or the source is not valid.
    """
    source_path, target, rejected = options.source, options.target, options.rejects
    kind = choose_format(source_path, target, options.kind)
    encoding = choose_encoding(kind, options.encoding, loaded.description.values.encoding)
    check_paths(source_path, target, rejected)
    types = name_added(loaded, options)
    added = list(types)
    prediction, decision, rows = loaded.prediction, loaded.decision, loaded.rows
    refuse_unwritable(decision.labels, kind)
    score: Score = prediction.score
    wanted: object = decision.labels
    if options.explain:
        # Other processes have the pipeline already.
        score, wanted = score_explained, replace(loaded, pipeline=None, content=b"")
    separator = "," if isinstance(loaded.columns, str) else loaded.columns.separator
    n_scored, reasons, unusual = 0, Counter[str](), Counter[tuple[str, str]]()
    with ExitStack() as stack:
        enter = stack.enter_context
        source = enter(open_source(source_path, kind, loaded.columns, added, encoding))
        rejects = enter(alone_path(rejected.resolve())) if rejected else None
        # If nothing is scored, the old output stays, and only the rejected rows are written.
        enter(suppress(NothingScoredError))
        output = enter(nullcontext(target) if target == STREAM else alone_path(target.resolve()))
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
                separator,
            )
        )
        reject = enter(open_rejected(rejects, rejected is not None and is_packed(rejected)))
        bar = enter(
            tqdm(total=source.size, disable=None, bar_format=BAR if source.size else COUNTER)
        )
        for chunk, result in score_chunks(
            map(rows.check_chunk, source.chunks) if rows else source.chunks,
            loaded.pipeline,
            loaded.content,
            loaded.path,
            wanted,
            options.n_jobs,
            score,
        ):
            found, explained = result if options.explain else (result, None)
            chunk, found, explained = drop_infinite(chunk, found, explained)
            answer = prediction.answer(found, decision, options.all_probabilities)
            values = [values for _, _, values in answer]
            if explained is not None:
                values.append(explained)
            if rows is not None:
                outside = find_unusual(loaded.pipeline, loaded.description, chunk.texts)
                values.append(write_by_row(outside, len(found), quote))
                for column, (problem, is_unusual) in outside.items():
                    unusual[column, problem] += int(is_unusual.sum())
            write(chunk.rows, [*values, [loaded.version] * len(found)])
            for row in chunk.rejected:
                reject(row)
            n_scored += len(found)
            reasons.update(row.reason for row in chunk.rejected)
            bar.set_postfix_str(f"{n_scored:,} {name_unit(loaded)}", refresh=False)
            bar.update(source.tell() - bar.n)
        if reasons and not n_scored:
            raise NothingScoredError
    return Counts(n_scored, reasons, unusual)


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
