"""The one tick: receive, parse, latch, jitter, mix, send, tap — for all legs, each 20 ms.

Packets of latched sources with the negotiated payload type are worked on as arrays. Whatever is
odd (a new source, a key press, bad input) is looked at one by one, at most PASSES a leg and tick.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Protocol

import numpy as np

from media import events, rtcp
from media.dtmf import DIGITS, Dialler, Keys, Packet, Press, Pressed
from media.hearing import Hearing
from media.jitter import MAX_PAYLOAD
from media.latch import Latch
from media.legs import Legs, Source
from media.mix import Mixer
from media.outgoing import Outgoing
from media.overlay import Overlay
from media.prompts import Player
from media.reports import Own, Reports
from media.rtp import Headers, parse
from media.taps import Block, Taps
from media.types import HALF, TICK_SECONDS, Bytes, Integers

PASSES = 4  # packets read of one leg in one tick
COMFORT_NOISE = 13  # RFC 3551 table 4
CHECK_TICKS = 10  # between looks for silence and lost ends of key presses


class Wire(Protocol):
    """The sockets, as the tick sees them."""

    outgoing: Bytes  # (capacity, 172): what `send` sends

    def read(self, turn: int) -> tuple[Integers, Bytes, Integers] | None:
        """One packet of each latched leg that has any: legs, (n, ROW) rows, sizes."""

    def visit(self) -> tuple[list[tuple[int, Source]], Bytes, Integers] | None:
        """One packet of each open socket that has any: legs and sources, rows, sizes."""

    def pin(self, leg: int, source: Source) -> None:
        """Connect the leg to its latched source."""

    def send(self, legs: Integers | None) -> None:
        """Send the rows of the outgoing array; `legs` only when they changed since last time."""

    def send_one(self, leg: int, packet: bytes) -> None:
        """Send a packet that is not a row."""

    def reports(self) -> Iterable[tuple[int, Source, bytes, float]]:
        """RTCP that came: leg, source, packet, and when, in seconds since 1970."""

    def send_report(self, leg: int, packet: bytes) -> None:
        """Send RTCP."""

    def now(self) -> float:
        """Seconds since 1970."""


class Tick:
    """Holds the parts and runs them in order; `emit` takes the events."""

    def __init__(
        self,
        legs: Legs,
        mixer: Mixer,
        player: Player,
        wire: Wire,
        emit: Callable[[events.Event], None],
    ) -> None:
        self.legs = legs
        self.mixer = mixer
        self.player = player
        self.wire = wire
        self.emit = emit
        self.hearing = Hearing(legs)
        self.jitter = self.hearing.jitter
        self.latch = Latch(legs)
        self.reports = Reports(legs)
        self.keys = Keys()
        self.dialler = Dialler()
        self.overlay = Overlay(mixer.bank, legs)
        self.taps = Taps(legs, mixer.heard, self.hearing)
        self.outgoing = Outgoing(legs, wire.outgoing)
        self.timeout_ticks = 1500
        self.number = 0

    def run(self) -> Sequence[Block]:
        """One tick; the blocks of recordings that are due."""
        self.number += 1
        self.mixer.plan()
        self._receive()
        high = self.legs.high
        self._hear(self.mixer.heard[:high])
        self.mixer.make()
        self._send(high)
        if self.number % CHECK_TICKS == 0:
            self._check()
        return self.taps.step()

    def skip(self, ticks: int) -> Sequence[Block]:
        """The machine slept: timestamps go on as the clock did; what recordings held until now."""
        self.outgoing.timestamp += np.uint32(ticks * 160)
        return self.taps.skip(ticks)

    def forget(self, leg: int) -> None:
        """Nothing of what was heard so far has to do with what comes next."""
        self.hearing.forget(leg)

    def _hear(self, heard: Bytes) -> None:
        """What each leg says in this tick, and what is to be told of it."""
        hearing, names = self.hearing, self.legs.names
        hearing.step(heard, self.number)
        self._pressed(hearing.pressed)
        for leg in hearing.changed.tolist():
            self.emit(events.Talking(names[leg], bool(hearing.levels.talking[leg])))
        for leg, tone in hearing.tones:
            self.emit(events.ToneHeard(names[leg], tone))

    def _receive(self) -> None:
        for turn in range(PASSES):
            got = self.wire.read(turn)
            if got is None:
                break
            if turn == PASSES - 1:
                self.legs.counts["flooded"][got[0]] += 1
            self._take(*got)
        for turn in range(PASSES):
            visitors = self.wire.visit()
            if visitors is None:
                break
            self._welcome(*visitors, last=turn == PASSES - 1)
        for leg, source, data, at in self.wire.reports():
            self._reported(leg, source, data, at)

    def _take(self, legs: Integers, rows: Bytes, sizes: Integers) -> None:
        """Packets from latched sources, one a leg."""
        headers = parse(rows, sizes)
        state = self.legs
        size = headers.size
        plain = (
            headers.valid
            & (headers.ssrc == state.ssrc[legs])
            & (headers.payload_type == state.receive_type[legs])
            & state.receives[legs]
            & (size <= MAX_PAYLOAD)
            & (size > 0)
            & (size % HALF == 0)
        )
        if not plain.all():
            for at in np.flatnonzero(~plain).tolist():
                leg = int(legs[at])
                plain[at] = self._admit(leg, state.source[leg], headers, at, rows[at, : sizes[at]])
            legs, rows, headers = legs[plain], rows[plain], _some(headers, plain)
        self._insert(legs, rows, headers)

    def _welcome(
        self, visitors: list[tuple[int, Source]], rows: Bytes, sizes: Integers, last: bool
    ) -> None:
        """Packets that came to open sockets: from sources not latched yet, or from strangers."""
        headers = parse(rows, sizes)
        admitted = np.array(
            [
                self._admit(leg, source, headers, at, rows[at, : sizes[at]])
                for at, (leg, source) in enumerate(visitors)
            ],
            np.bool_,
        )
        legs = np.array([leg for leg, _ in visitors], np.int64)
        if last:
            self.legs.counts["flooded"][legs] += 1
        if admitted.any():
            self._insert(legs[admitted], rows[admitted], _some(headers, admitted))

    def _insert(self, legs: Integers, rows: Bytes, headers: Headers) -> None:
        if not len(legs):
            return
        state = self.legs
        state.counts["packets_in"][legs] += 1
        state.heard_tick[legs] = self.number
        state.timed_out[legs] = False
        self.reports.note(legs, headers, self.number)
        self.jitter.insert(legs, rows, headers)

    def _admit(
        self, leg: int, source: Source | None, headers: Headers, at: int, row: Bytes
    ) -> bool:
        """Count, latch or relay one odd packet; whether it is audio to be played."""
        state = self.legs
        if len(row) > 1 and 192 <= row[1] <= 223:  # RFC 5761 §4: RTCP on the port of RTP
            self._reported(leg, source, row.tobytes(), self.wire.now())
            return False
        size = int(headers.size[at])
        kind = int(headers.payload_type[at])
        # RFC 3264 §6.1: with our offer's number; some send with that of their own answer.
        event = kind == state.dtmf_receive_type[leg] or (
            kind == state.dtmf_send_type[leg] != state.receive_type[leg]
        )
        noise = kind == COMFORT_NOISE != state.receive_type[leg]
        if not headers.valid[at] or not _plausible(size, event, noise):
            state.counts["malformed"][leg] += 1
        elif state.remote[leg] is None or source is None:
            state.counts["strangers"][leg] += 1
        elif not event and not noise and kind != state.receive_type[leg]:
            state.counts["unnegotiated"][leg] += 1
        elif state.receives[leg] and self._judge(leg, source, headers, at):
            if not event and not noise:
                return True
            self._count(leg, int(headers.sequence[at]))
            start = int(headers.offset[at])
            payload = row[start : start + 4].tobytes()
            if noise:
                state.counts["comfort"][leg] += 1
                self.hearing.concealer.describe(leg, payload[0] & 0x7F)
                return False
            sequence, timestamp = int(headers.sequence[at]), int(headers.timestamp[at])
            self._key(leg, Packet(sequence, timestamp, int(headers.ssrc[at]), payload))
        return False

    def _judge(self, leg: int, source: Source, headers: Headers, at: int) -> bool:
        """Whether the packet is from whom the leg listens to; latches."""
        state = self.legs
        ssrc, sequence = int(headers.ssrc[at]), int(headers.sequence[at])
        verdict = self.latch.judge(leg, source, ssrc, sequence, self.number)
        if verdict == "stranger":
            state.counts["strangers"][leg] += 1
            return False
        if verdict != "accept":
            self.reports.restart(leg)
        if verdict != "accept" and ssrc == int(self.outgoing.ssrc[leg]):
            state.counts["collisions"][leg] += 1
            self.part(leg)  # RFC 3550 §8.2: a goodbye to the old one
            self.outgoing.change_ssrc(leg)
            self.reports.renamed(leg)
        if verdict == "resync":
            self.jitter.renew(leg)
        elif verdict == "latch":
            self.forget(leg)
        if verdict == "latch":
            self.wire.pin(leg, source)
            if not state.started[leg]:
                state.started[leg] = True
                self.emit(events.RtpStarted(state.names[leg]))
        return True

    def _reported(self, leg: int, source: Source | None, data: bytes, at: float) -> None:
        """RTCP from the host that the leg's voice comes from, or that its SDP names."""
        state = self.legs
        hosts = {known[0] for known in (state.source[leg], state.remote[leg]) if known is not None}
        report = rtcp.parse(data)
        if source is None or source[0] not in hosts:
            state.counts["strangers"][leg] += 1
        elif report is None:
            state.counts["malformed"][leg] += 1
        else:
            self.reports.hear(leg, report, int(self.outgoing.ssrc[leg]), at)

    def _report(self, leg: int, goodbye: bool = False) -> None:
        out, state = self.outgoing, self.legs
        packets = int(state.counts["packets_out"][leg] - out.before[leg])
        own = Own(
            ssrc=int(out.ssrc[leg]),
            timestamp=int(out.timestamp[leg]),
            packets=packets,
            octets=packets * int(out.octets[leg]),
            name=out.names[leg],
        )
        packet = self.reports.make(leg, own, self.wire.now(), goodbye)
        self.wire.send_report(leg, packet)

    def part(self, leg: int) -> None:
        """RFC 3550 §6.6: the leg says goodbye, if it ever spoke."""
        if self.legs.counts["packets_out"][leg]:
            self._report(leg, goodbye=True)

    def _count(self, leg: int, sequence: int) -> None:
        """A packet of the stream that makes no sound: it takes a sequence number."""
        state = self.legs
        state.counts["packets_in"][leg] += 1
        state.heard_tick[leg] = self.number
        state.timed_out[leg] = False
        number = np.array([sequence], np.uint16)
        self.jitter.count_sequence(np.array([leg]), number, np.zeros(1, np.bool_))

    def _key(self, leg: int, packet: Packet) -> None:
        """RFC 4733: told once to the owner, relayed packet by packet to all who hear the leg."""
        press, over = self.keys.hear(leg, packet, self.number)
        self._pressed(over)
        if press is None:
            return
        for other in self.mixer.ears_of(leg):
            if self.player.position[other] >= 0:
                continue
            if self.legs.dtmf_send_type[other] >= 0:
                self._relay(other, press, packet.payload)
            elif not press.stamps.get(other):  # once a press: it has agreed on nothing but sound
                press.stamps[other] = 1
                self.overlay.relay(other, f"key:{DIGITS[press.digit]}")

    def _relay(self, other: int, press: Press, payload: bytes) -> None:
        state = self.legs
        kind = int(state.dtmf_send_type[other])
        if kind >= 0 and state.sends[other]:
            state.counts["packets_out"][other] += 1
            packet = self.outgoing.event(other, kind, press, payload, self.number)
            self.wire.send_one(other, packet)

    def _pressed(self, over: Iterable[Pressed]) -> None:
        for press in over:
            name = self.legs.names[press.leg]
            self.emit(events.Dtmf(name, press.digit, press.duration_ms))

    def _dial(self) -> None:
        """The keys that legs are to press, instead of their audio."""
        dialler, state = self.dialler, self.legs
        if not dialler.dials:
            return
        clock = {leg: int(self.outgoing.timestamp[leg]) for leg in dialler.dials}
        due, through = dialler.step(clock)
        for leg, press, payload in due:
            self._relay(leg, press, payload)
        for leg in through:
            self.emit(events.DialFinished(state.names[leg]))

    def _send(self, high: int) -> None:
        self._dial()
        legs, frames, finished = self.player.step(high)
        source = self.mixer.source[:high]
        if len(legs):
            source = source.copy()
            source[legs] = self.mixer.prompt_rows(legs, frames)
        if self.overlay.busy:
            source = self._cover(source)
        changed = self.outgoing.fill(self.mixer.pool, source, self.number)
        self.wire.send(changed)
        for leg in self.reports.due(self.number):
            self._report(leg)
        for leg in finished:
            self.emit(events.PromptsFinished(self.legs.names[leg]))

    def _cover(self, source: Integers) -> Integers:
        """The sources again, for those who are told something over them."""
        mixer, overlay = self.mixer, self.overlay
        legs, codes, finished = overlay.step(mixer.pool, source, mixer.bank_at)
        covered = source.copy()
        covered[legs] = mixer.made_at + legs
        mixer.pool[covered[legs]] = codes
        for leg in finished:
            name = self.legs.names[leg]
            if leg in overlay.relaying:
                overlay.relaying.discard(leg)
                continue
            dialled = leg in overlay.dialling
            overlay.dialling.discard(leg)
            self.emit(events.DialFinished(name) if dialled else events.Said(name))
        return covered

    def _check(self) -> None:
        """RTP time-outs, and key presses whose ends were lost."""
        state, high = self.legs, self.legs.high
        silent = (
            state.receives[:high]
            & ~state.timed_out[:high]
            & (self.number - state.heard_tick[:high] > self.timeout_ticks)
        )
        for leg in np.flatnonzero(silent).tolist():
            state.timed_out[leg] = True
            self.forget(leg)
            self.emit(events.RtpTimeout(state.names[leg]))
        self._pressed(self.keys.expire(self.number))


def _plausible(size: int, event: bool, noise: bool) -> bool:
    if event:
        return size == 4
    return size > 0 if noise else 0 < size <= MAX_PAYLOAD and size % HALF == 0


def _some(headers: Headers, which: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Headers:
    return Headers(*(getattr(headers, field.name)[which] for field in fields(Headers)))


def ticks(seconds: float) -> int:
    """A time as a number of ticks, at least one."""
    return max(1, round(seconds / TICK_SECONDS))
