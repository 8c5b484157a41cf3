"""Stop without losing a request: answer what was already sent, refuse new connections."""

import asyncio
import ctypes
import socket
import struct
import sys

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

# Linux's constant, which Python's socket module lacks.
SO_ATTACH_FILTER = 26
# Classic BPF: load the TCP flags, and drop packets with SYN but no ACK, which open a connection.
# The client tries again a second later, and is then refused or reaches another process.
DROP_NEW_CONNECTIONS = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),
        (0x54, 0, 0, 0x12),
        (0x15, 0, 1, 0x02),
        (0x06, 0, 0, 0),
        (0x06, 0, 0, 0xFFFFFFFF),
    )
)
# How long to wait for connections that are being opened and requests that are being sent.
LINGER_SECONDS = 0.3


class State(ServerState):
    """What the connections of a process share; if it is ending, they close after their answer."""

    is_ending = False


def refuse_connections(listening: socket.socket) -> None:
    """Make a listening socket refuse new connections, but keep those in its queue.

    Closing it would reset those in the queue. On systems other than Linux this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    program = ctypes.create_string_buffer(DROP_NEW_CONNECTIONS, len(DROP_NEW_CONNECTIONS))
    length = len(DROP_NEW_CONNECTIONS) // 8
    pointer = struct.pack("HL", length, ctypes.addressof(program))
    listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which closes its socket only when no connection is left in the queue."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state: State = State()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the requests that were sent, then stop."""
        self.server_state.is_ending = True
        for connection in self.server_state.connections:
            if isinstance(connection, HttpToolsProtocol) and connection.cycle is not None:
                connection.cycle.keep_alive = False
        for listening in sockets or []:
            refuse_connections(listening)
        await asyncio.sleep(LINGER_SECONDS)
        await super().shutdown(sockets)
