"""The store of corrections that users send, in any database that SQLAlchemy knows.

The service adds corrections, ``python src feedback`` lists and reviews them.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import (
    URL,
    Column,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    create_engine,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from core.errors import UserError
from records.formats import is_encodable

STATUSES = ("pending", "accepted", "refused")
# Seconds that SQLite waits for another process's write.
PATIENCE = 5
EXAMPLE = "sqlite:///data/feedback/feedback.db"

FEEDBACK = Table(
    "feedback",
    MetaData(),
    Column("id", Integer, primary_key=True),
    # Times are in UTC, without a zone: not every database keeps one.
    Column("received_at", DateTime, nullable=False),
    Column("text", Text, nullable=False),
    Column("label", String(200), nullable=False),
    Column("predicted_label", String(200), nullable=False),
    Column("probability", Float(53), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("status", String(8), nullable=False),
    Column("reviewed_at", DateTime),
)


class StoreError(UserError):
    """The store of corrections cannot be opened, read or written now."""


@dataclass(frozen=True)
class Correction:
    """A user's label for one message, the model's prediction, and the state of its review.

    Attributes
    ----------
    id : int
        Counts up: a newer correction has a higher id.
    received_at : datetime
        In UTC.
    text, label : str
        The message as received, and the label that the user says is right.
    predicted_label, probability, model_version : str, float, str
        The model's label, its probability of the positive label, and its version.
    status : str
        ``pending``, ``accepted`` or ``refused``.
    reviewed_at : datetime or None
        When the status was last set, in UTC.
    """

    id: int
    received_at: datetime
    text: str
    label: str
    predicted_label: str
    probability: float
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
        try:
            FEEDBACK.metadata.create_all(engine)
        except DBAPIError:
            # Another process may have made the table at the same time.
            if not inspect(engine).has_table(FEEDBACK.name):
                raise
        columns = {column["name"] for column in inspect(engine).get_columns(FEEDBACK.name)}
    if missing := sorted(set(FEEDBACK.columns.keys()) - columns):
        raise UserError(
            f"the feedback store {name_store(engine.url)} has a table {FEEDBACK.name!r} without a "
            f"column {missing[0]!r}, so it is another program's",
            "name another database",
        )
    return engine


def add_feedback(
    engine: Engine,
    *,
    text: str,
    label: str,
    predicted_label: str,
    probability: float,
    model_version: str,
) -> int:
    """Add a correction, which is then pending, and return its number.

    Raises
    ------
    UserError
        If the text is not valid Unicode, or has a NUL character, which some databases refuse.
    StoreError
        If the correction cannot be written.
    """
    if not is_encodable(text):
        raise UserError("the text is not valid Unicode")
    if "\0" in text:
        raise UserError("the text has a NUL character")
    values = {
        "received_at": datetime.now(UTC).replace(tzinfo=None),
        "text": text,
        "label": label,
        "predicted_label": predicted_label,
        "probability": probability,
        "model_version": model_version,
        "status": "pending",
    }
    with translate_errors(engine.url, "written"), engine.begin() as connection:
        key = connection.execute(insert(FEEDBACK).values(values)).inserted_primary_key
    return int(key[0])  # type: ignore[index]  # None only if there is no such key


def list_feedback(engine: Engine, status: str | None = None) -> list[Correction]:
    """Return the corrections of one status, or all of them, oldest first.

    Raises
    ------
    UserError
        If there is no such status.
    StoreError
        If the store cannot be read.
    """
    query = select(FEEDBACK).order_by(FEEDBACK.c.id)
    if status is not None:
        query = query.where(FEEDBACK.c.status == check_status(status))
    with translate_errors(engine.url, "read"), engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        for name in ("received_at", "reviewed_at"):
            row[name] = row[name] and row[name].replace(tzinfo=UTC)
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
        known = set(connection.scalars(select(FEEDBACK.c.id)))
        if unknown := [str(number) for number in wanted if number not in known]:
            raise UserError(
                f"there is no correction {', '.join(unknown)}, so none was changed",
                "see 'list' for the numbers",
            )
        # One statement for each, sent together: databases limit the length of a list in one.
        by_id = update(FEEDBACK).where(FEEDBACK.c.id == bindparam("number")).values(values)
        if wanted:
            connection.execute(by_id, [{"number": number} for number in wanted])
