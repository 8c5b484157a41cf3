"""Stop without losing a request: take what was sent already, refuse the rest from the start."""

import asyncio
import ctypes
import socket
import struct
import sys

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

# Linux's number of it, which Python does not name.
SO_ATTACH_FILTER = 26
# Classic BPF: load the TCP flags, and drop a packet that has SYN without ACK, which asks for a
# connection. Its sender tries again a second later, and is then refused or finds another process.
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
# How long connections that are about to be made, and requests about to be sent, are waited for.
LINGER_SECONDS = 0.3


class State(ServerState):
    """What the connections of a process share; they close after their answer if it is ending."""

    is_ending = False


def refuse_connections(listening: socket.socket) -> None:
    """Let a listening socket take no new connections, but those that wait in its queue.

    Closing it would reset those. Without Linux nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return
    program = ctypes.create_string_buffer(DROP_NEW_CONNECTIONS, len(DROP_NEW_CONNECTIONS))
    length = len(DROP_NEW_CONNECTIONS) // 8
    pointer = struct.pack("HL", length, ctypes.addressof(program))
    listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which closes its socket only when no connection waits in its queue."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state: State = State()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was asked, then end."""
        self.server_state.is_ending = True
        for connection in self.server_state.connections:
            if isinstance(connection, HttpToolsProtocol) and connection.cycle is not None:
                connection.cycle.keep_alive = False
        for listening in sockets or []:
            refuse_connections(listening)
        await asyncio.sleep(LINGER_SECONDS)
        await super().shutdown(sockets)
