"""Calls that are moved at an awkward moment: nobody is left on hold, alone, or to nobody."""

import pytest

from hotline import visit_effects as e
from hotline import visit_facts as f
from hotline.errors import NotNow
from hotline.parties import Place, Role, Target
from hotline.visit import begin
from hotline.visit_state import Phase, Policy
from tests.hotline.flow import OTHER, OUTSIDE, QUEUE, SEAT, Flow, seat_calls, talking, waiting

BOSS = Target("seat", "9001")
HOLD, TALK = f.Move("c", Place.HOLD), Place.TALK


def on_hold() -> Flow:
    """8001 (a1) keeps the citizen (c) on hold."""
    return talking().on(HOLD).now("held").hears(c="<music>")


def test_a_blind_transfer_from_hold_is_a_talk_with_the_target():
    flow = on_hold().on(f.Dial(OTHER, "transfer", "v-a1"), f.LegRinging("v-a2"))
    flow.now("transferring").hears(c="<ringback>")
    flow.on(f.LegAnswered("v-a2")).now("talking").hears(c="a2", a2="c")


def test_a_transfer_from_hold_that_fails_is_a_talk_with_the_agent_again():
    flow = on_hold().on(f.Dial(OTHER, "transfer", "v-a1"), f.LegEnded("v-a2", 486, "remote"))
    flow.now("talking").hears(c="a1", a1="c")


def test_an_attended_transfer_from_hold_is_a_talk_with_the_one_consulted():
    flow = on_hold().on(f.Dial(OTHER, "consult", "v-a1"), f.LegAnswered("v-a2"))
    flow.on(f.Complete("v-a1")).now("talking").hears(c="a2", a2="c")


def test_a_transfer_to_a_queue_from_hold_is_a_talk_with_the_next_agent():
    flow = on_hold().on(f.Mute("c"), f.Enqueue("q", "v-a1"), f.LegEnded("v-a1", 200, "local"))
    flow.on(f.Offered(OTHER, "t2"), f.LegAnswered("v-a2")).hears(c="a2", a2="c")


def test_an_agent_who_dies_with_the_citizen_on_hold_does_not_leave_it_there():
    flow = on_hold().on(f.LegEnded("v-a1", 408, "timeout")).expect(e.AgentLost(), of=QUEUE)
    flow.on(f.Offered(OTHER, "t2"), f.LegAnswered("v-a2")).hears(c="a2", a2="c")


def test_nobody_is_on_hold_once_no_agent_is_there_to_end_it():
    flow = talking().on(f.Dial(OUTSIDE, "invite", "v-a1"), f.LegAnswered("v-a2")).on(HOLD)
    flow.on(f.LegEnded("v-a1", 200, "remote")).now("talking").hears(c="a2", a2="c")


@pytest.mark.parametrize("first", ["monitor", "whisper", "barge"])
def test_a_supervisor_who_listens_already_takes_over(first: str):
    """citizen (c), 8001 (a1), 9001 (a2): a1 leaves, the talk goes on."""
    flow = talking().on(f.Dial(BOSS, first, ""), f.LegAnswered("v-a2"))
    flow.on(f.TakeOver("v-a2")).expect(e.HandedOver("9001"), of=QUEUE)
    flow.expect(e.EndLeg("v-a1")).now("talking").hears(c="a2", a2="c")
    boss = flow.visit.find("v-a2")
    assert boss is not None
    assert boss.role is Role.AGENT
    with pytest.raises(NotNow, match="no agent"):
        flow.on(f.TakeOver("v-a2"))


def test_who_was_consulted_is_not_left_aside_when_the_agent_is_taken_over():
    flow = talking().on(f.Dial(OTHER, "consult", "v-a1"), f.LegAnswered("v-a2"))
    flow.on(f.Dial(BOSS, "take over", "v-a1"), f.LegAnswered("v-a3"))
    flow.hears(c="a2 a3", a2="c a3", a3="c a2")


@pytest.mark.parametrize("order", [f.Complete("v-a1"), f.Join("v-a1")])
def test_a_consultation_is_completed_from_the_talk_as_well(order: f.Command):
    """The agent went back to the citizen to say who comes."""
    flow = talking().on(f.Dial(OTHER, "consult", "v-a1"), f.LegAnswered("v-a2"))
    flow.on(f.Move("v-a1", TALK)).on(order)
    found = flow.visit.find("v-a2")
    assert found is not None
    assert found.place is TALK


def callback(order: str) -> Flow:
    """The queue's: the agent first (a1, then a2), or the citizen."""
    first, then, errand = SEAT, OUTSIDE, "desk"
    if order == "citizen_first":
        first, then, errand = OUTSIDE, SEAT, "called back"
    flow = Flow(begin("v", Policy(survey=False), in_queue=True))
    return flow.on(f.Dial(first, errand, then=then, token="t1"), f.LegAnswered("v-a1"))


