"""Feature codes of agents and supervisors, tones before the answer, whose number is shown."""

import pytest

from callcore.call import events as sip
from callcore.call.placement import Party
from hotline import visit_effects as e
from hotline import visit_facts as f
from hotline.identities import Identities
from hotline.parties import Target
from media import events as media
from service.wiring import outbound_settings
from tests.hotline.flow import OUTSIDE, seat_calls, talking
from tests.hotline.house import OFFER, House, configured


def talk(house: House) -> None:
    """8001 (v1-a1) talks with a citizen (c)."""
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    house.sip.done.clear()
    house.plane.done.clear()


# Feature codes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("keys", "service"), [("#119", "119"), ("#110", "110"), ("#120", "120")])
async def test_one_key_brings_an_emergency_service_in(
    house: House, keys: str, service: str
) -> None:
    """The phone's key sends #119: no queue, no number to type."""
    talk(house)
    house.types("v1-a1", keys)
    assert house.sip.done == [("place", "v1-a2", service, "")]
    house.answered("v1-a2")
    assert ("bridge", "c", "v1-a1", "v1-a2") in house.plane.done
    assert ("record", "v1-2", "c", "v1-a2", service) in house.plane.done
    assert house.desk.call("v1").segments[-1].why == "emergency"


async def test_a_third_party_is_added_by_its_number(house: House) -> None:
    talk(house)
    house.types("v1-a1", "*68002#")
    assert house.sip.done == [("place", "v1-a2", "8002", "13800138000")]


@pytest.mark.parametrize(
    ("code", "heard"),
    [("*81", "monitor"), ("*82", "whisper"), ("*83", "barge")],
)
async def test_a_supervisor_dials_itself_into_an_agents_talk(
    house: House, code: str, heard: str
) -> None:
    talk(house)
    house.dials("boss", "9001", f"{code}8001")
    assert house.sip.done == [("answer", "boss")]
    party = house.conductor.visits["v1"].find("boss")
    assert party is not None
    assert (party.role.value, party.errand) == ("supervisor", heard)
    assert {view.user: view.state for view in house.desk.agents()}["9001"] != "ready"
    house.ended("boss")
    assert [one.who for one in house.desk.parties("v1")] == ["13800138000", "8001"]
    house.ended("c")
    assert house.conductor.visits == {}


async def test_in_the_talk_the_supervisor_goes_on_by_keys(house: House) -> None:
    """Listen, whisper, barge in, and the agent's place; the same keys of the agent do nothing."""
    talk(house)
    house.dials("boss", "9001", "*818001")
    house.types("v1-a1", "*82")
    places = []
    for keys in ("*82", "*83"):
        house.types("boss", keys)
        party = house.conductor.visits["v1"].find("boss")
        assert party is not None
        places.append(party.place.value)
    assert places == ["whisper", "talk"]
    house.types("boss", "*84")
    assert ("hang_up", "v1-a1") in house.sip.done
    assert [one.who for one in house.desk.parties("v1")] == ["13800138000", "9001"]


async def test_a_supervisor_takes_over_at_once(house: House) -> None:
    talk(house)
    house.dials("boss", "9001", "*848001")
    assert house.sip.done == [("answer", "boss"), ("hang_up", "v1-a1")]
    assert house.desk.call("v1").agent == "9001"


async def test_nobody_else_listens_and_only_to_a_talk(house: House) -> None:
    """403: no supervisor; 480: that seat does not talk; 486: it listens already."""
    house.dials("x1", "9001", "*818001")
    assert house.sip.done == [("refuse", "x1", 480)]
    talk(house)
    house.dials("x2", "8002", "*818001")
    house.dials("boss", "9001", "*818001")
    house.dials("x3", "9001", "*818001")
    assert house.sip.done == [("refuse", "x2", 403), ("answer", "boss"), ("refuse", "x3", 486)]


# Tones ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tone", "status"),
    [("busy", 486), ("congestion", 503), ("unobtainable", 404), ("special", 404)],
)
def test_a_tone_of_failure_before_the_answer_is_a_refusal(tone: str, status: int) -> None:
    """183 with a tone, and never a 486: the seat that calls is told what it was."""
    flow = seat_calls(OUTSIDE).on(f.LegRinging("v-a1", early=True))
    flow.expect(e.Discern("v-a1", True), of=(e.Discern,))
    flow.on(f.ToneHeard("v-a1", "sound"), f.ToneHeard("v-a1", "ringback")).expect()
    flow.on(f.ToneHeard("v-a1", tone))
    flow.expect(e.EndLeg("v-a1", tone), e.RefuseLeg("s", status))


