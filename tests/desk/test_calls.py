"""Commands to calls over HTTP: what is done, what is refused and how, and keys that repeat."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI

from desk.app import create_app
from desk.idempotency import Replays
from hotline.commands import NotAllowed
from hotline.uui import Told, write
from media.events import Dtmf, RecordingClosed
from recorder.io.index import Entry
from tests.hotline.house import House


@dataclass
class Answer:
    status_code: int
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


NO_ARCHIVE: Any = None  # calls have nothing to do with recordings


class Api:
    """Asks the application in the loop that the hotline is in."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def ask(
        self, method: str, path: str, body: Any = None, key: str = "", token: str = ""
    ) -> Answer:
        headers = [(b"content-type", b"application/json"), (b"host", b"desk")]
        if token:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        if key:
            headers.append((b"idempotency-key", key.encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": f"/api/v1{path}",
            "raw_path": f"/api/v1{path}".encode(),
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("desk", 80),
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            data = b"" if body is None else json.dumps(body).encode()
            return {"type": "http.request", "body": data, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        text = b"".join(one.get("body", b"") for one in sent).decode()
        return Answer(sent[0]["status"], text)


@pytest.fixture
def api(house: House) -> Api:
    return Api(create_app(house.desk, NO_ARCHIVE))


def talking(house: House) -> None:
    """Call v1: the citizen (c) talks with 8001 (v1-a1); 8002 is there too."""
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    house.seat("8002")
    house.sip.done.clear()


async def post(api: Api, path: str, key: str = "", **body: Any) -> Answer:
    return await api.ask("POST", path, body, key)


async def test_hold_and_resume(house: House, api: Api) -> None:
    talking(house)
    assert (await post(api, "/calls/v1/hold")).status_code == 200
    assert house.plane.done[-1] == ("play", "c", "hold.wav")
    assert house.desk.agents()[0].state == "held"
    again = await post(api, "/calls/v1/hold")
    assert (again.status_code, again.json()["detail"]) == (409, "call v1 is held: c is in hold")
    assert (await post(api, "/calls/v1/resume")).status_code == 200
    assert house.desk.agents()[0].state == "talking"


async def test_a_transfer_consulted_and_completed(house: House, api: Api) -> None:
    talking(house)
    assert (await post(api, "/calls/v1/consult", to="8002")).status_code == 200
    assert house.sip.done == [("place", "v1-a2", "8002", "8001")]
    house.answered("v1-a2")
    assert (await post(api, "/calls/v1/transfer", kind="attended")).status_code == 200
    assert house.sip.done[-1] == ("hang_up", "v1-a1")
    parties = (await api.ask("GET", "/calls/v1/parties")).json()
    assert [(one["who"], one["role"], one["place"]) for one in parties] == [
        ("13800138000", "citizen", "talk"),
        ("8002", "agent", "talk"),
    ]
    assert [agent.state for agent in house.desk.agents()][:2] == ["ready", "talking"]


async def test_a_third_party_comes_and_goes(house: House, api: Api) -> None:
    talking(house)
    both = await post(api, "/calls/v1/conference", add="seat:8002", remove="8001")
    assert both.status_code == 422
    assert (await post(api, "/calls/v1/conference", add="seat:8002")).status_code == 200
    house.answered("v1-a2")
    assert ("bridge", "c", "v1-a1", "v1-a2") in house.plane.done
    assert (await post(api, "/calls/v1/conference", remove="8002")).status_code == 200
    assert house.sip.done[-1] == ("hang_up", "v1-a2")
    assert (await post(api, "/calls/v1/mute", muted=True)).status_code == 200
    assert (await post(api, "/calls/v1/hang_up")).status_code == 200
    assert house.conductor.visits == {}


async def test_what_is_refused_and_how(house: House, api: Api) -> None:
    talking(house)
    cases = [
        ("/calls/nope/hold", {}, 404, "no call 'nope'"),
        ("/calls/v1/transfer", {"to": "8001"}, 422, "8001 takes part already"),
        ("/calls/v1/transfer", {"to": "seat:9999"}, 422, "no seat '9999'"),
        ("/calls/v1/transfer", {"to": "0013105551234"}, 422, "may not be called"),
        (
            "/calls/v1/transfer",
            {"kind": "attended"},
            409,
            "call v1 is talking: nobody is consulted",
        ),
        ("/calls/v1/conference", {}, 409, "call v1 is talking: nobody is consulted"),
        ("/calls/v1/emergency", {"service": "12345"}, 422, "is no emergency number"),
        ("/calls/v1/supervise", {"by": "8002", "mode": "monitor"}, 422, "is no supervisor's seat"),
        ("/calls", {"agent": "8003", "to": "8001"}, 422, "no seat '8003'"),
        ("/calls", {"agent": "8001", "to": "8001"}, 422, "cannot be called"),
    ]
    for path, body, status, detail in cases:
        answer = await post(api, path, **body)
        assert answer.status_code == status, (path, answer.text)
        assert detail in answer.json()["detail"]
    assert house.sip.done == []
    house.ended("c")
    ended = await post(api, "/calls/v1/hold")
    assert (ended.status_code, ended.json()["detail"]) == (409, "call v1 has ended")


async def test_the_same_command_twice_is_done_once(house: House, api: Api) -> None:
    talking(house)
    first = await post(api, "/calls/v1/transfer", "k1", to="8002")
    second = await post(api, "/calls/v1/transfer", "k1", to="8002")
    assert (first.status_code, second.status_code) == (200, 200)
    assert [one for one in house.sip.done if one[0] == "place"] == [
        ("place", "v1-a2", "8002", "13800138000")
    ]
    other = await post(api, "/calls/v1/hold", "k1")
    assert other.status_code == 422
    assert "another command's" in other.json()["detail"]


async def test_click_to_call_rings_the_agent_first(house: House, api: Api) -> None:
    offline = await post(api, "/calls", agent="8001", to="8002")
    assert (offline.status_code, offline.json()["detail"]) == (409, "seat 8001 is offline")
    house.seat("8001")
    placed = await post(api, "/calls", "k1", agent="8001", to="8002")
    assert (placed.status_code, placed.json()["direction"]) == (201, "internal")
    assert (await post(api, "/calls", "k1", agent="8001", to="8002")).json() == placed.json()
    assert house.sip.done == [("place", "v1-a1", "8001", "8001")]
    house.answered("v1-a1")
    assert house.sip.done[-1] == ("place", "v1-a2", "8002", "8001")


async def test_keys_do_what_the_desk_does(house: House, api: Api) -> None:
    """*1 8002 # of the agent's phone transfers; the same keys of a citizen's do nothing."""
    talking(house)
    for leg in ("c", "v1-a1"):
        for digit in "*18002#":
            house.conductor.on_media(Dtmf(leg, digit, 100))
    assert house.sip.done == [("place", "v1-a2", "8002", "13800138000")]


async def test_who_listens_is_not_shown_to_the_agent(house: House, api: Api) -> None:
    talking(house)
    house.seat("9001")
    assert (await post(api, "/calls/v1/supervise", by="9001", mode="monitor")).status_code == 200
    house.answered("v1-a2")
    seen = [[one.who for one in house.desk.parties("v1", who)] for who in ("9001", "8001")]
    assert seen == [["13800138000", "8001", "9001"], ["13800138000", "8001"]]
    assert house.desk.agents()[0].state == "talking"
    whispers = await post(api, "/calls/v1/supervise", by="9001", mode="whisper")
    assert whispers.status_code == 200
    house.ended("c")
    assert house.conductor.visits == {}


async def test_the_platform_is_told_call_and_order(house: House, api: Api) -> None:
    """RFC 7433; the city's own id comes back the same way."""
    told = ("User-to-User", write(Told("7", "HF-1")))
    house.call(headers=(told,))
    record = house.desk.call("v1")
    assert (record.partner_call, record.order) == ("7", "HF-1")
    house.seat("8001")
    house.answered("v1-a1")
    house.sip.done.clear()
    answer = await post(api, "/calls/v1/transfer", to="platform", order="HF-2")
    assert answer.status_code == 200
    told = ("User-to-User", write(Told("v1", "HF-2")))
    assert house.sip.done == [("place", "v1-a2", "055160012345", "13800138000", told)]


async def test_a_work_order_given_after_the_call_reaches_its_recordings(
    house: House, api: Api
) -> None:
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    put = {"order": "HF-3"}
    while_it_goes_on = await api.ask("PUT", "/calls/v1/order", put)
    assert while_it_goes_on.json() == {"call_id": "v1", **put, "recordings": ["v1-1"]}
    assert house.keeper.finished == []
    house.ended("c")
    house.conductor.on_media(RecordingClosed("v1-1"))
    assert house.keeper.facts["v1-1"]["order"] == "HF-3"
    later = await api.ask("PUT", "/calls/v1/order", {"order": "HF-4"})
    assert later.status_code == 200
    assert house.keeper.facts["v1-1"]["order"] == house.desk.call("v1").order == "HF-4"
    # A call that only the index still knows, and one that nobody does.
    house.keeper.index.append(Entry("v0-1", call_id="v0"))
    assert (await api.ask("PUT", "/calls/v0/order", put)).json()["recordings"] == ["v0-1"]
    assert house.keeper.facts["v0-1"] == put
    assert (await api.ask("PUT", "/calls/v9/order", put)).status_code == 404
    assert (await api.ask("PUT", "/calls/v1/order", {"order": ""})).status_code == 422


async def test_minutes_are_there_to_be_read(house: House, api: Api) -> None:
    (month,) = (await api.ask("GET", "/minutes")).json()
    assert (month["trunk"], month["minutes"], month["used_minutes"]) == ("ims", 20_000, 0)


def test_the_oldest_keys_are_forgotten() -> None:
    kept = Replays(most=2)
    assert [kept.once(key, "x", lambda: 1) for key in ("a", "b", "c")] == [1, 1, 1]
    assert kept.once("a", "y", lambda: 2) == 2
    with pytest.raises(NotAllowed):
        kept.once("c", "y", lambda: 3)
