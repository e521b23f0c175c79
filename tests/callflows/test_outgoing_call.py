"""Calls that we place (RFC 3261 §13.2, §9.1, §22)."""

import pytest

from callcore.call.events import Answered, Ended, Progressed
from callcore.call.legs import Login
from callcore.errors import LocalProtocolError
from tests.callflows.ladder import ANSWER, OFFER, TCP, UDP, Ladder, called, sdp

CHALLENGE = 'Digest realm="example", nonce="n1", qop="auth", algorithm=MD5'


def calling(flow=UDP, **more):
    """An INVITE is out."""
    return Ladder(flow).place(**more).expect("INVITE")


def ringing(flow=UDP):
    """It rings."""
    return calling(flow).answers(180).expect("Progressed 180")


def test_a_call_is_placed_answered_and_ended_by_us():
    """us               callee
    |---- INVITE --->|
    |<----- 100 -----|
    |<----- 180 -----|  Progressed
    |<----- 200 -----|  Answered
    |------ ACK ---->|
    |------ BYE ---->|  Ended
    |<----- 200 -----|
    """
    ladder = calling().answers(100, tag="").expect().answers(180).expect("Progressed 180")
    ladder.answers(200, ANSWER).expect("ACK", "Answered")
    ladder.do("hang_up", leg="out").expect("BYE", "Ended 200 local")
    assert ladder.last_request("ACK").cseq.number == 1
    assert ladder.last_request("BYE").cseq.number == 2
    assert ladder.last_request("BYE").uri == "sip:east@192.0.2.1:5070"
    ladder.answers(200).expect().expect_nothing_left().expect()


def test_what_an_invite_of_ours_says():
    ladder = calling(route_set=("<sip:proxy;lr>",), headers=(("P-Asserted-Identity", "x"),))
    invite = ladder.last_request("INVITE")
    assert invite.uri == "sip:east@192.0.2.1:5070"
    assert invite.get("Route") == "<sip:proxy;lr>"
    assert invite.get("P-Asserted-Identity") == "x"
    assert invite.get("Contact") == "<sip:callcore@192.0.2.10:5060>"
    assert (invite.max_forwards, invite.body) == (70, OFFER)


def test_the_descriptions_of_early_media_and_of_the_answer():
    ladder = calling().answers(183, sdp(6500)).expect("Progressed 183")
    progressed = ladder.event(Progressed)
    assert isinstance(progressed, Progressed)
    assert progressed.description is not None
    assert progressed.description.media[0].port == 6500
    answered = ladder.answers(200, ANSWER).event(Answered)
    assert isinstance(answered, Answered)
    assert answered.body == ANSWER


def test_the_callee_ends_the_call():
    ladder = called()
    ladder.call_id, ladder.our_tag = "call-1", "us1"
    ladder.asks("BYE", tag="east").expect("200 BYE", "Ended 200 remote").expect_nothing_left()


def test_a_2xx_that_comes_again_gets_the_ack_again():
    """RFC 3261 §13.2.2.4: the ACK was lost."""
    called().answers(200, ANSWER).expect("ACK").answers(200, ANSWER).expect("ACK")


def test_an_invite_over_udp_is_resent():
    """RFC 3261 §17.1.1.2: Timer A doubles; Timer B ends it after 64*T1."""
    ladder = calling().wait(31.9)
    ladder.expect_at(*[(at, "INVITE") for at in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)])
    ladder.wait(0.1).expect("Ended 408 timeout").expect_nothing_left().expect()


def test_an_invite_over_tcp_is_not_resent():
    calling(TCP).wait(31.9).expect().wait(0.1).expect("Ended 408 timeout").expect_nothing_left()


def test_a_failure_is_acknowledged_and_told():
    """RFC 3261 §17.1.1.3; a repeated failure is acknowledged again."""
    ladder = ringing().answers(486).expect("ACK", "Ended 486 remote")
    ladder.answers(486).expect("ACK").expect_nothing_left().expect()


def test_cancel_while_it_rings():
    """RFC 3261 §9.1.

    us               callee
      |---- CANCEL --->|  Ended
      |<-- 200 CANCEL -|
      |<-- 487 INVITE -|
      |------ ACK ---->|
    """
    ladder = ringing().do("hang_up", leg="out").expect("CANCEL", "Ended 487 local")
    ladder.answers(200, to="CANCEL").expect().answers(487, to="INVITE").expect("ACK")
    ladder.expect_nothing_left().expect()
    cancel, invite = ladder.last_request("CANCEL"), ladder.last_request("INVITE")
    assert (cancel.uri, cancel.via.branch) == (invite.uri, invite.via.branch)
    assert (cancel.cseq.number, cancel.get("To")) == (1, invite.get("To"))


