"""REFER, NOTIFY, Replaces, Referred-By (RFC 3515, 7647, 4488, 3891, 3892)."""

import pytest

from callcore.call.events import Arrived, Referred
from callcore.call.legs import LegSettings
from callcore.call.terms import Terms
from callcore.errors import LocalProtocolError
from tests.callflows.ladder import ANSWER, OFFER, Ladder

GRANTED = LegSettings(terms=Terms(transfers=True))
BLIND = "Refer-To: <sip:8002@hotline.local>"


def up(settings: LegSettings = GRANTED) -> Ladder:
    """Their call is up."""
    ladder = Ladder(settings=settings).asks("INVITE", OFFER).do("answer", ANSWER)
    return ladder.expect("100 INVITE", "Arrived", "200 INVITE").acks().expect("Confirmed")


def referred(*headers: str) -> Ladder:
    return up().asks("REFER", headers=(BLIND, *headers)).expect("Referred")


def notified(ladder: Ladder) -> tuple[str | None, str | None, bytes]:
    notify = ladder.last_request("NOTIFY")
    return notify.get("Event"), notify.get("Subscription-State"), notify.body


def test_a_transfer_that_succeeds():
    """RFC 3515 §2.4.4: one NOTIFY at a time, the last ends the subscription.

    peer                  us
      |------ REFER ----->|  Referred
      |<------ 202 -------|
      |<- NOTIFY, 100 ----|
      |<- NOTIFY, 180 ----|
      |<- NOTIFY, 200 ----|  terminated
      |<------ BYE -------|
    """
    ladder = referred("Referred-By: <sip:8001@hotline.local>")
    fact = ladder.event(Referred)
    assert (fact.to, fact.replaces, fact.replaced) == ("sip:8002@hotline.local", "", "")
    assert fact.referred_by == "<sip:8001@hotline.local>"
    ladder.do("accept_transfer").expect("202 REFER", "NOTIFY")
    assert notified(ladder) == ("refer", "active;expires=180", b"SIP/2.0 100 Trying\r\n")
    assert ladder.last_request("NOTIFY").content_type == "message/sipfrag"
    ladder.do("progress_transfer", 180).do("progress_transfer", 180).expect()
    ladder.answers(200).expect("NOTIFY")
    assert notified(ladder)[2] == b"SIP/2.0 180 Ringing\r\n"
    ladder.answers(200).do("progress_transfer", 180).expect().do("progress_transfer", 200)
    ladder.expect("NOTIFY")
    state = "terminated;reason=noresource"
    assert notified(ladder) == ("refer", state, b"SIP/2.0 200 OK\r\n")
    ladder.answers(200).do("hang_up").expect("BYE", "Ended 200 local").answers(200)
    ladder.expect_nothing_left()


def test_a_final_status_overtakes_what_has_not_been_told():
    ladder = referred().do("accept_transfer").do("progress_transfer", 180)
    ladder.do("progress_transfer", 486).expect("202 REFER", "NOTIFY").answers(200)
    ladder.expect("NOTIFY").do("progress_transfer", 200).answers(200).expect()
    assert notified(ladder)[2] == b"SIP/2.0 486 Busy Here\r\n"
    ladder.asks("REFER", headers=(BLIND,)).expect("Referred").do("accept_transfer")
    ladder.expect("202 REFER", "NOTIFY")
    assert notified(ladder)[0] == "refer;id=3"  # RFC 3515 §2.4.6: the second has an id


def test_a_refer_that_overtakes_the_ack_is_followed():
    """The ACK of the call was lost; the phone transfers at once, and is told of it.

    peer                  us
      |------ INVITE ---->|
      |<------ 200 -------|
      |---- ACK --->      |
      |------ REFER ----->|  Referred
      |<------ 202 -------|
      |<- NOTIFY, 100 ----|
    """
    ladder = Ladder(settings=GRANTED).asks("INVITE", OFFER).do("answer", ANSWER)
    ladder.expect("100 INVITE", "Arrived", "200 INVITE")
    ladder.asks("REFER", headers=(BLIND,)).expect("Referred").do("accept_transfer")
    ladder.expect("202 REFER", "NOTIFY").answers(200).acks().expect("Confirmed")
    ladder.do("progress_transfer", 200).expect("NOTIFY").answers(200)
    ladder.do("hang_up").expect("BYE", "Ended 200 local").answers(200)
    ladder.expect_nothing_left()


