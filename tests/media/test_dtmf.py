"""RFC 4733: one press, one report."""

from hypothesis import given
from hypothesis import strategies as st

from media.dtmf import QUIET_TICKS, Keys, Packet, Pressed


def packet(digit: int, duration: int, end: bool, timestamp: int = 100, number: int = 0) -> Packet:
    flags = 0x80 if end else 0
    payload = bytes([digit, flags]) + duration.to_bytes(2, "big")
    return Packet(number, timestamp, 7, payload)


@given(st.integers(0, 15), st.integers(1, 20), st.integers(1, 5))
def test_ends_sent_again_are_not_told_again(digit, updates, ends):
    keys = Keys()
    told = []
    for number in range(updates):
        told += keys.hear(0, packet(digit, 160 * (number + 1), False), number)[1]
    for _ in range(ends):
        told += keys.hear(0, packet(digit, 160 * updates, True), updates)[1]
    assert told == [Pressed(0, "0123456789*#ABCD"[digit], 20 * updates)]
    assert keys.expire(10**6) == []


def test_an_end_that_was_lost_is_told_after_a_while():
    keys = Keys()
    keys.hear(3, packet(11, 400, False), 10)
    assert keys.expire(10 + QUIET_TICKS) == []
    assert keys.expire(11 + QUIET_TICKS) == [Pressed(3, "#", 50)]
    assert keys.expire(12 + QUIET_TICKS) == []


def test_the_next_press_ends_the_one_before():
    keys = Keys()
    keys.hear(0, packet(1, 400, False, timestamp=100), 1)
    press, told = keys.hear(0, packet(1, 160, False, timestamp=1000), 2)
    assert told == [Pressed(0, "1", 50)]
    assert press is not None
    assert (press.stamp(4, 77), press.stamp(4, 99), press.stamp(5, 99)) == (77, 77, 99)


def test_a_flash_is_no_digit():
    assert Keys().hear(0, packet(16, 160, True), 1) == (None, [])
