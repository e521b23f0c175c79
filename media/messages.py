"""The control channel's messages: commands to a worker, and its own reports."""

from typing import Any

import msgspec

from media.events import (
    Dtmf,
    LegClosed,
    LegFailed,
    PromptsFinished,
    RecordingClosed,
    RtpStarted,
    RtpTimeout,
    SinkFailed,
)


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


class Play(Command, frozen=True):
    leg: str
    prompts: tuple[str, ...]
    loop_last: bool = False


class StopPlay(Command, frozen=True):
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
    strangers: int = 0
    malformed: int = 0
    send_errors: int = 0
    blocks_dropped: int = 0


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The worker ticks."""

    pid: int


class Setup(msgspec.Struct, frozen=True):
    """A worker's arguments, as JSON on its command line."""

    prompts: dict[str, str]
    sink: str
    sink_arguments: dict[str, Any]
    rtp_timeout_seconds: float = 30.0
    capacity: int = 4096
    realtime: bool = True


AnyCommand = (
    Open
    | Connect
    | Play
    | StopPlay
    | Bridge
    | Unbridge
    | Record
    | Tap
    | PauseRecord
    | StopRecord
    | Close
    | Stop
)
AnyReport = (
    PromptsFinished
    | RtpStarted
    | RtpTimeout
    | Dtmf
    | RecordingClosed
    | SinkFailed
    | LegClosed
    | LegFailed
    | Heartbeat
    | Ready
)
