"""Answer requests for predictions without FastAPI's layers, which take longer than the scoring."""

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api import PREDICT, predict
from service.problems import HANDLERS


class Shortcut:
    """ASGI middleware that answers requests for predictions, as FastAPI's route would."""

    # As of FastAPI's routes: the gate counts requests by this.
    path = PREDICT

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self.path or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        scope["route"] = self
        request = Request(scope, receive)
        try:
            answer = await predict(request)
        except tuple(HANDLERS) as error:
            answer = HANDLERS[type(error)](request, error)
        await answer(scope, receive, send)
