"""uvicorn's HTTP protocol, with an end to its patience."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.problems import MEDIA_TYPE, ProblemResponse

# How long a client may take to send the headers of a request; set before the service starts.
seconds = 10.0


class PatientProtocol(HttpToolsProtocol):
    """Ends connections whose headers do not come, and tells what is wrong as a problem.

    uvicorn limits the time between two requests, but not that until the first one, nor that of a
    request that never ends.
    """

    waiting: asyncio.TimerHandle | None = None
    has_begun = False

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self.stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to wait for the headers of a request."""
        super().on_message_begin()
        self.has_begun = True
        if self.waiting is None:
            self.wait_for_headers()

    def on_headers_complete(self) -> None:
        """Wait no longer: the body has a limit of its own."""
        self.stop_waiting()
        self.has_begun = False
        super().on_headers_complete()

    def wait_for_headers(self) -> None:
        """Set the alarm."""
        self.waiting = self.loop.call_later(seconds, self.give_up)

    def stop_waiting(self) -> None:
        """Stop the alarm."""
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def give_up(self) -> None:
        """End the connection; who has begun to ask is told why."""
        self.waiting = None
        if self.has_begun:
            self.send_problem(408, f"the headers took longer than {seconds:g} seconds")
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self.stop_waiting()
        self.send_problem(400, msg)
        self.transport.close()

    def send_problem(self, status: int, detail: str) -> None:
        """Write an answer past the application, which has not seen the request."""
        body = bytes(ProblemResponse(status, detail).body)
        head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close"
        self.transport.write(STATUS_LINE[status] + head.encode() + b"\r\n\r\n" + body)
