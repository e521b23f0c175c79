"""Messages on a stream socket: four octets of length, then msgpack."""

import socket

import msgspec

from media.errors import LocalProtocolError

HEAD = 4
LIMIT = 1 << 20

_encoder = msgspec.msgpack.Encoder()


def pack(message: msgspec.Struct) -> bytes:
    body = _encoder.encode(message)
    if len(body) > LIMIT:
        raise LocalProtocolError(f"a control message of {len(body)} bytes")
    return len(body).to_bytes(HEAD, "big") + body


class Unpacker:
    """Bytes in, whole message bodies out."""

    def __init__(self) -> None:
        self._pending = b""  # less than a message, nearly always nothing

    def feed(self, data: bytes) -> list[bytes]:
        data = self._pending + data
        bodies = []
        at, end = 0, len(data)
        while end - at >= HEAD:
            start = at + HEAD
            stop = start + int.from_bytes(data[at:start], "big")
            if stop > end:
                break
            bodies.append(data[start:stop])
            at = stop
        self._pending = data[at:]
        return bodies


class Channel:
    """The worker's end: never blocks, keeps what the socket does not take, in order."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._unpacker = Unpacker()
        self._unsent = bytearray()
        self.closed = False

    @property
    def backlog(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._unsent)

    def send(self, message: msgspec.Struct) -> None:
        self._unsent += pack(message)

    def flush(self) -> None:
        while self._unsent and not self.closed:
            try:
                sent = self._sock.send(self._unsent)
            except BlockingIOError:
                return
            except OSError:
                self.closed = True
                return
            del self._unsent[:sent]

    def receive(self) -> list[bytes]:
        """What has come; `closed` is set at the end of the stream."""
        bodies: list[bytes] = []
        while not self.closed:
            try:
                data = self._sock.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self.closed = not data
            bodies += self._unpacker.feed(data)
            if len(data) < 65536:
                break
        return bodies
