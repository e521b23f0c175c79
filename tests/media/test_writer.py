"""The thread between the tick and the sink."""

import threading
from typing import Any

from media import events
from media.io import writer as module
from media.io.channel import Unpacker, pack
from media.io.writer import SinkWriter
from media.messages import Play
from media.taps import Block


class Shelf:
    """A sink in memory; fails or waits when told."""

    def __init__(self) -> None:
        self.blocks: list[tuple[str, int]] = []
        self.failing = False
        self.gate = threading.Event()
        self.gate.set()

    def open(self, recording: str, header: dict[str, Any]) -> str:
        self._check()
        return recording

    def write(
        self, handle: str, first_frame: int, frames: bytes, private: int, sides: bytes
    ) -> None:
        self.gate.wait()
        self._check()
        self.blocks.append((handle, first_frame))

    def close(self, handle: str) -> None:
        self._check()

    def _check(self) -> None:
        if self.failing:
            raise OSError("no")


def test_a_sink_that_recovers_gets_the_later_blocks():
    shelf = Shelf()
    shelf.failing = True
    writer = SinkWriter(shelf)
    writer.open("r", {})
    writer.write(Block("r", 0, b"x"))
    writer.flush()
    writer._jobs.put(("batch", [("write", Block("r", 1, b"x"))]))
    writer.stop(5)
    assert writer.take() == [events.SinkFailed("r", "no")]
    again = SinkWriter(shelf)
    shelf.failing = False
    again.open("r", {})
    again.write(Block("r", 2, b"x"))
    again.close("r")
    again.stop(5)
    assert shelf.blocks == [("r", 2)]
    assert again.take() == [events.RecordingClosed("r")]


def test_a_stuck_sink_costs_blocks_and_never_memory(monkeypatch):
    monkeypatch.setattr(module, "LIMIT_BYTES", 1000)
    shelf = Shelf()
    shelf.gate.clear()
    writer = SinkWriter(shelf)
    writer.open("r", {})
    for number in range(30):
        writer.write(Block("r", number, bytes(100)))
        writer.flush()
    assert writer.dropped >= 18
    failed = [event for event in writer.take() if isinstance(event, events.SinkFailed)]
    assert len(failed) == 1
    shelf.gate.set()
    writer.close("r")
    writer.stop(5)
    assert len(shelf.blocks) == 30 - writer.dropped


def test_messages_come_whole_however_the_stream_is_cut():
    messages = [Play(f"leg-{number}", ("a", "b" * number)) for number in range(50)]
    stream = b"".join(pack(message) for message in messages)
    for size in (1, 3, 7, 100, len(stream)):
        unpacker = Unpacker()
        bodies = []
        for at in range(0, len(stream), size):
            bodies += unpacker.feed(stream[at : at + size])
        assert b"".join(len(b).to_bytes(4, "big") + b for b in bodies) == stream
