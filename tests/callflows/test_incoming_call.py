"""Calls to us (RFC 3261 §13.3, §9.2, §15)."""

import pytest

from callcore.call.events import Arrived, Confirmed, Ended
from callcore.errors import LocalProtocolError
from callcore.message import Request
from tests.callflows.ladder import ANSWER, OFFER, TCP, UDP, Ladder, incoming, talking


def test_a_call_is_answered_and_ended_by_the_caller():
    """RFC 3261 §13, §15.

    caller            us
      |---- INVITE --->|  100, Arrived
      |<----- 180 -----|
      |<----- 200 -----|
      |------ ACK ---->|  Confirmed
      |------ BYE ---->|  Ended
      |<----- 200 -----|
    """
    ladder = incoming().do("progress").expect("180 INVITE").do("answer", ANSWER)
    ladder.expect("200 INVITE").acks().expect("Confirmed")
    ladder.asks("BYE").expect("200 BYE", "Ended 200 remote").expect_nothing_left().expect()


def test_a_call_is_ended_by_us():
    """RFC 3261 §15.1.1."""
    ladder = talking().do("hang_up", "enough").expect("BYE", "Ended 200 local")
    bye = ladder.last_request("BYE")
    assert (bye.uri, bye.cseq.number) == ("sip:peer@192.0.2.1:5070", 1)
    assert bye.get("Reason") == 'SIP;cause=200;text="enough"'
    ladder.answers(200).expect().expect_nothing_left()


def test_the_facts_of_an_arrival():
    event = incoming().event(Arrived)
    assert isinstance(event, Arrived)
    assert (event.leg, event.source, event.kind) == ("leg1", "peer", "trunk")
    assert (event.caller, event.called) == ("13800000001", "12345")
    assert event.offer is not None
    assert event.offer.media[0].port == 6000


def test_a_2xx_is_repeated_until_its_ack():
    """RFC 3261 §13.3.1.4: T1, doubled up to T2."""
    ladder = incoming().do("answer", ANSWER).expect("200 INVITE").wait(16)
    times = (0.5, 1.5, 3.5, 7.5, 11.5, 15.5)
    ladder.expect_at(*[(at, "200 INVITE") for at in times])
    ladder.acks().expect("Confirmed").wait(100).expect()


@pytest.mark.parametrize("flow", [UDP, TCP])
def test_a_2xx_without_ack_ends_the_call(flow):
    """RFC 3261 §13.3.1.4: after 64*T1 a BYE; the 2xx is repeated over TCP too."""
    ladder = incoming(flow).do("answer", ANSWER).expect("200 INVITE").wait(31.9)
    ladder.expect(*["200 INVITE"] * 10).wait(0.1).expect("BYE", "Ended 408 timeout")
    ladder.answers(481).expect().expect_nothing_left()


def test_an_ack_that_was_lost_is_sent_again():
    """caller            us
    |<----- 200 -----|
    |--- ACK --X     |
    |<----- 200 -----|  0.5 s
    |------ ACK ---->|  Confirmed
    """
    ladder = incoming().do("answer", ANSWER).expect("200 INVITE").wait(0.5).expect("200 INVITE")
    ladder.acks().expect("Confirmed").acks().expect().wait(40).expect()


def test_an_ack_with_another_number_or_tag_is_no_ack():
    """RFC 3261 §13.3.1.4, §17.1.1.3: the CSeq number of the INVITE."""
    ladder = incoming().do("answer", ANSWER).expect("200 INVITE")
    ladder.asks("ACK", cseq=7).expect().asks("ACK", cseq=1, tag="stranger").expect()
    ladder.asks("ACK", cseq=1).expect("Confirmed")


def test_a_repeated_invite_gets_the_last_response_again():
    """RFC 3261 §17.2.1; after the 2xx it is absorbed (RFC 6026 §7.1)."""
    ladder = Ladder()
    invite = ladder.request("INVITE", OFFER)
    ladder.hear(invite).expect("100 INVITE", "Arrived").hear(invite).expect("100 INVITE")
    ladder.do("progress").expect("180 INVITE").hear(invite).expect("180 INVITE")
    ladder.do("answer", ANSWER).expect("200 INVITE").hear(invite).expect()


