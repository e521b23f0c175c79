"""Reliable provisional responses and UPDATE before the answer (RFC 3262, RFC 3311)."""

import pytest

from callcore.call.events import Answered, OfferAnswered, Offered, Progressed
from callcore.call.legs import LegSettings
from callcore.call.terms import Terms
from tests.callflows.ladder import ANSWER, OFFER, TCP, UDP, Ladder, incoming, sdp

RELIABLE = ("Supported: 100rel", "Allow: INVITE, ACK, BYE, PRACK, UPDATE")
OTHER = sdp(7002)
HOLD = sdp(6000, "sendonly")


def rang(body=OFFER, media=ANSWER, *, flow=UDP, chance=0.0) -> Ladder:
    """Their INVITE has our first reliable response; its RSeq is 1."""
    ladder = Ladder(flow, chance=chance).asks("INVITE", body, headers=RELIABLE)
    ladder.expect("100 INVITE", "Arrived").do("progress", 183, media).expect("183 INVITE")
    return ladder


def prack(ladder: Ladder, body: bytes = b"", rack: str = "1 1 INVITE") -> Ladder:
    return ladder.asks("PRACK", body, headers=(f"RAck: {rack}",))


def early(*, body: bytes = ANSWER, **how) -> Ladder:
    """Our INVITE has a reliable 183 from the fork `east`."""
    ladder = Ladder(**how).place().expect("INVITE")
    ladder.answers(183, body, headers=("Require: 100rel", "RSeq: 9", RELIABLE[1]))
    return ladder.expect("PRACK", "Progressed 183")


def test_a_183_is_repeated_until_its_prack():
    """RFC 3262 §3: T1, doubled without limit.

    peer               us
      |---- INVITE --->|
      |<- 183, RSeq 1 -|  0.5, 1, 2 ...
      |<----- 183 -----|
      |- PRACK, 1 1 -->|
      |<----- 200 -----|
    """
    ladder = rang()
    response = ladder.last(1, "INVITE")
    assert (response.get("RSeq"), response.get("Require")) == ("1", "100rel")
    ladder.wait(7.6).expect_at(*[(at, "183 INVITE") for at in (0.5, 1.5, 3.5, 7.5)])
    prack(ladder).expect("200 PRACK").wait(30).expect()
    ladder.do("answer", ANSWER).expect("200 INVITE")
    assert ladder.last(2, "INVITE").body == b""  # the answer has been given
    ladder.acks().expect("Confirmed").asks("BYE").expect("200 BYE", "Ended 200 remote")
    ladder.expect_nothing_left()


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_a_183_that_is_never_acknowledged_ends_the_call(flow):
    """RFC 3262 §3: 64*T1, then a 5xx."""
    ladder = rang(flow=flow).wait(31.9)
    assert [o.message.status for _, o in ladder.out] == [183] * 6
    ladder.out.clear()
    ladder.wait(0.2).expect("504 INVITE", "Ended 504 timeout").acks().expect_nothing_left()


def test_the_next_response_waits_for_the_prack_of_the_last():
    settings = LegSettings(terms=Terms(reliable="always"))
    ladder = Ladder(chance=0.0, settings=settings).asks("INVITE", OFFER, headers=RELIABLE)
    ladder.do("progress", 183, ANSWER).do("progress").expect("100 INVITE", "Arrived", "183 INVITE")
    prack(ladder).expect("200 PRACK", "180 INVITE")
    assert ladder.last(1, "INVITE").get("RSeq") == "2"


def test_a_response_with_nothing_that_must_arrive_goes_at_once():
    rang().do("progress", 180).expect("180 INVITE").wait(0.5).expect("183 INVITE")


def test_every_response_is_reliable_for_who_demands_it():
    """RFC 3262 §3: Require makes all of them so, and the numbers go up by one."""
    ladder = Ladder(chance=0.0).asks("INVITE", OFFER, headers=("Require: 100rel",))
    ladder.expect("100 INVITE", "Arrived").do("progress").do("progress", 183, ANSWER)
    prack(ladder.expect("180 INVITE")).expect("200 PRACK", "183 INVITE")
    assert ladder.last(1, "INVITE").get("RSeq") == "2"
    prack(ladder, rack="2 1 INVITE").expect("200 PRACK")


