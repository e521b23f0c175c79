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


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_gains_are_what_each_ear_hears(data):
    """Bridges of 2 to 64 with any gains, against sums one ear at a time."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    sizes = data.draw(st.lists(st.sampled_from([2, 2, 3, 3, 4, 7, 64]), min_size=1, max_size=4))
    count = sum(sizes)
    legs = Legs(count)
    legs.codec[:] = rng.integers(0, 2, count)
    mixer = Mixer(legs, Bank({}))
    mixer.heard[:] = rng.integers(0, 256, (count, 160))
    tables = []
    for number, size in enumerate(sizes):
        table = rng.choice([0.0, 0.0, 1.0, 1.0, 0.5, 2.0], (size, size))
        np.fill_diagonal(table, 0)
        members = list(range(sum(sizes[:number]), sum(sizes[: number + 1])))
        mixer.bridge(str(number), members, tuple(map(tuple, table.tolist())))
        tables.append((members, table))
    mixer.plan()
    mixer.make()
    for members, table in tables:
        linear = [decode(mixer.heard[x], int(legs.codec[x])).astype(float) for x in members]
        for leg, row in zip(members, table, strict=True):
            total = np.rint(sum(g * x for g, x in zip(row, linear, strict=True)))
            codec = int(legs.codec[leg])
            expected = encode(np.clip(total, -32768, 32767).astype(np.int16), codec)
            got = sent(mixer, leg).copy()
            if codec == 1 and sorted(row)[-2:] == [0, 1]:
                got[got == 0x7F] = 0xFF  # passed on as it came: minus zero stays minus zero
            assert (got == expected).all()


def test_keys_are_relayed_to_all_who_hear_the_presser():
    mixer = Mixer(Legs(8), Bank({}))
    mixer.bridge("call", [0, 1, 2], ((0, 1, 0), (1, 0, 0), (1, 1, 0)))
    mixer.plan()
    assert [mixer.ears_of(leg) for leg in range(3)] == [[1, 2], [0, 2], []]


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
    assert {name: room.legs for name, room in mixer.rooms.items()} == {"one": [0]}
    assert mixer.ears_of(0) == []
