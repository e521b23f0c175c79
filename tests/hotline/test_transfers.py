"""Transfers, consultations, conferences and supervision as ladders of the visit's machine."""

import pytest

from hotline import visit_effects as e
from hotline import visit_facts as f
from hotline.errors import BadTarget, NotNow
from hotline.parties import Party, Place, Role, Stage, Target
from hotline.visit_state import Policy
from tests.hotline.flow import (
    BOOKS,
    MOBILE,
    OTHER,
    OUTSIDE,
    QUEUE,
    SEAT,
    TAPE,
    desk_calls,
    seat_calls,
    talking,
    waiting,
)

THIRD = Target("seat", "8003")
BOSS = Target("seat", "9001")


def referred(to: Target = OTHER) -> f.Dial:
    return f.Dial(to, "transfer", "v-a1", reports=True)


def test_a_blind_transfer_by_refer():
    """RFC 3515, RFC 5589 §5.

    citizen (c)       us        8001 (a1)      8002 (a2)
       |               |<-- REFER ---|            |
       |               |---- 202 --->|            |
       |<= ringback ===|-------- INVITE --------->|
       |               |<------- 180 -------------|
       |               |- NOTIFY 180>|            |
       |               |<------- 200 -------------|
       |<===== talk ==>|- NOTIFY 200>|<==========>|
       |               |---- BYE --->|  (its own comes first, or 1 s later ours)
    """
    flow = talking().on(referred())
    flow.expect(e.AcceptReferral("v-a1"), e.DialLeg("v-a2", OTHER, "transfer", SEAT))
    flow.now("transferring").hears(c="<music>").on(f.LegRinging("v-a2"))
    flow.expect(e.Report("v-a1", 180)).hears(c="<ringback>").on(f.LegAnswered("v-a2"))
    flow.expect(e.Report("v-a1", 200)).expect(e.HandedOver("8002"), of=QUEUE)
    flow.hears(c="a2", a2="c").now("talking")
    flow.expect(e.StopRecording("v-1"), e.StartRecording("v-2", "c", "v-a2"), of=TAPE)
    assert e.Arm("linger/v-a1", 1.0) in flow.effects
    flow.on(f.Fired("linger/v-a1")).expect(e.EndLeg("v-a1"))
    flow.on(f.LegEnded("v-a1", 200, "local")).expect(of=QUEUE)
    flow.on(f.LegEnded("c", 200, "remote")).expect(e.LeaveQueue(), of=QUEUE)


def test_a_phone_that_hangs_up_after_the_202_transfers_as_well():
    flow = talking().on(referred(), f.LegEnded("v-a1", 200, "remote"))
    flow.expect(e.Departed(), of=QUEUE).now("transferring")
    flow.on(f.LegAnswered("v-a2")).expect().hears(c="a2", a2="c")


@pytest.mark.parametrize("status", [486, 480, 404])
def test_a_busy_target_gives_the_citizen_back_to_the_agent(status: int):
    flow = talking().on(referred()).on(f.LegEnded("v-a2", status, "remote"))
    flow.expect(e.Report("v-a1", status)).hears(c="a1", a1="c").now("talking")
    flow.on(referred(THIRD)).expect(
        e.AcceptReferral("v-a1"), e.DialLeg("v-a3", THIRD, "transfer", SEAT)
    )


def test_a_mobile_that_hangs_up_before_its_key_is_no_success_to_the_phone_that_transferred():
    """8001 would hang up at NOTIFY 200, and the citizen would be alone."""
    flow = talking().on(referred(MOBILE), f.LegAnswered("v-a2"))
    flow.on(f.LegEnded("v-a2", 200, "remote")).expect(e.Report("v-a1", 480))
    flow.hears(c="a1", a1="c").now("talking")