@pytest.mark.parametrize("rack", ["2 1 INVITE", "1 2 INVITE", "1 1 UPDATE"])
def test_a_prack_of_something_else_gets_481(rack):
    ladder = prack(rang(), rack=rack).expect("481 PRACK").wait(0.5).expect("183 INVITE")
    prack(ladder).expect("200 PRACK")
    prack(ladder).expect("481 PRACK")  # nothing waits any more


@pytest.mark.parametrize("rack", ["", "1 INVITE", "x 1 INVITE", "1 1 INVITE 1", "99999999999 1 X"])
def test_a_prack_that_cannot_be_read_gets_400(rack):
    prack(rang(), rack=rack).expect("400 PRACK")


def test_the_answer_waits_for_the_prack():
    """RFC 3262 §3: no 2xx while a response with a description is unacknowledged."""
    ladder = rang().do("answer", ANSWER).expect().wait(0.5).expect("183 INVITE")
    prack(ladder).expect("200 PRACK", "200 INVITE").acks().expect("Confirmed")


def test_the_answer_does_not_wait_for_the_prack_of_a_180():
    settings = LegSettings(terms=Terms(reliable="always"))
    ladder = Ladder(chance=0.0, settings=settings).asks("INVITE", OFFER, headers=RELIABLE)
    ladder.do("progress").do("answer", ANSWER)
    ladder.expect("100 INVITE", "Arrived", "180 INVITE", "200 INVITE").acks().expect("Confirmed")
    prack(ladder).expect("200 PRACK").wait(60).expect()


def test_another_description_in_the_answer_is_offered_after_it():
    ladder = prack(rang()).expect("200 PRACK").do("answer", OTHER).expect("200 INVITE")
    ladder.acks().expect("Confirmed", "INVITE")
    assert ladder.last_request("INVITE").body == OTHER


def test_a_refusal_and_a_cancel_do_not_wait():
    rang().do("refuse", 486).expect("486 INVITE", "Ended 486 local").acks().expect_nothing_left()
    ladder = rang()
    ladder.asks("CANCEL", cseq=1, branch="z9hG4bK-peer-1")
    ladder.expect("200 CANCEL", "487 INVITE", "Ended 487 remote").acks().expect_nothing_left()


def test_a_delayed_offer_goes_out_in_a_183_and_is_answered_by_the_prack():
    """RFC 3262 §5."""
    ladder = prack(rang(b"", OFFER)).expect("400 PRACK")
    prack(ladder, ANSWER).expect("200 PRACK", "OfferAnswered")
    assert ladder.event(OfferAnswered).body == ANSWER
    ladder.do("answer", OFFER).expect("200 INVITE").acks().expect("Confirmed")
    assert ladder.last(2, "INVITE").body == b""


def test_an_offer_of_ours_is_never_in_a_response_that_may_get_lost():
    ladder = Ladder().asks("INVITE").do("progress", 183, OFFER)
    ladder.expect("100 INVITE", "Arrived", "183 INVITE")
    assert ladder.last(1, "INVITE").body == b""


def test_a_prack_may_carry_the_next_offer():
    ladder = prack(rang(), HOLD).expect("Offered").do("answer", ANSWER).expect()
    ladder.do("accept_offer", ANSWER).expect("200 PRACK", "200 INVITE").acks().expect("Confirmed")
    prack(rang(), HOLD).expect("Offered").do("refuse_offer", 488).expect("488 PRACK")


def test_an_offer_that_nobody_decided_on_gets_an_answer_when_the_call_ends():
    ladder = prack(rang(), HOLD).expect("Offered").do("refuse", 486)
    ladder.expect("486 INVITE", "Ended 486 local", "487 PRACK").acks().expect_nothing_left()


def test_the_policy_never():
    ladder = Ladder(settings=LegSettings(terms=Terms(reliable="never")))
    ladder.asks("INVITE", OFFER, headers=RELIABLE).do("progress", 183, ANSWER).wait(10)
    ladder.expect("100 INVITE", "Arrived", "183 INVITE")
    assert "100rel" not in (ladder.last(1, "INVITE").get("Supported") or "")
    ladder = Ladder(settings=LegSettings(terms=Terms(reliable="never")))
    ladder.asks("INVITE", OFFER, headers=("Require: 100rel",))
    ladder.expect("100 INVITE", "420 INVITE", "Refused 420")


