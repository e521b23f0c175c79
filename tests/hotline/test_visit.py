"""The visit's machine, told as call flows: the queue's part."""

from hotline import visit_effects as e
from hotline import visit_facts as f
from hotline.parties import Stage
from tests.hotline.flow import MOBILE, OTHER, QUEUE, SEAT, SOUND, TAPE, talking, waiting

ELSEWHERE = "Call completed elsewhere"


def test_a_call_is_answered_talked_and_ended_by_the_caller():
    """The main job.

    caller           us            agent
      |--- INVITE --->|--- INVITE --->|
      |               |<---- 200 -----|
      |<== talk =====>|<=============>|
      |---- BYE ----->|---- BYE ----->|
    """
    flow = waiting().expect(e.Play("c", "welcome"), of=SOUND).expect(e.JoinQueue(), of=QUEUE)
    flow.now("waiting").on(f.Offered(SEAT, "t1")).expect(e.DialLeg("v-a1", SEAT, "offer"))
    flow.now("ringing").on(f.LegAnswered("v-a1"))
    hears = (("c", ("v-a1",)), ("v-a1", ("c",)))
    flow.expect(e.StopPlay("c"), e.Arrange(hears), of=SOUND)
    flow.expect(e.AcceptOffer("t1"), e.CallBridged("8001"), of=QUEUE)
    flow.expect(e.StartRecording("v-1", "c", "v-a1"), of=TAPE)
    flow.now("talking").on(f.LegEnded("c", 200, "remote"))
    flow.expect(e.EndLeg("v-a1", "caller hung up")).expect(e.LeaveQueue(), of=QUEUE)
    flow.expect(e.StopRecording("v-1"), of=TAPE).now("ending")
    flow.on(f.LegEnded("v-a1", 200, "local"))
    assert flow.effects == [e.CloseMedia("v-a1"), e.Gone()]


def test_the_agent_hangs_up_first():
    flow = talking().on(f.LegEnded("v-a1", 200, "remote")).expect(e.EndLeg("c"))
    flow.expect(e.Departed(), e.CallOver(), of=QUEUE).now("ending")
    flow.on(f.LegEnded("c", 200, "local"))
    assert flow.effects == [e.CloseMedia("c"), e.Gone()]


def test_a_caller_who_hangs_up_while_waiting_leaves_the_queue():
    flow = waiting().on(f.LegEnded("c", 200, "remote")).expect(e.LeaveQueue(), of=QUEUE)
    assert flow.effects[-1] == e.Gone()


def test_a_caller_who_hangs_up_while_it_rings_cancels_the_offer():
    flow = waiting().on(f.Offered(SEAT, "t1")).on(f.LegEnded("c", 200, "remote"))
    flow.expect(e.EndLeg("v-a1", "caller hung up")).expect(e.LeaveQueue(), of=QUEUE)


def test_no_answer_goes_back_and_the_next_offer_is_a_new_leg():
    flow = waiting().on(f.Offered(SEAT, "t1")).on(f.OfferCancelled("t1"))
    flow.expect(e.EndLeg("v-a1", "no answer")).now("waiting").on(f.Offered(OTHER, "t2"))
    flow.expect(e.DialLeg("v-a2", OTHER, "offer")).on(f.LegEnded("v-a1", 487, "local"))
    flow.expect(of=QUEUE).now("ringing")


def test_a_200_that_crosses_the_cancel_is_not_bridged():
    flow = waiting().on(f.Offered(SEAT, "t1"), f.OfferCancelled("t1"))
    flow.on(f.LegAnswered("v-a1"))
    assert flow.effects == []


def test_a_cancel_of_an_older_offer_does_not_touch_the_new_one():
    flow = waiting().on(f.Offered(SEAT, "t1"), f.OfferCancelled("t1"), f.Offered(OTHER, "t2"))
    flow.on(f.OfferCancelled("t1")).expect().now("ringing")


def test_a_busy_phone_refuses_the_offer_with_its_status():
    flow = waiting().on(f.Offered(SEAT, "t1")).on(f.LegEnded("v-a1", 486, "remote"))
    flow.expect(e.RefuseOffer("t1", 486), of=QUEUE).now("waiting").hears(c="<welcome>")


def test_an_answer_without_common_codec_is_ended_and_refused():
    flow = waiting().on(f.Offered(SEAT, "t1")).on(f.LegUnfit("v-a1", 488))
    flow.expect(e.EndLeg("v-a1")).expect(e.RefuseOffer("t1", 488), of=QUEUE).now("waiting")