def test_a_transfer_to_a_busy_tone_gives_the_citizen_back() -> None:
    flow = talking().on(f.Dial(OUTSIDE, "transfer", "v-a1", reports=True))
    flow.on(f.LegRinging("v-a2", early=True), f.ToneHeard("v-a2", "busy"))
    assert e.Report("v-a1", 486) in flow.effects
    flow.hears(c="a1", a1="c")


def test_tones_mean_nothing_once_somebody_answered() -> None:
    flow = seat_calls(OUTSIDE).on(f.LegRinging("v-a1", early=True), f.LegAnswered("v-a1"))
    assert e.Discern("v-a1", False) in flow.effects
    flow.on(f.ToneHeard("v-a1", "busy")).expect()


async def test_the_tone_is_on_the_calls_record(house: House) -> None:
    house.seat("8001")
    house.dials("s", "8001", "13800000009")
    house.conductor.on_sip(sip.Progressed("v1-a1", 183, OFFER))
    assert ("discern", "v1-a1", True) in house.plane.done
    house.conductor.on_media(media.ToneHeard("v1-a1", "unobtainable"))
    assert house.sip.done[-1] == ("refuse", "s", 404)
    record = house.desk.call("v1")
    assert record.tones == {"v1-a1": "unobtainable"}
    assert record.result == "failed"


# Minutes, identities, messages ------------------------------------------------------------------


async def test_minutes_are_counted_from_when_messages_arrived(house: House) -> None:
    """The loop came to the 200 and to the BYE late: what is charged does not change."""
    house.seat("8001")
    house.dials("s", "8001", "13800000009")
    now = house.conductor.parts.clock.now()
    house.sip.heard_at = now - 7.4
    house.answered("v1-a1")
    house.sip.heard_at = now - 1.3
    house.ended("v1-a1")
    record = house.desk.call("v1")
    assert record.outgoing_seconds == pytest.approx(6.1, abs=0.0011)
    assert record.billed_seconds == 60


RULES = """
    [[caller_ids]]
    reasons = ["emergency"]
    number = "055100000110"
    [[caller_ids]]
    classes = ["mobile"]
    queues = ["12345"]
    number = "055100000001"
    [[caller_ids]]
    reasons = ["callback"]
    withheld = true
"""


@pytest.mark.parametrize(
    ("number", "uses", "queue", "shown"),
    [
        ("119", "emergency", "12345", Party("139", ours="055100000110")),
        ("13800000009", "transfer", "12345", Party("139", ours="055100000001")),
        ("13800000009", "transfer", "", Party("139")),
        ("055112345678", "callback", "12345", Party("139", withheld=True)),
        ("055112345678", "transfer", "12345", Party("139")),
    ],
)
def test_whose_number_is_shown_is_the_first_rule_that_fits(
    number: str, uses: str, queue: str, shown: Party
) -> None:
    config = configured(RULES)
    rules = Identities(config.caller_ids, outbound_settings(config))
    assert rules.shown(Target("number", number, "ims", number), uses, queue, Party("139")) == shown


def test_a_rule_s_number_stands_for_a_withheld_one_which_is_told_in_no_other_way() -> None:
    config = configured(RULES)
    rules = Identities(config.caller_ids, outbound_settings(config))
    mobile, line = (Target("number", one, "ims", one) for one in ("13800000009", "055112345678"))
    citizen = Party("139", "139", withheld=True)
    ours = rules.shown(mobile, "transfer", "12345", citizen)
    assert ours == Party("139", "", ours="055100000001")
    assert rules.shown(line, "transfer", "12345", citizen) == citizen


async def test_a_message_becomes_a_callback_with_the_callers_place(house: House) -> None:
    """Nobody can answer: the citizen speaks, hangs up, and is called back by the queue."""
    house.call()
    house.conductor.tell("v1", f.Overflowed("closed", message=True))
    house.conductor.on_media(media.PromptsFinished("c"))
    assert ("record", "v1-1", "c", None) in house.plane.done
    house.ended("c")
    record = house.desk.call("v1")
    assert record.message
    assert record.recordings == ["v1-1"]
    (task,) = house.desk.callbacks()
    assert (task.callback, task.number, task.call_id) == (record.callback, "13800138000", "v1")
    house.seat("8001")
    assert house.sip.done[-1][2] == "8001"