def test_the_policy_required():
    settings = LegSettings(terms=Terms(reliable="required"))
    ladder = Ladder(settings=settings).asks("INVITE", OFFER)
    ladder.expect("100 INVITE", "421 INVITE", "Refused 421")
    assert ladder.last(2, "INVITE").get("Require") == "100rel"
    ladder = Ladder(settings=settings).place().expect("INVITE")
    assert ladder.last_request("INVITE").get("Require") == "100rel"


def test_their_183_gets_its_prack():
    """RFC 3262 §4.

    us                      peer
    |------- INVITE ------->|
    |<-- 183, RSeq 9 -------|
    |-- PRACK, 9 1 INVITE ->|
    |<-- 183, RSeq 9 -------|  not again
    |<------- 200 ----------|  without description: the answer was in the 183
    """
    ladder = early()
    asked = ladder.last_request("PRACK")
    assert (asked.get("RAck"), asked.cseq.number, asked.to.tag) == ("9 1 INVITE", 2, "east")
    ladder.answers(183, ANSWER, to="INVITE", headers=("Require: 100rel", "RSeq: 9")).expect()
    ladder.answers(180, to="INVITE", headers=("Require: 100rel", "RSeq: 11")).expect()
    ladder.answers(200, to="PRACK").expect()
    ladder.answers(180, to="INVITE", headers=("Require: 100rel", "RSeq: 10"))
    ladder.expect("PRACK", "Progressed 180").answers(200, to="PRACK").expect()
    ladder.answers(200, to="INVITE").expect("ACK", "Answered")
    assert ladder.event(Answered).body == ANSWER
    ladder.do("hang_up", leg="out").expect("BYE", "Ended 200 local")
    assert ladder.last_request("BYE").cseq.number == 4
    ladder.answers(200, to="BYE").expect_nothing_left()


def test_each_fork_has_numbers_and_media_of_its_own():
    """RFC 3262 §4, RFC 3261 §13.2.2.4: early media of the newest, the answer of who answers."""
    ladder = early()
    ladder.answers(
        183, OTHER, to="INVITE", tag="west", headers=("Require: 100rel", "RSeq: 70")
    ).expect("PRACK", "Progressed 183")
    assert ladder.last_request("PRACK").to.tag == "west"
    assert ladder.event(Progressed).dialog == "west"
    assert ladder.event(Progressed).body == OTHER
    ladder.answers(200, to="INVITE", tag="east").expect("ACK", "Answered")
    assert ladder.event(Answered).body == ANSWER
    ladder.answers(200, OTHER, to="INVITE", tag="west").expect("ACK", "BYE", "AnsweredInVain")


def test_a_prack_is_challenged_once():
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
    ladder = early().answers(401, headers=(challenge,)).expect("PRACK")
    assert ladder.last_request("PRACK").get("Authorization")
    ladder.answers(401, headers=(challenge,)).expect()


def test_early_media_that_is_not_reliable_may_change_its_codec():
    ladder = Ladder().place().answers(183, ANSWER).answers(183, OTHER, tag="west")
    ladder.expect("INVITE", "Progressed 183", "Progressed 183")
    assert ladder.event(Progressed).body == OTHER
    ladder.answers(200, OFFER, tag="west").expect("ACK", "Answered")
    assert ladder.event(Answered).body == OFFER


def test_a_183_that_cannot_be_read_is_a_sign_of_life():
    ladder = Ladder().place().expect("INVITE").answers(180, headers=("Record-Route: x y",))
    ladder.expect().wait(180).expect("CANCEL", "Ended 408 timeout")
    ladder.answers(200, to="CANCEL").expect_nothing_left()


# UPDATE before the answer, RFC 3311.


def test_their_update_before_our_answer_gets_500_with_retry_after():
    ladder = incoming().do("progress").asks("UPDATE", HOLD).expect("180 INVITE", "500 UPDATE")
    assert ladder.last(2, "UPDATE").get("Retry-After") == "5"
    rang().asks("UPDATE", HOLD).expect("500 UPDATE").asks("UPDATE").expect("200 UPDATE")


def test_their_update_while_our_delayed_offer_is_open_gets_491():
    rang(b"", OFFER).asks("UPDATE", HOLD).expect("491 UPDATE")


def test_their_update_in_the_early_dialog():
    """RFC 3311 §5.2: once the first offer has its answer."""
    ladder = prack(rang()).expect("200 PRACK").asks("UPDATE", HOLD).expect("Offered")
    ladder.asks("UPDATE", HOLD).expect("500 UPDATE")
    ladder.do("accept_offer", ANSWER).expect("200 UPDATE").do("answer", ANSWER)
    ladder.expect("200 INVITE").acks().expect("Confirmed")


