"""Roles as gains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import LocalProtocolError
from media.matrix import TALKERS, Gains, Party, Role, check_bridge, matrix, sides

CALLER, AGENT = Party("c", Role.CALLER), Party("a", Role.AGENT)

parties = st.lists(
    st.tuples(st.sampled_from(Role), st.booleans(), st.booleans(), st.sampled_from([0.0, 6.0])),
    max_size=8,
).map(lambda rows: [Party(f"leg-{n}", *row) for n, row in enumerate(rows)])


def pictured(*of: Party) -> list[str]:
    """Rows of who is heard: 'a.' is a row that hears the first and not the second."""
    return ["".join("#" if gain else "." for gain in row) for row in matrix(of)]


def test_two_hear_each_other():
    assert pictured(CALLER, AGENT) == [".#", "#."]


def test_a_monitor_hears_all_and_is_heard_by_nobody():
    assert pictured(CALLER, AGENT, Party("s", Role.MONITOR)) == [".#.", "#..", "##."]


def test_only_the_agent_hears_a_whisper():
    assert pictured(CALLER, AGENT, Party("s", Role.WHISPER)) == [".#.", "#.#", "##."]


def test_who_barges_in_is_a_party_like_any_other():
    assert pictured(CALLER, AGENT, Party("s", Role.BARGE)) == [".##", "#.#", "##."]


def test_one_is_held_while_the_others_talk():
    held = Party("c", Role.CALLER, held=True)
    assert pictured(held, AGENT, Party("t", Role.THIRD)) == ["...", "..#", ".#."]


def test_a_muted_party_hears():
    muted = Party("a", Role.AGENT, muted=True)
    assert pictured(CALLER, muted, Party("t", Role.THIRD)) == ["..#", "#.#", "#.."]


def test_a_gain_is_an_amplitude_and_nobody_else_is_louder():
    loud = Party("a", Role.AGENT, gain_db=20)
    assert matrix([CALLER, loud]) == ((0.0, 10.0), (1.0, 0.0))


@given(parties)
def test_what_holds_in_every_bridge(of):
    gains = matrix(of)
    for ear, row in zip(of, gains, strict=True):
        for mouth, gain in zip(of, row, strict=True):
            if ear is mouth or ear.held or mouth.held or mouth.muted:
                assert gain == 0
            if mouth.role is Role.MONITOR:
                assert gain == 0
            if mouth.role is Role.WHISPER and ear.role is not Role.AGENT:
                assert gain == 0
    left, right = sides(of)
    assert {*left, *right} == {p.leg for p in of if p.role in TALKERS and not p.muted}
    assert all(p.role is Role.CALLER for p in of if p.leg in left)


@pytest.mark.parametrize(
    ("legs", "gains", "why"),
    [
        (tuple(map(str, range(65))), None, "at most 64"),
        (("a", "a"), None, "twice"),
        (("a", "b"), ((0.0, 1.0),), "2 rows of 2"),
        (("a", "b"), ((0.0, 1.0), (1.0,)), "2 rows of 2"),
        (("a", "b"), ((0.0, 11.0), (1.0, 0.0)), "within 10"),
        (("a", "b"), ((0.0, float("nan")), (1.0, 0.0)), "within 10"),
    ],
)
def test_bridges_that_cannot_be(legs: tuple[str, ...], gains: Gains | None, why: str):
    with pytest.raises(LocalProtocolError, match=why):
        check_bridge(legs, gains)


def test_a_gain_that_would_only_clip_is_refused():
    with pytest.raises(LocalProtocolError, match="allowed are -20 to 20 dB"):
        matrix([CALLER, Party("a", Role.AGENT, gain_db=21)])
