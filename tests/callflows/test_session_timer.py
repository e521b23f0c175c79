"""The session timer in both roles and on either side (RFC 4028)."""

import pytest

from callcore.call.events import Ended, OfferAnswered
from callcore.call.legs import LegSettings
from callcore.call.terms import Terms
from callcore.dialog import SessionTerms
from tests.callflows.ladder import ANSWER, OFFER, Ladder, sdp

BOTH = ("Supported: timer", "Allow: INVITE, ACK, BYE, UPDATE")
NO_UPDATE = ("Supported: timer", "Allow: INVITE, ACK, BYE")
HOLD = sdp(6000, "sendonly")


def wish(seconds: int = 1800, minimum: int = 90, refresher: str = "") -> LegSettings:
    return LegSettings(terms=Terms(session=SessionTerms(seconds, minimum, refresher)))


def answered(*headers: str, settings: LegSettings | None = None) -> Ladder:
    """Their call is up; the INVITE had these headers."""
    ladder = Ladder(settings=settings).asks("INVITE", OFFER, headers=headers).do("answer", ANSWER)
    ladder.expect("100 INVITE", "Arrived", "200 INVITE").acks().expect("Confirmed")
    return ladder


def placed(*headers: str, settings: LegSettings | None = None) -> Ladder:
    """Our call is up; the 200 had these headers."""
    ladder = Ladder(settings=settings or wish()).place().expect("INVITE")
    return ladder.answers(200, ANSWER, headers=headers).expect("ACK", "Answered")


def granted(ladder: Ladder) -> tuple[str | None, str | None]:
    answer = ladder.last(2, "INVITE")
    return answer.get("Session-Expires"), answer.get("Require")


def test_who_refreshes_when_they_ask():
    """RFC 4028 §9, table 2."""
    uac, uas = ("120;refresher=uac", "timer"), ("120;refresher=uas", None)
    assert granted(answered(*BOTH, "Session-Expires: 120")) == uac
    assert granted(answered(*BOTH, "Session-Expires: 120;refresher=uac")) == uac
    assert granted(answered(*BOTH, "Session-Expires: 120;refresher=uas")) == uas
    assert granted(answered("Session-Expires: 120;refresher=uac")) == uas  # they cannot
    assert granted(answered(*BOTH, "Session-Expires: 120", settings=wish(refresher="us"))) == uas
    assert granted(answered(*BOTH, "x: 3600", settings=wish(600))) == ("600;refresher=uac", "timer")
    assert granted(answered(*BOTH)) == (None, None)


def test_we_ask_for_a_timer_of_who_calls_without():
    assert granted(answered(*BOTH, settings=wish())) == ("1800;refresher=uac", "timer")
    assert granted(answered(settings=wish())) == ("1800;refresher=uas", None)


@pytest.mark.parametrize("value", ["89", "1", "0"])
def test_an_interval_that_is_too_small_gets_422(value):
    """RFC 4028 §9."""
    ladder = Ladder().asks("INVITE", OFFER, headers=(*BOTH, f"Session-Expires: {value}"))
    ladder.expect("100 INVITE", "422 INVITE", "Refused 422")
    assert ladder.last(2, "INVITE").get("Min-SE") == "90"
    assert granted(answered(f"Session-Expires: {value}")) == ("90;refresher=uas", None)


def test_an_interval_that_is_no_number_gets_400():
    ladder = Ladder().asks("INVITE", OFFER, headers=(*BOTH, "Session-Expires: soon"))
    ladder.expect("100 INVITE", "400 INVITE", "Refused 400")


def test_they_do_not_refresh_in_time():
    """RFC 4028 §10: BYE, min(32, a third) of the interval before its end."""
    ladder = answered(*BOTH, "Session-Expires: 120").wait(87.9).expect().wait(0.2)
    ladder.expect("BYE", "Ended 408 timeout")
    assert ladder.last_request("BYE").get("Reason") == 'SIP;cause=408;text="Session Expired"'
    assert ladder.event(Ended).reason == "session expired"
    ladder.answers(200).expect_nothing_left()


def test_they_refresh_by_update_and_by_reinvite():
    refresh = (*BOTH, "Session-Expires: 120;refresher=uac")
    ladder = answered(*BOTH, "Session-Expires: 120").wait(60)
    ladder.asks("UPDATE", headers=refresh).expect("200 UPDATE")
    assert ladder.last(2, "UPDATE").get("Session-Expires") == "120;refresher=uac"
    ladder.wait(60).expect().asks("INVITE", HOLD, headers=refresh)
    ladder.do("accept_offer", ANSWER).expect("100 INVITE", "Offered", "200 INVITE").acks()
    assert granted(ladder) == ("120;refresher=uac", "timer")
    ladder.wait(87).expect().wait(1.2).expect("BYE", "Ended 408 timeout")


def test_a_refresh_that_is_too_short_gets_422_and_one_without_ends_the_timer():
    ladder = answered(*BOTH, "Session-Expires: 120")
    ladder.asks("UPDATE", headers=(*BOTH, "Session-Expires: 60")).expect("422 UPDATE")
    ladder.asks("INVITE", HOLD, headers=(*BOTH, "Session-Expires: 60"))
    ladder.expect("100 INVITE", "422 INVITE").acks()
    ladder.asks("UPDATE", headers=BOTH).expect("200 UPDATE").wait(1000).expect()


