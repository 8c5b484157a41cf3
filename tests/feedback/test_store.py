"""Tests of the store of corrections, on SQLite."""

import math
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.schema import CreateTable

from core.errors import UserError
from feedback.store import add_feedback, list_feedback, open_store, review
from feedback.tables import CORRECTIONS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "feedback.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


@pytest.fixture
def store(url):
    return open_store(url)


def add(store, inputs="call me", answer="ham", model_name="sms-spam"):
    return add_feedback(
        store,
        inputs=inputs,
        answer=answer,
        predicted="spam",
        probability=0.987654321,
        model_name=model_name,
        model_version="0123456789ab",
    )


def read_status(store):
    return {correction.id: correction.status for correction in list_feedback(store)}


def test_keeps_what_is_added(store):
    before = datetime.now(UTC)
    text = "WIN £500 \U0001f600\n\tcall 'now'; \x1b[31m\u202e DROP TABLE corrections"
    number = add(store, text)
    (found,) = list_feedback(store)
    assert (found.id, found.inputs, found.answer) == (number, text, "ham")
    assert (found.predicted, found.model_version) == ("spam", "0123456789ab")
    assert found.model_name == "sms-spam"
    assert found.probability == 0.987654321
    assert before <= found.received_at <= datetime.now(UTC)
    assert (found.status, found.reviewed_at) == ("pending", None)


def test_a_store_that_is_opened_again_has_its_corrections(store, url):
    add(store)
    assert [found.inputs for found in list_feedback(open_store(url, may_create=False))] == [
        "call me"
    ]


def test_a_relative_path_is_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    add(open_store("sqlite:///data/feedback.db"))
    assert (tmp_path / "data" / "feedback.db").is_file()


def test_a_reader_does_not_wait_for_a_writer(store, path):
    add(store)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        writer.execute("BEGIN EXCLUSIVE")
        assert len(list_feedback(store)) == 1


def test_many_may_open_a_new_store_and_write_at_once(url):
    barrier = threading.Barrier(8)

    def work(_):
        barrier.wait()
        store = open_store(url)
        return [add(store) for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        numbers = [number for found in pool.map(work, range(8)) for number in found]
    assert sorted(numbers) == list(range(1, 41))
    assert len(list_feedback(open_store(url))) == 40


def test_a_table_that_another_process_makes_meanwhile_is_taken(url, monkeypatch):
    open_store(url)
    # It looks for the table, finds none, and then is the second to make it.
    monkeypatch.setattr(
        "sqlalchemy.dialects.sqlite.base.SQLiteDialect.has_table", lambda *_, **__: False
    )
    with pytest.raises(UserError, match="already exists"):
        open_store(url)
    # The third question is about the table of earlier versions.
    calls = iter([False, True, False])
    monkeypatch.setattr(
        "sqlalchemy.dialects.sqlite.base.SQLiteDialect.has_table", lambda *_, **__: next(calls)
    )
    assert add(open_store(url)) == 1


def test_lists_by_status_in_the_order_of_arrival(store):
    for text in ("a", "b", "c"):
        add(store, text)
    review(store, [2], "refused")
    assert [found.inputs for found in list_feedback(store)] == ["a", "b", "c"]
    assert [found.inputs for found in list_feedback(store, "pending")] == ["a", "c"]
    assert [found.inputs for found in list_feedback(store, "refused")] == ["b"]


def test_lists_those_of_one_model_and_those_without_a_name(store):
    for name in ("diamonds", None, "iris"):
        add(store, {"name": name}, 1, model_name=name)
    review(store, [2], "accepted")
    assert [found.id for found in list_feedback(store, model="iris")] == [2, 3]
    assert [found.id for found in list_feedback(store, "pending", "iris")] == [3]
    assert [found.id for found in list_feedback(store, model="none")] == [2]


def test_a_review_is_dated_and_may_be_changed(store):
    number = add(store)
    review(store, [number], "refused")
    review(store, [number, number], "accepted")
    (found,) = list_feedback(store)
    assert found.status == "accepted"
    assert found.received_at <= found.reviewed_at <= datetime.now(UTC)


def test_an_unknown_number_is_named_and_nothing_changed(store):
    for _ in range(3):
        add(store)
    with pytest.raises(ValueError, match="there is no correction 7, 12, so none was changed"):
        review(store, [1, 12, 3, 7], "accepted")
    assert read_status(store) == dict.fromkeys([1, 2, 3], "pending")


def test_reviewing_none_changes_none(store):
    add(store)
    review(store, [], "accepted")
    assert read_status(store) == {1: "pending"}


@pytest.mark.parametrize("call", [list_feedback, lambda store, s: review(store, [1], s)])
def test_refuses_a_status_that_there_is_not(store, call):
    with pytest.raises(
        ValueError, match="no status 'maybe': choose one of pending, accepted, refused"
    ):
        call(store, "maybe")


@pytest.mark.parametrize(
    ("inputs", "answer", "fault"),
    [
        ("a\ud800b", "ham", "the text is not valid Unicode"),
        ("a\0b", "ham", "the text has a NUL character"),
        ("x" * 100_000, "ham", "the text has 100,002 bytes as JSON, more than 100,000"),
        ("call me", "h\0m", "the answer has a NUL character"),
        ("call me", math.inf, "the answer is not a finite number"),
        ({"a": 1, "b": "\ud800"}, 1, "the value of column 'b' is not valid Unicode"),
        ({"a\0": 1}, 1, "the name of a column has a NUL character"),
        ({"\ud800": 1}, 1, "the name of a column is not valid Unicode"),
        ({"a": math.nan}, 1, "the value of column 'a' is not a finite number"),
        ({"a": 10**5000}, 1, "the value of column 'a' is not a finite number"),
        ({"a": [1]}, 1, "the value of column 'a' is neither text nor a number"),
        ({f"c{i}": i for i in range(10_000)}, 1, "the row has 147,780 bytes as JSON"),
    ],
)
def test_refuses_what_not_every_database_takes(store, inputs, answer, fault):
    with pytest.raises(ValueError, match=fault):
        add(store, inputs, answer)
    assert list_feedback(store) == []


def test_a_full_disk_is_reported_and_nothing_is_half_written(store, path, monkeypatch):
    add(store)
    connect = sqlite3.dbapi2.connect

    def connect_small(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA max_page_count = 3")
        return connection

    monkeypatch.setattr("sqlite3.dbapi2.connect", connect_small)
    with pytest.raises(UserError, match=r"cannot be written: database or disk is full$") as caught:
        add(store, "x" * 90_000)
    assert str(path) in str(caught.value)
    assert [found.inputs for found in list_feedback(store)] == ["call me"]
    assert add(store) == 2


def test_a_store_that_stays_locked_is_reported(path, monkeypatch):
    monkeypatch.setattr("feedback.store.PATIENCE", 0.1)
    store = open_store(f"sqlite:///{path}")
    add(store)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UserError, match=r"cannot be written: database is locked$"):
            add(store)
        with pytest.raises(UserError, match=r"cannot be written: database is locked$"):
            review(store, [1], "accepted")
    assert read_status(store) == {1: "pending"}


def test_waits_for_another_process_to_finish_its_write(store, path):
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.execute, ["COMMIT"])
        timer.start()
        assert add(store) == 1
        timer.join()


