"""Errors as problem details (RFC 9457)."""

from collections.abc import Callable
from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from service.batching import ClientLeftError, OverloadError

MEDIA_TYPE = "application/problem+json"
# Enough to find the cause.
MAX_ERRORS = 20
MAX_POINTER = 200
MAX_DETAIL = 500
# Starlette's own details only repeat the status.
SENTENCES = {
    "Not Found": "there is nothing at this address: see /docs for what there is",
    "Method Not Allowed": "this address does not accept the method: the header Allow lists others",
}


class InvalidValue(BaseModel):
    """One invalid value in a request."""

    pointer: str = Field(description="Where, as a JSON pointer (RFC 6901); empty: the whole body")
    detail: str = Field(description="What is wrong with it")


class Problem(BaseModel):
    """Problem details of an error, as in RFC 9457."""

    type: str = Field(default="about:blank", description="Always this: see the status")
    title: str = Field(description="The status in words")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="What happened, and what to do")
    errors: list[InvalidValue] | None = Field(default=None, description="Each invalid value")


def name_status(status: int) -> str:
    """Return the phrase of a status in RFC 9110; older versions of Python have other phrases."""
    renamed = {413: "Content Too Large", 422: "Unprocessable Content"}
    return renamed.get(status) or HTTPStatus(status).phrase


class ProblemResponse(JSONResponse):
    """An answer with problem details."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str,
        errors: list[InvalidValue] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        title = name_status(status)
        problem = Problem(title=title, status=status, detail=detail, errors=errors)
        super().__init__(problem.model_dump(exclude_none=True), status, headers)


def describe_problems(*statuses: int) -> dict[int | str, dict]:
    """Return OpenAPI's description of the errors that a route may return."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": name_status(status),
            "model": Problem,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def answer_http_exception(_: Request, error: Exception) -> ProblemResponse:
    """Answer an error that Starlette, FastAPI or this service raised."""
    assert isinstance(error, HTTPException)
    detail = SENTENCES.get(error.detail, error.detail)
    if isinstance(error.__cause__, UnicodeDecodeError):
        detail = f"the body is not UTF-8: {error.__cause__.reason} at byte {error.__cause__.start}"
    elif isinstance(error.__cause__, RecursionError):
        detail = "the body is nested too deeply"
    elif type(error.__cause__) is ValueError:  # from int(), for thousands of digits
        detail = "the body has a number with too many digits"
    return ProblemResponse(error.status_code, detail, headers=dict(error.headers or {}))


def answer_invalid(_: Request, error: Exception) -> ProblemResponse:
    """Answer a request that is not valid for its route, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if found[0]["type"] == "json_invalid":
        reason, place = found[0]["ctx"]["error"], found[0]["loc"][1]
        return ProblemResponse(400, f"the body is not JSON: {reason} at character {place}")
    errors = [convert_error(record) for record in found[:MAX_ERRORS]]
    shown = "; ".join(f"{value.pointer or 'the body'}: {value.detail}" for value in errors[:3])
    rest = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return ProblemResponse(422, shown + rest, errors)


def convert_error(record: dict) -> InvalidValue:
    """Turn one of pydantic's error records into a JSON pointer and a sentence."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in record["loc"][1:])
    # A key in JSON may be half of a surrogate pair, which no answer can hold.
    pointer = "".join(f"/{part}" for part in escaped).encode(errors="replace").decode()
    reason = record["msg"].removeprefix("Value error, ")[:MAX_DETAIL]
    return InvalidValue(pointer=pointer[:MAX_POINTER], detail=f"{reason[0].lower()}{reason[1:]}")


def answer_overloaded(_: Request, __: Exception) -> ProblemResponse:
    """Answer a request that cannot be scored soon."""
    detail = "too many requests are waiting to be answered: try again in a second"
    return ProblemResponse(503, detail, headers={"Retry-After": "1"})


def answer_nobody(_: Request, __: Exception) -> Response:
    """Return an answer that is never sent; its status, which nginx uses as well, is counted."""
    return Response(status_code=499)


# The answer to each kind of error.
HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    HTTPException: answer_http_exception,
    RequestValidationError: answer_invalid,
    OverloadError: answer_overloaded,
    ClientLeftError: answer_nobody,
}
