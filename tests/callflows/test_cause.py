"""Why a call ended, kept from leg to leg (RFC 3326, RFC 6432, RFC 3398)."""

import pytest

from callcore.call.cause import CAUSES, ELSEWHERE, STATUSES, TEXTS, Reason, carry
from callcore.call.events import Ended
from tests.callflows.ladder import ANSWER, Ladder, called, incoming, talking


@pytest.mark.parametrize(
    ("status", "cause"), [(486, 17), (404, 1), (480, 18), (603, 21), (503, 41), (600, 17)]
)
def test_a_refusal_of_ours_says_why(status, cause):
    """RFC 6432."""
    ladder = incoming().do("refuse", status)
    ladder.expect(f"{status} INVITE", f"Ended {status} local")
    reason = Reason("Q.850", cause, TEXTS[cause])
    assert ladder.last(2, "INVITE").get("Reason") == str(reason)
    assert ladder.event(Ended).cause == cause


def test_a_refusal_of_theirs_has_a_cause_told_or_not():
    ladder = Ladder().place().answers(486).expect("INVITE", "ACK", "Ended 486 remote")
    assert ladder.event(Ended).cause == 17
    ladder = Ladder().place().answers(480, headers=('Reason: Q.850 ; cause=19;text="No"',))
    assert ladder.event(Ended).cause == 19
    assert carry(ladder.event(Ended)) == (("Reason", 'Q.850;cause=19;text="No"'),)


def test_a_call_that_nobody_answered():
    ladder = Ladder().place().answers(180).wait(180)
    ladder.expect("INVITE", "Progressed 180", "CANCEL", "Ended 408 timeout")
    assert ladder.event(Ended).cause == 19


@pytest.mark.parametrize("value", ["", "x", "Q.850", "Q.850;cause=x", '"', ";cause=1"])
def test_a_reason_that_cannot_be_read_was_never_said(value):
    ladder = talking().asks("BYE", headers=(f"Reason: {value}",))
    ladder.expect("200 BYE", "Ended 200 remote")
    assert (ladder.event(Ended).cause, ladder.event(Ended).reasons) == (16, ())


def test_a_bye_with_reasons():
    value = 'Reason: SIP;cause=600;text="a \\"b\\"", Q.850;cause=31'
    ladder = talking().asks("BYE", headers=(value,)).expect("200 BYE", "Ended 200 remote")
    ended = ladder.event(Ended)
    assert ended.reasons == (Reason("SIP", 600, 'a "b"'), Reason("Q.850", 31))
    headers = carry(ended)
    ladder = called().do("hang_up", None, headers, leg="out").expect("BYE", "Ended 200 local")
    assert ladder.last_request("BYE").all("Reason") == [
        'SIP;cause=600;text="a \\"b\\""',
        "Q.850;cause=31",
    ]


def test_an_ordinary_bye_is_a_normal_clearing():
    ladder = talking().do("hang_up").expect("BYE", "Ended 200 local")
    assert ladder.last_request("BYE").get("Reason") == 'Q.850;cause=16;text="Normal call clearing"'


@pytest.mark.parametrize("rings", [True, False])
def test_a_loser_of_a_fork_hears_that_somebody_else_answered(rings):
    """RFC 3326 §3.1; a CANCEL that has to wait says it too (RFC 3261 §9.1)."""
    ladder = Ladder().place()
    ladder.answers(180) if rings else ladder
    ladder.do("hang_up", ELSEWHERE, leg="out").answers(180, to="INVITE")
    assert ladder.last_request("CANCEL").get("Reason") == f'SIP;cause=200;text="{ELSEWHERE}"'


def test_their_cancel_says_why():
    ladder = incoming()
    reason = ('Reason: SIP;cause=200;text="Call completed elsewhere"',)
    ladder.asks("CANCEL", cseq=1, branch="z9hG4bK-peer-1", headers=reason)
    ladder.expect("200 CANCEL", "487 INVITE", "Ended 487 remote")
    assert ladder.event(Ended).reasons == (Reason("SIP", 200, ELSEWHERE),)


def test_hanging_up_before_the_ack_keeps_the_reason():
    ladder = incoming().do("answer", ANSWER).do("hang_up", "enough").acks()
    ladder.expect("200 INVITE", "Ended 200 local", "BYE")
    assert ladder.last_request("BYE").get("Reason") == 'SIP;cause=200;text="enough"'


def test_the_tables_are_whole():
    assert set(CAUSES.values()) <= set(TEXTS)
    assert all(300 <= status < 700 for status in [*CAUSES, *STATUSES.values()])
    for status in (404, 480, 486, 488, 503, 504, 603):
        assert STATUSES[CAUSES[status]] == status