def test_two_phones_race_and_the_first_to_answer_has_the_call():
    """A mobile is rung beside the queue's own offer.

    citizen        us         8001       mobile of 8003
       |            |-- INVITE ->|            |
       |            |-------- INVITE -------->|
       |            |<------- 200, key 1 -----|
       |            |-- CANCEL ->|            |   completed elsewhere
    """
    flow = waiting().on(f.Offered(SEAT, "t1"), f.Offered(MOBILE, "t2", "overflow"))
    flow.on(f.LegAnswered("v-a2")).expect().now("ringing").hears(c="<welcome>", a2="<confirm>")
    flow.on(f.Digit("v-a2", "5")).expect().on(f.Digit("v-a2", "1"))
    flow.expect(e.EndLeg("v-a1", ELSEWHERE)).hears(c="a2", a2="c")
    flow.expect(e.AcceptOffer("t2"), e.CallBridged("8003"), of=QUEUE)
    flow.on(f.OfferCancelled("t1", ELSEWHERE)).expect().now("talking")


def test_the_agent_is_faster_than_the_mobile():
    flow = waiting().on(f.Offered(SEAT, "t1"), f.Offered(MOBILE, "t2", "overflow"))
    flow.on(f.LegAnswered("v-a1")).expect(e.EndLeg("v-a2", ELSEWHERE)).hears(c="a1", a1="c")


def test_nobody_presses_the_key_at_the_mobile():
    flow = waiting().on(f.Offered(MOBILE, "t1"), f.LegAnswered("v-a1"))
    assert e.Arm("confirm/v-a1", 10.0) in flow.effects
    flow.on(f.Fired("confirm/v-a1")).expect(e.EndLeg("v-a1", "no answer"))
    flow.expect(e.RefuseOffer("t1", 480), of=QUEUE).now("waiting")


def test_an_agent_whose_phone_dies_loses_the_call_not_the_caller():
    flow = talking().on(f.LegSilent("v-a1")).expect(e.EndLeg("v-a1", "media timeout"))
    flow.expect(e.AgentLost(), of=QUEUE).now("waiting").hears(c="<music>")
    flow.expect(e.StopRecording("v-1"), of=TAPE)


def test_an_agent_whose_signalling_dies_loses_the_call_not_the_caller():
    flow = talking().on(f.LegEnded("v-a1", 408, "timeout")).now("waiting").hears(c="<music>")
    flow.expect(e.AgentLost(), of=QUEUE)
    flow.on(f.Offered(OTHER, "t2"), f.LegAnswered("v-a2")).now("talking")
    flow.expect(e.StartRecording("v-2", "c", "v-a2"), of=TAPE)


def test_a_dead_caller_ends_the_talk():
    flow = talking().on(f.LegSilent("c"))
    flow.expect(e.EndLeg("c", "media timeout"), e.EndLeg("v-a1", "media timeout"))
    flow.expect(e.CallOver(), of=QUEUE)


def test_hold_plays_music_and_resume_stops_it():
    flow = talking().on(f.LegHeld("v-a1")).expect(e.CallHeld(), of=QUEUE).now("held")
    flow.hears(c="<music>", a1="c").on(f.LegResumed("v-a1")).expect(e.CallResumed(), of=QUEUE)
    flow.hears(c="a1", a1="c").on(f.LegHeld("c")).now("talking")


def test_a_lost_worker_costs_a_moment_of_sound_and_no_call():
    flow = talking().on(f.MediaLost()).now("talking")
    again = (e.Reanchor("c", None), e.Reanchor("v-a1", "c"))
    assert [one for one in flow.effects if isinstance(one, e.Reanchor)] == list(again)
    flow.expect(e.Arrange((("c", ("v-a1",)), ("v-a1", ("c",)))), of=SOUND)
    flow.expect(e.StartRecording("v-1", "c", "v-a1"), of=TAPE)


def test_a_lost_worker_while_it_rings_tries_the_phone_anew():
    flow = waiting().on(f.Offered(SEAT, "t1")).on(f.MediaLost()).now("waiting")
    flow.expect(e.Play("c", "welcome"), of=SOUND).expect(e.EndLeg("v-a1", "media lost"))
    flow.expect(e.RefuseOffer("t1", 503), of=QUEUE)


def test_the_longest_wait_ends_the_call():
    flow = waiting().on(f.Overflowed("max_wait")).expect(e.EndLeg("c", "max_wait"))
    flow.expect(e.CallOver(), of=QUEUE)


def test_a_hang_up_by_command_ends_every_leg():
    flow = talking().on(f.HangUp("drain")).expect(e.EndLeg("c", "drain"), e.EndLeg("v-a1", "drain"))
    assert [party.stage for party in flow.visit.parties] == [Stage.LEAVING] * 2
