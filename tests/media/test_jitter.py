"""The rings of all legs against one plain buffer a leg, and what networks do to packets."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.jitter import (
    AHEAD,
    BEHIND,
    LATE_RUN,
    RESUME_FRAMES,
    START_TICKS,
    Jitter,
)
from media.legs import Legs
from media.rtp import ROW, Headers

SILENCE = bytes([0xD5]) * 80


def row_of(payload: bytes) -> np.ndarray:
    row = np.zeros(ROW, np.uint8)
    row[12 : 12 + len(payload)] = np.frombuffer(payload, np.uint8)
    return row


def headers_of(packets: list[tuple[int, int, bytes]]) -> Headers:
    count = len(packets)
    return Headers(
        valid=np.ones(count, np.bool_),
        marker=np.zeros(count, np.bool_),
        payload_type=np.full(count, 8, np.uint8),
        sequence=np.array([p[0] % 65536 for p in packets], np.uint16),
        timestamp=np.array([p[1] % 2**32 for p in packets], np.uint32),
        ssrc=np.zeros(count, np.uint32),
        offset=np.full(count, 12, np.int64),
        size=np.array([len(p[2]) for p in packets], np.int64),
    )


class Bench:
    """Some legs and their jitter buffer; one tick at a time."""

    def __init__(self, legs: int = 1) -> None:
        self.legs = Legs(4)
        for number in range(legs):
            leg = self.legs.add(str(number), 0)
            self.legs.latch(leg, ("192.0.2.1", 9), 0, 0)
        self.jitter = Jitter(self.legs)
        self.out = np.zeros((legs, 160), np.uint8)

    def put(self, packets: dict[int, tuple[int, int, bytes]]) -> None:
        if packets:
            rows = np.stack([row_of(packet[2]) for packet in packets.values()])
            order = np.array(list(packets), np.int64)
            self.jitter.insert(order, rows, headers_of(list(packets.values())))

    def play(self) -> list[bytes]:
        self.jitter.play(self.out)
        return [row.tobytes() for row in self.out]

    def count(self, name: str, leg: int = 0) -> int:
        return int(self.legs.counts[name][leg])


@dataclass
class Plain:
    """One leg's buffer, told in plain words."""

    halves: dict[int, bytes] = field(default_factory=dict)  # by unwrapped timestamp
    running: bool = False
    play: int = 0
    head: int = 0
    wait: int = 0
    held: int = 0
    late_run: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def restart(self, timestamp: int) -> None:
        """A leg that was heard before lacks a frame first."""
        self.halves.clear()
        self.play = timestamp - (START_TICKS * 160 if self.running else 0)
        self.head = timestamp
        self.wait = 0 if self.running else START_TICKS
        self.held = self.late_run = 0
        self.running = True

    def put(self, timestamp: int, payload: bytes) -> None:
        again = not self.running
        held, self.held = self.held, 0
        ahead = timestamp - self.play
        if held and not again:
            if ahead > (held + RESUME_FRAMES) * 160:
                again = True
            elif ahead > 0:
                self.play += min(ahead // 160, held) * 160
                ahead = timestamp - self.play
        if ahead < 0 and not again:
            self.late_run += 1
            if self.late_run >= LATE_RUN or ahead < -BEHIND:
                again = True
            else:
                self.count("late")
                return
        elif ahead >= 0:
            self.late_run = 0
        if again or ahead >= AHEAD or ahead % 80:
            if self.running:
                self.count("resynced")
            self.restart(timestamp)
        places = range(timestamp, timestamp + len(payload), 80)
        if all(place in self.halves for place in places):
            self.count("duplicate")
        else:
            for number, place in enumerate(places):
                self.halves[place] = payload[80 * number : 80 * number + 80]
        self.head = max(self.head, timestamp + len(payload))

    def next(self) -> bytes:
        go = self.running and self.wait <= 0
        self.wait -= 1
        frame = [self.halves.get(self.play + at) for at in (0, 80)] if go else [None, None]
        have = any(half is not None for half in frame)
        behind = self.head - self.play
        if go and not have and behind > 0:
            self.count("concealed")
        if have or (go and behind > 0):
            self.skip()
        elif go:
            self.held += 1
        return b"".join(half or SILENCE for half in frame)

    def skip(self) -> None:
        self.halves.pop(self.play, None)
        self.halves.pop(self.play + 80, None)
        self.play += 160


steps = st.lists(
    st.one_of(
        st.just("packet"),
        st.just("packet"),
        st.just("packet"),
        st.just("play"),
        st.just("play"),
        st.just("lose"),
        st.just("again"),
        st.tuples(st.just("old"), st.integers(1, 8)),
        st.tuples(st.just("jump"), st.integers(-9000, 9000)),
        st.tuples(st.just("pause"), st.integers(1, 40)),
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(
    steps,
    st.sampled_from([80, 160, 240, 320, 480]),
    st.sampled_from([0, 2**32 - 1000]),
    st.integers(0, 1),
)
def test_the_vectors_do_what_one_plain_buffer_does(script, size, origin, twin):
    bench, plain = Bench(1 + twin), Plain()
    timestamp, sequence = origin, 65500
    last = None

    def put(number: int, at: int, mark: int) -> tuple[int, int, bytes]:
        payload = bytes((mark + i // 80) % 200 for i in range(size))
        bench.put(dict.fromkeys(range(1 + twin), (number, at, payload)))
        plain.put(at, payload)
        return number, at, payload

    for step in script:
        name, amount = step if isinstance(step, tuple) else (step, 0)
        if name == "jump":
            timestamp += amount
        if name in ("packet", "jump"):
            last = put(sequence, timestamp, sequence)
        elif name == "again" and last is not None:
            put(last[0], last[1], last[2][0])
        elif name == "old":
            put(sequence - amount, timestamp - amount * size, 7)
        if name in ("packet", "jump", "lose"):
            timestamp, sequence = timestamp + size, sequence + 1
        for _ in range(amount if name == "pause" else name == "play"):
            expected = plain.next()
            assert all(frame == expected for frame in bench.play()[:1])
    for counter in ("late", "duplicate", "concealed", "resynced"):
        assert bench.count(counter) == plain.counts.get(counter, 0), counter


def frame(number: int) -> bytes:
    return bytes([number % 200]) * 160


def test_a_steady_sender_is_heard_one_tick_later_without_a_gap():
    bench = Bench()
    heard = []
    for number in range(300):
        bench.put({0: (number, number * 160, frame(number))})
        heard += bench.play()
    assert heard[1:] == [frame(number) for number in range(299)]
    assert bench.legs.stats(0).lost == 0


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_every_packet_time_sounds_the_same(ptime_ms):
    bench = Bench()
    size = ptime_ms * 8
    speech = bytes(at // 80 % 200 for at in range(160 * 120))
    heard, sent = b"", 0
    for tick in range(100):
        while sent * ptime_ms <= tick * 20:
            bench.put({0: (sent, sent * size, speech[sent * size : (sent + 1) * size])})
            sent += 1
        heard += bench.play()[0]
    assert heard[160:] == speech[: len(heard) - 160]


def test_lost_reordered_late_and_doubled_packets_are_told_apart():
    bench = Bench()
    order = [0, 1, 2, 4, 3, 5, 5, 7, 8, 9, 10, 11]
    for number in order:
        bench.put({0: (number, number * 160, frame(number))})
        if number not in (4, 0):
            bench.play()
    bench.put({0: (6, 6 * 160, frame(6))})
    assert bench.count("reordered") == 2
    assert bench.count("duplicate") == 1
    assert bench.count("late") + bench.count("concealed") >= 1


def test_a_gap_is_counted_as_lost():
    bench = Bench()
    for number in [0, 1, 2, 3, 6, 7, 8, 9]:
        bench.put({0: (number, number * 160, frame(number))})
        bench.play()
    assert bench.legs.stats(0).lost == 2
