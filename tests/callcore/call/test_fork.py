"""Forking: the first answer wins, one failure after another is weighed."""

import pytest

from callcore.call.fork import Failure, Fork
from callcore.call.target import Call, Destination
from callcore.call.trunk import Target

CALL = Call(b"v=0")


def to(host):
    return Destination(Target("udp", (host, 5060)), f"sip:{host}", "<sip:us>", f"<sip:{host}>")


def fork(*branches, hosts="abc"):
    made = Fork("L", CALL, tuple(to(host) for host in hosts))
    for branch in branches:
        made = made.started(branch)
    return made


def test_branches_are_named_after_their_leg():
    assert fork().next_branch == "L"
    assert fork("L").next_branch == "L/1"
    assert [d.request_uri for d in fork("L").waiting] == ["sip:b", "sip:c"]


def test_the_first_answer_wins_and_the_others_are_hung_up():
    won, losers = fork("L", "L/1", "L/2").won("L/1")
    assert won.winner == "L/1"
    assert losers == ("L", "L/2")
    assert won.live == {"L", "L/1", "L/2"}


@pytest.mark.parametrize("failure", [(503, "", "remote"), (408, "", "timeout")])
def test_a_dead_peer_leaves_the_next_to_try(failure):
    assert len(fork("L").failed("L", Failure(*failure)).waiting) == 2
    assert fork("L").heard().failed("L", Failure(*failure)).waiting == ()


def test_a_busy_one_is_the_answer():
    assert fork("L").failed("L", Failure(486, "", "remote")).waiting == ()


def test_the_best_of_several_refusals_is_told():
    failing = fork("L", "L/1", "L/2")
    for branch, status in (("L", 503), ("L/1", 486), ("L/2", 480)):
        failing = failing.failed(branch, Failure(status, "", "remote"))
    assert failing.best == Failure(480, "", "remote")
    assert failing.ringing == ()
    assert failing.failed("x", Failure(603, "", "remote")).best == Failure(603, "", "remote")
