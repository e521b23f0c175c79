"""What a configuration may say: one model for each table, with every default.

Relative paths are relative to the working directory of the process. Descriptions are the
reference's text: docs/configuration.md is generated from this file.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from config.access import Account, RecordingAccess
from config.calendar import CalendarEntry, Caller
from config.caller_ids import CallerId
from config.calls import Calls
from config.cluster import Cluster
from config.codes import FeatureCodes
from config.engine import Engine
from config.fields import (
    Ip,
    IpOrNone,
    Password,
    PhoneOrNone,
    PositiveSeconds,
    User,
    parsed,
)
from config.gateway import Gateway
from config.minutes import Minutes
from config.quality import SamplingRule, ScoreCard, Transcription
from config.queues import GENERAL, Agents, Queue, Route, Skills
from config.recordings import Recordings
from config.secret import Secret
from config.security import NumberClass, Outbound, Security
from config.sip import Sip, Trunk
from config.sounds import Tone
from config.survey import Message, Survey
from config.table import Allowed, Table
from config.values import Address, Ports
from config.voice import Voice


def _database_url(value: SecretStr) -> SecretStr:
    scheme = value.get_secret_value().partition("://")[0].partition("+")[0]
    if scheme not in ("sqlite", "postgresql"):
        raise ValueError("neither SQLite nor PostgreSQL")
    return value


HttpAddress = Annotated[
    Address,
    parsed(Address.parse, Address),
    Allowed("an IP address and a port, as 127.0.0.1:8080 or [::1]:8080"),
]
PortRange = Annotated[
    Ports,
    parsed(Ports.parse, Ports),
    Allowed('a rising range between 1024 and 65535, as "20000-29999"'),
]


class Media(Voice):
    """Where voice flows."""

    address: Ip = Field(
        default="127.0.0.1", description="the address that RTP is bound to, and that SDP names"
    )
    public_address: IpOrNone = Field(
        default="", description="what SDP names instead, behind a one-to-one address translation"
    )
    ports: PortRange = Field(
        default=Ports(20000, 29999), description="UDP ports of the RTP streams"
    )
    workers: int = Field(
        default=1, ge=0, le=256, description="media processes; 0 = one for each core"
    )
    rtp_timeout_seconds: PositiveSeconds = Field(
        default=30, description="a call without any voice packet for so long is dead"
    )
    snippets: str = Field(
        default="",
        description="a folder with recordings of your own of the words that announcements are put "
        "together from (0.wav, ahead.wav ...: docs/media.md); empty = the machine's voice",
    )


class Seat(Table):
    """A phone of ours and the person at it; write [[seats]] once for each."""

    user: User = Field(description="the user that the phone registers")
    password: Password = Field(description="its password")
    name: str = Field(default="", max_length=100, description="the person's name")
    role: Literal["agent", "supervisor"] = Field(
        default="agent", description="agents take the queues' calls"
    )
    skills: Skills = Field(
        default=GENERAL, description="the skills that queues ask for; english:7 = at level 7 of 9"
    )
    mobile: PhoneOrNone = Field(default="", description="the person's mobile, for overflow")
    remote: bool = Field(default=False, description="takes calls at the mobile, after pressing 1")
    srtp: Literal["", "off", "accept", "offer", "require"] = Field(
        default="", description="of this seat in place of [media] srtp; empty = as there"
    )
    auto_ready: bool = Field(
        default=True, description="ready as soon as the phone is registered; no desk needed"
    )
    auto_answer: Literal["none", "alert-info", "call-info", "answer-mode"] = Field(
        default="none",
        description="the header that asks the phone to answer by itself, as headsets want it",
    )


class Http(Table):
    """The API, the metrics and the desk."""

    listen: HttpAddress = Field(
        default=Address("127.0.0.1", 8080), description="where HTTP is served"
    )
    token: Secret = Field(
        default=SecretStr(""), description="what every request must show; needed beyond loopback"
    )


class Database(Table):
    """The index of recordings and the desk's data."""

    url: Annotated[
        Secret,
        AfterValidator(_database_url),
        Allowed("sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"),
    ] = Field(default=SecretStr("sqlite:///callcore.db"), description="where it is")


class Logging(Table):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least that is written"
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto = console on a terminal, JSON elsewhere"
    )
    mask_numbers: bool = Field(
        default=True, description="phone numbers show their first three and last two digits only"
    )


class Config(Table):
    """All tables; an empty file is a sound configuration without seats, trunks and queues."""

    sip: Sip = Sip()
    media: Media = Media()
    gateway: Gateway = Gateway()
    trunks: Annotated[tuple[Trunk, ...], Field(strict=False)] = ()
    seats: Annotated[tuple[Seat, ...], Field(strict=False)] = ()
    queues: Annotated[tuple[Queue, ...], Field(strict=False)] = ()
    routes: Annotated[tuple[Route, ...], Field(strict=False)] = ()
    tones: Annotated[tuple[Tone, ...], Field(strict=False)] = ()
    calls: Calls = Calls()
    feature_codes: FeatureCodes = FeatureCodes()
    survey: Survey = Survey()
    message: Message = Message()
    minutes: Minutes = Minutes()
    agents: Agents = Agents()
    calendar: Annotated[tuple[CalendarEntry, ...], Field(strict=False)] = ()
    callers: Annotated[tuple[Caller, ...], Field(strict=False)] = ()
    security: Security = Security()
    outbound: Outbound = Outbound()
    caller_ids: Annotated[tuple[CallerId, ...], Field(strict=False)] = ()
    number_classes: Annotated[tuple[NumberClass, ...], Field(strict=False)] = ()
    recordings: Recordings = Recordings()
    accounts: Annotated[tuple[Account, ...], Field(strict=False)] = ()
    recording_access: RecordingAccess = RecordingAccess()
    sampling_rules: Annotated[tuple[SamplingRule, ...], Field(strict=False)] = ()
    score_cards: Annotated[tuple[ScoreCard, ...], Field(strict=False)] = ()
    transcription: Transcription = Transcription()
    http: Http = Http()
    database: Database = Database()
    cluster: Cluster = Cluster()
    engine: Engine = Engine()
    logging: Logging = Logging()
