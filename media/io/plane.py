"""The media plane for the signalling process: ports, workers, and which leg is where."""

import asyncio
import functools
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from media import events
from media import messages as m
from media.dtmf import check_digits
from media.edge import PTIMES_MS, VOICES
from media.errors import LocalProtocolError
from media.g711 import CODECS
from media.gain import MOST_DB
from media.io.fleet import SPARE, Fleet
from media.io.process import WorkerProcess
from media.io.sockets import udp
from media.legs import COUNTERS
from media.matrix import Gains, Party, check_bridge, matrix
from media.overlay import BELOW
from media.ports import Ports
from media.prompts import decode_wav
from media.settings import Address, MediaSettings, PlaneStats, Remote
from media.taps import LEFT, RIGHT
from media.tones import check as check_tone

__all__ = ["Address", "MediaPlane", "MediaSettings", "PlaneStats", "Remote"]

SIDES = {"left": LEFT, "right": RIGHT}
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
STOP_SECONDS = 8.0
PROBES = 64  # ports tried before a leg is refused because others use them


@dataclass(slots=True)
class _Leg:
    worker: int
    port: int


class MediaPlane:
    """All methods but start and stop return at once; workers obey in the order of the calls."""

    def __init__(self, settings: MediaSettings, on_event: Callable[[events.Event], None]) -> None:
        if settings.workers < 1:
            raise LocalProtocolError("at least one media worker is needed")
        self.settings = settings
        self.on_event = on_event
        self.workers_lost = 0
        self._ports = Ports(
            settings.first_port, settings.last_port, settings.port_quarantine_seconds
        )
        self._ours: set[int] = set()  # ports that nobody else had when they were used first
        self._fleet = Fleet("media worker", settings.heartbeat_timeout_seconds)
        self._workers = self._fleet.processes
        self._legs: dict[str, _Leg] = {}
        self._closing: dict[str, _Leg] = {}
        self._load = [0] * settings.workers
        self._bridges: dict[str, int] = {}
        self._recordings: dict[str, int] = {}
        self._past = m.Heartbeat()  # what workers that died had counted: no counter ever falls

    async def start(self) -> None:
        """Start the workers; NotStarted when one does not, LocalProtocolError for a prompt."""
        check_prompts(self.settings.prompts)
        for name, tone in self.settings.tones.items():
            check_tone(name, tone)
        setup = m.Setup(
            prompts={name: str(path) for name, path in self.settings.prompts.items()},
            sink=self.settings.sink,
            sink_arguments=self.settings.sink_arguments,
            rtp_timeout_seconds=self.settings.rtp_timeout_seconds,
            capacity=self.settings.legs_per_worker,
            realtime=self.settings.realtime,
            sockets=self.settings.sockets,
            tones={
                name: m.ToneSetup(tone.hertz, tone.cadence, tone.dbm0)
                for name, tone in self.settings.tones.items()
            },
        )
        for number in range(self.settings.workers):
            mine = msgspec.structs.replace(setup, cpus=self._cores(number))
            worker = WorkerProcess(number, mine, self._report, self._lost)
            self._workers.append(worker)
            worker.start()
        try:
            await self._fleet.ready()
        except BaseException:
            await self.stop()
            raise
        if self.settings.spare:
            waiting = msgspec.structs.replace(setup, spare=True)
            self._fleet.keep(WorkerProcess(SPARE, waiting, self._report, self._lost))

    def _cores(self, number: int) -> tuple[int, ...]:
        cpus = self.settings.cpus
        return (cpus[number % len(cpus)],) if cpus else ()

    async def stop(self) -> None:
        """Workers write what they hold and end."""
        await self._fleet.stop(STOP_SECONDS)

    def open(self, leg: str, near: str | None = None) -> Address:
        """A port for the leg, in the worker of `near` or in the one with the fewest legs."""
        if leg in self._legs or leg in self._closing:
            raise LocalProtocolError(f"leg {leg} is open already")
        if near is not None:
            number = self._of(near).worker
        else:
            # One that is starting serves a second later: only where no other is up.
            number = min(
                range(len(self._load)), key=lambda at: (not self._workers[at].up, self._load[at])
            )
        if self._load[number] >= self.settings.legs_per_worker:
            raise LocalProtocolError(f"media worker {number} has no room for another leg")
        port = self._take_port()
        self._legs[leg] = _Leg(number, port)
        self._load[number] += 1
        self._workers[number].send(m.Open(leg, self.settings.address, port))
        return Address(self.settings.address, port)

    def connect(self, leg: str, remote: Remote) -> None:
        """Where to send and what to accept; again after every new offer and answer."""
        host = ipaddress_of(remote.host)
        known = remote.codec in CODECS or remote.codec in VOICES
        if not known or remote.direction not in DIRECTIONS:
            raise LocalProtocolError(f"codec {remote.codec}, direction {remote.direction}")
        if remote.ptime_ms not in PTIMES_MS:
            raise LocalProtocolError(f"packets of {remote.ptime_ms} ms")
        self._to(leg).send(
            m.Connect(
                leg=leg,
                host=host,
                port=remote.port,
                codec=remote.codec,
                payload_type=remote.payload_type,
                dtmf_payload_type=remote.dtmf_payload_type,
                direction=remote.direction,
                receive_payload_type=remote.receive_payload_type,
                receive_dtmf_payload_type=remote.receive_dtmf_payload_type,
                accept_any=remote.accept_any,
                srtp=remote.srtp,
                rtcp_port=remote.rtcp_port,
                ptime_ms=remote.ptime_ms,
            )
        )

    def play(self, leg: str, prompts: tuple[str, ...], loop_last: bool = False) -> None:
        """Instead of what the leg would hear; PromptsFinished at the end unless it loops."""
        self._known(prompts)
        self._to(leg).send(m.Play(leg, tuple(prompts), loop_last))

    def stop_play(self, leg: str) -> None:
        self._to(leg).send(m.StopPlay(leg))

    def say(self, leg: str, prompts: tuple[str, ...], below: float = BELOW) -> None:
        """Over what the leg hears, which is faded to `below` meanwhile; Said at the end."""
        self._known(prompts)
        self._to(leg).send(m.Say(leg, tuple(prompts), below))

    def dial(self, leg: str, digits: str, tone_ms: int = 100, gap_ms: int = 80) -> None:
        """Press keys as the leg's party would hear them; DialFinished at the end."""
        check_digits(digits)
        self._to(leg).send(m.Dial(leg, digits, tone_ms, gap_ms))

    def gain(self, leg: str, db: int) -> None:
        """How much louder, -20 to 20 dB, everybody hears the leg."""
        if abs(db) > MOST_DB:
            raise LocalProtocolError(f"{db} dB; allowed are -{MOST_DB} to {MOST_DB}")
        self._to(leg).send(m.Gain(leg, db))

    def watch(self, leg: str, on: bool = True) -> None:
        """Talking is told whenever the leg begins to talk, or ceases."""
        self._to(leg).send(m.Watch(leg, on))

    def discern(self, leg: str, on: bool = True) -> None:
        """ToneHeard is told of what the leg's network plays before it answers."""
        self._to(leg).send(m.Discern(leg, on))

    def measure(self, leg: str) -> None:
        """Measured follows, with the leg's levels and counters."""
        self._to(leg).send(m.Measure(leg))

    def bridge(self, bridge: str, legs: tuple[str, ...], gains: Gains | None = None) -> None:
        """Everybody hears everybody else, or as the gains say (matrix.py); again to change it."""
        self._bridge(m.Bridge(bridge, tuple(legs), gains))

    def confer(self, bridge: str, parties: Sequence[Party], music: str = "") -> None:
        """Who hears whom by roles; held parties hear the music. Again to change any of it."""
        if music:
            self._known((music,))
        legs = tuple(party.leg for party in parties)
        held = tuple(party.leg for party in parties if party.held)
        prompts = (music,) if music else ()
        self._bridge(m.Bridge(bridge, legs, matrix(parties), held, prompts))

    def _bridge(self, command: m.Bridge) -> None:
        bridge, legs, gains = command.bridge, command.legs, command.gains
        check_bridge(legs, gains)
        number = self._same_worker(legs, f"bridge {bridge}")
        if self._bridges.get(bridge, number) != number:
            self.unbridge(bridge)
        self._bridges[bridge] = number
        self._workers[number].send(command)

    def unbridge(self, bridge: str) -> None:
        number = self._bridges.pop(bridge, None)
        if number is not None:
            self._workers[number].send(m.Unbridge(bridge))

    def record(
        self,
        recording: str,
        left: str | tuple[str, ...],
        right: str | tuple[str, ...],
        header: dict[str, Any],
        paused: Sequence[str] = (),
    ) -> None:
        """What the legs of both sides say, from the next tick on, to the sink."""
        if recording in self._recordings:
            raise LocalProtocolError(f"recording {recording} runs already")
        left, right = _side(left), _side(right)
        private = _private(paused)
        number = self._same_worker((*left, *right), f"recording {recording}")
        self._workers[number].send(m.Record(recording, left, right, header, private))
        self._recordings[recording] = number

    def tap(
        self, recording: str, left: str | tuple[str, ...], right: str | tuple[str, ...]
    ) -> None:
        """Other legs on the sides of a running recording: a party came, or is muted."""
        left, right = _side(left), _side(right)
        number = self._recording(recording)
        if {self._of(leg).worker for leg in (*left, *right)} - {number}:
            raise LocalProtocolError(f"recording {recording}: legs must be of its worker")
        self._workers[number].send(m.Tap(recording, left, right))

    def pause_record(self, recording: str, sides: Sequence[str] = ("left", "right")) -> None:
        """Silence on these sides, marked as private, until it is resumed."""
        command = m.PauseRecord(recording, _private(sides))
        self._workers[self._recording(recording)].send(command)

    def resume_record(self, recording: str) -> None:
        """Both sides again."""
        self.pause_record(recording, ())

    def stop_record(self, recording: str) -> None:
        """RecordingClosed follows when the sink has everything."""
        number = self._recordings.get(recording)
        if number is not None:
            self._workers[number].send(m.StopRecord(recording))

    def close(self, leg: str) -> None:
        """LegClosed follows; then name and, after its quarantine, port are free."""
        place = self._legs.pop(leg, None)
        if place is not None:
            self._closing[leg] = place
            self._workers[place.worker].send(m.Close(leg))

    def stats(self) -> PlaneStats:
        """As of the workers' last heartbeats, each half a second."""
        beats = tuple(worker.heartbeat for worker in self._workers)
        total = functools.reduce(m.together, beats, self._past)
        spare = self._fleet.spare
        return PlaneStats(
            legs=len(self._legs),
            recordings=len(self._recordings),
            free_ports=len(self._ports),
            workers_lost=self.workers_lost,
            pids=tuple(worker.pid for worker in self._workers if worker.pid is not None),
            heartbeats=beats,
            packets_in=total.packets_in,
            packets_out=total.packets_out,
            lost=total.lost,
            late=total.late,
            late_seconds=total.late_seconds,
            sockets=tuple(w.told.sockets for w in self._workers if w.up),
            counts={name: total.counts.get(name, 0) for name in COUNTERS},
            spare=spare.pid if spare is not None and spare.up else None,
        )

    def _known(self, prompts: tuple[str, ...]) -> None:
        unknown = [name for name in prompts if not self.settings.knows(name)]
        if unknown or not prompts:
            raise LocalProtocolError(f"unknown prompts: {unknown}")

    def _of(self, leg: str) -> _Leg:
        try:
            return self._legs[leg]
        except KeyError:
            raise LocalProtocolError(f"no leg {leg}") from None

    def _to(self, leg: str) -> WorkerProcess:
        return self._workers[self._of(leg).worker]

    def _recording(self, recording: str) -> int:
        try:
            return self._recordings[recording]
        except KeyError:
            raise LocalProtocolError(f"no recording {recording}") from None

    def _same_worker(self, legs: tuple[str, ...], what: str) -> int:
        numbers = {self._of(leg).worker for leg in legs}
        if len(numbers) != 1 or len(set(legs)) != len(legs):
            raise LocalProtocolError(f"{what}: legs must be distinct and of one worker")
        return numbers.pop()

    def _take_port(self) -> int:
        """The next port that nobody else on the machine uses, as far as is known.

        It is tried out before its first use alone, and again after a worker could not have it: a
        call would spend as long on that as on all its timers.
        """
        now = asyncio.get_running_loop().time()
        for _ in range(min(PROBES, max(1, len(self._ports)))):
            port = self._ports.take(now)
            if port in self._ours:
                return port
            try:
                with udp(self.settings.address) as probe:
                    probe.bind((self.settings.address, port))
                    self._ours.add(port)
                    return port
            except OSError:
                self._ports.give_back(port, now)
        raise LocalProtocolError("the RTP ports are used by somebody else")

    def _report(self, number: int, report: msgspec.Struct) -> None:
        assert isinstance(report, events.Event)
        if isinstance(report, events.LegClosed | events.LegFailed):
            place = self._release(report.leg, number)
            if place is not None and isinstance(report, events.LegFailed):
                self._ours.discard(place.port)
        elif isinstance(report, events.RecordingClosed):
            self._recordings.pop(report.recording, None)
        self.on_event(report)

    def _release(self, leg: str, number: int) -> _Leg | None:
        place = self._closing.pop(leg, None) or self._legs.pop(leg, None)
        if place is not None:
            self._load[number] -= 1
            self._ports.give_back(place.port, asyncio.get_running_loop().time())
        return place

    def _lost(self, number: int) -> None:
        """Everything the worker held is gone; tell it once, when the tables are clean."""
        if number == SPARE:
            return
        died = self._workers[number]
        self._past = m.together(self._past, died.heartbeat)
        died.heartbeat = m.Heartbeat()
        successor = self._fleet.stand_in(number)
        if successor is not None:
            successor.send(m.Serve(self._cores(number)))
        legs = tuple(leg for leg, place in self._legs.items() if place.worker == number)
        closing = [leg for leg, place in self._closing.items() if place.worker == number]
        for leg in (*legs, *closing):
            self._release(leg, number)
        recordings = tuple(name for name, at in self._recordings.items() if at == number)
        for name in recordings:
            del self._recordings[name]
        for name in [name for name, at in self._bridges.items() if at == number]:
            del self._bridges[name]
        self.workers_lost += 1
        self.on_event(events.WorkerLost(number, legs, recordings))


def ipaddress_of(host: str) -> str:
    """As sockets tell it: a source is compared with it, and IPv6 has many ways of writing.

    A name would have to be looked up, and a worker must not wait: LocalProtocolError.
    """
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise LocalProtocolError(f"{host} is not an IP address") from None


def _side(legs: str | tuple[str, ...]) -> tuple[str, ...]:
    return (legs,) if isinstance(legs, str) else tuple(legs)


def _private(sides: Sequence[str]) -> int:
    if unknown := set(sides) - set(SIDES):
        raise LocalProtocolError(f"sides {sorted(unknown)}; allowed are left and right")
    return sum(SIDES[side] for side in set(sides))


def check_prompts(prompts: dict[str, str]) -> None:
    """What every worker would stumble over: LocalProtocolError that names the file."""
    for path in prompts.values():
        try:
            decode_wav(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            advice = "give a WAV file of PCM or G.711, or leave the name empty"
            raise LocalProtocolError(f"the prompt {path}: {why}; {advice}") from None