def test_opening_waits_even_where_sqlite_does_not(path, monkeypatch):
    path.parent.mkdir()
    connect = sqlite3.dbapi2.connect
    monkeypatch.setattr(
        "sqlite3.dbapi2.connect", lambda *args, **kwargs: connect(*args, **{**kwargs, "timeout": 0})
    )
    with closing(connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE other (x)")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("feedback.store.PATIENCE", 0.1)
        with pytest.raises(UserError, match=r"cannot be opened: database is locked$"):
            open_store(f"sqlite:///{path}")
        monkeypatch.setattr("feedback.store.PATIENCE", 60)
        timer = threading.Timer(0.2, other.execute, ["COMMIT"])
        timer.start()
        assert add(open_store(f"sqlite:///{path}")) == 1
        timer.join()


def test_a_store_that_cannot_be_written_is_reported(url, path):
    open_store(url)
    read_only = open_store(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(UserError, match=r"attempt to write a readonly database$"):
        add(read_only)
    assert list_feedback(read_only) == []


def test_a_store_that_was_removed_is_reported(store, path):
    path.unlink()
    with pytest.raises(UserError, match=r"no such table: corrections$"):
        add(store)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"feedback\.db cannot be opened: .*File exists"):
        open_store(f"sqlite:///{tmp_path}/file/feedback.db")


def test_a_file_that_is_not_a_database_is_reported(tmp_path):
    (tmp_path / "messages.tsv").write_text("ham\thello\n" * 200)
    with pytest.raises(UserError, match=r"messages\.tsv cannot be opened: file is not a database$"):
        open_store(f"sqlite:///{tmp_path}/messages.tsv")


def test_a_store_is_not_made_unless_asked_for(path, url):
    with pytest.raises(
        UserError, match=r"feedback\.db cannot be opened: no feedback was received yet"
    ):
        open_store(url, may_create=False)
    assert not path.parent.exists()


def test_the_table_of_another_program_is_left_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE corrections (id INTEGER, stars INTEGER)")
    with pytest.raises(ValueError, match="a table 'corrections' without a column 'answer'"):
        open_store(f"sqlite:///{tmp_path}/other.db")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "is not a URL of SQLAlchemy: write it as sqlite:///"),
        ("data/feedback.db", "is not a URL of SQLAlchemy: write it as sqlite:///"),
        ("postgresql://me:hunter2@host:port/db", "is not a URL of SQLAlchemy"),
        ("postgres://me:hunter2@host/db", "knows no database 'postgres': correct the start"),
        ("mysql+nowhere://me:hunter2@host/db", "knows no database 'mysql.nowhere'"),
        ("oracle+cx_oracle://me:hunter2@host/db", "needs the driver 'cx_Oracle': install it"),
        ("postgres://host/db?user=me&password=hunter2", "knows no database 'postgres'"),
        ("sqlite://me:hunter2@/x.db?key=hunter2", r"x\.db is wrong: Invalid SQLite URL: .*=\*"),
        ("sqlite:///x.db?timeout=long", "x.db is wrong: could not convert .* float: 'long'"),
        ("sqlite://", "is in memory and would be lost: name a file, such as sqlite:///"),
        ("sqlite:///:memory:", "is in memory and would be lost: name a file"),
    ],
)
def test_an_invalid_url_is_reported_without_its_password(url, message):
    with pytest.raises(ValueError, match=message) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_shows_neither_password_nor_message(store, path):
    path.unlink()
    store.url = store.url.set(username="me", password="hunter2")
    with pytest.raises(UserError, match=r"me:\*\*\*@.* cannot be written") as caught:
        add(store, "private words")
    seen = f"{caught.value} {caught.value.__cause__}"
    assert "hunter2" not in seen
    assert "private words" not in seen


@pytest.mark.parametrize("dialect", [postgresql.dialect(), mysql.dialect()])
def test_other_databases_take_the_table_and_keep_the_probability(dialect):
    ddl = str(CreateTable(CORRECTIONS).compile(dialect=dialect))
    assert "FLOAT(53)" in ddl
    assert f"inputs {'MEDIUMTEXT' if dialect.name == 'mysql' else 'TEXT'} NOT NULL" in ddl