def test_bye_before_ack_ends_the_call():
    """caller            us
    |<----- 200 -----|
    |------ BYE ---->|  Ended
    |<----- 200 -----|
    |------ ACK ---->|  late
    """
    ladder = incoming().do("answer", ANSWER).expect("200 INVITE")
    ladder.asks("BYE", cseq=2).expect("200 BYE", "Ended 200 remote").acks().expect()
    ladder.wait(40).expect().expect_nothing_left()


def test_hanging_up_before_the_ack_waits_for_it():
    """RFC 3261 §15: the called side sends no BYE before the ACK; Ended is told at once."""
    ladder = incoming().do("answer", ANSWER).expect("200 INVITE")
    ladder.do("hang_up").expect("Ended 200 local").wait(0.5).expect("200 INVITE")
    ladder.acks().expect("BYE").answers(200).expect().expect_nothing_left()


def test_hanging_up_without_ever_an_ack_says_bye_in_the_end():
    ladder = incoming().do("answer", ANSWER).do("hang_up").expect("200 INVITE", "Ended 200 local")
    ladder.wait(32).expect(*["200 INVITE"] * 10, "BYE").answers(481).expect()
    ladder.expect_nothing_left()


def test_hanging_up_before_the_ack_crosses_their_bye():
    ladder = incoming().do("answer", ANSWER).do("hang_up").expect("200 INVITE", "Ended 200 local")
    ladder.asks("BYE", cseq=2).expect("200 BYE").expect_nothing_left().expect()


def test_cancel_before_the_answer_gives_487():
    """RFC 3261 §9.2; the To tag of both responses is the same."""
    ladder = Ladder()
    invite = ladder.request("INVITE", OFFER, branch="z9hG4bK-x")
    ladder.hear(invite).expect("100 INVITE", "Arrived").do("progress").expect("180 INVITE")
    ladder.asks("CANCEL", cseq=1, branch="z9hG4bK-x", to_tag="")
    ladder.expect("200 CANCEL", "487 INVITE", "Ended 487 remote")
    assert ladder.last(2, "CANCEL").to.tag == ladder.last(2, "INVITE").to.tag
    ladder.acks().expect().expect_nothing_left().expect()


def test_cancel_after_the_2xx_changes_nothing():
    """RFC 3261 §9.2: the glare of CANCEL and 200; the call stays."""
    ladder = Ladder()
    ladder.hear(ladder.request("INVITE", OFFER, branch="z9hG4bK-x")).do("answer", ANSWER)
    ladder.expect("100 INVITE", "Arrived", "200 INVITE")
    ladder.asks("CANCEL", cseq=1, branch="z9hG4bK-x", to_tag="").expect("200 CANCEL")
    ladder.acks().expect("Confirmed").asks("BYE", cseq=2)
    ladder.expect("200 BYE", "Ended 200 remote").expect_nothing_left()


def test_cancel_of_nothing_gives_481():
    Ladder().asks("CANCEL", cseq=1, to_tag="").expect("481 CANCEL").expect_nothing_left()


def test_a_cancel_from_elsewhere_is_not_believed():
    ladder = Ladder()
    ladder.hear(ladder.request("INVITE", OFFER, branch="z9hG4bK-x"))
    ladder.expect("100 INVITE", "Arrived")
    stranger = UDP._replace(remote=("198.51.100.9", 5070))
    ladder.hear(ladder.request("CANCEL", cseq=1, branch="z9hG4bK-x"), stranger)
    ladder.expect("481 CANCEL")


def test_a_refusal_is_repeated_until_its_ack():
    """RFC 3261 §17.2.1.

    caller            us
      |<----- 486 -----|  G=0.5 H=32
      |<----- 486 -----|  G=1.0
      |------ ACK ---->|  I=5
    """
    ladder = incoming().do("refuse", 486).expect("486 INVITE", "Ended 486 local")
    ladder.wait(0.5).expect("486 INVITE").acks().expect().wait(4).expect()
    ladder.expect_nothing_left().expect()