@pytest.mark.parametrize("status", [200, 302, 401, 407, 422])
def test_what_a_calling_phone_could_not_use_is_480_to_it(status: int):
    """A BYE before the key, a redirection without its place, a challenge without its nonce."""
    flow = seat_calls(MOBILE).on(f.LegAnswered("v-a1"))
    flow.on(f.LegEnded("v-a1", status, "remote")).expect(e.RefuseLeg("s", 480)).now("ending")


def test_no_answer_rings_the_agent_who_left_then_the_queue():
    flow = talking().on(referred(), f.LegEnded("v-a1", 200, "remote"))
    flow.on(f.Fired("answer/v-a2"))
    flow.expect(e.EndLeg("v-a2", "no answer"), e.DialLeg("v-a3", SEAT, "return"))
    flow.on(f.LegEnded("v-a3", 486, "remote")).expect(e.Requeued(), of=QUEUE).now("waiting")
    flow.hears(c="<music>")


def test_a_transfer_that_fails_ends_where_nothing_else_is_wanted():
    flow = talking(Policy(returns=())).on(referred(), f.LegEnded("v-a1", 200, "remote"))
    flow.on(f.LegEnded("v-a2", 486, "remote")).expect(e.EndLeg("c", "nobody there"))


def test_an_attended_transfer_by_command():
    """Consult, then complete.

    citizen (c)       us         8001 (a1)      8002 (a2)
       |<= music =====|<= ringback = |---------->|
       |              |<========== talk ========>|
       |<============= talk ====================>|   a1 leaves
    """
    flow = talking().on(f.Dial(OTHER, "consult", "v-a1"), f.LegRinging("v-a2")).now("held")
    flow.hears(c="<music>", a1="<ringback>").on(f.LegAnswered("v-a2"))
    flow.hears(c="<music>", a1="a2", a2="a1").expect(of=TAPE)
    flow.on(f.Complete("v-a1")).expect(e.EndLeg("v-a1"))
    flow.expect(e.HandedOver("8002"), e.CallResumed(), of=QUEUE)
    flow.hears(c="a2", a2="c")


def test_to_complete_while_it_rings_is_a_blind_transfer():
    flow = talking().on(f.Dial(OTHER, "consult", "v-a1"), f.LegRinging("v-a2"))
    flow.on(f.Complete("v-a1")).hears(c="<ringback>").on(f.LegAnswered("v-a2"))
    flow.expect(e.EndLeg("v-a1")).hears(c="a2", a2="c")


def test_a_busy_consultation_brings_the_agent_back():
    flow = talking().on(f.Dial(OTHER, "consult", "v-a1")).on(f.LegEnded("v-a2", 486, "remote"))
    flow.hears(c="a1", a1="c")


def test_who_is_consulted_hangs_up():
    flow = talking().on(f.Dial(OTHER, "consult", "v-a1"), f.LegAnswered("v-a2"))
    flow.on(f.LegEnded("v-a2", 200, "remote")).hears(c="a1", a1="c")


def test_an_agent_who_hangs_up_in_a_consultation_leaves_the_two_together():
    flow = talking().on(f.Dial(OTHER, "consult", "v-a1"), f.LegAnswered("v-a2"))
    flow.on(f.LegEnded("v-a1", 200, "remote")).hears(c="a2", a2="c")


def test_both_hang_up_during_a_consultation():
    flow = talking().on(f.Dial(OTHER, "consult", "v-a1"), f.LegAnswered("v-a2"))
    flow.on(f.LegEnded("c", 200, "remote"), f.LegEnded("v-a1", 200, "remote"))
    flow.expect(e.EndLeg("v-a1", "caller hung up"), e.EndLeg("v-a2", "caller hung up"))
    flow.on(f.LegEnded("v-a2", 200, "local"))
    assert flow.effects[-1] == e.Gone()


def test_the_agent_goes_back_and_forth():
    flow = talking().on(f.Dial(OTHER, "consult", "v-a1"), f.LegAnswered("v-a2"))
    flow.on(f.Move("v-a1", Place.TALK)).hears(c="a1", a1="c")
    flow.on(f.Move("v-a1", Place.ASIDE)).hears(c="<music>", a1="a2", a2="a1")


