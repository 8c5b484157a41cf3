"""uvicorn's HTTP protocol, with timeouts and limits for slow or endless clients."""

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.connections.draining import State
from service.gate import HEADERS
from service.problems import MEDIA_TYPE, ProblemResponse

# More than any well-behaved client sends; the parser itself has no limit.
HEADER_BYTES = 65_536
# Bytes to parse at a time: the limit may be exceeded by up to two of these.
PIECE_BYTES = 1_024

# How long a client may take to send the headers of a request; set before the service starts.
seconds = 10.0


class PatientProtocol(HttpToolsProtocol):
    """Closes connections that send too slowly or without end, and answers with problem details.

    uvicorn limits the time between two requests, but not the time until the first one, nor that of
    a request that never ends or has endless headers, nor that of an answer that is not read.
    """

    server_state: State
    waiting: asyncio.TimerHandle | None = None
    unread: asyncio.TimerHandle | None = None
    running: Any = None
    has_begun = False
    is_new = False
    header_bytes = 0
    # A problem to send once the requests before it are answered.
    refusal: tuple[int, str] | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the timeout for the first request."""
        super().connection_made(transport)
        self.wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timeouts."""
        self.stop_waiting()
        self.stop_unread()
        if self.running is not None:
            self.running.disconnected = True
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Keep the request being answered: uvicorn marks only the last one as disconnected."""
        self.running = cycle
        cycle.scope["has_left"] = lambda: cycle.disconnected
        cycle.scope["has_arrived"] = cycle.message_event.is_set
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        """Limit the length of headers, and the time of data between requests."""
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            if self.transport.is_closing() or self.refusal:
                return
            self.is_new = False
            self.feed(piece)
            if self.has_begun and not self.is_new:
                self.header_bytes += len(piece)
                if self.header_bytes > HEADER_BYTES:
                    self.refuse(431, f"the headers have more than {HEADER_BYTES:,} bytes")
        if (
            self.waiting is None
            and not self.transport.is_closing()
            and not self.refusal
            # Headers that are not complete, the rest of a request that was refused, or empty lines.
            and (self.has_begun or self.cycle.response_complete)
        ):
            self.wait_for_headers()

    def feed(self, piece: bytes) -> None:
        """Parse received bytes, which starts the answers; refuse what is not HTTP."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self.stay_with_http(piece[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.refuse(400, "Invalid HTTP request received.")

    def stay_with_http(self, rest: bytes) -> None:
        """Parse a request again without its Upgrade header, which RFC 9110 7.8 allows to ignore.

        The parser stops at such a request, and would read neither its body nor the requests after
        it. ``rest`` is what was received after its headers.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.refuse(400, "Invalid HTTP request received.")
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                value = b"close" if b"close" in value.lower() else b""
            if name not in (b"upgrade", b"http2-settings") and (value or name != b"connection"):
                lines.append(name + b": " + value)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.feed(b"\r\n".join([*lines, b"", b""]) + rest)

    def pause_writing(self) -> None:
        """Start the timeout for the client to read its answer."""
        super().pause_writing()
        self.unread = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timeout for the client to read its answer."""
        super().resume_writing()
        self.stop_unread()

    def stop_unread(self) -> None:
        if self.unread is not None:
            self.unread.cancel()
            self.unread = None

    def on_message_begin(self) -> None:
        """Count the headers of a request; their timeout starts if they come in pieces."""
        super().on_message_begin()
        self.has_begun = self.is_new = True
        self.header_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, but ignore trailers: nothing reads them, and they have no limit."""
        if self.has_begun:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the timeout: the body has its own."""
        if self.parser.should_upgrade():
            return
        self.stop_waiting()
        self.has_begun = False
        super().on_headers_complete()
        if self.server_state.is_ending:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """End the body, unless the parser has only stopped at an Upgrade header."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def wait_for_headers(self) -> None:
        """Start the timeout."""
        self.waiting = self.loop.call_later(seconds, self.give_up)

    def stop_waiting(self) -> None:
        """Stop the timeout."""
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def give_up(self) -> None:
        """Close the connection; if a request has begun, answer it with the reason first."""
        self.waiting = None
        if self.has_begun:
            self.refuse(408, f"the headers took longer than {seconds:g} seconds")
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Close the connection, but only after the request in progress is answered."""
        if not self.has_begun:
            super().shutdown()

    def on_response_complete(self) -> None:
        """Start the next answer, or send the refusal if the next request is refused."""
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self.refusal:
            self.send_refusal()

    def refuse(self, status: int, detail: str) -> None:
        """Answer without the application, which has not seen the request, and close the connection.

        Earlier requests on this connection are answered first, unless the last of them is the one
        that is refused, because of its body.
        """
        self.stop_waiting()
        self.refusal = status, detail
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self.send_refusal()

    def send_refusal(self) -> None:
        """Send the refusal, and close the connection."""
        if self.transport.is_closing() or self.refusal is None:
            return
        status, detail = self.refusal
        body = bytes(ProblemResponse(status, detail).body)
        headers = HEADERS | {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        self.transport.write(STATUS_LINE[status] + head + b"Connection: close\r\n\r\n" + body)
        self.transport.close()
