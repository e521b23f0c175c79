"""A hotline and an archive that are only data, for the desk to show."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from fastapi import FastAPI

from desk.app import create_app
from hotline.commands import (
    AgentStatus,
    Audio,
    BanStatus,
    CallbackStatus,
    CallRecord,
    ClusterStatus,
    MarkStatus,
    NotAllowed,
    PhoneSettings,
    QueueStatus,
    Readiness,
    RecordingEntry,
    ServiceLevels,
    SipPacket,
    Unavailable,
    UnknownThing,
    WrongState,
)
from hotline.events import Alert, LiveHub


class PaperTrace:
    """One message, then none."""

    def __init__(self) -> None:
        self.dropped, self.closed = 0, False
        self._packets = [
            SipPacket(
                at_us=1_700_000_000_000_001,
                direction="in",
                transport="udp",
                local=("127.0.0.1", 5060),
                remote=("192.0.2.1", 5060),
                sip_call_id="a@b",
                call="c1",
                data=b"OPTIONS",
            )
        ]

    def take(self) -> list[SipPacket]:
        taken, self._packets = self._packets, []
        return taken

    def close(self) -> None:
        self.closed = True


class PaperHotline:
    """Answers from fields; what the desk asked stands in `asked`."""

    def __init__(self) -> None:
        self.leads = True
        self.broken = False
        self.hub = LiveHub(keep=3)
        self.ready = Readiness(True)
        self.asked: list[tuple[Any, ...]] = []
        levels = ServiceLevels(0.95, 0.97, 0.96, 0.96, 0.95)
        self.one = QueueStatus(
            "12345", 1, 40, 38, 1, 37, 0, levels, 2.5, 15.0, 0.9, "answer_in_time"
        )
        self.record = CallRecord(
            "c1", "13800138000", "12345", "inbound", "12345", None, "2026-01-01T00:00:00.000+08:00"
        )

    def queues(self) -> list[QueueStatus]:
        if self.broken:
            raise Unavailable("broken")
        return [self.one]

    def queue(self, name: str) -> QueueStatus:
        if name != "12345":
            raise UnknownThing(f"no queue {name!r}; there are: 12345")
        return self.one

    def agents(self) -> list[AgentStatus]:
        return []

    def set_agent_state(
        self, user: str, state: Literal["ready", "not_ready"], reason: str
    ) -> AgentStatus:
        self.asked.append((user, state, reason))
        raise WrongState("seat 8001 is offline: it must register first")

    def force_agent_state(
        self, user: str, state: Literal["ready", "not_ready"], reason: str, by: str
    ) -> AgentStatus:
        self.asked.append((user, state, reason, by))
        raise NotAllowed("no reason 'tea'; there are: lunch")

    def extend_wrap_up(self, user: str) -> AgentStatus:
        raise WrongState(f"seat {user} is ready: only a wrap_up can be extended")

    def callbacks(self) -> list[CallbackStatus]:
        return [CallbackStatus("cb", "138", "12345", "c1", "x", "y", "due", None, 0, None)]

    def cancel_callback(self, callback: str) -> CallbackStatus:
        raise UnknownThing(f"no callback {callback!r}")

    def marks(self) -> list[MarkStatus]:
        return []

    def mark_caller(self, wanted: MarkStatus) -> MarkStatus:
        self.asked.append((wanted.number, wanted.kind, wanted.review, wanted.by))
        return wanted

    def review_mark(self, number: str, *, keep: bool, by: str) -> MarkStatus:
        raise WrongState(f"{number} waits for no review")

    def clear_mark(self, number: str, by: str) -> None:
        self.asked.append((number, by))

    def prioritise(self, call_id: str, priority: int, keyword: str) -> CallRecord:
        self.asked.append((call_id, priority, keyword))
        return self.record

    def calls(self, limit: int, *, active: bool = False) -> list[CallRecord]:
        self.asked.append((limit, active))
        return [self.record]

    def call(self, call_id: str) -> CallRecord:
        raise UnknownThing(f"no call {call_id!r}")

    def hang_up(self, call_id: str) -> CallRecord:
        raise WrongState("call c1 has ended")

    def set_privacy(self, call_id: str, paused: bool) -> CallRecord:
        self.asked.append((call_id, paused))
        return self.record

    def trunks(self) -> list[dict[str, Any]]:
        return []

    def bans(self) -> list[BanStatus]:
        return [BanStatus("192.0.2.66", "wrong password", "2026-01-01", "2026-01-02")]

    def lift_ban(self, source: str) -> BanStatus:
        self.asked.append((source,))
        if source != "192.0.2.66":
            raise UnknownThing(f"{source} is not banned")
        return self.bans()[0]

    def trace(self, wake: Callable[[], None], *, call: str, reveal: bool) -> "PaperTrace":
        self.asked.append((call, reveal))
        self.traced = PaperTrace()
        wake()
        return self.traced

    def cluster(self) -> ClusterStatus:
        return ClusterStatus("node-2", "following", "node-1", 3, 100, 0, redis=True)

    def must_lead(self) -> None:
        if not self.leads:
            raise Unavailable("node-1 leads")

    def phone(self) -> PhoneSettings:
        return PhoneSettings("hotline.local", ("ws://127.0.0.1:5066",))

    def readiness(self) -> Readiness:
        return self.ready

    def metrics(self) -> bytes:
        return b"callcore_calls_total 1\n"

    def events_since(self, sequence: int) -> Iterator[dict[str, Any]]:
        return self.hub.since(sequence)

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        return self.hub.listen(wake)

    @property
    def last_sequence(self) -> int:
        return self.hub.sequence

    def alert(self, text: str) -> None:
        self.hub.publish(1_767_225_600_000, Alert("test", text))


class PaperArchive:
    """One recording of a hundred bytes."""

    async def entry(self, recording: str) -> RecordingEntry:
        return RecordingEntry(recording, "c1", "", "", "", "", "", "", 0, "stored", "", 100)

    async def audio(self, recording: str, kind: str, marking: None) -> Audio:
        data = bytes(range(100))
        return Audio(
            f"audio/{kind}",
            f"{recording}.{kind}",
            100,
            lambda start, stop: iter([data[start:stop]]),
        )

    async def note(self, accesses: list[Any]) -> None:
        pass


def app_of(hotline: PaperHotline, **options: Any) -> FastAPI:
    archive: Any = PaperArchive()
    return create_app(hotline, archive, **options)
