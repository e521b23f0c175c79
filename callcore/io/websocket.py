"""WebSocket over bytes (RFC 6455), as RFC 7118 wants it for SIP: one message a frame."""

import logging

from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

SUBPROTOCOL = Subprotocol("sip")
MAX_FRAME_BYTES = 65536
MAX_HANDSHAKE_BYTES = 16384
# What goes wrong is counted; a line a connection would let strangers fill the log.
QUIET = logging.getLogger("callcore.websocket")
QUIET.disabled = True


class WebSocketLayer:
    """The server's side of one connection; `why` says what broke it, once something did."""

    def __init__(self) -> None:
        # No extensions: a frame is as large as it says, nothing can be blown up.
        self._protocol = ServerProtocol(
            subprotocols=[SUBPROTOCOL], max_size=MAX_FRAME_BYTES, logger=QUIET
        )
        self._parts: bytearray | None = None
        self._shaken_bytes = 0
        self._closing = False
        self.binary = 0
        self.pongs = 0
        self.why = ""

    @property
    def is_ready(self) -> bool:
        """Whether the upgrade is done and nobody has begun to close."""
        return self._protocol.state is State.OPEN

    @property
    def is_closed(self) -> bool:
        """Whether the connection is to be closed once `take` is sent."""
        return self._closing or self._protocol.close_expected()

    def receive(self, data: bytes) -> list[bytes]:
        """The messages that are complete now."""
        if self._protocol.state is State.CONNECTING:
            self._shaken_bytes += len(data)
            if self._shaken_bytes > MAX_HANDSHAKE_BYTES:
                self._break("handshake")
                return []
        self._protocol.receive_data(data)
        messages: list[bytes] = []
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._upgrade(event)
            elif isinstance(event, Frame):
                self._frame(event, messages)
        if isinstance(self._protocol.parser_exc, PayloadTooBig):
            self._break("too large")
        elif self._protocol.parser_exc is not None:
            self._break("broken")
        elif self._protocol.handshake_exc is not None:
            self._break("handshake")
        return messages

    def send(self, message: bytes) -> None:
        """One message, as text where it is text: RFC 7118 §5.2.2 leaves the choice to us."""
        try:
            message.decode()
        except UnicodeDecodeError:
            self._protocol.send_binary(message)
        else:
            self._protocol.send_text(message)

    def ping(self) -> None:
        """Ask whether anybody is there (RFC 7118 §6)."""
        self._protocol.send_ping(b"")

    def close(self) -> None:
        """Begin to close: 1001, we are going away."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1001)

    def take(self) -> bytes:
        """What is to be sent."""
        return b"".join(self._protocol.data_to_send())

    def _upgrade(self, request: Request) -> None:
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        if response.status_code != 101:
            self._break("handshake")

    def _frame(self, frame: Frame, messages: list[bytes]) -> None:
        if frame.opcode is Opcode.PONG:
            self.pongs += 1
            return
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self.binary += frame.opcode is Opcode.BINARY
            self._parts = bytearray(frame.data)
        elif frame.opcode is Opcode.CONT and self._parts is not None:
            self._parts += frame.data
        else:
            return
        if frame.fin:
            messages.append(bytes(self._parts))
            self._parts = None

    @property
    def is_waiting(self) -> bool:
        """Whether a message has come in part only."""
        return self._parts is not None

    def _break(self, why: str) -> None:
        self.why = self.why or why
        self._closing = True