def test_cancel_waits_for_a_provisional_response():
    """RFC 3261 §9.1."""
    ladder = calling().do("hang_up", leg="out").expect("Ended 487 local")
    ladder.answers(100, tag="").expect("CANCEL").answers(487, to="INVITE").expect("ACK")
    ladder.expect_nothing_left()


def test_cancel_that_waits_in_vain():
    ladder = calling(TCP).do("hang_up", leg="out").expect("Ended 487 local")
    ladder.expect_nothing_left().expect()


def test_cancel_meets_the_2xx():
    """The glare of CANCEL and 200: RFC 3261 §9.1, §15.

    us               callee
      |---- CANCEL -\\  /-- 200  |
      |              \\/         |
      |------ ACK ---->|
      |------ BYE ---->|
    """
    ladder = ringing().do("hang_up", leg="out").expect("CANCEL", "Ended 487 local")
    ladder.answers(200, ANSWER, to="INVITE").expect("ACK", "BYE", "AnsweredInVain")
    ladder.answers(200, to="CANCEL").expect().answers(200, to="BYE").expect()
    ladder.expect_nothing_left().expect()


def test_a_2xx_where_cancel_still_waits():
    ladder = calling().do("hang_up", leg="out").expect("Ended 487 local")
    ladder.answers(200, ANSWER).expect("ACK", "BYE", "AnsweredInVain")
    ladder.answers(200).expect().expect_nothing_left()


def test_a_cancelled_call_that_gets_no_final_response():
    """RFC 3261 §9.1: 64*T1 after CANCEL the INVITE is forgotten."""
    ladder = ringing(TCP).do("hang_up", leg="out").expect("CANCEL", "Ended 487 local")
    ladder.answers(200, to="CANCEL").wait(31.9).expect()
    assert len(ladder.legs) == 1
    ladder.wait(0.1).expect()
    assert (len(ladder.legs), len(ladder.layer)) == (0, 0)


def test_nobody_answers_for_three_minutes():
    """RFC 3261 §16.6: Timer C."""
    ladder = ringing().wait(179.9).expect().wait(0.1).expect("CANCEL", "Ended 408 timeout")
    ladder.answers(200, to="CANCEL").answers(487, to="INVITE").expect("ACK")
    ladder.expect_nothing_left().expect()


def test_several_early_dialogs_and_the_one_that_answers():
    """RFC 3261 §12.1.2, §13.2.2.4: the dialog is that of the 2xx."""
    ladder = calling().answers(180, tag="a").answers(183, tag="b").answers(180, tag="a")
    ladder.expect("Progressed 180", "Progressed 183", "Progressed 180")
    ladder.answers(200, ANSWER, tag="b").expect("ACK", "Answered")
    assert ladder.last_request("ACK").to.tag == "b"


def test_forks_that_answer_too_late_get_ack_and_bye():
    """RFC 3261 §13.2.2.4: several 2xx to one INVITE.

    us                 fork a   fork b
      |<----- 200 --------|        |   Answered
      |------ ACK ------->|        |
      |<----- 200 -----------------|
      |------ ACK ---------------->|
      |------ BYE ---------------->|
    """
    ladder = calling().answers(200, ANSWER, tag="a").expect("ACK", "Answered")
    ladder.answers(200, ANSWER, tag="b").expect("ACK", "BYE", "AnsweredInVain")
    assert ladder.last_request("BYE").to.tag == "b"
    ladder.answers(200, ANSWER, to="INVITE", tag="b").expect("ACK")
    ladder.answers(200, to="BYE").expect().answers(200, ANSWER, to="INVITE", tag="a")
    ladder.expect("ACK").do("hang_up", leg="out").expect("BYE", "Ended 200 local")
    assert ladder.last_request("BYE").to.tag == "a"
    ladder.answers(200).expect_nothing_left()


def test_a_2xx_after_everything_is_over_gets_ack_and_bye():
    ladder = called().do("hang_up", leg="out").expect("BYE", "Ended 200 local").answers(200)
    ladder.answers(200, ANSWER, to="INVITE", tag="late").expect("ACK", "BYE")
    ladder.answers(200, to="BYE").expect().expect_nothing_left()


def test_a_late_2xx_that_cannot_be_read_is_dropped():
    ladder = called().do("hang_up", leg="out").expect("BYE", "Ended 200 local").answers(200)
    ladder.answers(200, ANSWER, to="INVITE", tag="late", headers=("Contact: <sip:",)).expect()
    ladder.expect_nothing_left()


