"""The table of corrections, and how it takes over those that an earlier version stored."""

import json
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.exc import DBAPIError, NoSuchTableError

TABLES = MetaData()
# JSON is kept as text: databases with a type of their own for it reorder keys and round numbers.
LONG_TEXT = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
CORRECTIONS = Table(
    "corrections",
    TABLES,
    Column("id", Integer, primary_key=True),
    # Times are in UTC, without a zone: not every database keeps one.
    Column("received_at", DateTime, nullable=False),
    Column("inputs", LONG_TEXT, nullable=False),
    Column("answer", LONG_TEXT, nullable=False),
    Column("predicted", LONG_TEXT, nullable=False),
    Column("probability", Float(53)),
    Column("model_name", String(200)),
    Column("model_version", String(64), nullable=False),
    Column("status", String(8), nullable=False),
    Column("reviewed_at", DateTime),
)
# Where earlier versions of this program keep corrections, of messages alone.
MESSAGES = Table(
    "feedback",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("received_at", DateTime),
    Column("text", Text),
    Column("label", String(200)),
    Column("predicted_label", String(200)),
    Column("probability", Float(53)),
    Column("model_version", String(64)),
    Column("status", String(8)),
    Column("reviewed_at", DateTime),
)


def make_table(engine: Engine) -> None:
    """Make the table if it does not exist."""
    try:
        TABLES.create_all(engine)
    except DBAPIError:
        # Another process may have made the table at the same time.
        if not inspect(engine).has_table(CORRECTIONS.name):
            raise


def list_columns(engine: Engine, table: Table) -> set[str]:
    """Return the names of the columns that a table has in the database; none if there is none."""
    try:
        return {column["name"] for column in inspect(engine).get_columns(table.name)}
    except NoSuchTableError:
        return set()


def take_over(engine: Engine) -> None:
    """Move the corrections of an earlier version to this one's table, in one transaction.

    The old table stays: a process of the earlier version may still write to it. What it writes is
    moved the next time that the store is opened.
    """
    if not list_columns(engine, MESSAGES).issuperset(MESSAGES.columns.keys()):
        return
    with engine.connect() as connection:
        if connection.execute(select(MESSAGES.c.id).limit(1)).first() is None:
            return
    with engine.begin() as connection:
        # To delete is the first step, so that two processes cannot both read a row: the second one
        # waits, and then there is none left.
        found = connection.execute(delete(MESSAGES).returning(*MESSAGES.columns)).mappings().all()
        moved = [
            {
                "received_at": row["received_at"],
                "inputs": write_json(row["text"]),
                "answer": write_json(row["label"]),
                "predicted": write_json(row["predicted_label"]),
                "probability": row["probability"],
                "model_name": None,
                "model_version": row["model_version"],
                "status": row["status"],
                "reviewed_at": row["reviewed_at"],
            }
            for row in sorted(found, key=lambda row: row["id"])
        ]
        if moved:
            connection.execute(insert(CORRECTIONS), moved)


def write_json(value: Any) -> str:
    """Return a value as JSON, its text readable; numbers are not rounded."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