def test_three_way_and_the_agent_leaves():
    flow = talking().on(f.Dial(OUTSIDE, "consult", "v-a1"), f.LegAnswered("v-a2"))
    flow.expect(e.StartMinutes("v-a2", "ims", "transfer"), of=BOOKS)
    flow.on(f.Join("v-a1")).hears(c="a1 a2", a1="c a2", a2="c a1")
    flow.expect(e.StartRecording("v-2", "c", "v-a2"), of=TAPE)
    flow.on(f.LegEnded("v-a1", 200, "remote")).hears(c="a2", a2="c")
    flow.expect(e.Departed(), of=QUEUE)
    flow.on(f.LegEnded("v-a2", 200, "remote")).expect(e.EndLeg("c"))
    flow.expect(e.StopMinutes("v-a2"), of=BOOKS)


def test_the_others_end_with_the_agent_where_that_is_wanted():
    flow = talking(Policy(agent_leaves="end"))
    flow.on(f.Dial(OUTSIDE, "invite", "v-a1"), f.LegAnswered("v-a2"))
    flow.on(f.LegEnded("v-a1", 200, "remote")).expect(e.EndLeg("c"), e.EndLeg("v-a2"))


def test_an_emergency_service_comes_into_the_talk():
    fire = Target("number", "119", "ims", "119", emergency=True)
    flow = talking(Policy(most_parties=2)).on(f.Dial(fire, "emergency", "v-a1"))
    flow.expect(e.DialLeg("v-a2", fire, "emergency", SEAT)).hears(c="a1", a1="c")
    flow.on(f.LegAnswered("v-a2")).hears(c="a1 a2", a1="c a2", a2="c a1")


def test_a_full_conference_takes_no_more():
    flow = talking(Policy(most_parties=3)).on(f.Dial(OTHER, "invite", "v-a1"))
    with pytest.raises(NotNow, match="3 parties are the most"):
        flow.on(f.Dial(THIRD, "invite", "v-a1"))


def test_supervision_from_listening_to_taking_over():
    """monitor, whisper, barge-in, take over: one leg moves from place to place."""
    flow = talking().on(f.Dial(BOSS, "monitor"), f.LegAnswered("v-a2"))
    flow.hears(c="a1", a1="c", a2="c a1").expect(of=TAPE)
    flow.on(f.Move("v-a2", Place.WHISPER)).hears(c="a1", a1="c a2", a2="c a1")
    flow.on(f.Move("v-a2", Place.TALK)).hears(c="a1 a2", a1="c a2", a2="c a1")
    flow.on(f.Remove("v-a1")).expect(e.EndLeg("v-a1", "removed")).hears(c="a2", a2="c")


def test_a_supervisor_who_only_listens_does_not_keep_the_call_up():
    flow = talking().on(f.Dial(BOSS, "monitor"), f.LegAnswered("v-a2"))
    flow.on(f.LegEnded("v-a1", 200, "remote")).expect(e.EndLeg("c"), e.EndLeg("v-a2"))


def test_a_supervisor_takes_over():
    flow = talking().on(f.Dial(BOSS, "take over", "v-a1")).on(f.LegAnswered("v-a2"))
    flow.expect(e.EndLeg("v-a1")).hears(c="a2", a2="c").expect(e.HandedOver("9001"), of=QUEUE)


def test_hold_and_mute_by_command():
    flow = talking().on(f.Move("c", Place.HOLD)).now("held").hears(c="<music>")
    flow.expect(e.CallHeld(), of=QUEUE).on(f.Move("c", Place.TALK)).hears(c="a1", a1="c")
    flow.on(f.Mute("v-a1")).hears(a1="c")
    flow.on(f.Mute("v-a1", muted=False)).hears(c="a1", a1="c")


