"""Feature codes as they are typed."""

from hypothesis import given
from hypothesis import strategies as st

from hotline.codes import MOST_KEYS, NOTHING, Keys, Order, press

CODES = {"transfer": "*1", "consult": "*2", "complete": "*3", "join": "*4", "hold": "*5"}


def typed(text: str, pause: float = 0.5) -> list[Order]:
    keys, orders = NOTHING, []
    for number, digit in enumerate(text):
        keys, order = press(keys, digit, CODES, number * pause)
        if order is not None:
            orders.append(order)
    return orders


def test_a_code_with_a_number_ends_with_the_hash():
    assert typed("*18002#") == [Order("transfer", "8002")]
    assert typed("*213800000001#*3") == [Order("consult", "13800000001"), Order("complete")]


def test_a_code_without_a_number_is_complete_at_once():
    assert typed("*5*5*4") == [Order("hold"), Order("hold"), Order("join")]


def test_what_is_no_code_is_forgotten():
    assert typed("123#") == []
    assert typed("7*5") == [Order("hold")]
    assert typed("**5") == [Order("hold")]
    assert typed("*1#") == []


def test_a_long_pause_begins_anew():
    assert typed("*18002#", pause=7.0) == []


@given(st.lists(st.sampled_from("0123456789*#ABCD"), max_size=80))
def test_no_keys_can_do_more_than_be_forgotten(digits: list[str]):
    keys: Keys = NOTHING
    for digit in digits:
        keys, order = press(keys, digit, CODES, 0.0)
        assert len(keys.typed) <= MOST_KEYS
        assert order is None or order.verb in CODES
