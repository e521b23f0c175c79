"""Every answer that an operator gives is followed by something to look at."""

import pytest

from service.trunk_causes import LOOP, SILENCE, TABLES, causes


@pytest.mark.parametrize("method", ["REGISTER", "OPTIONS", "INVITE"])
def test_every_answer_has_a_cause(method):
    for status in (None, *range(300, 700)):
        found = causes(method, status)
        assert found
        assert all(found), (method, status)


def test_the_usual_ones_name_the_key_to_look_at():
    assert causes("REGISTER", None) == SILENCE
    assert causes("REGISTER", 401) == causes("INVITE", 407) == LOOP
    assert any("impu" in cause for cause in causes("REGISTER", 403))
    assert any("numbers_out" in cause for cause in causes("INVITE", 404))
    assert any("codecs" in cause for cause in causes("INVITE", 488))
    assert set(TABLES) == {"REGISTER", "OPTIONS", "INVITE"}
