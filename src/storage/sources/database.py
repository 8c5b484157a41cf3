"""Sources that are the rows of a query, in any database that SQLAlchemy knows."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from core.errors import UserError
from core.params import Params
from storage.sources.limits import Limits
from storage.sources.variables import Variable, read_variable

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import URL, Connection

ROWS_AT_ONCE = 10_000
EXAMPLE = "postgresql+psycopg://user:password@host/database"
# The argument of each driver that limits the seconds to connect; SQLite's is for locks of others.
CONNECT_TIMEOUT = {
    "psycopg": "connect_timeout",
    "psycopg2": "connect_timeout",
    "pg8000": "timeout",
    "pymysql": "connect_timeout",
    "mysqldb": "connect_timeout",
    "pysqlite": "timeout",
}
# Comments, and names or values in quotes.
NO_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'[^']*'|\"[^\"]*\"|`[^`]*`", re.DOTALL)
INNERMOST = re.compile(r"\([^()]*\)")
ORDER_BY = re.compile(r"\border\s+by\b", re.IGNORECASE)
# Values that Parquet can store; others become text.
STORABLE = (bool, int, float, str, bytes, Decimal, date, datetime, time, timedelta)


def check_query(query: str) -> str:
    """Return a query whose rows have an order, or raise ``ValueError``."""
    outer = NO_CODE.sub(" ", query)
    while (shorter := INNERMOST.sub(" ", outer)) != outer:
        outer = shorter
    if not ORDER_BY.search(outer):
        raise ValueError(
            "the query must end with ORDER BY and a unique column, or else the order of the rows "
            "may change"
        )
    return query


class DatabaseSource(Params):
    """A query, and the environment variable that holds SQLAlchemy's URL of the database."""

    database: Variable
    query: Annotated[str, AfterValidator(check_query)]

    def __str__(self) -> str:
        return f"database {self.database}"


def fetch_database(source: DatabaseSource, target: Path, limits: Limits) -> Path:
    """Write the rows of the query to ``target`` as Parquet, in the order of the query.

    Equal rows give equal bytes. Decimal numbers stay exact, times with a zone are in UTC, JSON and
    types that Parquet lacks become text.

    Raises
    ------
    UserError
        If the variable is not set or holds no valid URL, the database cannot be reached or refuses
        the query, there are no rows, more bytes than allowed, or values that cannot be stored.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    options = {"stream_results": True, "yield_per": ROWS_AT_ONCE, "no_parameters": True}
    query = source.query.strip().rstrip(";")
    parts: list[pa.Table] = []
    n_bytes = 0
    with (
        connect(source.database, limits) as connection,
        # Not SQLAlchemy's text(), which takes ':name' inside a query for a parameter.
        closing(connection.exec_driver_sql(query, execution_options=options)) as result,
    ):
        names = list(result.keys())
        if repeated := [name for name, n in Counter(names).items() if n > 1]:
            raise UserError(
                f"the query returns more than one column {repeated[0]!r}", "rename one with AS"
            )
        for rows in result.partitions():
            columns = zip(*rows, strict=True)
            arrays = [make_array(*pair) for pair in zip(names, columns, strict=True)]
            parts.append(pa.table(arrays, names=names))
            n_bytes += parts[-1].nbytes
            limits.check_size(n_bytes)
    if not parts:
        raise UserError("the query returns no rows", "check the query and the database")
    try:
        whole = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    except pa.ArrowException as error:
        raise UserError(
            f"a column has values of different types ({error})", "convert it in the query by CAST"
        ) from error
    pq.write_table(whole, target)
    limits.check_size(target.stat().st_size)
    return target


def make_array(name: str, values: tuple[Any, ...]) -> "pa.Array":
    """Return the values of one column as an Arrow array; its type is that of the values.

    Raises
    ------
    UserError
        If the values have different types.
    """
    import pyarrow as pa

    try:
        return pa.array([make_storable(value) for value in values])
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        types = ", ".join(sorted({type(value).__name__ for value in values} - {"NoneType"}))
        raise UserError(
            f"the column {name!r} cannot be stored, its values have the types {types}",
            "convert it in the query by CAST",
        ) from error


def make_storable(value: Any) -> Any:
    """Return a value that Parquet can store; times with a zone in UTC, not in the session's."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if value is None or isinstance(value, STORABLE):
        return value
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return str(value)


@contextmanager
def connect(variable: str, limits: Limits) -> Iterator["Connection"]:
    """Connect to a database; turn its errors inside the block into a ``UserError``.

    Its messages and causes never show the password.

    Parameters
    ----------
    variable : str
        The environment variable that holds SQLAlchemy's URL.
    limits : Limits
        How long to wait for the database.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    url = read_url(variable)
    try:
        keyword = CONNECT_TIMEOUT.get(url.get_dialect().driver)
        arguments = {keyword: math.ceil(limits.timeout)} if keyword else {}
        engine = create_engine(url, hide_parameters=True, connect_args=arguments)
    except NoSuchModuleError:
        raise UserError(
            f"SQLAlchemy knows no database {url.drivername!r}", f"correct the start of {variable}"
        ) from None
    except ImportError as error:
        raise UserError(
            f"the driver {error.name!r} is not installed",
            f"install it, or name another one in {variable}",
        ) from None
    except (ArgumentError, TypeError, ValueError) as error:
        raise UserError(f"{variable} is wrong: {hide(error, url)}") from None
    try:
        with closing(engine.connect()) as connection:
            if engine.dialect.name == "sqlite":
                # SQLite holds back signals, and with them the time limit, unless it runs Python.
                database: Any = connection.connection.driver_connection
                database.set_progress_handler(lambda: None, 100_000)
            if engine.dialect.name == "postgresql":
                # The server would go on with a query that nobody waits for.
                milliseconds = math.ceil(1000 * limits.seconds)
                connection.exec_driver_sql(f"SET statement_timeout = {milliseconds}")
            yield connection
    except SQLAlchemyError as error:
        # The database's own message: SQLAlchemy adds the query and a link, some drivers hints.
        reason = hide(getattr(error, "orig", None) or error, url).partition("\n")[0]
        raise UserError(f"the database cannot be read: {reason}") from None
    finally:
        engine.dispose()


def read_url(variable: str) -> "URL":
    """Return the URL that an environment variable holds.

    Raises
    ------
    UserError
        If it is not set, not a URL, or names an SQLite file that does not exist.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(read_variable(variable))
    except (ArgumentError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        # Neither the URL nor this error is shown: they may hold a password.
        raise UserError(
            f"{variable} is not a URL of SQLAlchemy", f"write it as {EXAMPLE}"
        ) from None
    if url.get_backend_name() == "sqlite":
        name = url.database or ""
        # SQLite would make the file.
        if not name.startswith("file:") and not Path(name).is_file():
            raise UserError(f"there is no SQLite file {name!r}", f"correct {variable}")
    return url


def hide(text: object, url: "URL") -> str:
    """Return ``text`` without the passwords of a URL."""
    secrets = [url.password, *(value for key, value in url.query.items() if "pass" in key.lower())]
    whole = str(text)
    for secret in filter(None, secrets):
        whole = whole.replace(str(secret), "***")
    return whole
