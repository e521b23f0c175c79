"""A configuration of the engine for tests and benchmarks, all on loopback, in one folder."""

from dataclasses import dataclass
from pathlib import Path

from phones.driver import SoftphoneOptions

SEAT = """
[[seats]]
user = "{user}"
password = "secret-{user}"
name = "Agent {user}"
role = "agent"
skills = ["general"]
auto_ready = true
"""

TEXT = """
[sip]
domain = "hotline.local"
listen = ["udp://127.0.0.1:{sip_port}", "tcp://127.0.0.1:{sip_port}"]

[media]
address = "127.0.0.1"
ports = "{first_media_port}-{last_media_port}"
workers = 1
spare = {spare}

[[trunks]]
name = "ims"
mode = "static"
peers = ["{trunk}"]
outbound_number = "055112345"
max_calls = 200
calls_per_second = 100
minutes_per_month = 20000
probe_seconds = {probe_seconds}
{seats}
[[queues]]
name = "12345"
target_seconds = {target_seconds}
target_ratio = 0.9
policy = "{policy}"
promotion_seconds = {promotion_seconds}
ring_seconds = 12
wrap_up_seconds = {wrap_up_seconds}
skills = ["general"]
overflow_mobile_after_seconds = 0
max_wait_seconds = 600
survey = false

[[routes]]
number = "12345"
queue = "12345"

[recordings]
store = "file:{folder}/recordings"
spool = "{folder}/spool"
retention_days = 366

[http]
listen = "127.0.0.1:{http_port}"

[database]
url = "sqlite:///{folder}/callcore.db"

[engine]
drain_seconds = 5
journal = "{folder}/journal"
"""


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """The choices of one such configuration."""

    folder: Path
    sip_port: int
    http_port: int
    media_ports: tuple[int, int] = (20000, 31999)
    trunk: str = "127.0.0.2"  # citizens call from another loopback address than the seats
    seats: int = 14
    target_seconds: float = 15
    policy: str = "fifo"
    promotion_seconds: float = 120
    wrap_up_seconds: float = 0
    probe_seconds: float = 30  # 0: the trunk, whose SIP port is 5060, is not asked whether it is up
    spare: bool = False  # a media worker more would cost each start a second of the processor

    @property
    def users(self) -> list[str]:
        """The seats' users."""
        return [str(8001 + index) for index in range(self.seats)]

    @property
    def sip(self) -> str:
        """host:port of the SIP listener."""
        return f"127.0.0.1:{self.sip_port}"

    def write(self) -> Path:
        """Writes engine.toml into the folder."""
        text = TEXT.format(
            sip_port=self.sip_port,
            http_port=self.http_port,
            first_media_port=self.media_ports[0],
            last_media_port=self.media_ports[1],
            trunk=self.trunk,
            seats="".join(SEAT.format(user=user) for user in self.users),
            target_seconds=number(self.target_seconds),
            policy=self.policy,
            promotion_seconds=number(self.promotion_seconds),
            wrap_up_seconds=number(self.wrap_up_seconds),
            probe_seconds=number(self.probe_seconds),
            folder=self.folder.resolve(),
            spare="true" if self.spare else "false",
        )
        path = self.folder / "engine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def phone(self, user: str) -> SoftphoneOptions:
        """A softphone that fits one of the seats; add what it does with dataclasses.replace."""
        return SoftphoneOptions(
            user=user,
            password=f"secret-{user}",
            domain="hotline.local",
            registrar=self.sip,
            transport="udp",
        )


def number(value: float) -> str:
    """A whole number without a point, as the schema may want it."""
    return str(int(value)) if float(value).is_integer() else str(value)
