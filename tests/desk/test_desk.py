"""The desk's HTTP side over a hotline that is only data."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from config.access import Account
from config.passwords import password_hash
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
        self.hub.publish("2026-01-01T00:00:00.000+08:00", Alert("test", text))


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


@pytest.fixture
def hotline() -> PaperHotline:
    return PaperHotline()


@pytest.fixture
def desk(hotline: PaperHotline) -> Iterator[TestClient]:
    with TestClient(app_of(hotline)) as client:
        yield client


def test_readiness_gives_its_reasons_with_503(desk: TestClient, hotline: PaperHotline) -> None:
    assert desk.get("/readyz").status_code == 200
    hotline.ready = Readiness(False, ("trunk ims is down",))
    answer = desk.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["trunk ims is down"]
    assert desk.get("/healthz").json() == {"status": "alive"}


def test_a_queue_shows_what_the_contract_names(desk: TestClient) -> None:
    body = desk.get("/api/v1/queues/12345").json()
    names = {"waiting", "offered", "answered", "abandoned", "answered_in_target"}
    assert names | {"service_level", "longest_wait_seconds"} <= set(body)
    assert body["service_level"] == {"A": 0.95, "B": 0.97, "C": 0.96, "D": 0.96, "E": 0.95}


def test_unknown_things_are_404_and_wrong_states_409(
    desk: TestClient, hotline: PaperHotline
) -> None:
    assert desk.get("/api/v1/queues/110").json() == {"detail": "no queue '110'; there are: 12345"}
    assert desk.get("/api/v1/calls/x").status_code == 404
    assert desk.delete("/api/v1/calls/c1").status_code == 409
    answer = desk.put("/api/v1/agents/8001/state", json={"state": "ready"})
    assert answer.status_code == 409
    assert hotline.asked == [("8001", "ready", "")]


def test_the_supervisor_s_word_and_the_agent_s_wish_are_two_commands(
    desk: TestClient, hotline: PaperHotline
) -> None:
    body = {"state": "not_ready", "reason": "tea", "by": "8014"}
    answer = desk.post("/api/v1/agents/8001/state", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "no reason 'tea'; there are: lunch",
    )
    del body["by"]
    assert desk.post("/api/v1/agents/8001/state", json=body).status_code == 409
    assert hotline.asked == [("8001", "not_ready", "tea", "8014"), ("8001", "not_ready", "tea")]
    assert desk.post("/api/v1/agents/8001/wrap-up/extension").status_code == 409


def test_promised_callbacks_are_listed_and_taken_back(desk: TestClient) -> None:
    assert desk.get("/api/v1/callbacks").json()[0]["state"] == "due"
    assert desk.delete("/api/v1/callbacks/none").status_code == 404


def test_an_agent_proposes_and_the_supervisor_reviews(
    desk: TestClient, hotline: PaperHotline
) -> None:
    mark = {"kind": "nuisance", "by": "8001", "note": "singt"}
    assert desk.put("/api/v1/callers/13800000000/mark", json=mark).json()["review"] == "proposed"
    blocked = {"kind": "blocked", "by": "8014"}
    assert desk.put("/api/v1/callers/138/mark", json=blocked).json()["review"] == "in_force"
    review = {"keep": True, "by": "8014"}
    assert desk.post("/api/v1/callers/138/mark/review", json=review).status_code == 409
    assert desk.put("/api/v1/callers/x/mark", json=blocked).status_code == 422
    assert desk.delete("/api/v1/callers/138/mark?by=8014").status_code == 204
    assert hotline.asked == [
        ("13800000000", "nuisance", "proposed", "8001"),
        ("138", "blocked", "in_force", "8014"),
        ("138", "8014"),
    ]


def test_a_mark_has_a_priority_of_1_to_9(desk: TestClient, hotline: PaperHotline) -> None:
    mark = {"priority": 5, "keyword": "煤气"}
    assert desk.post("/api/v1/calls/c1/mark", json=mark).status_code == 200
    assert desk.post("/api/v1/calls/c1/mark", json={"priority": 0}).status_code == 422
    assert hotline.asked == [("c1", 5, "煤气")]


@pytest.mark.parametrize(
    "body", [{}, {"state": "asleep"}, {"state": "ready", "colour": 1}, {"state": 7}]
)
def test_a_wrong_body_is_422_and_reaches_nobody(
    desk: TestClient, hotline: PaperHotline, body: dict[str, Any]
) -> None:
    assert desk.put("/api/v1/agents/8001/state", json=body).status_code == 422
    assert hotline.asked == []


@pytest.mark.parametrize(
    ("asked", "status", "length", "where"),
    [
        (None, 200, 100, None),
        ("bytes=0-9", 206, 10, "bytes 0-9/100"),
        ("bytes=90-", 206, 10, "bytes 90-99/100"),
        ("bytes=-5", 206, 5, "bytes 95-99/100"),
        ("bytes=50-900", 206, 50, "bytes 50-99/100"),
        ("bytes=100-", 416, 0, "bytes */100"),
        ("bytes=9-1", 416, 0, "bytes */100"),
        ("bytes=-", 200, 100, None),
        ("bytes=0-1,4-5", 200, 100, None),
        ("furlongs=1-2", 200, 100, None),
    ],
)
def test_a_player_can_seek(
    desk: TestClient, asked: str | None, status: int, length: int, where: str | None
) -> None:
    """RFC 9110 §14.2: what cannot be satisfied is 416, what is not understood is ignored."""
    headers = {"Range": asked} if asked else {}
    answer = desk.get("/api/v1/recordings/r1/audio", headers=headers)
    assert answer.status_code == status
    assert len(answer.content) == length
    assert answer.headers.get("content-range") == where


def test_live_events_are_numbered_and_a_client_that_returns_misses_none(
    desk: TestClient, hotline: PaperHotline
) -> None:
    hotline.alert("one")
    with desk.websocket_connect("/api/v1/live?since=0") as socket:
        assert socket.receive_json()["text"] == "one"
        hotline.alert("two")
        assert socket.receive_json()["sequence"] == 2
    hotline.alert("three")
    with desk.websocket_connect("/api/v1/live?since=2") as socket:
        assert socket.receive_json()["text"] == "three"


def test_who_was_away_too_long_is_told_of_the_gap(desk: TestClient, hotline: PaperHotline) -> None:
    for text in ("1", "2", "3", "4", "5"):
        hotline.alert(text)
    with desk.websocket_connect("/api/v1/live?since=1") as socket:
        gap = socket.receive_json()
        assert (gap["event"], gap["oldest"]) == ("gap", 3)
        assert [socket.receive_json()["text"] for _ in range(3)] == ["3", "4", "5"]


def test_a_page_of_another_site_may_not_listen(desk: TestClient) -> None:
    with (
        desk.websocket_connect("/api/v1/live", headers={"origin": "http://evil.test"}) as socket,
        pytest.raises(WebSocketDisconnect) as refused,
    ):
        socket.receive_json()
    assert refused.value.code == 4403


def test_with_a_token_everything_but_health_demands_it(hotline: PaperHotline) -> None:
    with TestClient(app_of(hotline, token="s3cret")) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/v1/queues").status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer no"}).status_code == 401
        good = {"Authorization": "Bearer s3cret"}
        assert client.get("/metrics", headers=good).status_code == 200
        assert client.get("/?token=wrong").status_code == 401
        # A seat has its own password, and no right to the rest.
        assert client.get("/phone/").status_code == 200
        assert client.get("/phone/settings.json").json() == {
            "domain": "hotline.local",
            "sockets": ["ws://127.0.0.1:5066"],
        }
        assert client.get("/phone/../api/v1/calls").status_code == 401
        assert client.get("/phone/%2e%2e/api.py").status_code == 404
        assert client.get("/phones").status_code == 401
        assert client.get("/?token=s3cret").status_code == 200
        assert client.get("/api/v1/queues").status_code == 200  # by the cookie
        client.cookies.clear()
        with client.websocket_connect("/api/v1/live") as socket:
            with pytest.raises(WebSocketDisconnect) as refused:
                socket.receive_json()
            assert refused.value.code == 4401


def account(name: str, role: str) -> Account:
    """With a password that is its name, ten times."""
    hashed = password_hash(name * 10, b"0123456789abcdef")
    return Account(name=name, role=role, password_hash=hashed)  # type: ignore[arg-type]


def test_an_account_with_a_password_logs_in_by_it(hotline: PaperHotline) -> None:
    """RFC 7617; then by the cookie, which sockets need."""
    accounts = (account("li", "supervisor"), account("wang", "agent"))
    with TestClient(app_of(hotline, accounts=accounts)) as client:
        refused = client.get("/")
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Basic realm="callcore", charset="UTF-8"'
        assert client.get("/api/v1/queues").headers["WWW-Authenticate"] == "Bearer"
        for wrong in (("li", "wang" * 10), ("nobody", "x" * 10), ("li", "")):
            assert client.get("/", auth=wrong).status_code == 401
        assert client.get("/", headers={"Authorization": "Basic !"}).status_code == 401
        assert client.get("/", auth=("li", "li" * 10)).status_code == 200
        assert client.get("/api/v1/queues").status_code == 200  # by the cookie
        assert client.get("/api/v1/me").json()["name"] == "li"
        with client.websocket_connect("/api/v1/live?since=0"):
            pass
        client.cookies.clear()
        assert client.get("/api/v1/queues").status_code == 401
        assert client.get("/", auth=("wang", "wang" * 10)).status_code == 403
        assert client.get("/api/v1/me", auth=("wang", "wang" * 10)).json()["name"] == "wang"


def test_a_password_that_a_browser_adds_to_another_site_s_request_opens_nothing(
    hotline: PaperHotline,
) -> None:
    with TestClient(app_of(hotline, accounts=(account("li", "admin"),))) as client:
        asked = {"auth": ("li", "li" * 10), "headers": {"Origin": "https://evil.example"}}
        assert client.delete("/api/v1/calls/c1", **asked).status_code == 401
        asked["headers"] = {"Origin": "http://testserver"}
        assert client.delete("/api/v1/calls/c1", **asked).status_code != 401


def test_the_page_and_the_api_description_are_served(desk: TestClient) -> None:
    assert "12345" in desk.get("/").text
    assert "zh:" in desk.get("/static/strings.js").text
    assert "/api/v1/queues/{name}" in desk.get("/api/openapi.json").json()["paths"]


def test_a_node_that_follows_shows_its_cluster_and_changes_nothing(
    desk: TestClient, hotline: PaperHotline
) -> None:
    hotline.leads = False
    status = desk.get("/api/v1/cluster").json()
    assert (status["role"], status["leader"], status["epoch"]) == ("following", "node-1", 3)
    refused = desk.put("/api/v1/agents/8001/state", json={"state": "ready"})
    assert (refused.status_code, refused.json()["detail"]) == (503, "node-1 leads")
    assert desk.get("/api/v1/queues").status_code == 200


def test_bans_are_listed_and_lifted(desk: TestClient, hotline: PaperHotline) -> None:
    assert [ban["source"] for ban in desk.get("/api/v1/bans").json()] == ["192.0.2.66"]
    assert desk.delete("/api/v1/bans/192.0.2.66").json()["why"] == "wrong password"
    assert desk.delete("/api/v1/bans/192.0.2.67").status_code == 404
    assert hotline.asked == [("192.0.2.66",), ("192.0.2.67",)]


def test_messages_are_traced_over_a_socket(desk: TestClient, hotline: PaperHotline) -> None:
    with desk.websocket_connect("/api/v1/trace?call=c1") as socket:
        assert socket.receive_json() == {"tracing": True}
        seen = socket.receive_json()
        assert (seen["call"], seen["remote"]) == ("c1", ["192.0.2.1", 5060])
        assert seen["data"] == "T1BUSU9OUw=="
    assert hotline.asked == [("c1", False)]
    assert hotline.traced.closed


@pytest.mark.parametrize("origin", ["https://evil.example", "http://testserver.evil.example"])
def test_another_site_s_page_may_not_trace(desk: TestClient, origin: str) -> None:
    with (
        desk.websocket_connect("/api/v1/trace", headers={"origin": origin}) as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_json()
    assert closed.value.code == 4403


def test_numbers_are_revealed_only_with_the_token(hotline: PaperHotline) -> None:
    """Without a token in the configuration nobody can prove that they may see them."""
    with (
        TestClient(app_of(hotline)) as client,
        client.websocket_connect("/api/v1/trace?reveal=1") as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_json()
    assert closed.value.code == 4403
    with TestClient(app_of(hotline, token="t")) as client:
        with (
            client.websocket_connect("/api/v1/trace?reveal=1") as socket,
            pytest.raises(WebSocketDisconnect) as closed,
        ):
            socket.receive_json()
        assert closed.value.code == 4401
        given = {"authorization": "Bearer t"}
        with client.websocket_connect("/api/v1/trace?reveal=1", headers=given) as socket:
            assert socket.receive_json() == {"tracing": True}
    assert hotline.asked == [("", True)]
