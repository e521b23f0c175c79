"""Whom a leg believes."""

import numpy as np

from media.latch import PROBATION, RELATCH_TICKS, Latch
from media.legs import Legs

SDP = ("192.0.2.1", 4000)
OTHER_PORT = ("192.0.2.1", 5000)
STRANGER = ("203.0.113.9", 6000)


def latch_of(accept_any: bool = False) -> Latch:
    legs = Legs(1)
    legs.add("leg", 0)
    legs.remote[0] = SDP
    legs.accept_any[0] = accept_any
    return Latch(legs)


def tell(latch: Latch, source, numbers, ssrc=1, tick=0) -> list[str]:
    return [latch.judge(0, source, ssrc, number, tick) for number in numbers]


def test_the_address_of_the_sdp_is_believed_at_once():
    latch = latch_of()
    assert tell(latch, SDP, [7, 8]) == ["latch", "accept"]


def test_another_source_is_believed_after_packets_in_sequence():
    latch = latch_of()
    assert tell(latch, STRANGER, range(PROBATION)) == ["stranger"] * (PROBATION - 1) + ["latch"]
    latch = latch_of()
    assert "latch" not in tell(latch, STRANGER, [5, 9, 1, 30, 2, 77])


def test_behind_nat_a_guessed_packet_is_not_enough_either():
    assert tell(latch_of(accept_any=True), STRANGER, [7]) == ["stranger"]


def test_whoever_was_quicker_gives_way_to_the_source_of_the_sdp():
    """A thief who sprays the ports before the party speaks has the call for one packet."""
    latch = latch_of()
    assert tell(latch, STRANGER, range(PROBATION))[-1] == "latch"
    assert tell(latch, SDP, [70], ssrc=2) == ["latch"]
    assert tell(latch, STRANGER, range(9)) == ["stranger"] * 9
    assert tell(latch, SDP, [71], ssrc=2) == ["accept"]


def test_once_latched_a_stranger_never_gets_in_while_the_party_talks():
    latch = latch_of()
    tell(latch, SDP, [1])
    for tick in range(1000):
        latch.legs.heard_tick[0] = tick
        assert tell(latch, STRANGER, [tick], tick=tick) == ["stranger"]
        assert tell(latch, OTHER_PORT, [tick], tick=tick) == ["stranger"]


def test_after_silence_only_the_same_host_may_move():
    latch = latch_of()
    tell(latch, SDP, [1])
    late = RELATCH_TICKS
    assert set(tell(latch, STRANGER, range(9), tick=late)) == {"stranger"}
    assert tell(latch, OTHER_PORT, range(PROBATION), tick=late)[-1] == "latch"
    assert tell(latch, OTHER_PORT, [9], tick=late) == ["accept"]


def test_after_silence_a_nat_may_have_given_another_port():
    """The SDP names a private address: only the host that was heard is known."""
    latch = latch_of()
    tell(latch, STRANGER, range(PROBATION))
    moved = (STRANGER[0], STRANGER[1] + 1)
    assert set(tell(latch, moved, range(9))) == {"stranger"}
    assert tell(latch, moved, range(20, 20 + PROBATION), tick=RELATCH_TICKS)[-1] == "latch"


def test_after_silence_anybody_may_move_where_nat_is_expected():
    latch = latch_of(accept_any=True)
    tell(latch, SDP, [1])
    assert tell(latch, STRANGER, range(PROBATION), tick=RELATCH_TICKS)[-1] == "latch"


def test_a_new_ssrc_of_the_same_source_needs_two_packets():
    latch = latch_of()
    tell(latch, SDP, [1])
    assert tell(latch, SDP, [500], ssrc=2) == ["stranger"]
    assert tell(latch, SDP, [501, 502], ssrc=2) == ["resync", "accept"]
    assert latch.legs.ssrc[0] == np.uint32(2)