def test_a_refusal_may_carry_header_fields():
    ladder = Ladder().asks("INVITE", OFFER).expect("100 INVITE", "Arrived")
    out = ladder.legs.refuse("leg1", 503, ladder.now, (("Retry-After", "7"),))
    assert out[0].message.get("Retry-After") == "7"


def test_hanging_up_before_the_answer_refuses():
    incoming().do("hang_up").expect("480 INVITE", "Ended 480 local").acks().expect_nothing_left()


def test_nobody_decides_within_three_minutes():
    """RFC 3261 §16.6: Timer C; each progress starts it anew."""
    ladder = incoming().wait(100).do("progress").expect("180 INVITE").wait(179).expect()
    ladder.wait(1).expect("480 INVITE", "Ended 480 timeout").acks().expect_nothing_left()


def test_an_early_dialog_may_be_ended_by_bye():
    """RFC 3261 §15.1.2."""
    ladder = incoming().do("progress").expect("180 INVITE")
    ladder.asks("BYE").expect("200 BYE", "487 INVITE", "Ended 487 remote").acks()
    ladder.expect_nothing_left().expect()


def test_a_delayed_offer_has_our_offer_in_the_200_and_the_answer_in_the_ack():
    """RFC 3261 §13.2.1, RFC 3264.

    caller                  us
      |-- INVITE (no SDP) -->|  Arrived(offer=None)
      |<---- 200 (offer) ----|
      |---- ACK (answer) --->|  Confirmed(description)
    """
    ladder = Ladder().asks("INVITE").expect("100 INVITE", "Arrived").do("answer", OFFER)
    ladder.expect("200 INVITE").acks(ANSWER).expect("Confirmed")
    confirmed = ladder.event(Confirmed)
    assert isinstance(confirmed, Confirmed)
    assert confirmed.description is not None
    assert confirmed.description.media[0].port == 7000


@pytest.mark.parametrize("body", [b"", b"v=broken\r\n"])
def test_a_delayed_offer_without_answer_ends_the_call(body):
    ladder = Ladder().asks("INVITE").do("answer", OFFER)
    ladder.expect("100 INVITE", "Arrived", "200 INVITE").acks(body)
    ladder.expect("BYE", "Ended 488 remote").answers(200).expect_nothing_left()


def test_too_many_hops():
    """RFC 3261 §16.3, RFC 7332: what we may pass on must not have come to its end."""
    ladder = Ladder().asks("INVITE", OFFER, headers=("Max-Forwards: 0",))
    ladder.expect("100 INVITE", "483 INVITE", "Refused 483").acks().expect_nothing_left()


def test_the_same_invite_by_two_ways_is_a_loop():
    """RFC 3261 §8.2.2.2: same From tag, Call-ID and CSeq, another branch."""
    ladder = incoming().asks("INVITE", OFFER, cseq=1, to_tag="")
    ladder.expect("100 INVITE", "482 INVITE", "Refused 482")


def test_an_unknown_extension_is_refused_by_name():
    """RFC 3261 §8.2.2.3."""
    ladder = Ladder().asks("INVITE", OFFER, headers=("Require: 100rel, foo, bar",))
    ladder.expect("100 INVITE", "420 INVITE", "Refused 420")
    assert ladder.last(2, "INVITE").get("Unsupported") == "foo, bar"


def test_a_body_that_is_no_sdp_is_refused():
    ladder = Ladder().asks("INVITE", b"hello", headers=("Content-Type: text/plain",))
    ladder.expect("100 INVITE", "415 INVITE", "Refused 415")
    assert ladder.last(2, "INVITE").get("Accept") == "application/sdp"


def test_a_broken_description_is_refused():
    Ladder().asks("INVITE", b"v=0\r\nbroken\r\n").expect("100 INVITE", "400 INVITE", "Refused 400")


