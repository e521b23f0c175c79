"""Commands become state: what a worker holds, without its sockets and its clock."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from media import events
from media import messages as m
from media.edge import Edge, is_odd
from media.errors import LocalProtocolError
from media.g711 import CODECS, PCMA
from media.legs import Legs, Source
from media.mix import Mixer
from media.prompts import Bank, Player
from media.sounds import Sounds
from media.srtp import Guard, Keys
from media.taps import Block
from media.tick import Tick, Wire, ticks
from media.types import FRAME


class Sockets(Wire, Protocol):
    """What the switch needs of the sockets beside what the tick needs."""

    def open(self, leg: int, host: str, port: int) -> None:
        """Bind the leg's port; OSError when it cannot be."""

    def close(self, leg: int) -> None:
        """Close the leg's sockets."""

    def aim(self, leg: int, remote: Source) -> None:
        """Send there until a source is latched."""

    def unpin(self, leg: int) -> None:
        """Forget the latched source."""

    def aim_reports(self, leg: int, port: int) -> None:
        """Where RTCP goes; 0: nowhere."""

    def guard(self, leg: int) -> Guard | None:
        """The leg's SRTP."""

    def protect(self, leg: int, guard: Guard | None) -> None:
        """SRTP from now on, or none any more."""

    def edge(self, leg: int) -> Edge | None:
        """The leg's other codec or packet time."""

    def shape(self, leg: int, edge: Edge | None, kind: int) -> None:
        """Another codec or packet time for packets that come as this payload type."""


class Writer(Protocol):
    """Takes recordings away; never blocks."""

    def open(self, recording: str, header: dict[str, object]) -> None: ...
    def write(self, block: Block) -> None: ...
    def close(self, recording: str) -> None: ...


