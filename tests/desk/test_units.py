"""What a member unit's token sees, and what it may have done: cases, never numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.access import Account
from desk.app import create_app
from desk.masking import hidden, masked
from hotline.recording_commands import Access
from tests.desk.test_calls import Answer, Api
from tests.hotline.house import House


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13900001111", "139****1111"),
        ("055165551234", "055****1234"),
        ("65551234", "65****34"),
        ("8001", "8001"),
        ("anonymous", "anonymous"),
        ("+86 138-0013-8000", "+86****8000"),
        ("sip:13800138000@h", "sip:138****8000@h"),
    ],
)
def test_a_number_keeps_its_ends(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_of_a_withheld_number_not_even_the_ends_are_shown() -> None:
    shown = hidden({"caller": "13800138000", "called": "12345", "agent": "8001", "withheld": True})
    assert shown == {"caller": "****", "called": "****", "agent": "8001", "withheld": True}


@given(st.text("0123456789", min_size=5, max_size=20))
def test_no_number_comes_through_whole(number: str) -> None:
    document: Any = {"calls": [{"caller": number, "segments": [{"who": number}]}], "order": number}
    shown = hidden(document)
    assert number not in str(shown["calls"])
    assert shown["order"] == number


UNIT = "the-street-office-s-token"


FLOOR, TRUSTED = "the-floor-s-own-token", "the-other-office-s-token"


class Log:
    """The audit log's lines, as the archive is told them."""

    def __init__(self) -> None:
        self.lines: list[Access] = []

    async def note(self, accesses: list[Access]) -> None:
        self.lines += accesses


class Asking(Api):
    """With a token."""

    def __init__(self, house: House) -> None:
        self.log = Log()
        accounts = (
            Account(name="street-office", token=SecretStr(UNIT), role="unit"),
            Account(name="other", token=SecretStr(TRUSTED), role="unit", rights=("reveal",)),
            Account(name="8001", token=SecretStr(FLOOR), role="agent", rights=("operate",)),
        )
        archive: Any = self.log
        super().__init__(create_app(house.desk, archive, token="all", accounts=accounts))

    async def by(self, token: str, method: str, path: str, **body: Any) -> Answer:
        return await self.ask(method, path, body or None, token=token)


async def test_a_unit_sees_cases_and_has_citizens_called_by_them(house: House) -> None:
    api = Asking(house)
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    record = house.desk.call("v1")
    record.order = "HF-7"
    (seen,) = (await api.by(UNIT, "GET", "/calls")).json()
    assert seen["caller"] == "138****8000"
    assert seen["order"] == "HF-7"
    assert (await api.by("all", "GET", "/calls/v1")).json()["caller"] == "13800138000"
    me = (await api.by(UNIT, "GET", "/me")).json()
    assert me == {"name": "street-office", "rights": [], "seat": None, "unit": True}
    for path in ("/recordings", "/quality/tasks", "/agents", "/callers/marks", "/live"):
        assert (await api.by(UNIT, "GET", path)).status_code == 403
    refused = await api.by(UNIT, "POST", "/calls", agent="8001", to="13800138000")
    assert refused.status_code == 403
    assert (await api.ask("POST", "/calls", [1], token=UNIT)).status_code == 422
    assert (await api.by("none", "GET", "/calls")).status_code == 401
    house.ended("c")
    house.sip.done.clear()
    placed = await api.by(UNIT, "POST", "/calls", agent="8001", order="HF-7")
    assert placed.status_code == 201
    assert placed.json()["called"] == "138****8000"
    assert placed.json()["follows"] == "v1"
    house.answered("v2-a1")
    assert [one[2] for one in house.sip.done] == ["8001", "13800138000"]
    house.answered("v2-a2")
    house.ended("v2-a2")
    assert list(house.conductor.parts.accounts.status()[0].by_use) == ["callback"]


async def test_a_case_that_is_not_there_is_404_and_two_at_once_are_422(house: House) -> None:
    api = Asking(house)
    house.seat("8001")
    for case in ({"order": "x"}, {"callback": "x"}, {"call": "x"}):
        assert (await api.by("all", "POST", "/calls", agent="8001", **case)).status_code == 404
    both = await api.by("all", "POST", "/calls", agent="8001", order="x", to="8002")
    assert both.status_code == 422


async def test_a_number_is_revealed_to_who_says_why(house: House) -> None:
    api = Asking(house)
    house.call()
    path = "/calls/v1/reveal"
    for token in (UNIT, FLOOR):
        assert (await api.by(token, "POST", path, by="a", why="b")).status_code == 403
    assert api.log.lines == []
    assert (await api.by("all", "POST", path, by="a")).status_code == 422
    shown = await api.by("all", "POST", path, by="8001", why="call was cut off")
    assert shown.json() == {"caller": "13800138000", "called": "12345"}
    assert (await api.by(TRUSTED, "POST", path, by="other", why="court")).status_code == 200
    said = [(one.who, one.action, one.reason, one.detail) for one in api.log.lines]
    assert said == [
        ("operator", "revealed", "call was cut off", "call v1, for 8001"),
        ("other", "revealed", "court", "call v1, for other"),
    ]


async def test_whoever_may_not_reveal_reads_masked_numbers(house: House) -> None:
    """An agent's account with the right `operate`: calls, callbacks and marks, by any path."""
    api = Asking(house)
    house.seat("8001")
    house.call()
    mark = {"kind": "nuisance", "by": "8001"}
    marked = await api.by(FLOOR, "PUT", "/callers/13900001111/mark", **mark)
    answers = [await api.by(FLOOR, "GET", f"/calls{end}") for end in ("", "/v1", "/v1/parties")]
    answers += [marked, await api.by(FLOOR, "GET", "/callers/marks")]
    answers += [await api.by(FLOOR, "POST", "/calls/v1/mark", priority=1)]
    for answer in answers:
        assert answer.status_code == 200
        assert "****" in answer.text
        assert "13800138000" not in answer.text
        assert "13900001111" not in answer.text


async def test_an_agent_s_account_acts_for_its_own_seat_and_for_no_supervisor(
    house: House,
) -> None:
    api = Asking(house)
    house.seat("8001")
    house.seat("8002")
    for user, body in (("8002", {}), ("8001", {"by": "boss"})):
        wanted = {"state": "not_ready", "reason": "x", **body}
        assert (await api.by(FLOOR, "POST", f"/agents/{user}/state", **wanted)).status_code == 403
    blocked = {"kind": "blocked", "by": "8001"}
    refused = await api.by(FLOOR, "PUT", "/callers/13900001111/mark", **blocked)
    assert refused.status_code == 403
    assert (await api.by(FLOOR, "POST", "/calls", agent="8002", to="119")).status_code == 403
    own = await api.by(FLOOR, "POST", "/agents/8001/state", state="not_ready", reason="x")
    assert own.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/calls", {"agent": "8001", "to": "13900001111"}),
        ("POST", "/agents/8001/state", {"state": "ready"}),
        ("DELETE", "/callbacks/callback-1", {}),
        ("PUT", "/callers/13900001111/mark", {"kind": "vip", "by": "x"}),
    ],
)
async def test_a_node_that_does_not_lead_decides_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: dict[str, str]
) -> None:
    monkeypatch.setattr(house.conductor.parts.queueing, "leads", lambda: False)
    assert (await Asking(house).by("all", method, path, **body)).status_code == 503
