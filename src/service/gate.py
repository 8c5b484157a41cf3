"""Middleware for every request: host, token, limits, headers of the answer, metrics."""

import asyncio
import hmac
import logging
import re
import time
from contextlib import nullcontext

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import telemetry
from service.batching import never
from service.problems import ProblemResponse
from service.schemas import BODY_BYTES, LARGE_BYTES

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# These with Cache-Control as sent, for paths that are private and others: see ``PRIVATE``.
DEFAULTS = {
    is_private: [
        (name.lower().encode(), value.encode())
        for name, value in (HEADERS | {"Cache-Control": caching}).items()
    ]
    for is_private, caching in ((True, "no-store"), (False, "no-cache"))
}
# Paths that need the token, and whose answers no cache may keep.
PRIVATE = ("/v1/", "/metrics")
# The limit for all bodies that are being received; each body has its own limit, too.
HELD_BYTES = 64_000_000

logger = logging.getLogger(__name__)


def read_host(header: str) -> str:
    """Return the name in a Host header, without the port."""
    return re.sub(r":\d*$", "", header.strip()).strip("[]").lower()


class Gate:
    """ASGI middleware around the application.

    Parameters
    ----------
    app : ASGI application
        Answers the requests that are accepted.
    token : str
        The bearer token for ``/v1/`` and ``/metrics``; empty: none is needed.
    seconds : float
        How long a body may take to arrive.
    hosts : frozenset of str
        The host names that requests may use; empty: any. Otherwise a web page whose own name
        resolves to this machine (DNS rebinding) could send requests on behalf of its visitor.
    bodies : frozenset of str
        The paths that accept a JSON body with POST.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        seconds: float,
        hosts: frozenset[str],
        bodies: frozenset[str],
    ) -> None:
        self.app = app
        self.token = token
        self.seconds = seconds
        self.hosts = hosts
        self.bodies = bodies
        self.held = 0
        self.turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500
        has_begun = False
        received = 0
        has_arrived = scope.get("has_arrived", never)
        deadline = asyncio.get_running_loop().time() + self.seconds

        async def receive_limited() -> Message:
            nonlocal received
            try:
                # Starting a timeout takes time, too.
                async with nullcontext() if has_arrived() else asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                late = f"the body took longer than {self.seconds:g} seconds"
                raise HTTPException(408, late, {"Connection": "close"}) from error
            size = len(message.get("body", b""))
            received += size
            self.held += size
            if self.held > HELD_BYTES:
                crowded = "too much data is being received: try again in a second"
                raise HTTPException(503, crowded, {"Retry-After": "1"})
            if received > BODY_BYTES:
                raise HTTPException(413, f"the body has more than {BODY_BYTES:,} bytes")
            if received > LARGE_BYTES and not message.get("more_body"):
                # Parsing it takes up to 50 ms: let other requests be answered in between.
                async with self.turn:
                    await asyncio.sleep(0)
            return message

        async def send_marked(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                status = message["status"]
                headers = message["headers"] = list(message.get("headers", ()))
                names = {name for name, _ in headers}
                # A browser must not mix pages and scripts of two versions.
                is_private = scope["path"].startswith(PRIVATE)
                headers += [pair for pair in DEFAULTS[is_private] if pair[0] not in names]
            await send(message)

        try:
            refusal = self.refuse(scope)
            await (refusal or self.app)(scope, receive_limited, send_marked)
        except asyncio.CancelledError:
            # uvicorn cancels requests at the end of the grace period, and would log this as a bug.
            if has_begun:
                raise
            stopping = ProblemResponse(503, "the service is stopping", headers={"Retry-After": "1"})
            await stopping(scope, receive_limited, send_marked)
        except Exception:
            if has_begun:
                raise
            # uvicorn would answer without our headers, and close the connection.
            logger.exception("a request failed")
            failed = ProblemResponse(500, "the service failed: see its log")
            await failed(scope, receive_limited, send_marked)
        finally:
            self.held -= received
            route = getattr(scope.get("route"), "path", "") or "none"
            # A method can be any string, and each would add a time series.
            method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
            telemetry.REQUESTS.labels(method, route, status).inc()
            telemetry.LATENCY.labels(route).observe(time.perf_counter() - start)

    def refuse(self, scope: Scope) -> ProblemResponse | None:
        """Return the answer to a request that its headers alone forbid, None if it is accepted."""
        headers = Headers(scope=scope)
        given = headers.getlist("host")
        # HTTP/1.0, which some load balancers use for health checks, has no Host header.
        if len(given) != 1 and (given or scope["http_version"] != "1.0"):
            return ProblemResponse(400, f"the request has {len(given)} Host headers: send one")
        if given and not (host := read_host(given[0])):
            return ProblemResponse(400, "the Host header is empty: send the service's name")
        if given and self.hosts and host not in self.hosts:
            detail = f"the host {host!r} is not allowed: start the service with --allow-host"
            return ProblemResponse(421, detail)
        if self.token and scope["path"].startswith(PRIVATE):
            kind, _, token = headers.get("authorization", "").partition(" ")
            # The bytes as received, compared in constant time.
            fits = hmac.compare_digest(token.strip().encode("latin-1"), self.token.encode())
            if kind.lower() != "bearer" or not fits:
                detail = "send the service's token, as in 'Authorization: Bearer TOKEN'"
                return ProblemResponse(401, detail, headers={"WWW-Authenticate": "Bearer"})
        if scope["path"] not in self.bodies or scope["method"] != "POST":
            return None
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > BODY_BYTES:
            return ProblemResponse(413, f"the body has more than {BODY_BYTES:,} bytes")
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            return ProblemResponse(415, "the body must be JSON: 'Content-Type: application/json'")
        return None