def test_a_transfer_to_a_queue_keeps_the_citizen_and_frees_the_agent():
    flow = talking().on(f.Enqueue("english", "v-a1")).expect(e.EndLeg("v-a1", "transferred"))
    flow.expect(e.Requeued("english"), of=QUEUE).now("waiting").hears(c="<music>")


def test_a_seat_calls_another():
    """8001 calls 8002; its INVITE is answered when the other one answers."""
    flow = seat_calls(OTHER).expect(e.DialLeg("v-a1", OTHER, "callee", SEAT)).now("ringing")
    flow.on(f.LegRinging("v-a1")).expect(e.ProgressLeg("s"))
    flow.on(f.LegAnswered("v-a1")).expect(e.AnswerLeg("s")).hears(s="a1", a1="s")
    flow.expect(of=TAPE).on(f.LegEnded("s", 200, "remote")).expect(e.EndLeg("v-a1"))


def test_a_seat_calls_out_with_early_media():
    flow = seat_calls(OUTSIDE).on(f.LegRinging("v-a1", early=True))
    flow.expect(e.ProgressLeg("s", media=True)).hears(s="a1")
    flow.on(f.LegEnded("v-a1", 486, "remote")).expect(e.RefuseLeg("s", 486)).now("ending")


def test_click_to_call_rings_the_agent_first():
    flow = desk_calls(SEAT, OUTSIDE).expect(e.DialLeg("v-a1", SEAT, "desk"))
    flow.on(f.LegAnswered("v-a1")).expect(e.DialLeg("v-a2", OUTSIDE, "callee", SEAT))
    flow.on(f.LegRinging("v-a2")).hears(a1="<ringback>").on(f.LegAnswered("v-a2"))
    flow.hears(a1="a2", a2="a1").expect(e.StartRecording("v-1", "v-a2", "v-a1"), of=TAPE)


def test_an_attended_transfer_between_two_calls_of_one_phone():
    """RFC 5589 §7: the far end of the phone's other call (b) is adopted."""
    other = Party("b", Role.AGENT, OTHER, Stage.UP, Place.TALK, "callee")
    flow = talking().on(f.Adopt("v-a1", (other,)))
    flow.expect(e.AcceptReferral("v-a1"), e.Report("v-a1", 200)).hears(c="b", b="c")
    flow.expect(e.HandedOver("8002"), of=QUEUE)
    gives = seat_calls(OTHER).on(f.LegAnswered("v-a1")).on(f.Yield("s"))
    gives.expect(e.HandOver(("v-a1",)), e.EndLeg("s", "transferred")).now("ending")
    assert e.CloseMedia("v-a1") not in gives.effects


def test_a_pick_up_by_replaces():
    flow = talking().on(f.Replaced("v-a1", "n", OTHER)).expect(e.EndLeg("v-a1", "replaced"))
    flow.hears(c="n", n="c").expect(e.HandedOver("8002"), of=QUEUE)


@pytest.mark.parametrize(
    "command",
    [
        f.Dial(OTHER, "transfer", "v-a1"),
        f.Complete("v-a1"),
        f.Join("v-a1"),
        f.Move("c", Place.HOLD),
        f.Mute("c"),
        f.Remove("c"),
        f.Enqueue("x", "v-a1"),
    ],
)
def test_nothing_can_be_done_with_who_waits(command: f.Command):
    with pytest.raises(NotNow, match="waiting"):
        waiting().on(command)


def test_commands_that_do_not_fit_the_talk():
    flow = talking()
    for command in (f.Complete("v-a1"), f.Join("v-a1"), f.Move("v-a1", Place.ASIDE)):
        with pytest.raises(NotNow, match="nobody is consulted"):
            flow.on(command)
    with pytest.raises(BadTarget, match="8001 takes part already"):
        flow.on(f.Dial(SEAT, "transfer", "v-a1"))
    flow.on(f.Dial(OTHER, "consult", "v-a1"))
    with pytest.raises(NotNow, match="transfers or consults already"):
        flow.on(f.Dial(THIRD, "transfer", "v-a1"))
