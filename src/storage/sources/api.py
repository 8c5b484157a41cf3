"""Sources that are the records of an HTTP API, which answers in JSON, page by page."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urldefrag, urljoin, urlsplit

import requests
from pydantic import AfterValidator, Field

from core.errors import UserError
from core.params import Params
from storage.sources.limits import CHUNK_BYTES, Limits, write_chunks
from storage.sources.variables import Variable, read_variable

MAX_PAGES = 10_000
MAX_REDIRECTS = 5
# How many keys of an answer an error shows, and how many characters of each.
SHOWN_KEYS = 10
SHOWN_LENGTH = 40
PORTS = {"http": 80, "https": 443}
# RFC 9110: a header's name, and its value without blanks at the ends.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\x20-\x7e]+")


def check_address(url: str) -> str:
    """Return the URL of an API, or raise ``ValueError``."""
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ValueError("an address must not hold a password: send it as one of the headers")
    get_origin(url)
    return url


def check_header_name(name: str) -> str:
    """Return the name of a header, or raise ``ValueError``."""
    if not HEADER_NAME.fullmatch(name):
        raise ValueError("this must be the name of a header, such as Authorization")
    return name


class Header(Params):
    """A header to send, and the environment variable that holds its value."""

    name: Annotated[str, AfterValidator(check_header_name)]
    variable: Variable


class ApiSource(Params):
    """An HTTP API that returns JSON records.

    Attributes
    ----------
    api : str
        The URL of the first page.
    records : str or None
        Where a page has its list of records: keys joined by points; empty: the page is the list.
    next : str or None
        Where a page has the URL of the next one; empty: there is one page.
    headers : list of Header
        Sent to this server alone.
    """

    api: Annotated[str, AfterValidator(check_address)]
    records: str | None = None
    next: str | None = None
    headers: list[Header] = Field(default_factory=list)

    def __str__(self) -> str:
        return f"api {self.api}"


def get_origin(url: str) -> tuple[str, str, int]:
    """Return the scheme, host and port of a URL.

    Raises
    ------
    UserError
        If it is not an address on the web.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        port = None
    if port is None or not parts.hostname:
        raise UserError("an address must start with http:// or https:// and a host")
    return parts.scheme, parts.hostname, port


def follow(url: str, target: str) -> str:
    """Return the address that a link on a page leads to, or raise ``UserError``."""
    try:
        address = urldefrag(urljoin(url, target)).url
    except ValueError:
        address = ""
    get_origin(address)
    return address


def fetch_api(source: ApiSource, target: Path, limits: Limits) -> Path:
    """Write the records of all pages to ``target``: a line of JSON for each, its keys sorted.

    Raises
    ------
    UserError
        If a header's variable is not set, a page cannot be fetched or is not JSON with records, the
        pages do not end or lead to another server, or there are more bytes than allowed. No message
        shows a header's value or the values that the server sent.
    """
    headers = {header.name: read_header(header) for header in source.headers}
    write_chunks(fetch_pages(source, headers, limits), target, limits)
    if not target.stat().st_size:
        raise UserError("the API returns no records", "check its address")
    return target


def read_header(header: Header) -> str:
    """Return the value of a header, or raise ``UserError``."""
    value = read_variable(header.variable)
    if not HEADER_VALUE.fullmatch(value):
        raise UserError(
            f"the environment variable {header.variable} holds characters that a header cannot hold"
        )
    return value


def fetch_pages(source: ApiSource, headers: dict[str, str], limits: Limits) -> Iterator[bytes]:
    """Yield the records of each page as JSON lines.

    Raises
    ------
    UserError
        As ``fetch_api`` does; the message has the number of the page.
    """
    address: str | None = source.api
    seen = set()
    n_bytes = 0
    with requests.Session() as session:
        session.headers["Accept"] = "application/json"
        for number in count(1):
            try:
                if number > MAX_PAGES:
                    raise UserError(
                        f"there are more than {MAX_PAGES} pages", "ask for more records on each"
                    )
                seen.add(address)
                body = fetch_page(session, str(address), headers, limits, n_bytes)
                n_bytes += len(body)
                page = parse_page(body)
                lines = format_records(find_value(page, source.records or ""), source.records)
                address = find_next(page, source, str(address))
                if address in seen:
                    raise UserError("its next page is one that was already fetched")
            except UserError as error:
                raise UserError(f"page {number}: {error.message}", error.fix) from None
            yield lines
            if address is None:
                return


