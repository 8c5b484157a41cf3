"""Tests of fetching the rows of a query, from SQLite and PostgreSQL."""

import gc
import sqlite3
import time
import traceback
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy
from pydantic import ValidationError

from core.errors import UserError
from storage.sources import database, limits
from storage.sources.fetch import fetch_source
from tests.conftest import find_free_port
from tests.support.postgres import PASSWORD, find_programs, run_postgres

ROWS = [(1, "café, 'tea'", 0.1), (2, None, 2.5), (3, "", None)]


@pytest.fixture
def sqlite(tmp_path, monkeypatch):
    """Make an SQLite database, and name it in DATABASE_URL."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table sales (id integer, name text, price real)")
        connection.executemany("insert into sales values (?, ?, ?)", ROWS)
    connection.close()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
    return path


@pytest.fixture
def fetch(tmp_path):
    """Return a function that fetches the rows of a query and returns the file's path."""
    counter = iter(range(100))

    def run(query, max_megabytes=1, timeout=10):
        source = database.DatabaseSource(database="DATABASE_URL", query=query)
        folder = tmp_path / f"fetched-{next(counter)}"
        folder.mkdir()
        kept = limits.Limits(max_megabytes=max_megabytes, timeout=timeout)
        return fetch_source(source, folder, kept)

    return run


@pytest.mark.usefixtures("sqlite")
def test_stores_the_rows_of_a_query_in_its_order(fetch):
    table = pq.read_table(fetch("select * from sales order by id desc;"))
    assert [tuple(row.values()) for row in table.to_pylist()] == ROWS[::-1]
    assert table.schema.types == [pa.int64(), pa.string(), pa.float64()]


@pytest.mark.usefixtures("sqlite")
def test_equal_rows_give_equal_bytes(fetch, monkeypatch):
    whole = fetch("select * from sales order by id").read_bytes()
    assert fetch("select * from sales order by id").read_bytes() == whole
    monkeypatch.setattr(database, "ROWS_AT_ONCE", 1)
    assert fetch("select * from sales order by id").read_bytes() == whole


@pytest.mark.usefixtures("sqlite")
def test_characters_with_a_meaning_elsewhere_stay_in_the_query(fetch):
    query = "select ':name %s %' as a, '--' as b from sales where name like 'c%' order by id"
    assert pq.read_table(fetch(query)).to_pylist() == [{"a": ":name %s %", "b": "--"}]


def test_integers_and_fractions_in_different_chunks_are_numbers(fetch, sqlite, monkeypatch):
    monkeypatch.setattr(database, "ROWS_AT_ONCE", 1)
    with sqlite3.connect(sqlite) as connection:
        connection.execute("create table mixed (id, value)")
        connection.executemany("insert into mixed values (?, ?)", [(1, None), (2, 3), (3, 0.5)])
    connection.close()
    table = pq.read_table(fetch("select value from mixed order by id"))
    assert table["value"].to_pylist() == [None, 3.0, 0.5]


@pytest.mark.parametrize("at_once", [1, 10])
def test_names_a_column_with_values_of_different_types(fetch, sqlite, monkeypatch, at_once):
    monkeypatch.setattr(database, "ROWS_AT_ONCE", at_once)
    with sqlite3.connect(sqlite) as connection:
        connection.execute("create table mixed (id, value)")
        connection.executemany("insert into mixed values (?, ?)", [(1, "a"), (2, 3)])
    connection.close()
    with pytest.raises(UserError, match=r"value.*: convert it in the query by CAST"):
        fetch("select value from mixed order by id")


@pytest.mark.parametrize(
    "query",
    [
        "select * from sales",
        "select row_number() over (order by id) from sales",
        "select 'order by id' from sales -- order by id",
        "select * from (select * from sales order by id) /* order by id */",
    ],
)
def test_refuses_a_query_without_an_order(query):
    with pytest.raises(ValidationError, match="the query must end with ORDER BY"):
        database.DatabaseSource(database="DATABASE_URL", query=query)


def test_takes_an_order_after_parentheses(fetch, sqlite):  # noqa: ARG001
    fetch("select * from (select id from sales)\nOrder\n  BY lower(id)")


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("select * from missing order by 1", "the database cannot be read: no such table: missing"),
        ("selekt 1 order by 1", "the database cannot be read: near .selekt.: syntax error"),
        ("select * from sales where id > 9 order by 1", "the query returns no rows: check"),
        ("select id, price as id from sales order by 1", "more than one column 'id': rename one"),
    ],
)
def test_says_what_is_wrong_with_a_query(fetch, query, problem):
    with pytest.raises(UserError, match=problem):
        fetch(query)


def test_the_database_stays_as_it_was(fetch, sqlite):
    before = sqlite.read_bytes()
    with pytest.raises(UserError, match="cannot be read"):
        fetch("delete from sales where id in (select id from sales order by id) /**/ order by id")
    with pytest.raises(UserError):
        fetch("delete from sales returning id, (id) order by id")
    assert sqlite.read_bytes() == before


@pytest.mark.usefixtures("sqlite")
def test_stops_reading_at_the_size_limit(fetch):
    query = "with recursive n(i) as (select 1 union all select i + 1 from n limit 200000)"
    with pytest.raises(UserError, match=r"it has more than 0\.5 MB: raise"):
        fetch(f"{query} select i from n order by i", max_megabytes=0.5)


