"""Answer requests for predictions without FastAPI's layers, which take longer than the scoring."""

import json

from fastapi import Request, Response
from pydantic import TypeAdapter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api import PREDICT, predict
from service.gate import LARGE_BYTES
from service.problems import HANDLERS
from service.schemas import Messages

BODY: TypeAdapter[Messages] = TypeAdapter(Messages)


def parse_body(message: Message) -> Messages | None:
    """Return the messages of a request; None unless its body is small, in one piece and valid."""
    content = message.get("body", b"")
    if message.get("more_body") or len(content) > LARGE_BYTES:
        return None
    try:
        return BODY.validate_python(json.loads(content))
    except (ValueError, RecursionError):
        return None


class Shortcut:
    """ASGI middleware that answers requests for predictions whose bodies are small and valid.

    All others go to FastAPI, which finds what is wrong with them. A valid request gets the same
    answer from both.
    """

    # As of FastAPI's routes: the gate counts requests by this.
    path = PREDICT

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PREDICT or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        scope["route"] = self
        request = Request(scope)
        try:
            first = await receive()
            messages = parse_body(first)
            predictions = await predict(request, messages) if messages else None
        except tuple(HANDLERS) as error:
            await HANDLERS[type(error)](request, error)(scope, receive, send)
            return
        if predictions is not None:
            content = predictions.model_dump_json(exclude_unset=True)
            await Response(content, media_type="application/json")(scope, receive, send)
            return
        received = [first]

        async def receive_again() -> Message:
            return received.pop() if received else await receive()

        await self.app(scope, receive_again, send)