def test_our_update_in_the_early_dialog_of_their_call():
    ladder = rang().do("offer", OTHER).expect()
    prack(ladder).expect("200 PRACK", "UPDATE").asks("UPDATE", HOLD).expect("491 UPDATE")
    ladder.answers(200, OFFER, to="UPDATE").expect("OfferAnswered").do("answer", OTHER)
    ladder.expect("200 INVITE").acks().expect("Confirmed").wait(60).expect()


def test_our_update_cannot_go_before_the_offer_is_answered():
    incoming().do("offer", OFFER).expect("OfferRefused 491")
    Ladder().place().answers(180).do("offer", OFFER, leg="out").expect(
        "INVITE", "Progressed 180", "OfferRefused 491"
    )


def from_east(ladder: Ladder, method: str, body: bytes = b"", tag: str = "east") -> Ladder:
    ladder.call_id, ladder.our_tag = "call-1", "us1"
    return ladder.asks(method, body, tag=tag)


def test_their_update_in_the_early_dialog_of_our_call():
    ladder = from_east(early(), "UPDATE", HOLD).expect("Offered")
    ladder.do("accept_offer", OFFER, leg="out").expect("200 UPDATE")
    ladder.answers(200, to="INVITE").expect("ACK", "Answered")
    assert ladder.event(Answered).body == HOLD  # what they said last


def test_their_update_before_they_answered_our_offer_gets_491():
    ladder = Ladder().place().answers(180).expect("INVITE", "Progressed 180")
    from_east(ladder, "UPDATE", HOLD).expect("491 UPDATE")
    from_east(ladder, "UPDATE").expect("200 UPDATE")
    from_east(ladder, "UPDATE", tag="west").expect("481 UPDATE")


def test_our_update_in_the_early_dialog_of_our_call():
    ladder = early().do("offer", OTHER, leg="out").expect("UPDATE")
    assert ladder.last_request("UPDATE").to.tag == "east"
    ladder.answers(200, HOLD, to="UPDATE").expect("OfferAnswered")
    ladder.do("offer", OFFER, leg="out").expect("UPDATE").answers(481, to="UPDATE")
    ladder.expect("OfferRefused 481").answers(200, to="INVITE").expect("ACK", "Answered")
    assert ladder.event(Answered).body == HOLD


def test_an_update_meets_491_and_goes_again():
    """RFC 3311 §5.3: the back-off of the owner of the Call-ID."""
    ladder = early(chance=0.0).do("offer", OTHER, leg="out").expect("UPDATE")
    ladder.answers(491, to="UPDATE").expect().wait(2.09).expect("PRACK", "PRACK")
    ladder.wait(0.02).expect("UPDATE")


def test_a_retry_after_is_obeyed():
    ladder = early().answers(200, to="PRACK").do("offer", OTHER, leg="out").expect("UPDATE")
    ladder.answers(500, to="UPDATE", headers=("Retry-After: 3",)).wait(2.9).expect()
    ladder.wait(0.2).expect("UPDATE")


def test_an_exchange_with_a_fork_that_lost_is_over():
    ladder = from_east(early(), "UPDATE", HOLD).expect("Offered")
    ladder.answers(200, ANSWER, to="INVITE", tag="west")
    ladder.expect("487 UPDATE", "OfferWithdrawn", "ACK", "Answered")
    ladder = early().do("offer", OTHER, leg="out").expect("UPDATE")
    ladder.answers(200, ANSWER, to="INVITE", tag="west")
    ladder.expect("OfferRefused 487", "ACK", "Answered").do("hang_up", leg="out")
    ladder.expect("BYE", "Ended 200 local").answers(200, to="BYE").answers(200, to="UPDATE")
    ladder.answers(200, to="PRACK").out.clear()
    ladder.expect_nothing_left()


def test_hanging_up_while_their_early_offer_waits():
    ladder = from_east(early(), "UPDATE", HOLD).expect("Offered").do("hang_up", leg="out")
    ladder.expect("CANCEL", "Ended 487 local", "487 UPDATE").answers(200, to="CANCEL")
    ladder.answers(487, to="INVITE").answers(200, to="PRACK").expect("ACK").expect_nothing_left()
    assert ladder.event(Offered).body == HOLD
