"""Offers within a call: hold, resume, glare (RFC 3261 §14, RFC 3311)."""

import pytest

from callcore.call.events import OfferAnswered, Offered
from callcore.call.legs import Legs
from tests.callflows.ladder import ANSWER, OFFER, TCP, UDP, Ladder, called, sdp, talking

HOLD = sdp(6000, "sendonly")


def offering(chance=0.5):
    """A re-INVITE of ours is out on a call that came to us."""
    return talking(chance=chance).do("offer", OFFER).expect("INVITE")


def test_hold_and_resume():
    """peer              us
    |-- INVITE (hold) -->|  Offered
    |<------ 200 --------|
    |------- ACK ------->|
    |- INVITE (resume) ->|  Offered
    |<------ 200 --------|
    |------- ACK ------->|
    """
    ladder = talking()
    for body, direction in [(HOLD, "sendonly"), (OFFER, "sendrecv")]:
        ladder.asks("INVITE", body).expect("100 INVITE", "Offered")
        offered = ladder.event(Offered)
        assert isinstance(offered, Offered)
        assert offered.offer is not None
        assert offered.offer.media[0].direction == direction
        ladder.do("accept_offer", ANSWER).expect("200 INVITE").acks().expect()
    ladder.wait(60).expect()


def test_an_offer_is_refused_and_the_call_goes_on():
    ladder = talking().asks("INVITE", HOLD).expect("100 INVITE", "Offered")
    ladder.do("refuse_offer", 488).expect("488 INVITE").acks().expect()
    ladder.asks("INVITE", OFFER).expect("100 INVITE", "Offered")


def test_the_2xx_to_a_reinvite_is_repeated_until_its_ack():
    """RFC 3261 §14.2; without any ACK a BYE."""
    ladder = talking().asks("INVITE", HOLD).do("accept_offer", ANSWER).wait(1.5)
    ladder.expect("100 INVITE", "Offered", *["200 INVITE"] * 3)
    ladder.wait(30.5).expect(*["200 INVITE"] * 8, "BYE", "Ended 408 timeout")
    ladder.answers(200).expect_nothing_left().expect()


def test_a_delayed_reinvite_is_answered_with_our_offer():
    ladder = talking().asks("INVITE").expect("100 INVITE", "Offered")
    offered = ladder.event(Offered)
    assert isinstance(offered, Offered)
    assert offered.offer is None
    ladder.do("accept_offer", OFFER).expect("200 INVITE").acks(ANSWER).expect("OfferAnswered")
    answered = ladder.event(OfferAnswered)
    assert isinstance(answered, OfferAnswered)
    assert answered.body == ANSWER


def test_a_reinvite_moves_the_target():
    """RFC 3261 §12.2.2: the next request goes to the new Contact."""
    ladder = talking()
    data = ladder.request("INVITE", HOLD).replace(b"<sip:peer@192.0.2.1:5070>", b"<sip:new@x.y>")
    ladder.hear(data).do("accept_offer", ANSWER).acks().do("hang_up")
    assert ladder.last_request("BYE").uri == "sip:new@x.y"


def test_an_offer_while_one_waits_gets_500():
    """RFC 3261 §14.2: Retry-After between 0 and 10 seconds, by chance."""
    ladder = talking().asks("INVITE", HOLD).expect("100 INVITE", "Offered")
    ladder.asks("INVITE", OFFER).expect("100 INVITE", "500 INVITE")
    assert ladder.last(2, "INVITE").get("Retry-After") == "5"
    ladder.asks("UPDATE", OFFER).expect("500 UPDATE")


def test_a_reinvite_before_the_first_is_answered_gets_500():
    ladder = Ladder().asks("INVITE", OFFER).do("progress").asks("INVITE", OFFER)
    ladder.expect("100 INVITE", "Arrived", "180 INVITE", "100 INVITE", "500 INVITE")
    ladder.asks("UPDATE", OFFER).expect("500 UPDATE").asks("UPDATE").expect("200 UPDATE")


def test_a_reinvite_that_overtakes_the_ack():
    """RFC 5407 §3.1.5: the call is confirmed by it; the ACK that follows is late."""
    ladder = Ladder().asks("INVITE", OFFER).do("answer", ANSWER)
    ladder.expect("100 INVITE", "Arrived", "200 INVITE").asks("INVITE", HOLD)
    ladder.expect("100 INVITE", "Confirmed", "Offered").asks("ACK", cseq=1).expect()
    ladder.do("accept_offer", ANSWER).expect("200 INVITE").acks().expect().wait(60).expect()


