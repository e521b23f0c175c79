"""The pool's rows against sums done one sample at a time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from media.g711 import SILENCE, decode, encode
from media.legs import Legs
from media.mix import Mixer
from media.prompts import Bank


def sent(mixer: Mixer, leg: int) -> np.ndarray:
    return mixer.pool[mixer.source[leg]]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_each_leg_is_sent_all_others_of_its_bridge(data):
    count = data.draw(st.integers(2, 12))
    legs = Legs(300)
    legs.codec[:count] = data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    seed = data.draw(st.integers(0, 2**32 - 1))
    mixer = Mixer(legs, Bank({}))
    mixer.heard[:count] = np.random.default_rng(seed).integers(0, 256, (count, 160))
    room = data.draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    rooms = {number: [leg for leg in range(count) if room[leg] == number] for number in range(5)}
    for number, members in rooms.items():
        if members and number:
            mixer.bridge(str(number), members)
    mixer.plan()
    mixer.make()
    for leg in range(count):
        codec = int(legs.codec[leg])
        others = [other for other in rooms[room[leg]] if other != leg] if room[leg] else []
        if not others:
            assert (sent(mixer, leg) == SILENCE[codec]).all()
            continue
        total = sum(decode(mixer.heard[x], int(legs.codec[x])).astype(int) for x in others)
        expected = encode(np.clip(total, -32768, 32767).astype(np.int16), codec)
        got = sent(mixer, leg).copy()
        if len(others) == 1 and codec == 1 and legs.codec[others[0]] == 1:
            got[got == 0x7F] = 0xFF  # passed on as it came: minus zero stays minus zero
        assert (got == expected).all()


def test_a_leg_leaves_its_bridge_for_another():
    mixer = Mixer(Legs(300), Bank({}))
    mixer.heard[:] = np.arange(300)[:, None] % 251
    mixer.bridge("one", [0, 1])
    mixer.bridge("two", [1, 2])
    mixer.plan()
    assert (sent(mixer, 0) == SILENCE[0]).all()
    assert (sent(mixer, 1) == 2).all()
    assert (sent(mixer, 2) == 1).all()
    mixer.unbridge("two")
    mixer.plan()
    assert mixer.bridges == {"one": [0]}
    assert (mixer.partner == -1).all()
