"""What a member unit's token sees, and what it may have done: cases, never numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.access import Account
from desk.app import create_app
from desk.masking import hidden, masked
from tests.desk.test_calls import NO_ARCHIVE, Answer, Api
from tests.hotline.house import House


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13900001111", "139****1111"),
        ("055165551234", "055****1234"),
        ("65551234", "65****34"),
        ("8001", "8001"),
        ("anonymous", "anonymous"),
    ],
)
def test_a_number_keeps_its_ends(number: str, shown: str) -> None:
    assert masked(number) == shown


@given(st.text("0123456789", min_size=5, max_size=20))
def test_no_number_comes_through_whole(number: str) -> None:
    document: Any = {"calls": [{"caller": number, "segments": [{"who": number}]}], "order": number}
    shown = hidden(document)
    assert number not in str(shown["calls"])
    assert shown["order"] == number


UNIT = "the-street-office-s-token"


class Asking(Api):
    """With a token."""

    def __init__(self, house: House) -> None:
        unit = Account(name="street-office", token=SecretStr(UNIT), role="unit")
        super().__init__(create_app(house.desk, NO_ARCHIVE, token="all", accounts=(unit,)))

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
    for path in ("/recordings", "/me", "/quality/tasks", "/agents", "/callers/marks", "/live"):
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
    assert (await api.by(UNIT, "POST", path, by="a", why="b")).status_code == 403
    assert (await api.by("all", "POST", path, by="a")).status_code == 422
    shown = await api.by("all", "POST", path, by="8001", why="call was cut off")
    assert shown.json() == {"caller": "13800138000", "called": "12345"}