def test_a_transfer_without_a_subscription():
    """RFC 4488."""
    ladder = referred("Refer-Sub: false").do("accept_transfer").expect("202 REFER")
    assert ladder.last(2, "REFER").get("Refer-Sub") == "false"
    ladder.do("progress_transfer", 200).wait(300).expect()


def test_a_transfer_that_is_refused():
    referred().do("refuse_transfer").expect("603 REFER").do("accept_transfer").expect()
    referred().do("refuse_transfer", 403).expect("403 REFER").wait(300).expect()
    with pytest.raises(LocalProtocolError):
        referred().do("refuse_transfer", 200)
    with pytest.raises(LocalProtocolError):
        referred().do("progress_transfer", 700)


def test_what_is_not_served_is_told_of_refer_too_who_may():
    """RFC 3261 §21.4.6: Allow in a 405 lists what is."""
    ladder = up().asks("MESSAGE").expect("405 MESSAGE")
    assert (ladder.last(4, "MESSAGE").get("Allow") or "").endswith("REFER")


def test_who_may_not_transfer_gets_603():
    ladder = up(LegSettings()).asks("REFER", headers=(BLIND,)).expect("603 REFER")
    assert "REFER" not in (ladder.last(2, "INVITE").get("Allow") or "")
    assert "REFER" in (up().last(2, "INVITE").get("Allow") or "")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 400),
        ((f"{BLIND}, <sip:x@y>",), 400),
        (("Refer-To: <sip:",), 400),
        (("Refer-To: <http://x.example/>",), 416),
        (("Refer-To: <sip:x@y;method=SUBSCRIBE>",), 603),
        (("Refer-To: <sip:x@y?Replaces=a%0d%0ab>",), 400),
    ],
)
def test_a_refer_that_cannot_be_followed(headers, status):
    """RFC 3515 §2.4.2."""
    up().asks("REFER", headers=headers).expect(f"{status} REFER")


def test_one_transfer_at_a_time():
    referred().asks("REFER", headers=(BLIND,)).expect("491 REFER")


def test_nobody_decides_on_a_transfer():
    referred().wait(19.9).expect().wait(0.2).expect("603 REFER").wait(300).expect()


def test_nobody_reports_on_a_transfer():
    ladder = referred().do("accept_transfer").expect("202 REFER", "NOTIFY").answers(200)
    ladder.wait(180).expect("NOTIFY").answers(200)
    assert notified(ladder)[2] == b"SIP/2.0 408 Request Timeout\r\n"
    ladder.wait(300).expect()


@pytest.mark.parametrize("status", [481, 489, 500])
def test_a_peer_that_does_not_want_to_know(status):
    ladder = referred().do("accept_transfer").expect("202 REFER", "NOTIFY").answers(status)
    ladder.do("progress_transfer", 200).wait(300).expect()


def test_a_notify_is_challenged_once():
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
    ladder = Ladder(settings=GRANTED).place().answers(200, ANSWER)
    ladder.call_id, ladder.our_tag = "call-1", "us1"
    ladder.asks("REFER", headers=(BLIND,), tag="east").do("accept_transfer", leg="out")
    ladder.expect("INVITE", "ACK", "Answered", "Referred", "202 REFER", "NOTIFY")
    ladder.answers(401, headers=(challenge,)).expect("NOTIFY")
    assert ladder.last_request("NOTIFY").get("Authorization")
    ladder.answers(401, headers=(challenge,)).do("progress_transfer", 200, leg="out").expect()