def test_a_reinvite_that_overtakes_the_ack_of_our_offer_gets_491():
    ladder = Ladder().asks("INVITE").do("answer", OFFER)
    ladder.expect("100 INVITE", "Arrived", "200 INVITE")
    ladder.asks("INVITE", HOLD).expect("100 INVITE", "491 INVITE")


def test_a_reinvite_that_overtakes_the_ack_of_a_reinvite():
    ladder = talking().asks("INVITE", HOLD).do("accept_offer", ANSWER)
    ladder.expect("100 INVITE", "Offered", "200 INVITE").asks("INVITE", OFFER)
    ladder.expect("100 INVITE", "Offered").do("accept_offer", ANSWER).expect("200 INVITE")
    ladder.acks().expect().wait(60).expect()


def test_an_update_carries_an_offer():
    """RFC 3311 §5.2: no ACK follows."""
    ladder = talking().asks("UPDATE", HOLD).expect("Offered")
    ladder.do("accept_offer", ANSWER).expect("200 UPDATE").wait(60).expect()
    ladder.asks("UPDATE", HOLD).do("refuse_offer", 488).expect("Offered", "488 UPDATE")


def test_their_reinvite_is_cancelled():
    """RFC 3261 §9.2; a decision that comes later does nothing."""
    ladder = talking().asks("INVITE", HOLD, branch="z9hG4bK-re")
    ladder.expect("100 INVITE", "Offered")
    ladder.asks("CANCEL", cseq=ladder.cseq, branch="z9hG4bK-re")
    ladder.expect("200 CANCEL", "487 INVITE", "OfferWithdrawn").acks()
    ladder.do("accept_offer", ANSWER).expect().do("refuse_offer", 488).expect()


def test_nobody_decides_on_an_offer():
    ladder = talking().asks("INVITE", HOLD).expect("100 INVITE", "Offered").wait(30)
    ladder.expect("500 INVITE", "OfferWithdrawn").acks().expect()


@pytest.mark.parametrize("body", [b"v=0\r\nbroken\r\n", b"v"])
def test_an_offer_that_cannot_be_read(body):
    talking().asks("INVITE", body).expect("100 INVITE", "400 INVITE")


def test_an_offer_of_ours_is_answered():
    """us               peer
    |---- INVITE --->|
    |<----- 200 -----|  OfferAnswered
    |------ ACK ---->|
    """
    ladder = offering().answers(100).expect().answers(200, ANSWER).expect("ACK", "OfferAnswered")
    assert ladder.last_request("INVITE").cseq.number == 1
    assert ladder.last_request("ACK").cseq.number == 1
    ladder.answers(200, ANSWER).expect("ACK").wait(90).expect()


def test_an_offer_of_ours_is_refused():
    """RFC 3261 §14.1: the session goes on as it was."""
    offering().answers(488).expect("ACK", "OfferRefused 488").wait(90).expect()


@pytest.mark.parametrize("status", [408, 481])
def test_a_reinvite_to_a_dialog_that_is_gone_ends_the_leg(status):
    """RFC 3261 §12.2.1.2."""
    ladder = offering().answers(status).expect("ACK", "BYE", f"Ended {status} remote")
    ladder.answers(481).expect_nothing_left()


def test_a_reinvite_that_nobody_answers_ends_the_leg():
    ladder = offering().wait(32).expect(*["INVITE"] * 6, "BYE", "Ended 408 timeout")
    ladder.answers(200).expect_nothing_left()


def test_a_reinvite_that_is_never_finally_answered_ends_the_leg():
    ladder = offering().answers(100).wait(63.9).expect().wait(0.1)
    ladder.expect("BYE", "Ended 408 timeout").answers(200).expect_nothing_left()


