"""Wrong passwords: written down, and not listened to for ever."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from config.access import Account
from config.passwords import password_hash
from desk import tries
from desk.passwords import SESSION
from desk.tries import OF_A_NAME, OF_AN_ADDRESS, WINDOW_SECONDS, TooManyTries, Tries
from hotline.commands import Unavailable
from tests.desk.paper import PaperArchive, PaperHotline, app_of

LI = Account(
    name="li",
    role="supervisor",
    password_hash=password_hash("li" * 10, b"0123456789abcdef"),
)


def fail(counted: Tries, times: int, name: str = "li", source: str = "10.0.0.1") -> None:
    for _ in range(times):
        counted.check(name, source, 0.0)
        counted.wrong(name, source, 0.0)


def test_a_name_has_so_many_tries_from_an_address_and_others_have_theirs() -> None:
    counted = Tries()
    fail(counted, OF_A_NAME - 1)
    counted.right("li", "10.0.0.1")
    fail(counted, OF_A_NAME)
    with pytest.raises(TooManyTries) as refused:
        counted.check("li", "10.0.0.1", WINDOW_SECONDS - 30)
    assert refused.value.headers == {"Retry-After": "30"}
    counted.check("li", "10.0.0.2", 0.0)
    counted.check("wang", "10.0.0.1", 0.0)
    counted.check("li", "10.0.0.1", WINDOW_SECONDS)


def test_an_address_that_goes_through_the_names_is_shut_out_too() -> None:
    counted = Tries()
    for number in range(OF_AN_ADDRESS):
        fail(counted, 1, name=f"n{number}")
    with pytest.raises(TooManyTries):
        counted.check("another", "10.0.0.1", 1.0)
    counted.right("li", "10.0.0.1")
    with pytest.raises(TooManyTries):
        counted.check("another", "10.0.0.1", 1.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 40)), max_size=200))
def test_in_no_window_is_a_name_listened_to_more_often_than_twice_its_tries(
    steps: list[tuple[int, float]],
) -> None:
    """Twice, for a window begins with its first try; whatever else is tried in between."""
    counted, now, listened = Tries(), 0.0, []
    for who, pause in steps:
        now += pause
        try:
            counted.check(f"n{who}", "a", now)
        except TooManyTries:
            continue
        counted.wrong(f"n{who}", "a", now)
        listened.append((who, now))
    for who, at in listened:
        near = [one for one in listened if one[0] == who and 0 <= one[1] - at < WINDOW_SECONDS]
        assert len(near) <= 2 * OF_A_NAME


def test_a_flood_of_names_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "MOST", 100)
    counted = Tries()
    for number in range(1000):
        counted.wrong(f"n{number}", f"10.0.{number}", 0.0)
    assert len(counted._wrong) == 100


class Log(PaperArchive):
    """What was written down."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.is_away = False

    async def note(self, accesses: list[Any]) -> None:
        if self.is_away:
            raise Unavailable("the database is away")
        self.lines += accesses


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def desk(hotline: PaperHotline, log: Log) -> Any:
    app = app_of(hotline, accounts=(LI,))
    app.state.door.archive = log
    with TestClient(app) as client:
        yield client


def test_a_wrong_password_is_in_the_audit_log_and_too_many_are_answered_429(
    desk: TestClient, log: Log
) -> None:
    for _ in range(OF_A_NAME):
        assert desk.get("/", auth=("li\0", "x" * 10)).status_code == 401
    refused = desk.get("/", auth=("li\0", "x" * 10))
    assert refused.status_code == 429
    assert refused.json()["code"] == "too_many_tries"
    assert 1 <= int(refused.headers["Retry-After"]) <= WINDOW_SECONDS
    assert [(one.who, one.action, one.source) for one in log.lines] == [
        ("li", "refused", "testclient")
    ] * OF_A_NAME
    assert "no more" in log.lines[-1].detail
    assert not any("no more" in one.detail for one in log.lines[:-1])
    assert "x" * 10 not in str(log.lines)
    # Who is in stays in, and whoever knows the password of another name comes in.
    assert desk.get("/", auth=("li", "li" * 10)).status_code == 200


def test_who_is_remembered_is_not_shut_out_by_somebody_else(desk: TestClient, log: Log) -> None:
    assert desk.get("/", auth=("li", "li" * 10)).status_code == 200
    (session,) = desk.cookies.values()
    desk.cookies.clear()
    for _ in range(OF_A_NAME + 1):
        last = desk.get("/", auth=("li", "wrong" * 4))
    assert last.status_code == 429
    assert desk.get("/", auth=("li", "li" * 10)).status_code == 200  # known to be right
    desk.cookies = {SESSION: session}
    assert desk.get("/").status_code == 200


def test_where_the_log_cannot_be_written_a_wrong_password_is_still_wrong(
    desk: TestClient, log: Log
) -> None:
    log.is_away = True
    assert desk.get("/", auth=("li", "x" * 10)).status_code == 401