def test_we_refresh_by_update():
    """RFC 4028 §7.4: at half of the interval, and the roles stay.

    us                    peer
    |-- UPDATE, 120;uac --->|  60 s
    |<------ 200 -----------|
    """
    ladder = placed(*BOTH, "Session-Expires: 120;refresher=uac").wait(59.9).expect().wait(0.2)
    update = ladder.expect("UPDATE").last_request("UPDATE")
    assert (update.get("Session-Expires"), update.body) == ("120;refresher=uac", b"")
    ladder.answers(200, headers=("Session-Expires: 120;refresher=uac",)).expect()
    ladder.wait(59.8).expect().wait(0.3).expect("UPDATE").answers(481)
    ladder.expect("BYE", "Ended 481 remote").answers(200).expect_nothing_left()


def test_we_refresh_a_call_of_theirs():
    ladder = answered("Allow: UPDATE", "Session-Expires: 120").wait(60).expect("UPDATE")
    assert ladder.last_request("UPDATE").get("Session-Expires") == "120;refresher=uac"


def test_we_refresh_by_reinvite_where_update_is_not_allowed():
    """RFC 4028 §7.4: with the description that stands, so that nothing changes."""
    ladder = placed(*NO_UPDATE, "Session-Expires: 120").wait(60).expect("INVITE")
    invite = ladder.last_request("INVITE")
    assert (invite.body, invite.get("Session-Expires")) == (OFFER, "120;refresher=uac")
    ladder.answers(200, ANSWER, headers=("Session-Expires: 120;refresher=uac",)).expect("ACK")
    ladder.wait(60).expect("INVITE").answers(200, HOLD).expect("ACK", "OfferAnswered")
    assert ladder.event(OfferAnswered).body == HOLD


def test_an_offer_of_ours_is_a_refresh_too():
    ladder = placed(*BOTH, "Session-Expires: 120;refresher=uas").do("offer", HOLD, leg="out")
    ladder.expect("INVITE")
    assert ladder.last_request("INVITE").get("Session-Expires") == "120;refresher=uas"
    ladder.answers(200, ANSWER, headers=("Session-Expires: 120;refresher=uas",))
    ladder.expect("ACK", "OfferAnswered").wait(88.1).expect("BYE", "Ended 408 timeout")


def test_a_peer_without_the_timer_sets_none():
    placed().wait(4000).expect()
    placed("Session-Expires: soon").wait(4000).expect()


def test_our_invite_asks_and_422_is_asked_again():
    """RFC 4028 §7.3: with the minimum that was demanded, and the same Call-ID."""
    ladder = Ladder(settings=wish(1800, 120, "us")).place().expect("INVITE")
    first = ladder.last_request("INVITE")
    assert first.get("Session-Expires") == "1800;refresher=uac"
    assert (first.get("Min-SE"), first.get("Supported")) == ("120", "100rel, timer")
    ladder.answers(422, headers=("Min-SE: 3600",)).expect("ACK", "INVITE")
    second = ladder.last_request("INVITE")
    assert second.all("Session-Expires") == ["3600;refresher=uac"]
    assert second.all("Min-SE") == ["3600"]
    assert (second.cseq.number, second.call_id) == (2, first.call_id)
    ladder.answers(422, headers=("Min-SE: 3600",)).expect("ACK", "Ended 422 remote")
    ladder.expect_nothing_left()


def test_a_refresh_that_gets_422_asks_for_longer():
    ladder = placed(*BOTH, "Session-Expires: 120").wait(60).expect("UPDATE")
    ladder.answers(422, headers=("Min-SE: 400",)).expect("UPDATE")
    assert ladder.last_request("UPDATE").get("Session-Expires") == "400;refresher=uac"


def test_a_refresh_that_fails_is_tried_again_and_then_the_call_ends():
    ladder = placed(*BOTH, "Session-Expires: 120").wait(60).expect("UPDATE")
    ladder.answers(500).wait(7.6).expect("UPDATE").answers(501).expect().wait(0.1)
    ladder.expect("INVITE").answers(488).expect("ACK").wait(7.6).expect("INVITE").answers(491)
    ladder.expect("ACK").wait(3.1).expect("INVITE").answers(100).wait(41.7)
    ladder.expect("BYE", "Ended 408 timeout").answers(200, to="INVITE").expect("ACK")
    ladder.answers(200, to="BYE").expect_nothing_left()


def test_nobody_answers_the_refresh():
    """RFC 4028 §10."""
    ladder = placed(*BOTH, "Session-Expires: 120").wait(60 + 31.9)
    ladder.out.clear()
    ladder.wait(0.2).expect("BYE", "Ended 408 timeout").answers(200).expect_nothing_left()


def test_a_refresh_is_challenged_once():
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
    ladder = placed(*BOTH, "Session-Expires: 120").wait(60).expect("UPDATE")
    ladder.answers(401, headers=(challenge,)).expect("UPDATE")
    assert ladder.last_request("UPDATE").get("Authorization")
    ladder.answers(401, headers=(challenge,)).expect().wait(7.6).expect("UPDATE")


def test_the_session_ends_before_the_ack_has_come():
    ladder = Ladder().asks("INVITE", OFFER, headers=(*BOTH, "Session-Expires: 90;refresher=uas"))
    ladder.do("answer", ANSWER).wait(31).acks().wait(16)
    ladder.out.clear()
    assert ladder.last_request("UPDATE").get("Session-Expires") == "90;refresher=uac"
