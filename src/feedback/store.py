"""The store of corrections that users send, in any database that SQLAlchemy knows.

The service adds corrections, ``python src feedback`` lists and reviews them.
"""

import json
import math
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Engine,
    bindparam,
    create_engine,
    insert,
    make_url,
    or_,
    select,
    update,
)
from sqlalchemy.exc import (
    ArgumentError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from core.errors import UserError
from feedback.tables import CORRECTIONS, list_columns, make_table, take_over, write_json
from records.formats import is_encodable

STATUSES = ("pending", "accepted", "refused")
# Seconds that SQLite waits for another process's write.
PATIENCE = 5
EXAMPLE = "sqlite:///data/feedback/feedback.db"

# The most bytes of a correction's inputs, and of its answer, as JSON. A message that the service
# accepts has fewer.
MAX_BYTES = 100_000


class StoreError(UserError):
    """The store of corrections cannot be opened, read or written now."""


@dataclass(frozen=True)
class Correction:
    """The right answer for one message or row, the model's answer, and the state of the review.

    Attributes
    ----------
    id : int
        Counts up: a newer correction has a higher id.
    received_at : datetime
        In UTC.
    inputs : str or dict
        The message, or the row as JSON has it, by the names of the source's columns.
    answer, predicted : str, int or float
        The label or the number that the user says is right, and that of the model.
    probability : float or None
        As the model gave it with its label; None for a number.
    model_name : str or None
        None in a correction that an earlier version stored.
    model_version : str
        The start of the digest of the model's file.
    status : str
        ``pending``, ``accepted`` or ``refused``.
    reviewed_at : datetime or None
        When the status was last set, in UTC.
    """

    id: int
    received_at: datetime
    inputs: str | dict[str, Any]
    answer: str | float
    predicted: str | float
    probability: float | None
    model_name: str | None
    model_version: str
    status: str
    reviewed_at: datetime | None


def name_store(url: URL) -> str:
    """Return the store's name in messages: its URL without password and options."""
    return str(url.set(query={}))


def hide_password(url: URL, text: object) -> str:
    """Return ``text`` on one line, without the URL's password."""
    line = " ".join(str(text).split())
    return line.replace(str(url.password), "***") if url.password else line


@contextmanager
def translate_errors(url: URL, action: str) -> Iterator[None]:
    """Turn errors of the database and the file system into a ``StoreError`` of one sentence."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        # The database's own message: SQLAlchemy adds the statement and a link.
        reason = hide_password(url, getattr(error, "orig", None) or error)
        raise StoreError(
            f"the feedback store {name_store(url)} cannot be {action}: {reason}"
        ) from error


def build_engine(url: str) -> Engine:
    """Return SQLAlchemy's engine for a URL; it does not connect yet.

    Raises
    ------
    UserError
        If the URL is not valid, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The URL is not shown: it may hold a password.
        raise UserError(
            "the URL of the feedback store is not a URL of SQLAlchemy", f"write it as {EXAMPLE}"
        ) from error
    name = name_store(parsed)
    # An open connection to a SQLite file would hide that the file was removed: none is kept.
    is_sqlite = parsed.get_backend_name() == "sqlite"
    options = (
        {"poolclass": NullPool, "connect_args": {"timeout": PATIENCE}}
        if is_sqlite
        else {"pool_pre_ping": True}
    )
    try:
        # The texts are private: errors do not quote them.
        return create_engine(parsed, hide_parameters=True, **options)
    except NoSuchModuleError as error:
        raise UserError(
            f"the feedback store {name}: SQLAlchemy knows no database {parsed.drivername!r}",
            "correct the start of the URL",
        ) from error
    except ImportError as error:
        raise UserError(
            f"the feedback store {name} needs the driver {error.name!r}",
            "install it, or name another in the URL",
        ) from error
    except (ArgumentError, TypeError, ValueError) as error:
        reason = hide_password(parsed, error)
        raise UserError(f"the URL of the feedback store {name} is wrong: {reason}") from error


def prepare_sqlite(engine: Engine, may_create: bool) -> None:
    """Make the folder of a SQLite file, and the file.

    Raises
    ------
    OSError
        If the folder or file cannot be made, or does not exist and ``may_create`` is not set.
    UserError
        If the URL names no file.
    """
    database = engine.url.database
    if not database or database == ":memory:":
        raise UserError(
            f"the feedback store {name_store(engine.url)} is in memory and would be lost",
            f"name a file, such as {EXAMPLE}",
        )
    if not database.startswith("file:"):
        path = Path(database)
        if not may_create and not path.is_file():
            raise FileNotFoundError("no feedback was received yet, or its store is another file")
        path.parent.mkdir(parents=True, exist_ok=True)
    write_ahead(engine)


def write_ahead(engine: Engine) -> None:
    """Switch a SQLite file to write-ahead logging, which lets others read while one writes."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError as error:
            # SQLite does not wait for this lock by itself. The low byte is the kind of error.
            code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def open_store(url: str, may_create: bool = True) -> Engine:
    """Connect to the store, and make its table if it does not exist.

    Parameters
    ----------
    url : str
        SQLAlchemy's URL of the database, such as ``sqlite:///data/feedback/feedback.db``. A
        relative path is relative to the working directory.
    may_create : bool
        Whether to make a SQLite file that does not exist.

    Raises
    ------
    UserError
        If the URL is not valid, its driver is not installed, or the table is another program's.
    StoreError
        If the database cannot be reached or written.
    """
    engine = build_engine(url)
    with translate_errors(engine.url, "opened"):
        if engine.dialect.name == "sqlite":
            prepare_sqlite(engine, may_create)
        make_table(engine)
        columns = list_columns(engine, CORRECTIONS)
    if missing := sorted(set(CORRECTIONS.columns.keys()) - columns):
        raise UserError(
            f"the feedback store {name_store(engine.url)} has a table {CORRECTIONS.name!r} without "
            f"a column {missing[0]!r}, so it is another program's",
            "name another database",
        )
    with translate_errors(engine.url, "brought up to date"):
        take_over(engine)
    return engine


def check_value(value: Any, name: str) -> None:
    """Raise ``UserError`` if a value cannot be stored, with ``name`` as what it is."""
    if isinstance(value, str):
        if not is_encodable(value):
            raise UserError(f"{name} is not valid Unicode")
        if "\0" in value:
            raise UserError(f"{name} has a NUL character")
    elif isinstance(value, int | float):
        try:
            is_finite = math.isfinite(value)
        except OverflowError:
            is_finite = False
        if not is_finite:
            raise UserError(f"{name} is not a finite number")
    elif value is not None:
        raise UserError(f"{name} is neither text nor a number")


def check_size(content: str, name: str) -> None:
    """Raise ``UserError`` if JSON is too long to be stored."""
    size = len(content.encode())
    if size > MAX_BYTES:
        raise UserError(f"{name} has {size:,} bytes as JSON, more than {MAX_BYTES:,}")


def add_feedback(
    engine: Engine,
    *,
    inputs: str | dict[str, Any],
    answer: str | float,
    predicted: str | float,
    probability: float | None,
    model_name: str | None,
    model_version: str,
) -> int:
    """Add a correction, which is then pending, and return its number.

    Parameters
    ----------
    engine : Engine
        Of the store.
    inputs : str or dict
        The message; or the row, whose values are text, numbers, booleans or None, by the names of
        the source's columns.
    answer, predicted : str, int or float
        The right label or number, and that of the model.
    probability : float or None
        As the model gave it with its label; None for a number.
    model_name, model_version : str
        The model that was asked.

    Raises
    ------
    UserError
        If a text is not valid Unicode or has a NUL character, which some databases refuse; if a
        number is not finite, a value is nested, or the whole has too many bytes.
    StoreError
        If the correction cannot be written.
    """
    if isinstance(inputs, str):
        check_value(inputs, "the text")
    else:
        for column, value in inputs.items():
            check_value(column, "the name of a column")
            check_value(value, f"the value of column {column!r}")
    check_value(answer, "the answer")
    row, right = write_json(inputs), write_json(answer)
    check_size(row, "the text" if isinstance(inputs, str) else "the row")
    check_size(right, "the answer")
    values = {
        "received_at": datetime.now(UTC).replace(tzinfo=None),
        "inputs": row,
        "answer": right,
        "predicted": write_json(predicted),
        "probability": probability,
        "model_name": model_name,
        "model_version": model_version,
        "status": "pending",
    }
    with translate_errors(engine.url, "written"), engine.begin() as connection:
        key = connection.execute(insert(CORRECTIONS).values(values)).inserted_primary_key
    return int(key[0])  # type: ignore[index]  # None only if there is no such key


def list_feedback(
    engine: Engine, status: str | None = None, model: str | None = None
) -> list[Correction]:
    """Return the corrections of one status, or all of them, oldest first.

    With ``model`` only those of the model with this name, and those without a name, which an
    earlier version stored.

    Raises
    ------
    UserError
        If there is no such status.
    StoreError
        If the store cannot be read.
    """
    query = select(CORRECTIONS).order_by(CORRECTIONS.c.id)
    if status is not None:
        query = query.where(CORRECTIONS.c.status == check_status(status))
    if model is not None:
        stored = CORRECTIONS.c.model_name
        query = query.where(or_(stored == model, stored.is_(None)))
    with translate_errors(engine.url, "read"), engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        for name in ("received_at", "reviewed_at"):
            row[name] = row[name] and row[name].replace(tzinfo=UTC)
        for name in ("inputs", "answer", "predicted"):
            row[name] = json.loads(row[name])
    return [Correction(**row) for row in rows]


def check_status(status: str) -> str:
    """Return the status, or raise ``UserError`` if it does not exist."""
    if status not in STATUSES:
        raise UserError(f"there is no status {status!r}", f"choose one of {', '.join(STATUSES)}")
    return status


def review(engine: Engine, ids: Iterable[int], status: str) -> None:
    """Set the status of all of these corrections, or of none of them.

    Raises
    ------
    UserError
        If the status or one of the numbers does not exist; the message names them.
    StoreError
        If the store cannot be written.
    """
    reviewed_at = datetime.now(UTC).replace(tzinfo=None)
    values = {"status": check_status(status), "reviewed_at": reviewed_at}
    wanted = sorted(set(ids))
    with translate_errors(engine.url, "written"), engine.begin() as connection:
        known = set(connection.scalars(select(CORRECTIONS.c.id)))
        if unknown := [str(number) for number in wanted if number not in known]:
            raise UserError(
                f"there is no correction {', '.join(unknown)}, so none was changed",
                "see 'list' for the numbers",
            )
        # One statement for each, sent together: databases limit the length of a list in one.
        by_id = update(CORRECTIONS).where(CORRECTIONS.c.id == bindparam("number")).values(values)
        if wanted:
            connection.execute(by_id, [{"number": number} for number in wanted])
