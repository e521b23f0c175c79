"""A TCP proxy in front of an S3 store that does to the network what networks do."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from typing import Self

LINGER_NOT = struct.pack("ii", 1, 0)  # close() sends RST
READ_BYTES = 1 << 16
ANSWER = (
    "HTTP/1.1 {status} Fault\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    "Content-Length: {length}\r\n\r\n{body}"
)


def refusal(status: int, code: str) -> bytes:
    """What an S3 store says when it will not."""
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    return ANSWER.format(status=status, length=len(body), body=body).encode()


class FaultProxy:
    """`with`; every fault is a field, and holds for what passes while it is set.

    `refuses`: nobody is let in. `cut_after`: the connection is reset behind so many more bytes to
    the store. `answer`: given in the store's place. `up` and `down`: (pattern, replacement) of the
    same length, in what goes to the store and in what comes from it. `delay_seconds`: for each
    piece from the store.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._behind = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.bytes_up = 0
        self.heal()

    def heal(self) -> None:
        self.refuses = False
        self.cut_after: int | None = None
        self.answer = b""
        self.up: tuple[bytes, bytes] | None = None
        self.down: tuple[bytes, bytes] | None = None
        self.delay_seconds = 0.0

    def cut(self) -> None:
        """Resets every connection that is open."""
        with self._guard:
            for one in self._open:
                _reset(one)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self.refuses:
            _reset(client)
            return
        try:
            store = socket.create_connection(self._behind)
        except OSError:
            _reset(client)
            return
        with self._guard:
            self._open |= {client, store}
        back = threading.Thread(target=self._from_store, args=(store, client), daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            self._to_store(client, store)
        _reset(store)
        back.join()
        _reset(client)
        with self._guard:
            self._open -= {client, store}

    def _to_store(self, client: socket.socket, store: socket.socket) -> None:
        while data := client.recv(READ_BYTES):
            if self.answer:
                client.sendall(self.answer)
                client.shutdown(socket.SHUT_WR)
                while client.recv(READ_BYTES):  # else the reset overtakes the answer
                    pass
                return
            if self.up is not None:
                data = re.sub(*self.up, data)
            self.bytes_up += len(data)
            if self.cut_after is not None:
                if len(data) > self.cut_after:
                    store.sendall(data[: self.cut_after])
                    self.cut_after = 0
                    _reset(client)
                    return
                self.cut_after -= len(data)
            store.sendall(data)

    def _from_store(self, store: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := store.recv(READ_BYTES):
                if self.down is not None:
                    data = re.sub(*self.down, data)
                time.sleep(self.delay_seconds)
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
