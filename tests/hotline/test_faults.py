"""What goes wrong with calls under way: two hang up at once, packages that are used up."""

import pytest

from hotline import visit_effects as e
from hotline import visit_facts as f
from hotline.commands import CallAction, NotAllowed, UnknownThing, WrongState
from tests.hotline.flow import OUTSIDE, talking
from tests.hotline.house import House, configured

HARD = """
[minutes]
unit_seconds = 60
hard_stop = true
"""


@pytest.mark.parametrize("first", ["c", "v-a1", "v-a2"])
@pytest.mark.parametrize("second", ["c", "v-a1", "v-a2"])
def test_any_two_hang_up_at_once_in_a_consultation(first: str, second: str) -> None:
    """Whichever BYE comes first: nothing is left, each minute is counted once."""
    if first == second:
        return
    flow = talking().on(f.Dial(OUTSIDE, "consult", "v-a1"), f.LegAnswered("v-a2"))
    stops = 0
    for leg in (first, second, *({"c", "v-a1", "v-a2"} - {first, second})):
        flow.on(f.LegEnded(leg, 200, "remote"))
        stops += sum(isinstance(one, e.StopMinutes) for one in flow.effects)
    assert flow.visit.parties == ()
    assert e.Gone() in flow.effects
    assert stops == 1


async def test_a_hard_stop_refuses_all_but_emergencies() -> None:
    """The package is used up to the last minute: a mobile is not called, 119 is."""
    house = House(configured(HARD))
    try:
        accounts = house.conductor.parts.accounts
        month = 20_000 * 60_000
        now_ms = house.conductor.parts.clock.wall_ms()
        accounts.begin("x", "ims", "outbound", now_ms - month)
        assert accounts.end("x", now_ms) is not None
        house.seat("8001")
        house.call()
        house.answered("v1-a1")
        house.sip.done.clear()
        house.desk.act("v1", CallAction("transfer", "13800000009"))
        assert house.sip.done == []
        assert house.desk.call("v1").state == "talking"
        house.desk.act("v1", CallAction("emergency", "119"))
        assert [one[2] for one in house.sip.done] == ["119"]
    finally:
        house.close()


async def test_what_cannot_be_done_names_the_state(house: House) -> None:
    """404, 409 and 422 of the desk."""
    with pytest.raises(UnknownThing):
        house.desk.act("v9", CallAction("hold"))
    house.call()
    with pytest.raises(WrongState, match="waiting"):
        house.desk.act("v1", CallAction("transfer", "8002", party="citizen"))
    house.seat("8001")
    house.answered("v1-a1")
    with pytest.raises(NotAllowed, match="takes part already"):
        house.desk.act("v1", CallAction("transfer", "8001"))
    with pytest.raises(WrongState, match="nobody is consulted"):
        house.desk.act("v1", CallAction("complete"))
    house.ended("c")
    with pytest.raises(WrongState, match="has ended"):
        house.desk.act("v1", CallAction("hold"))


async def test_a_seat_that_calls_itself_is_busy(house: House) -> None:
    house.seat("8001")
    house.dials("s", "8001", "8001")
    assert house.sip.done == [("refuse", "s", 486)]
    assert house.conductor.visits == {}