@pytest.mark.usefixtures("sqlite")
def test_stops_a_query_that_does_not_end(fetch, monkeypatch):
    monkeypatch.setattr(limits, "TIMEOUTS", 2)
    query = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    start = time.monotonic()
    with pytest.raises(UserError, match="it takes more than 1 seconds, 2 times the timeout: raise"):
        fetch(f"{query} order by 1", timeout=0.5)
    assert time.monotonic() - start < 5


def test_says_that_a_database_is_locked(fetch, sqlite):
    with sqlite3.connect(sqlite) as connection:
        connection.execute("begin exclusive")
        with pytest.raises(UserError, match="the database cannot be read: database is locked"):
            fetch("select * from sales order by id", timeout=0.1)
    connection.close()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (None, "the environment variable DATABASE_URL is not set: set it, as in .env"),
        ("  ", "the environment variable DATABASE_URL is not set"),
        ("s3cr3t", "DATABASE_URL is not a URL of SQLAlchemy: write it as postgresql"),
        ("postgresql://me:s3cr3t@host:s3cr3t/x", "DATABASE_URL is not a URL of SQLAlchemy"),
        ("nonsense://me:s3cr3t@host/x", "SQLAlchemy knows no database 'nonsense': correct"),
        ("postgresql+pg8000://me:s3cr3t@host/x", "the driver 'pg8000' is not installed: install"),
        ("sqlite:///missing.db", "there is no SQLite file 'missing.db': correct DATABASE_URL"),
        ("sqlite://", "there is no SQLite file ''"),
    ],
)
def test_says_what_is_wrong_with_the_url(fetch, monkeypatch, url, problem):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(UserError, match=problem) as caught:
        fetch("select 1 order by 1")
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


@pytest.fixture(scope="module")
def postgres():
    """Run PostgreSQL; return SQLAlchemy's URL of its database."""
    pytest.importorskip("psycopg", reason="the driver psycopg is not installed")
    if (programs := find_programs()) is None:
        pytest.skip("PostgreSQL is not installed")
    port = find_free_port()
    with run_postgres(programs, port):
        yield f"postgresql+psycopg://postgres:{quote(PASSWORD, '')}@127.0.0.1:{port}/postgres"


@pytest.fixture
def postgres_url(postgres, monkeypatch):
    """Name the database in DATABASE_URL; return the URL."""
    monkeypatch.setenv("DATABASE_URL", postgres)
    return postgres


@pytest.mark.slow
def test_stores_the_types_of_postgres(fetch, postgres_url):
    engine = sqlalchemy.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("create table sales (id int, price numeric(10, 2), sold date)")
        values = "(2, 10.50, '2024-02-29'), (1, 9.99, null), (3, 1234567.00, '1999-12-31')"
        connection.exec_driver_sql(f"insert into sales values {values}")
    engine.dispose()
    whole = fetch("select * from sales order by id").read_bytes()
    path = fetch("select * from sales order by id")
    assert path.read_bytes() == whole
    assert pq.read_table(path).to_pydict() == {
        "id": [1, 2, 3],
        "price": [Decimal("9.99"), Decimal("10.50"), Decimal("1234567.00")],
        "sold": [None, date(2024, 2, 29), date(1999, 12, 31)],
    }
    query = """
        select '{"b": 1, "a": [2]}'::jsonb as json, array[1, 2] as list, true as yes,
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as uuid, '%s :x' as text,
        '2024-06-01 12:00+02'::timestamptz as at, '\\x00ff'::bytea as bytes
        order by 1
    """
    for zone in ("UTC", "Europe/Berlin"):
        engine = sqlalchemy.create_engine(postgres_url)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"alter role postgres set timezone to '{zone}'")
        engine.dispose()
        path = fetch(query)
        assert pq.read_table(path).to_pylist() == [
            {
                "json": '{"a": [2], "b": 1}',
                "list": "[1, 2]",
                "yes": True,
                "uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "text": "%s :x",
                "at": datetime(2024, 6, 1, 10, tzinfo=UTC),
                "bytes": b"\x00\xff",
            }
        ]


@pytest.mark.slow
@pytest.mark.usefixtures("postgres_url")
# The driver warns of a cursor that was left in the middle of a query.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_limits_hold_for_postgres(fetch, monkeypatch):
    with pytest.raises(UserError, match=r"it has more than 0\.5 MB"):
        fetch("select i from generate_series(1, 200000) as i order by i", max_megabytes=0.5)
    monkeypatch.setattr(limits, "TIMEOUTS", 2)
    start = time.monotonic()
    with pytest.raises(UserError, match="it takes more than 1 seconds"):
        fetch("select count(pg_sleep(60)) order by 1", timeout=0.5)
    assert time.monotonic() - start < 10
    gc.collect()


@pytest.mark.slow
def test_says_what_postgres_refuses_without_the_password(fetch, postgres_url, monkeypatch):
    with pytest.raises(UserError, match=r'cannot be read: relation "missing" does not exist$'):
        fetch("select * from missing order by 1")
    monkeypatch.setenv("DATABASE_URL", postgres_url.replace(quote(PASSWORD, ""), "wr0ng"))
    with pytest.raises(UserError, match="password authentication failed") as caught:
        fetch("select 1 order by 1")
    assert "wr0ng" not in str(caught.value)


def test_says_that_a_database_is_down(fetch, monkeypatch):
    pytest.importorskip("psycopg", reason="the driver psycopg is not installed")
    url = f"postgresql+psycopg://me:s3cr3t@127.0.0.1:{find_free_port()}/db"
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(UserError, match=r"the database cannot be read: .*refused") as caught:
        fetch("select 1 order by 1")
    assert "s3cr3t" not in str(caught.value)
    assert "\n" not in str(caught.value)
