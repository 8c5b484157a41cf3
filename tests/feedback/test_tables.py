"""Tests of taking over the corrections of an earlier version, on SQLite and PostgreSQL."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, insert, select

from core.errors import UserError
from feedback.store import add_feedback, list_feedback, open_store
from feedback.tables import CORRECTIONS, MESSAGES
from tests.conftest import find_free_port
from tests.support.postgres import PASSWORD, find_programs, run_postgres

ROOT = Path(__file__).parents[2]
RECEIVED = datetime(2024, 2, 29, 23, 59, 58, 123456, tzinfo=UTC)
REVIEWED = datetime(2024, 3, 1, 0, 0, 1, tzinfo=UTC)
TEXTS = ["call me", "say \"hi\"\\\n\u2028 \x1b[2J 'mum' £5 \U0001f600", "DROP TABLE feedback"]
OLD = [
    {
        "received_at": RECEIVED.replace(tzinfo=None),
        "text": text,
        "label": "ham",
        "predicted_label": "spam",
        "probability": 0.1 + number,
        "model_version": "0123456789ab",
        "status": status,
        "reviewed_at": None if status == "pending" else REVIEWED.replace(tzinfo=None),
    }
    for number, (text, status) in enumerate(
        zip(TEXTS, ("pending", "accepted", "refused"), strict=True)
    )
]
# Opens the store, and is killed in the transaction that takes the corrections over.
KILLED = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from feedback.store import open_store

@event.listens_for(Engine, "after_cursor_execute")
def kill(connection, cursor, statement, *rest):
    if statement.startswith("INSERT INTO corrections"):
        os.kill(os.getpid(), signal.SIGKILL)

open_store(sys.argv[1])
"""


@pytest.fixture(scope="session")
def server():
    """Start PostgreSQL; return the start of its URLs."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    port = find_free_port()
    with run_postgres(programs, port):
        yield f"postgresql+psycopg://postgres:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Return the URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/feedback.db"
    url = request.getfixturevalue("server")
    engine = create_engine(url)
    for table in (CORRECTIONS, MESSAGES):
        table.drop(engine, checkfirst=True)
    engine.dispose()
    return url


def write_old(url, rows):
    """Add corrections as an earlier version does."""
    engine = create_engine(url)
    MESSAGES.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(MESSAGES), rows)
    engine.dispose()


def read_store(url):
    """Open the store, and return its corrections and those that are left in the old table."""
    engine = open_store(url)
    found = list_feedback(engine)
    with engine.connect() as connection:
        left = connection.execute(select(MESSAGES.c.id)).all()
    engine.dispose()
    return found, left


def test_takes_over_all_there_is(url):
    write_old(url, OLD)
    found, left = read_store(url)
    assert left == []
    assert [each.id for each in found] == [1, 2, 3]
    assert [each.inputs for each in found] == TEXTS
    assert {(each.answer, each.predicted, each.model_name) for each in found} == {
        ("ham", "spam", None)
    }
    assert [each.probability for each in found] == [0.1, 1.1, 2.1]
    assert {each.model_version for each in found} == {"0123456789ab"}
    assert {each.received_at for each in found} == {RECEIVED}
    assert [each.status for each in found] == ["pending", "accepted", "refused"]
    assert [each.reviewed_at for each in found] == [None, REVIEWED, REVIEWED]


def test_what_an_earlier_version_writes_later_is_taken_over_too(url):
    write_old(url, OLD[:1])
    engine = open_store(url)
    # Its process goes on, and its numbers may begin from 1 again.
    write_old(url, OLD[1:])
    number = add_feedback(
        engine,
        inputs={"carat": 0.1},
        answer=12.5,
        predicted=10,
        probability=None,
        model_name="diamonds",
        model_version="0123456789ab",
    )
    engine.dispose()
    assert number == 2
    found, left = read_store(url)
    assert left == []
    assert [each.inputs for each in found] == [TEXTS[0], {"carat": 0.1}, *TEXTS[1:]]
    assert read_store(url)[0] == found


def test_two_that_open_at_once_take_over_each_correction_once(url):
    write_old(url, OLD * 100)
    barrier = threading.Barrier(6)

    def work(_):
        barrier.wait()
        open_store(url).dispose()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    found, left = read_store(url)
    assert left == []
    assert [each.inputs for each in found] == TEXTS * 100


def test_nothing_is_lost_if_it_is_killed(url):
    write_old(url, OLD)
    command = [sys.executable, "-c", KILLED, url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run(command, env=environment, check=False)
    assert ran.returncode == -signal.SIGKILL
    found, left = read_store(url)
    assert left == []
    assert [each.inputs for each in found] == TEXTS


def test_keeps_rows_as_they_are(url):
    row = {
        "z \"'; DROP TABLE corrections": 0.1,
        "a": 9007199254740993,
        "empty": None,
        "£": "9007199254740993",
        "e": 1e-300,
        "true": True,
        "": "\u2028\x1b\n",
    }
    engine = open_store(url)
    for answer in (0.1, 9007199254740993, "9007199254740993"):
        add_feedback(
            engine,
            inputs=row,
            answer=answer,
            predicted=answer,
            probability=None,
            model_name="iris",
            model_version="0123456789ab",
        )
    found = list_feedback(engine)
    engine.dispose()
    assert [repr(each.inputs) for each in found] == [repr(row)] * 3
    assert [each.answer for each in found] == [0.1, 9007199254740993, "9007199254740993"]
    assert [each.predicted for each in found] == [each.answer for each in found]
    assert {each.probability for each in found} == {None}


def test_an_old_table_that_cannot_be_written_is_named(tmp_path):
    path = tmp_path / "feedback.db"
    open_store(f"sqlite:///{path}").dispose()
    write_old(f"sqlite:///{path}", OLD)
    with pytest.raises(UserError, match=r"brought up to date: attempt to write a readonly"):
        open_store(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert len(read_store(f"sqlite:///{path}")[0]) == 3


def test_another_program_s_table_of_that_name_is_left_alone(tmp_path):
    url = f"sqlite:///{tmp_path}/feedback.db"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE feedback (id INTEGER, stars INTEGER)")
        connection.exec_driver_sql("INSERT INTO feedback VALUES (1, 5)")
    assert list_feedback(open_store(url)) == []
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM feedback").all() == [(1, 5)]
    engine.dispose()
