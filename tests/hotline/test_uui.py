"""User-to-User between the platform and us."""

from hypothesis import given
from hypothesis import strategies as st

from hotline.uui import MOST_BYTES, Told, read, read_all, write


def test_what_is_told_is_understood():
    told = Told("5f3a", "HF-2026-001")
    assert write(told) == "63616c6c3d356633613b6f726465723d48462d323032362d303031;encoding=hex"
    assert read(write(told)) == told
    assert read_all((("Subject", "x"), ("user-to-user", write(told)))) == told


def test_what_is_anothers_is_left_alone():
    assert read("00C81234;encoding=hex") == Told()
    assert read("63616c6c;encoding=base64") == Told()
    assert read("no hex;purpose=isdn-uui") == Told()
    assert read_all(()) == Told()


def test_an_order_that_does_not_fit_is_left_out():
    assert read(write(Told("c" * 20, "9" * 200))) == Told("c" * 20)


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str):
    read(text)
    read(text.encode().hex() + ";encoding=hex")


@given(
    st.text(st.characters(categories=["L", "N"]), max_size=8), st.text("0123456789-", max_size=20)
)
def test_the_way_there_and_back(call: str, order: str):
    told = Told(call, order)
    value = write(told)
    assert len(bytes.fromhex(value.partition(";")[0])) <= MOST_BYTES
    assert read(value).order == order or len(call.encode()) * 3 + len(order) > MOST_BYTES - 16


def test_of_several_values_in_one_field_ours_is_read():
    """RFC 7433 §4.1: values in a list, each a token or a quoted string."""
    ours = write(Told("call-1", "HF-3"))
    assert read(f"00a1;encoding=hex, {ours}") == Told("call-1", "HF-3")
    content, _, rest = ours.partition(";")
    assert read(f'"{content}";{rest}') == Told("call-1", "HF-3")
