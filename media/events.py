"""What the media plane tells its owner; the same structs travel on the control channel."""

import msgspec


class LegStats(msgspec.Struct, frozen=True):
    """Counters of one leg; packets unless the name says more."""

    packets_in: int = 0
    packets_out: int = 0
    lost: int = 0
    late: int = 0
    duplicate: int = 0
    reordered: int = 0
    concealed: int = 0  # frames made up for missing ones
    trimmed: int = 0  # frames left out to shorten the delay
    stretched: int = 0  # frames put in to lengthen it
    resynced: int = 0
    strangers: int = 0
    malformed: int = 0
    unnegotiated: int = 0
    comfort: int = 0  # descriptions of noise, RFC 3389
    collisions: int = 0  # the other side has chosen our SSRC
    flooded: int = 0  # ticks in which more was waiting than a leg may be read
    replayed: int = 0  # SRTP that had come before
    unauthenticated: int = 0  # SRTP under another key, or changed on its way


class Sound(msgspec.Struct, frozen=True):
    """What one leg is heard to be; levels in dBov (RFC 6464), the loudest since the last look."""

    rms_dbov: float = -127.0
    peak_dbov: float = -127.0
    talking: bool = False
    talk_ms: int = 0  # in all
    depth_ms: int = 0  # of the jitter buffer: what a packet waits that came without delay
    spread_ms: int = 0  # of arrivals: between the first and the last hundredth


class Quality(msgspec.Struct, frozen=True):
    """How a leg was heard, and, where it told by RTCP, how it heard us; losses 0 to 1.

    `mos` and `remote_mos` are the E-model's, 1 to 4.5 (quality.py); None: nothing to judge by.
    """

    loss: float = 0.0
    jitter_ms: float = 0.0
    round_trip_ms: float | None = None
    mos: float | None = None
    remote_loss: float | None = None
    remote_jitter_ms: float | None = None
    remote_mos: float | None = None


class Event(msgspec.Struct, frozen=True, tag=True):
    """Base of all events."""


class PromptsFinished(Event, frozen=True):
    leg: str


class RtpStarted(Event, frozen=True):
    """The leg's source is latched and its first packet is in."""

    leg: str


class RtpTimeout(Event, frozen=True):
    leg: str


class Dtmf(Event, frozen=True):
    """One key press, as RFC 4733's event or in the sound; reported when it ends."""

    leg: str
    digit: str
    duration_ms: int


class DialFinished(Event, frozen=True):
    """All digits that the leg was to send are sent."""

    leg: str


class Said(Event, frozen=True):
    """What was to be said over what the leg hears is said."""

    leg: str


class Talking(Event, frozen=True):
    """A watched leg began to talk, or ceased."""

    leg: str
    talking: bool


class ToneHeard(Event, frozen=True):
    """What the network of a leg plays before it answers (discern.py): once for each tone."""

    leg: str
    tone: str


class Measured(Event, frozen=True):
    """The answer to Measure."""

    leg: str
    sound: Sound
    stats: LegStats


class RecordingClosed(Event, frozen=True):
    """Everything of the recording has been given to the sink."""

    recording: str


class SinkFailed(Event, frozen=True):
    """The sink refused a recording's open, block or close; the call goes on."""

    recording: str
    why: str


class LegClosed(Event, frozen=True):
    leg: str
    stats: LegStats
    sound: Sound = Sound()
    quality: Quality = Quality()


class LegFailed(Event, frozen=True):
    """The worker could not open the leg; it is closed."""

    leg: str
    why: str


class WorkerLost(Event, frozen=True):
    """A worker died with all it held; a new one is starting."""

    worker: int
    legs: tuple[str, ...]
    recordings: tuple[str, ...]


class GatewayLost(Event, frozen=True):
    """A gateway process died with all its sessions, named like their legs; it is replaced."""

    gateway: int
    legs: tuple[str, ...]


class GatewayFailed(Event, frozen=True):
    """A browser never came, was another one than announced, or fell silent."""

    leg: str
    why: str