@pytest.mark.parametrize(
    ("method", "status"), [("BYE", 481), ("INFO", 481), ("OPTIONS", 481), ("UPDATE", 481)]
)
def test_a_request_of_an_unknown_dialog_gets_481(method, status):
    """RFC 3261 §12.2.2."""
    Ladder().asks(method, to_tag="gone").expect(f"{status} {method}").expect_nothing_left()


def test_a_reinvite_of_an_unknown_dialog_gets_481():
    Ladder().asks("INVITE", OFFER, to_tag="gone").expect("100 INVITE", "481 INVITE")


def test_the_tag_of_a_stranger_gets_481():
    talking().asks("BYE", tag="stranger").expect("481 BYE")


def test_a_request_out_of_order_gets_500():
    """RFC 3261 §12.2.2."""
    talking().asks("INFO", cseq=1).expect("500 INFO")


@pytest.mark.parametrize(
    ("method", "status"),
    [("OPTIONS", 200), ("INFO", 200), ("UPDATE", 200), ("FROBNICATE", 501)],
)
def test_other_methods_within_a_call(method, status):
    """RFC 3261 §8.2.1, §11.2; RFC 3311; an Allow says what we do serve."""
    ladder = talking().asks(method).expect(f"{status} {method}")
    assert "INVITE" in (ladder.last(2, method).get("Allow") or "")


def test_a_connection_that_closes_ends_its_calls():
    talking(TCP).lose_connection().expect("Ended 503 transport").expect_nothing_left()
    incoming(TCP).lose_connection().expect("Ended 503 transport").expect_nothing_left()


def test_a_call_can_move_to_another_connection():
    ladder = talking(TCP)
    other = TCP._replace(serial=2)
    ladder.lose_connection(instead=other).expect().do("hang_up")
    ladder.expect("BYE", "Ended 200 local")
    assert ladder.legs.flow_of("leg1") == other


def test_commands_that_do_not_fit_are_our_bugs():
    ladder = talking()
    for command, arguments in [("answer", [ANSWER]), ("progress", []), ("refuse", [486])]:
        with pytest.raises(LocalProtocolError):
            ladder.do(command, *arguments)
    with pytest.raises(LocalProtocolError):
        incoming().do("refuse", 200)


def test_commands_to_a_leg_that_has_ended_come_late():
    ladder = talking().asks("BYE").expect("200 BYE", "Ended 200 remote")
    for command, arguments in [("answer", [ANSWER]), ("hang_up", []), ("offer", [OFFER])]:
        ladder.do(command, *arguments).expect()


def test_a_reason_is_told():
    ladder = talking().asks("BYE", headers=("Reason: Q.850;cause=16",))
    event = ladder.event(Ended)
    assert isinstance(event, Ended)
    assert event.reason == "Q.850;cause=16"


def test_record_route_leads_later_requests():
    """RFC 3261 §12.1.1, §12.2.1.1: loose routing; the packet goes to the first route."""
    ladder = Ladder().asks("INVITE", OFFER, headers=("Record-Route: <sip:192.0.2.77;lr>",))
    ladder.do("answer", ANSWER).acks().do("hang_up")
    bye = ladder.last_request("BYE")
    assert isinstance(bye, Request)
    assert bye.get("Route") == "<sip:192.0.2.77;lr>"
    sent = next(output for _, output in ladder.out if getattr(output, "message", None) == bye)
    assert sent.flow.remote == ("192.0.2.77", 5060)


def test_a_request_within_a_call_that_needs_an_extension():
    """RFC 3261 §8.2.2.3; a field that cannot be read is 400."""
    ladder = talking().asks("INFO", headers=("Require: foo",)).expect("420 INFO")
    assert ladder.last(2, "INFO").get("Unsupported") == "foo"
    ladder.asks("INFO", headers=('Require: "foo, bar',)).expect("400 INFO")
    ladder.asks("INVITE", OFFER, headers=("Contact: <sip:",)).expect("100 INVITE", "400 INVITE")
    ladder.acks().asks("UPDATE", headers=("Contact: <sip:",)).expect("400 UPDATE")
    ladder.asks("BYE").expect("200 BYE", "Ended 200 remote").expect_nothing_left()