class Switch:
    """One worker's legs, bridges and recordings."""

    def __init__(
        self,
        setup: m.Setup,
        bank: Bank,
        sockets: Sockets,
        writer: Writer,
        emit: Callable[[events.Event], None],
    ) -> None:
        self.legs = Legs(setup.capacity)
        self.mixer = Mixer(self.legs, bank)
        self.player = Player(bank, setup.capacity)
        self.sockets = sockets
        self.writer = writer
        self.emit = emit
        self.tick = Tick(self.legs, self.mixer, self.player, sockets, emit)
        self.sounds = Sounds(self.tick)
        self.tick.timeout_ticks = ticks(setup.rtp_timeout_seconds)
        self._held: dict[int, str] = {}  # legs that hear a bridge's music, and which bridge's

    def obey(self, command: m.Command, numbers: tuple[int, ...]) -> None:
        """Perform one command; `numbers` are random: a new leg's sequence, timestamp, SSRC, name.

        Raises LocalProtocolError when the command makes no sense here.
        """
        match command:
            case m.Open():
                self._open(command, numbers)
            case m.Connect():
                self._connect(command)
            case m.Play(leg, prompts, loop_last):
                self.player.play(self._leg(leg), prompts, loop_last)
            case m.StopPlay(leg):
                self.player.stop(self._leg(leg))
                self.tick.overlay.hush(self._leg(leg))
            case m.Say() | m.Dial() | m.Gain() | m.Watch() | m.Discern() | m.Measure():
                self.sounds.obey(command, self._leg(command.leg))
            case m.Bridge():
                self._bridge(command)
            case m.Unbridge(bridge):
                self.mixer.unbridge(bridge)
                self._hold(bridge, set(), ())
            case m.Record():
                self._record(command)
            case m.Tap(recording, left, right):
                self.tick.taps.change(recording, self._legs(left), self._legs(right))
            case m.PauseRecord(recording, private):
                self._write(self.tick.taps.pause(recording, private))
            case m.StopRecord(recording):
                self._stop_record(recording)
            case m.Close(leg):
                self._close(leg)

    def step(self) -> None:
        """One tick."""
        for block in self.tick.run():
            self.writer.write(block)

    def skip(self, count: int) -> None:
        """The machine slept for so many ticks."""
        for block in self.tick.skip(count):
            self.writer.write(block)

    def stop(self) -> None:
        """End all recordings and close all legs."""
        for recording in list(self.tick.taps.names):
            self._stop_record(recording)
        for leg in list(self.legs.index):
            self._close(leg)

    def _leg(self, name: str) -> int:
        try:
            return self.legs.index[name]
        except KeyError:
            raise LocalProtocolError(f"no leg {name}") from None

    def _legs(self, names: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(self._leg(name) for name in names)

    def _open(self, command: m.Open, numbers: tuple[int, ...]) -> None:
        leg = self.legs.add(command.leg, self.tick.number)
        try:
            self.sockets.open(leg, command.host, command.port)
        except OSError as error:
            self.legs.remove(command.leg)
            self.emit(events.LegFailed(command.leg, f"port {command.port}: {error.strerror}"))
            return
        self.tick.outgoing.start(leg, *numbers)
        self.tick.hearing.clear(leg)
        self.tick.reports.clear(leg)
        self.player.stop(leg)
        self.mixer.dirty = True

    def _connect(self, command: m.Connect) -> None:
        leg = self._leg(command.leg)
        legs = self.legs
        moved = legs.remote[leg] != (command.host, command.port)
        if moved:
            self.tick.latch.forget(leg)
            self.sockets.unpin(leg)
        if moved or not legs.receives[leg]:
            legs.heard_tick[leg] = self.tick.number
            legs.timed_out[leg] = False
        codec = CODECS.get(command.codec, PCMA)  # of another codec an edge makes A-law
        changed = codec != legs.codec[leg]
        legs.negotiate(leg, codec, command)
        if changed or moved or not legs.receives[leg]:
            self.tick.forget(leg)
        self.sockets.aim(leg, (command.host, command.port))
        # RFC 2543's hold and a refused stream: there is nowhere to report to.
        there = command.port > 0 and command.host not in ("0.0.0.0", "::")
        self.sockets.aim_reports(leg, command.rtcp_port if there else 0)
        self._protect(leg, command.srtp)
        self._shape(leg, command)
        self.tick.outgoing.dirty = True
        self.mixer.dirty = True
        self.tick.taps.dirty = True

    def _protect(self, leg: int, keys: Keys | None) -> None:
        """RFC 3711 §3.2.1: a key that stays keeps its roll-over counter and replay list.

        Each direction's for itself: who changes its own key in a re-INVITE has not changed ours.
        """
        guard = self.sockets.guard(leg)
        if keys == (None if guard is None else guard.keys):
            return
        blame = partial(self._blame, leg)
        self.sockets.protect(leg, None if keys is None else Guard(keys, blame, guard))

    def _shape(self, leg: int, command: m.Connect) -> None:
        """An edge where the leg is not G.711 at 20 ms; one that stays keeps its state."""
        agreed = (command.codec, command.payload_type, command.ptime_ms)
        if not is_odd(command.codec, command.ptime_ms):
            self._go_on(leg, None)
            self.sockets.shape(leg, None, 0)
            return
        edge = self.sockets.edge(leg)
        if edge is None or edge.agreed != agreed:
            edge = Edge(*agreed, partial(self._tally, leg))
            self._go_on(leg, edge)
        self.sockets.shape(leg, edge, int(self.legs.receive_type[leg]))

    def _go_on(self, leg: int, edge: Edge | None) -> None:
        """RFC 3550 §5.1: numbers go up by one, whoever counted the packets so far."""
        before = self.sockets.edge(leg)
        if before is not None and before.sequence is not None:
            if edge is None:
                self.tick.outgoing.sequence[leg] = before.sequence
            else:
                edge.sequence = before.sequence
        self.tick.outgoing.octets[leg] = FRAME if edge is None else edge.octets

    def _tally(self, leg: int, more: int) -> None:
        self.legs.counts["packets_out"][leg] += more

    def _blame(self, leg: int, what: str) -> None:
        self.legs.counts[what][leg] += 1

    def _bridge(self, command: m.Bridge) -> None:
        """Who hears whom, and who is on hold, from one tick to the next."""
        legs = list(self._legs(command.legs))
        held = set(self._legs(command.held))
        if command.music:
            self.player.check(command.music)
        self.mixer.bridge(command.bridge, legs, command.gains)
        for leg in self._held.keys() & set(legs):
            self._held[leg] = command.bridge  # it was held in another one
        self._hold(command.bridge, held, command.music)

    def _hold(self, bridge: str, held: set[int], music: tuple[str, ...]) -> None:
        """Start the music of those who are newly held, stop that of those who are not any more."""
        before = {leg for leg, name in self._held.items() if name == bridge}
        for leg in before - held:
            del self._held[leg]
            self.player.stop(leg)
        for leg in held - before:
            if music:
                self._held[leg] = bridge
                self.player.play(leg, music, loop_last=True)

    def _record(self, command: m.Record) -> None:
        left, right = self._legs(command.left), self._legs(command.right)
        self.tick.taps.start(command.recording, left, right, command.private)
        self.writer.open(command.recording, command.header)

    def _write(self, block: Block | None) -> None:
        if block is not None:
            self.writer.write(block)

    def _stop_record(self, recording: str) -> None:
        if recording not in self.tick.taps.names:
            return
        self._write(self.tick.taps.stop(recording))
        self.writer.close(recording)

    def _close(self, name: str) -> None:
        if name not in self.legs.index:
            return
        leg = self.legs.index[name]
        self.mixer.leave(leg)
        self._held.pop(leg, None)
        self.tick.taps.drop_leg(leg)
        self.player.stop(leg)
        self.tick.latch.forget(leg)
        self.tick.keys.forget(leg)
        self.tick.dialler.forget(leg)
        self.tick.overlay.stop(leg)
        self.tick.part(leg)
        edge = self.sockets.edge(leg)
        codec = edge.agreed[0] if edge is not None else ""
        self.sockets.close(leg)
        stats = self.legs.stats(leg)
        quality = self.tick.reports.quality(leg, stats, codec)
        sound = self.tick.hearing.sound(leg)
        self.tick.hearing.clear(leg)
        self.legs.remove(name, stats)
        self.tick.outgoing.dirty = True
        self.emit(events.LegClosed(name, stats, sound, quality))
