"""What the media plane is told when it starts and of each leg, and what it counts."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from media import messages as m
from media.srtp import Keys
from media.tones import TONES, Tone


class Address(NamedTuple):
    host: str
    port: int


class Remote(msgspec.Struct, frozen=True):
    """What offer and answer agreed for a leg; `direction` is ours.

    `payload_type` is what we send, and what we accept unless `receive_payload_type` differs.
    `accept_any`: the party may be behind NAT, so a new source may come from any address.
    """

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
    rtcp_port: int = 0
    ptime_ms: int = 20


@dataclass(frozen=True)
class MediaSettings:
    """`sink` is "module:callable"; ports are even numbers of the range, both ends included."""

    address: str
    first_port: int
    last_port: int
    workers: int
    prompts: dict[str, str]
    sink: str
    sink_arguments: dict[str, Any] = field(default_factory=dict)
    rtp_timeout_seconds: float = 30.0
    port_quarantine_seconds: float = 2.0
    heartbeat_timeout_seconds: float = 1.2
    legs_per_worker: int = 4096
    realtime: bool = True
    cpus: tuple[int, ...] = ()  # the workers' cores in turn; none: wherever
    tones: dict[str, Tone] = field(default_factory=dict)  # beside, or instead of, tones.TONES
    spare: bool = False  # one more worker, started and idle, for the place of one that died
    sockets: str = "auto"  # "io_uring", "plain", or whichever of them the kernel allows

    def knows(self, prompt: str) -> bool:
        """Whether it can be played: a file that was named, or a tone."""
        kind, _, name = prompt.partition(":")
        return prompt in self.prompts or (kind == "tone" and name in TONES | self.tones)


@dataclass(frozen=True, slots=True)
class PlaneStats:
    """Sums over all workers, counters with those that died; `late` by messages.LATE_BUCKETS_MS."""

    legs: int
    recordings: int
    free_ports: int
    workers_lost: int
    pids: tuple[int, ...]
    heartbeats: tuple[m.Heartbeat, ...]
    packets_in: int
    packets_out: int
    lost: int
    late: tuple[int, ...]
    late_seconds: float  # of all ticks together
    sockets: tuple[str, ...]  # which kind each worker that is up uses
    counts: dict[str, int]  # by events.LegStats' names, of open and closed legs
    spare: int | None = None  # the pid of a worker that waits to take a place