@pytest.mark.parametrize("order", ["agent_first", "citizen_first"])
def test_a_callback_that_the_queue_gives_up_leaves_nobody_alone(order: str):
    """The one is here, the other rings when the queue's time is over."""
    flow = callback(order).on(f.OfferCancelled("t1", "not bridged"))
    flow.expect(e.EndLeg("v-a1", "not bridged"), e.EndLeg("v-a2", "not bridged"))
    assert flow.visit.phase is Phase.ENDING


def test_an_agent_who_hangs_up_before_the_citizen_answers_spends_no_attempt():
    flow = callback("agent_first").on(f.LegEnded("v-a1", 200, "remote"))
    flow.expect(e.RefuseOffer("t1", 480), e.CallOver(), of=QUEUE).expect(e.EndLeg("v-a2"))


def test_a_ringing_offer_that_is_picked_up_is_the_queue_s_answer():
    """RFC 3891 §3: 8002 (x) takes what rings at 8001 (a1)."""
    flow = waiting().on(f.Offered(SEAT, "t1"), f.LegRinging("v-a1"))
    flow.on(f.Replaced("v-a1", "v-x", OTHER)).expect(e.EndLeg("v-a1", "replaced"))
    flow.expect(e.AcceptOffer("t1"), e.CallBridged("8002"), e.HandedOver("8002"), of=QUEUE)
    flow.now("talking").hears(c="x", x="c")


def test_a_callback_whose_agent_is_replaced_before_its_citizen_answers_is_made():
    """RFC 3891: 8002 (x) takes the place of 8001 (a1), who waits for the citizen (a2)."""
    flow = Flow(begin("v", Policy(), in_queue=True))
    flow.on(f.Dial(SEAT, "desk", then=OUTSIDE, token="t1"), f.LegAnswered("v-a1"))
    flow.on(f.Replaced("v-a1", "v-x", OTHER)).expect(e.HandedOver("8002"), of=QUEUE)
    flow.on(f.LegAnswered("v-a2")).expect(e.CallBridged("8002"), of=QUEUE)
    flow.now("talking").hears(x="a2", a2="x")


def test_who_took_a_callback_over_and_leaves_before_its_citizen_answers_spends_no_attempt():
    flow = Flow(begin("v", Policy(), in_queue=True))
    flow.on(f.Dial(SEAT, "desk", then=OUTSIDE, token="t1"), f.LegAnswered("v-a1"))
    flow.on(f.Dial(BOSS, "take over", "v-a1"), f.LegAnswered("v-a3"))
    flow.expect(e.HandedOver("9001"), of=QUEUE).on(f.LegEnded("v-a1", 200, "local"))
    flow.on(f.LegEnded("v-a3", 200, "remote"))
    flow.expect(e.RefuseOffer("t1", 480), e.CallOver(), of=QUEUE).expect(e.EndLeg("v-a2"))


def test_a_ringing_call_that_is_picked_up_answers_whoever_called():
    flow = seat_calls(OTHER).on(f.LegRinging("v-a1"))
    flow.on(f.Replaced("v-a1", "v-x", Target("seat", "8003")))
    flow.expect(e.EndLeg("v-a1", "replaced"), e.AnswerLeg("s")).hears(s="x", x="s")


def test_a_phone_that_takes_the_place_of_a_holding_one_does_not_hold():
    flow = talking().on(f.LegHeld("v-a1")).now("held")
    flow.on(f.Replaced("v-a1", "v-x", OTHER)).now("talking").hears(c="x", x="c")


def test_who_has_not_answered_yet_cannot_be_sent_to_a_queue():
    """8001 called a citizen whose phone rings: nobody is rung for whom nobody talks to."""
    flow = seat_calls(OUTSIDE).on(f.LegRinging("v-a1"))
    with pytest.raises(NotNow):
        flow.on(f.Enqueue("12345", "s"))
    flow = Flow(begin("v", Policy(), in_queue=True))
    flow.on(f.Dial(SEAT, "desk", then=OUTSIDE, token="t1"), f.LegAnswered("v-a1"))
    with pytest.raises(NotNow, match="only a citizen alone with an agent"):
        flow.on(f.Enqueue("12345", "v-a1"))


@pytest.mark.parametrize("end", [f.LegSilent("c"), f.HangUp("drain"), f.Fired("message/")])
def test_a_message_is_taken_however_the_call_ends(end: f.Event):
    flow = waiting(Policy(message=True)).on(f.Overflowed("max_wait"), f.PromptsEnded("c"))
    assert e.MessageTaken() in flow.on(end).effects


def test_an_answer_without_common_codec_is_charged_by_the_trunk():
    flow = talking().on(f.Dial(OUTSIDE, "invite", "v-a1"), f.LegUnfit("v-a2", 488))
    assert e.AnsweredInVain("v-a2") in flow.effects
