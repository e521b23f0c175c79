"""Overload: new calls are refused at once and cheaply, everything else goes on."""

from callcore.call.events import Arrived, Refused
from callcore.call.overload import START_SECONDS, STOP_SECONDS, refuses
from tests.callcore.stage import Peer, only


def test_it_starts_late_and_ends_early():
    between = (START_SECONDS + STOP_SECONDS) / 2
    assert not refuses(False, between)
    assert refuses(False, START_SECONDS)
    assert refuses(True, between)
    assert not refuses(True, STOP_SECONDS / 2)


def test_a_new_call_gets_503_and_when_to_come_back(stage, trunk):
    """caller                us, behind by START_SECONDS
    |---- INVITE --->|
    |<----- 503 -----|  Retry-After, no transaction
    |----- ACK ----->|
    """
    stage.engine.delayed(START_SECONDS)
    answer = only(trunk.invite())
    assert answer.status == 503
    assert int(answer.get("Retry-After")) > 0
    assert stage.engine.transactions == 0
    assert stage.told() == [Refused("10.0.0.1", "INVITE", 503, "overload")]
    assert stage.engine.counters["refused", "overload", 503] == 1
    stage.engine.delayed(0.0)
    trunk.invite()
    assert [event.source for event in stage.told(Arrived)] == ["ims"]


def test_a_call_that_was_let_in_stays_in(stage, trunk):
    """The INVITE again, because 100 was lost: answered from its transaction."""
    first = only(trunk.invite(call_id="once", branch="once", cseq=1))
    assert first.status == 100
    stage.engine.delayed(START_SECONDS)
    again = only(trunk.invite(call_id="once", branch="once", cseq=1))
    assert again.status == 100


def test_registrations_and_options_go_on(stage):
    stage.engine.delayed(START_SECONDS)
    seat = Peer(stage, "10.0.7.1")
    assert only(seat.send("OPTIONS")).status == 200
    assert seat.register().status == 200
