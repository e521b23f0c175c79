"""The control channel's messages: commands to a worker, and its own reports."""

from typing import Any

import msgspec

from media.events import (
    DialFinished,
    Dtmf,
    LegClosed,
    LegFailed,
    Measured,
    PromptsFinished,
    RecordingClosed,
    RtpStarted,
    RtpTimeout,
    Said,
    SinkFailed,
    Talking,
    ToneHeard,
)
from media.srtp import Keys


class Command(msgspec.Struct, frozen=True, tag=True):
    """Base of all commands; a worker obeys them in the order sent."""


class Open(Command, frozen=True):
    leg: str
    host: str
    port: int


class Connect(Command, frozen=True):
    leg: str
    host: str
    port: int
    codec: str
    payload_type: int
    dtmf_payload_type: int | None = None
    direction: str = "sendrecv"
    receive_payload_type: int | None = None
    receive_dtmf_payload_type: int | None = None
    accept_any: bool = False
    srtp: Keys | None = None
    ptime_ms: int = 20  # of the packets that we send
    rtcp_port: int = 0  # 0: no reports; the RTP port: on the same one, RFC 5761


class Play(Command, frozen=True):
    leg: str
    prompts: tuple[str, ...]
    loop_last: bool = False


class StopPlay(Command, frozen=True):
    leg: str


class Say(Command, frozen=True):
    """Over what the leg hears, which is faded down to `below` and up again after it."""

    leg: str
    prompts: tuple[str, ...]
    below: float = 0.16


class Dial(Command, frozen=True):
    """Press keys: by telephone-event where it was agreed on, else in the sound."""

    leg: str
    digits: str
    tone_ms: int = 100
    gap_ms: int = 80


class Gain(Command, frozen=True):
    """How much louder the leg is heard by all, -20 to 20 dB."""

    leg: str
    db: int


class Watch(Command, frozen=True):
    """Whether Talking is to be told of the leg."""

    leg: str
    on: bool


class Discern(Command, frozen=True):
    """Whether ToneHeard is to be told of the leg."""

    leg: str
    on: bool


class Measure(Command, frozen=True):
    """Measured is the answer."""

    leg: str


class Bridge(Command, frozen=True):
    """`gains` as matrix.Gains, all hear all without; `held` legs hear `music`, round and round."""

    bridge: str
    legs: tuple[str, ...]
    gains: tuple[tuple[float, ...], ...] | None = None
    held: tuple[str, ...] = ()
    music: tuple[str, ...] = ()


class Unbridge(Command, frozen=True):
    bridge: str


class Record(Command, frozen=True):
    """`private` has the bits of taps.LEFT and taps.RIGHT that begin paused."""

    recording: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    header: dict[str, Any]
    private: int = 0


class Tap(Command, frozen=True):
    """Other legs on a recording's sides."""

    recording: str
    left: tuple[str, ...]
    right: tuple[str, ...]


class PauseRecord(Command, frozen=True):
    """Silence on the sides with these bits; 0 resumes both."""

    recording: str
    private: int


class StopRecord(Command, frozen=True):
    recording: str


class Close(Command, frozen=True):
    leg: str


class Serve(Command, frozen=True):
    """A spare ticks from now on, on these cores; none: wherever."""

    cpus: tuple[int, ...] = ()


class Stop(Command, frozen=True):
    """Close everything, empty the writer's queue, exit."""


LATE_BUCKETS_MS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    """A worker's life sign and its counters since it started."""

    ticks: int = 0
    skipped_ticks: int = 0
    late: tuple[int, ...] = (0,) * (len(LATE_BUCKETS_MS) + 1)  # per bucket, not cumulated
    late_seconds: float = 0.0  # sum over all ticks
    busy_seconds: float = 0.0
    cpu_seconds: float = 0.0  # all threads
    legs: int = 0
    packets_in: int = 0
    packets_out: int = 0
    lost: int = 0
    counts: dict[str, int] = {}  # the legs' counters, by name
    send_errors: int = 0
    blocks_dropped: int = 0


def together(one: Heartbeat, other: Heartbeat) -> Heartbeat:
    """The sum of what two workers counted."""
    sums = {
        name: getattr(one, name) + getattr(other, name)
        for name in Heartbeat.__struct_fields__
        if name not in ("late", "counts")
    }
    late = tuple(a + b for a, b in zip(one.late, other.late, strict=True))
    names = one.counts | other.counts
    counts = {name: one.counts.get(name, 0) + other.counts.get(name, 0) for name in names}
    return Heartbeat(late=late, counts=counts, **sums)


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The worker ticks, by these sockets."""

    pid: int
    sockets: str = ""


class ToneSetup(msgspec.Struct, frozen=True):
    """As tones.Tone."""

    hertz: tuple[float, ...]
    cadence: tuple[float, ...] = ()
    dbm0: float = -10.0


class Setup(msgspec.Struct, frozen=True):
    """A worker's arguments, as JSON on its command line."""

    prompts: dict[str, str]
    sink: str
    sink_arguments: dict[str, Any]
    rtp_timeout_seconds: float = 30.0
    capacity: int = 4096
    realtime: bool = True
    cpus: tuple[int, ...] = ()
    tones: dict[str, ToneSetup] = {}
    sockets: str = "auto"  # as MediaSettings
    spare: bool = False  # it waits for Serve


AnyCommand = (
    Open
    | Connect
    | Play
    | StopPlay
    | Say
    | Dial
    | Gain
    | Watch
    | Discern
    | Measure
    | Bridge
    | Unbridge
    | Record
    | Tap
    | PauseRecord
    | StopRecord
    | Close
    | Serve
    | Stop
)
AnyReport = (
    PromptsFinished
    | RtpStarted
    | RtpTimeout
    | Dtmf
    | DialFinished
    | Said
    | Talking
    | ToneHeard
    | Measured
    | RecordingClosed
    | SinkFailed
    | LegClosed
    | LegFailed
    | Heartbeat
    | Ready
)
