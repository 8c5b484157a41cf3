"""uvicorn's HTTP protocol, with an end to its patience."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.gate import HEADERS
from service.problems import MEDIA_TYPE, ProblemResponse

# More than any client sends that means well; the parser itself has no limit.
HEADER_BYTES = 65_536

# How long a client may take to send the headers of a request; set before the service starts.
seconds = 10.0


class PatientProtocol(HttpToolsProtocol):
    """Ends connections that only take up room, and tells what is wrong as a problem.

    uvicorn limits the time between two requests, but not that until the first one, nor that of a
    request that never ends or has endless headers, nor that of an answer which nobody reads.
    """

    waiting: asyncio.TimerHandle | None = None
    unread: asyncio.TimerHandle | None = None
    running: Any = None
    has_begun = False
    header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self.stop_waiting()
        self.stop_unread()
        if self.running is not None:
            self.running.disconnected = True
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Remember which request is answered: uvicorn tells the last alone that the client left."""
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        """Limit the length of headers, and the time of what comes when nothing is awaited."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.has_begun:
            self.header_bytes += len(data)
            if self.header_bytes > HEADER_BYTES:
                self.stop_waiting()
                self.send_problem(431, f"the headers have more than {HEADER_BYTES:,} bytes")
                self.transport.close()
        elif self.waiting is None and self.cycle.response_complete:
            # The rest of a request that was refused, or empty lines.
            self.wait_for_headers()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self.unread = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait no longer."""
        super().resume_writing()
        self.stop_unread()

    def stop_unread(self) -> None:
        """Stop the alarm of an answer that is not read."""
        if self.unread is not None:
            self.unread.cancel()
            self.unread = None

    def on_message_begin(self) -> None:
        """Begin to wait for the headers of a request."""
        super().on_message_begin()
        self.has_begun = True
        if self.waiting is None:
            self.wait_for_headers()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, but no trailer: nobody reads those, and they have no end."""
        if self.has_begun:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Wait no longer: the body has a limit of its own."""
        self.stop_waiting()
        self.has_begun = False
        self.header_bytes = 0
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
        headers = HEADERS | {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        self.transport.write(STATUS_LINE[status] + head + b"Connection: close\r\n\r\n" + body)