@pytest.mark.parametrize(
    ("ours", "chance", "seconds"),
    [(True, 0.0, 2.1), (True, 0.999, 4.0), (False, 0.0, 0.0), (False, 0.999, 2.0)],
)
def test_our_offer_meets_theirs(ours, chance, seconds):
    """RFC 3261 §14.1: glare; the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s.

    us                         peer
      |--- INVITE -\\ /- INVITE ---|
      |             X              |
      |<--- 491 ---/ \\--- 491 --->|
      |          (back-off)        |
      |--------- INVITE ---------->|
    """
    leg = "out" if ours else "leg1"
    ladder = called(chance=chance) if ours else talking(chance=chance)
    if ours:
        ladder.call_id, ladder.our_tag = "call-1", "us1"
    ladder.do("offer", OFFER, leg=leg).expect("INVITE")
    tag = "east" if ours else "peer"
    ladder.asks("INVITE", HOLD, tag=tag).expect("100 INVITE", "491 INVITE").acks()
    ladder.answers(491, to="INVITE").expect("ACK").wait(seconds - 0.01 if seconds else 0)
    ladder.expect(*([] if seconds else ["INVITE"])).wait(0.02)
    ladder.expect(*(["INVITE"] if seconds else []))
    ladder.answers(200, ANSWER, to="INVITE").expect("ACK", "OfferAnswered")


def test_their_offer_goes_first_while_ours_backs_off():
    ladder = offering().answers(491).expect("ACK").asks("INVITE", HOLD)
    ladder.expect("100 INVITE", "Offered").wait(5).expect()
    ladder.do("accept_offer", ANSWER).expect("200 INVITE").acks().expect("INVITE")
    ladder.answers(200, ANSWER).expect("ACK", "OfferAnswered")


def test_glare_again_and_again_is_a_refusal():
    ladder = offering(chance=0.1)
    for _ in range(5):
        ladder.answers(491).expect("ACK").wait(0.2).expect("INVITE")
    ladder.answers(491).expect("ACK", "OfferRefused 491").wait(90).expect()


def test_an_update_meets_our_offer():
    offering().asks("UPDATE", HOLD).expect("491 UPDATE").asks("UPDATE").expect("200 UPDATE")


def test_offers_of_ours_wait_for_their_turn():
    ladder = talking().asks("INVITE", HOLD).expect("100 INVITE", "Offered")
    ladder.do("offer", OFFER).expect().do("accept_offer", ANSWER).expect("200 INVITE")
    ladder.acks().expect("INVITE").do("offer", HOLD).expect()
    ladder.answers(200, ANSWER).expect("ACK", "OfferAnswered", "INVITE")
    assert ladder.last_request("INVITE").body == HOLD


def test_an_offer_before_the_ack_waits_for_it():
    ladder = Ladder().asks("INVITE", OFFER).do("answer", ANSWER).do("offer", HOLD)
    ladder.expect("100 INVITE", "Arrived", "200 INVITE").acks().expect("Confirmed", "INVITE")


def test_a_challenge_to_a_reinvite_is_answered_once():
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
    ladder = called().do("offer", HOLD, leg="out").expect("INVITE")
    ladder.answers(401, headers=(challenge,)).expect("ACK", "INVITE")
    assert ladder.last_request("INVITE").cseq.number == 3
    assert ladder.last_request("INVITE").get("Authorization")
    ladder.answers(200, ANSWER).expect("ACK", "OfferAnswered")
    ladder.do("offer", OFFER, leg="out").answers(401, headers=(challenge,))
    ladder.answers(401, headers=(challenge,))
    ladder.expect("INVITE", "ACK", "INVITE", "ACK", "OfferRefused 401")


def test_an_answer_that_cannot_be_read():
    offering().answers(200, b"v=0\r\nbroken\r\n").expect("ACK", "OfferRefused 488")


def test_bye_while_their_offer_waits():
    """RFC 3261 §15.1.2: pending requests get 487."""
    ladder = talking().asks("INVITE", HOLD).expect("100 INVITE", "Offered")
    ladder.asks("BYE").expect("200 BYE", "487 INVITE", "Ended 200 remote")
    ladder.expect_nothing_left()


def test_hanging_up_while_their_offer_waits():
    ladder = talking().asks("INVITE", HOLD).expect("100 INVITE", "Offered").do("hang_up")
    ladder.expect("487 INVITE", "BYE", "Ended 200 local").acks().answers(200)
    ladder.expect_nothing_left()


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_hanging_up_while_ours_is_out(flow):
    ladder = talking(flow).do("offer", OFFER).expect("INVITE").do("hang_up")
    ladder.expect("BYE", "Ended 200 local").answers(200, ANSWER, to="INVITE").expect("ACK")
    ladder.answers(200, to="BYE").expect().expect_nothing_left()
    assert isinstance(ladder.legs, Legs)