def fetch_page(
    session: requests.Session, url: str, headers: dict[str, str], limits: Limits, n_before: int
) -> bytes:
    """Return the body of one page; ``n_before`` is the number of bytes of the pages before it.

    Raises
    ------
    UserError
        If the server does not answer with status 200 and at most the bytes that are left, or
        redirects to another server while there are headers to send.
    """

    def add_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As authentication, because requests would otherwise replace it by that of ~/.netrc.
        request.headers.update(headers)
        return request

    origin = get_origin(url)
    body = bytearray()
    try:
        for _ in range(MAX_REDIRECTS + 1):
            if headers and get_origin(url) != origin:
                raise UserError(
                    f"it redirects to another server ({urlsplit(url).hostname}), which must not "
                    "get the headers",
                    "write the address there into api",
                )
            with ask(session, url, add_headers, limits) as response:
                if target := session.get_redirect_target(response):
                    url = follow(url, target)
                    continue
                if response.status_code != HTTPStatus.OK:
                    raise UserError(f"the server answers with {name_status(response.status_code)}")
                for chunk in response.iter_content(CHUNK_BYTES):
                    body += chunk
                    limits.check_size(n_before + len(body))
                return bytes(body)
        raise UserError(f"it redirects more than {MAX_REDIRECTS} times")
    except UserError:
        raise
    except (requests.RequestException, ValueError) as error:
        # Their messages hold addresses, which may hold secrets.
        raise UserError(describe_failure(error, limits)) from None


def ask(
    session: requests.Session,
    url: str,
    add_headers: Callable[[requests.PreparedRequest], requests.PreparedRequest],
    limits: Limits,
) -> requests.Response:
    """Send a request; once more if the server closes the connection instead of answering.

    A server may do that at any time with a connection that was kept, and GET may be repeated (RFC
    9110, section 9.2.2).
    """
    send = partial(
        session.get,
        url,
        auth=add_headers,
        timeout=limits.timeout,
        stream=True,
        allow_redirects=False,
    )
    try:
        return send()
    except requests.ConnectionError as error:
        if isinstance(error, requests.Timeout):
            raise
        return send()


def name_status(status: int) -> str:
    """Return a status with its usual name; a server may give it any other."""
    known = {each.value: each.phrase for each in HTTPStatus}
    return f"status {status} {known.get(status, '')}".strip()


def describe_failure(error: Exception, limits: Limits) -> str:
    """Return what went wrong with a request, without its address."""
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"the server does not answer within {limits.timeout:g} seconds"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not valid"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the answer breaks off"
    if isinstance(error, requests.ConnectionError):
        return "the server cannot be reached, or closes the connection"
    return f"the request fails ({type(error).__name__})"


def parse_page(body: bytes) -> Any:
    """Return the content of a page.

    Raises
    ------
    UserError
        If it is not valid JSON; NaN and infinite numbers are not.
    """
    if body.lstrip().startswith(b"<"):
        raise UserError("the answer is HTML or XML, not JSON", "check the address and the headers")

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(body, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise UserError(
            f"the answer is not valid JSON ({error.msg} at character {error.pos})"
        ) from None
    except (ValueError, RecursionError) as error:
        # Of these messages only the type is sure not to hold data.
        raise UserError(f"the answer is not valid JSON ({type(error).__name__})") from None


def find_value(page: Any, path: str) -> Any:
    """Return the value at a path of keys joined by points, or the page itself if the path is ''.

    Raises
    ------
    UserError
        If a key does not exist.
    """
    value = page
    for key in filter(None, path.split(".")):
        if not isinstance(value, dict) or key not in value:
            found = f"a {type(value).__name__}"
            if isinstance(value, dict):
                found = ", ".join(name[:SHOWN_LENGTH] for name in list(value)[:SHOWN_KEYS])
            raise UserError(
                f"the answer has no {path!r}, there is {found or 'nothing'} in place of {key!r}",
                "correct records, the path to the list",
            )
        value = value[key]
    return value


def find_next(page: Any, source: ApiSource, url: str) -> str | None:
    """Return the address of the next page, None if there is none.

    Raises
    ------
    UserError
        If it is not an address, or another server's while there are headers to send.
    """
    value = page
    for key in source.next.split(".") if source.next else ():
        value = value.get(key) if isinstance(value, dict) else None
    if not source.next or value in (None, ""):
        return None
    if not isinstance(value, str):
        raise UserError(f"{source.next!r} is a {type(value).__name__}, not an address")
    address = follow(url, value)
    if source.headers and get_origin(address) != get_origin(source.api):
        raise UserError(
            f"its next page is on another server ({urlsplit(address).hostname}), which must not "
            "get the headers"
        )
    return address


def format_records(records: Any, path: str | None) -> bytes:
    """Return records as JSON lines in ASCII, keys sorted.

    Raises
    ------
    UserError
        If they are not a list of objects, or hold a number that is too large.
    """
    place = repr(path) if path else "the answer"
    if not isinstance(records, list):
        raise UserError(
            f"{place} is a {type(records).__name__}, not a list",
            "correct records, the path to the list",
        )
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise UserError(f"record {number} is a {type(record).__name__}, not an object")
    try:
        lines = [json.dumps(record, sort_keys=True, allow_nan=False) for record in records]
    except (ValueError, RecursionError):
        raise UserError("a number is too large, or a record is nested too deeply") from None
    return "".join(f"{line}\n" for line in lines).encode("ascii")
