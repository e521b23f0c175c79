"""The peer of gateway.py: aiortc's own echo, as its documentation has it; server and clients.

The server is the process that is measured. Both ends gather loopback's address, which aioice
leaves out, since a benchmark has no other network.
"""

import asyncio
import json
import sys
from fractions import Fraction
from typing import Any

import aioice.ice
import av
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

RATE, FRAME = 48000, 960
FRAME_SECONDS = 0.02


def on_loopback() -> None:
    """Let aioice use 127.0.0.1."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class Tone(MediaStreamTrack):
    """Narrow-band speech's bandwidth: a tone in mono, paced."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0
        self._pts = 0
        at = np.arange(FRAME) / RATE
        self._samples = (8000 * np.sin(2 * np.pi * 1150 * at)).astype(np.int16).reshape(1, -1)

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._next = max(self._next, loop.time() - 0.2) + FRAME_SECONDS
        await asyncio.sleep(self._next - loop.time())
        frame = av.AudioFrame.from_ndarray(self._samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._pts, Fraction(1, RATE)
        self._pts += FRAME
        return frame


def described(connection: RTCPeerConnection) -> dict[str, str]:
    """What is to be told the other side."""
    description = connection.localDescription
    return {"sdp": description.sdp, "type": description.type}


async def serve() -> None:
    """Echo every track back; offers and answers are lines of JSON."""
    on_loopback()
    connections = []
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        connection = RTCPeerConnection()
        connections.append(connection)
        connection.on("track", connection.addTrack)
        await connection.setRemoteDescription(RTCSessionDescription(**json.loads(line)))
        await connection.setLocalDescription(await connection.createAnswer())
        print(json.dumps(described(connection)), flush=True)
    await asyncio.gather(*(connection.close() for connection in connections))


async def count(track: Any, heard: list[int], index: int) -> None:
    """Frames that come back."""
    while True:
        await track.recv()
        heard[index] += 1


class Clients:
    """Connections to the echo, and how many frames each has heard."""

    def __init__(self, server: asyncio.subprocess.Process) -> None:
        on_loopback()
        self._server = server
        self._connections: list[RTCPeerConnection] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.heard: list[int] = []

    async def add(self) -> None:
        """One more."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        connection, index = RTCPeerConnection(), len(self._connections)
        self._connections.append(connection)
        self.heard.append(0)

        def on_track(track: Any) -> None:
            self._tasks.append(asyncio.create_task(count(track, self.heard, index)))

        connection.on("track", on_track)
        connection.addTrack(Tone())
        await connection.setLocalDescription(await connection.createOffer())
        self._server.stdin.write(json.dumps(described(connection)).encode() + b"\n")
        answer = json.loads(await self._server.stdout.readline())
        await connection.setRemoteDescription(RTCSessionDescription(**answer))

    async def close(self) -> None:
        """Hang all up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(connection.close() for connection in self._connections))
