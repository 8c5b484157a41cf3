"""Errors as problem details (RFC 9457)."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from service.batching import ClientLeftError, OverloadError

MEDIA_TYPE = "application/problem+json"
# More are of no use to anyone.
MAX_ERRORS = 20
MAX_POINTER = 200
# Starlette's words tell no more than the status.
SENTENCES = {
    "Not Found": "there is nothing at this address: /docs tells what there is",
    "Method Not Allowed": "this address takes other methods: the header Allow names them",
}


class Fault(BaseModel):
    """What is wrong with one part of a request."""

    pointer: str = Field(description="Where, as a JSON pointer (RFC 6901); empty: the whole body")
    detail: str = Field(description="What is wrong there")


class Problem(BaseModel):
    """Problem details of an error, as in RFC 9457."""

    type: str = Field(default="about:blank", description="The status says all there is to say")
    title: str = Field(description="The status in words")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="What happened, and what to do")
    errors: list[Fault] | None = Field(default=None, description="Each value that is wrong")


def name_status(status: int) -> str:
    """Return the phrase of a status in RFC 9110, which not every Python knows."""
    renamed = {413: "Content Too Large", 422: "Unprocessable Content"}
    return renamed.get(status) or HTTPStatus(status).phrase


class ProblemResponse(JSONResponse):
    """An answer that holds a problem."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str,
        errors: list[Fault] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        title = name_status(status)
        problem = Problem(title=title, status=status, detail=detail, errors=errors)
        super().__init__(problem.model_dump(exclude_none=True), status, headers)


def describe_problems(*statuses: int) -> dict[int | str, dict]:
    """Return OpenAPI's description of the errors that a route may answer with."""
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
    """Answer what Starlette, FastAPI or we raise."""
    assert isinstance(error, HTTPException)
    detail = SENTENCES.get(error.detail, error.detail)
    if isinstance(error.__cause__, UnicodeDecodeError):
        detail = f"the body is not UTF-8: {error.__cause__.reason} at byte {error.__cause__.start}"
    elif isinstance(error.__cause__, RecursionError):
        detail = "the body is nested too deeply"
    elif type(error.__cause__) is ValueError:  # Python's, of an integer with thousands of digits
        detail = "the body holds a number that is too long"
    return ProblemResponse(error.status_code, detail, headers=dict(error.headers or {}))


def answer_invalid(_: Request, error: Exception) -> ProblemResponse:
    """Answer a request that is not what the route takes; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if found[0]["type"] == "json_invalid":
        reason, place = found[0]["ctx"]["error"], found[0]["loc"][1]
        return ProblemResponse(400, f"the body is not JSON: {reason} at character {place}")
    faults = [describe_fault(fault) for fault in found[:MAX_ERRORS]]
    shown = "; ".join(f"{fault.pointer or 'the body'}: {fault.detail}" for fault in faults[:3])
    rest = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return ProblemResponse(422, shown + rest, faults)


def describe_fault(fault: dict) -> Fault:
    """Turn one of pydantic's error records into a JSON pointer and a sentence."""
    place = fault["loc"][1:]
    # Whether it was read as one message or as many is no part of the request.
    is_key = len(place) == 1 and fault["type"] == "extra_forbidden"
    if place[:1] in (("one",), ("many",)) and not is_key:
        place = place[1:]
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in place)
    pointer = "".join(f"/{part}" for part in escaped)
    reason = fault["msg"].removeprefix("Value error, ")
    return Fault(pointer=pointer[:MAX_POINTER], detail=f"{reason[0].lower()}{reason[1:]}")


def answer_overloaded(_: Request, __: Exception) -> ProblemResponse:
    """Ask to come again."""
    detail = "too many messages wait to be scored: try again in a second"
    return ProblemResponse(503, detail, headers={"Retry-After": "1"})


def answer_nobody(_: Request, __: Exception) -> Response:
    """Return an answer that is not sent; its status is counted, and is the one nginx uses."""
    return Response(status_code=499)


def add_handlers(app: FastAPI) -> None:
    """Answer every error of an application as a problem."""
    app.add_exception_handler(HTTPException, answer_http_exception)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(OverloadError, answer_overloaded)
    app.add_exception_handler(ClientLeftError, answer_nobody)