def test_the_call_ends_before_anybody_decided():
    referred().asks("BYE").expect("200 BYE", "Ended 200 remote", "603 REFER").expect_nothing_left()
    ladder = referred().do("hang_up").expect("BYE", "Ended 200 local", "603 REFER").answers(200)
    ladder.expect_nothing_left()


def test_an_attended_transfer_names_the_leg_that_it_is_about():
    """RFC 3891 §7.1: both calls of the phone pass through us."""
    ladder = up()
    replaces = "peer-call%3Bto-tag%3Dus1%3Bfrom-tag%3Dpeer"
    ladder.asks("REFER", headers=(f"Refer-To: <sip:c@x;user=phone?Replaces={replaces}&X=y>",))
    fact = ladder.expect("Referred").event(Referred)
    assert (fact.to, fact.replaced) == ("sip:c@x;user=phone", "leg1")
    assert fact.replaces == "peer-call;to-tag=us1;from-tag=peer"
    ladder = up().asks("REFER", headers=("Refer-To: <sip:c@x?Replaces=a%3Bto-tag%3D1>",))
    assert ladder.event(Referred).replaced == ""


# INVITE with Replaces.


def again(ladder: Ladder, replaces: str, **how) -> Ladder:
    ladder.call_id, ladder.our_tag = "other-call", ""
    return ladder.asks("INVITE", OFFER, headers=(f"Replaces: {replaces}",), tag="new", **how)


def test_a_call_takes_the_place_of_another():
    """RFC 3891 §3: the old one gets BYE when the new one is answered."""
    ladder = again(up(), "peer-call;to-tag=us1;from-tag=peer").expect("100 INVITE", "Arrived")
    assert ladder.event(Arrived).replaces == "leg1"
    ladder.do("answer", ANSWER, leg="leg2").expect("200 INVITE", "BYE", "Ended 200 local")
    assert ladder.last_request("BYE").call_id == "peer-call"
    assert ladder.last_request("BYE").get("Reason") == 'SIP;cause=200;text="replaced"'


def test_a_call_takes_the_place_of_one_that_rings():
    ladder = Ladder(settings=GRANTED).place().answers(180).expect("INVITE", "Progressed 180")
    again(ladder, "call-1;from-tag=east;to-tag=us1;early-only").expect("100 INVITE", "Arrived")
    ladder.do("answer", ANSWER).expect("200 INVITE", "CANCEL", "Ended 487 local")


@pytest.mark.parametrize(
    ("replaces", "status"),
    [
        ("peer-call;to-tag=us1;from-tag=wrong", 481),
        ("peer-call;to-tag=wrong;from-tag=peer", 481),
        ("peer-call;to-tag=us1;from-tag=peer;early-only", 486),
        ("peer-call;to-tag=us1", 400),
        ("peer-call;to-tag=us1;to-tag=us1;from-tag=peer", 400),
        ("a;to-tag=1;from-tag=2, b;to-tag=1;from-tag=2", 400),
    ],
)
def test_a_replaces_that_fits_nothing(replaces, status):
    again(up(), replaces).expect("100 INVITE", f"{status} INVITE", f"Refused {status}")


def test_a_call_that_is_over_or_not_ours_is_not_replaced():
    ladder = up().do("hang_up").expect("BYE", "Ended 200 local")
    again(ladder, "peer-call;to-tag=us1;from-tag=peer")
    ladder.expect("100 INVITE", "603 INVITE", "Refused 603")
    ladder = Ladder(settings=GRANTED).asks("INVITE", OFFER).expect("100 INVITE", "Arrived")
    again(ladder, "peer-call;to-tag=us1;from-tag=peer")
    ladder.expect("100 INVITE", "481 INVITE", "Refused 481")


def test_who_may_not_replace_gets_403():
    again(up(LegSettings()), "peer-call;to-tag=us1;from-tag=peer").expect(
        "100 INVITE", "403 INVITE", "Refused 403"
    )