@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [
        (401, "WWW-Authenticate", "Authorization"),
        (407, "Proxy-Authenticate", "Proxy-Authorization"),
    ],
)
def test_a_challenge_is_answered_once(status, asks, answers):
    """RFC 3261 §22.2, §22.3; the ACK carries the credentials too (§22.1)."""
    ladder = calling().answers(status, headers=(f"{asks}: {CHALLENGE}",)).expect("ACK", "INVITE")
    invite = ladder.last_request("INVITE")
    assert invite.cseq.number == 2
    assert 'username="alice"' in (invite.get(answers) or "")
    ladder.answers(180, tag="a").expect("Progressed 180")
    ladder.answers(200, ANSWER, tag="a").expect("ACK", "Answered")
    assert ladder.last_request("ACK").cseq.number == 2
    assert ladder.last_request("ACK").get(answers) == invite.get(answers)


def test_a_second_challenge_is_a_failure():
    ladder = calling().answers(401, headers=(f"WWW-Authenticate: {CHALLENGE}",))
    ladder.expect("ACK", "INVITE").answers(401, headers=(f"WWW-Authenticate: {CHALLENGE}",))
    ladder.expect("ACK", "Ended 401 remote").expect_nothing_left()


@pytest.mark.parametrize(
    ("credentials", "headers"),
    [
        (None, (f"WWW-Authenticate: {CHALLENGE}",)),
        (Login("alice", "secret"), ()),
        (Login("alice", "secret"), ("WWW-Authenticate: Basic realm=x",)),
    ],
)
def test_a_challenge_that_cannot_be_answered_is_a_failure(credentials, headers):
    ladder = calling(credentials=credentials).answers(401, headers=headers)
    ladder.expect("ACK", "Ended 401 remote").expect_nothing_left()


def test_a_challenge_to_bye_is_answered_once():
    ladder = called().do("hang_up", leg="out").expect("BYE", "Ended 200 local")
    ladder.answers(401, headers=(f"WWW-Authenticate: {CHALLENGE}",)).expect("BYE")
    assert ladder.last_request("BYE").cseq.number == 3
    assert ladder.last_request("BYE").get("Authorization")
    ladder.answers(200).expect().expect_nothing_left()


@pytest.mark.parametrize("status", [200, 408, 481, 500])
def test_whatever_answers_bye_the_leg_is_over(status):
    """RFC 3261 §15.1.1."""
    ladder = called().do("hang_up", leg="out").expect("BYE", "Ended 200 local")
    ladder.answers(status).expect()
    assert len(ladder.legs) == 0


def test_a_bye_that_nobody_answers():
    ladder = called().do("hang_up", leg="out").expect("BYE", "Ended 200 local").wait(32)
    ladder.expect(*["BYE"] * 10)
    assert len(ladder.legs) == 0
    ladder.expect_nothing_left()


def test_byes_that_cross():
    """us               callee
    |---- BYE -\\ /-- BYE ---|
    |           X            |
    |<--- 200 -/ \\-- 200 -->|
    """
    ladder = called().do("hang_up", leg="out").expect("BYE", "Ended 200 local")
    ladder.call_id, ladder.our_tag = "call-1", "us1"
    ladder.asks("BYE", tag="east").expect("200 BYE").answers(200).expect().expect_nothing_left()


def test_an_answer_that_cannot_be_read_ends_the_call():
    ladder = calling().answers(200, b"v=0\r\nbroken\r\n")
    ladder.expect("ACK", "BYE", "AnsweredInVain", "Ended 488 remote")
    ladder.answers(200).expect_nothing_left()


def test_a_2xx_whose_contact_cannot_be_read_is_no_answer():
    ladder = calling().answers(200, ANSWER, headers=("Contact: <sip:",))
    ladder.expect("Ended 503 remote").expect_nothing_left()


def test_a_connection_that_closes_before_the_answer():
    ladder = ringing(TCP).lose_connection().expect("Ended 503 transport").expect_nothing_left()
    assert isinstance(ladder.event(Ended), Ended)
    calling(TCP).lose_connection().expect("Ended 503 transport").expect_nothing_left()


def test_an_update_before_the_answer():
    """RFC 3311 §5.2: our offer is open, 491; without an offer 200."""
    ladder = ringing()
    ladder.call_id, ladder.our_tag = "call-1", "us1"
    ladder.asks("UPDATE", OFFER, tag="east").expect("491 UPDATE")
    ladder.asks("UPDATE", tag="east").expect("200 UPDATE")
    ladder.asks("BYE", tag="east").expect("481 BYE")
    ladder.asks("INFO", tag="nobody").expect("481 INFO")


def test_placing_needs_an_offer_and_a_new_name():
    with pytest.raises(LocalProtocolError):
        Ladder().place(offer=b"")
    with pytest.raises(LocalProtocolError):
        calling().place()
