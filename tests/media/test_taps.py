"""Blocks of recordings, against the frames that were heard."""

import numpy as np

from media.g711 import PCMA, PCMU, TRANSCODE, decode, encode
from media.legs import Legs
from media.taps import BLOCK, LEFT, RIGHT, Taps


def run(taps: Taps, heard: np.ndarray, ticks: int) -> dict[str, list[tuple[int, bytes]]]:
    blocks: dict[str, list[tuple[int, bytes]]] = {}
    rng = np.random.default_rng(3)
    for _ in range(ticks):
        heard[:] = rng.integers(0, 256, heard.shape)
        for block in taps.step():
            blocks.setdefault(block.recording, []).append((block.first_frame, block.frames))
    return blocks


def test_frames_follow_each_other_and_blocks_are_staggered():
    heard = np.zeros((300, 160), np.uint8)
    legs = Legs(300)
    legs.codec[1] = PCMU
    taps = Taps(legs, heard)
    for number in range(40):
        taps.start(f"r{number}", (2 * number,), (2 * number + 1,))
    blocks = run(taps, heard, 3 * BLOCK)
    rng = np.random.default_rng(3)
    history = [rng.integers(0, 256, heard.shape).astype(np.uint8) for _ in range(3 * BLOCK)]
    for number in range(40):
        due = 0
        for first, frames in blocks[f"r{number}"]:
            assert first == due
            got = np.frombuffer(frames, np.uint8).reshape(-1, 2, 160)
            assert len(got) <= BLOCK
            for at, (left, right) in enumerate(got, first):
                expected = history[at][2 * number + 1]
                assert (left == history[at][2 * number]).all()
                assert (right == (TRANSCODE[PCMU][expected] if number == 0 else expected)).all()
            due = first + len(got)
        assert due > 2 * BLOCK
    firsts = [len(blocks[f"r{number}"][0][1]) for number in range(25)]
    assert len(set(firsts)) == 25


def test_a_leg_that_left_is_silence_and_the_rest_comes_at_the_end():
    heard = np.full((4, 160), 9, np.uint8)
    taps = Taps(Legs(4), heard)
    taps.start("r", (0,), (1,))
    taps.step()
    taps.drop_leg(1)
    taps.step()
    rest = taps.stop("r")
    assert rest is not None
    got = np.frombuffer(rest.frames, np.uint8).reshape(-1, 2, 160)
    assert rest.first_frame == 0
    assert (got[:, 0] == 9).all()
    assert (got[0, 1] == 9).all()
    assert (got[1, 1] == 0xD5).all()


def test_a_skipped_time_is_a_gap_in_the_numbers():
    taps = Taps(Legs(4), np.zeros((4, 160), np.uint8))
    taps.start("r", (0,), (1,))
    taps.step()
    (before,) = taps.skip(10)
    taps.step()
    after = taps.stop("r")
    assert after is not None
    assert (before.first_frame, after.first_frame) == (0, 11)


def test_a_side_of_several_legs_is_their_sum():
    rng = np.random.default_rng(5)
    heard = rng.integers(0, 256, (6, 160)).astype(np.uint8)
    legs = Legs(6)
    legs.codec[2] = PCMU
    taps = Taps(legs, heard)
    taps.start("r", (0,), (1, 2, 3))
    taps.start("s", (1, 4), (5,))
    taps.step()
    linear = [decode(heard[x], int(legs.codec[x])).astype(int) for x in range(6)]
    for name, side, of in (("r", 1, (1, 2, 3)), ("s", 0, (1, 4))):
        rest = taps.stop(name)
        assert rest is not None
        got = np.frombuffer(rest.frames, np.uint8).reshape(-1, 2, 160)
        total = np.clip(sum(linear[x] for x in of), -32768, 32767).astype(np.int16)
        assert (got[0, side] == encode(total, PCMA)).all()


def test_privacy_is_silence_in_blocks_of_its_own():
    taps = Taps(Legs(4), np.full((4, 160), 9, np.uint8))
    taps.start("r", (0,), (1,))
    blocks = []
    for private, ticks in ((0, 3), (LEFT | RIGHT, 4), (LEFT, 2), (0, 1)):
        before = taps.pause("r", private)
        blocks += [before] if before is not None else []
        for _ in range(ticks):
            blocks += taps.step()
    blocks.append(taps.stop("r"))
    sides = [
        tuple(
            (np.frombuffer(b.frames, np.uint8).reshape(-1, 2, 160)[:, s] == 9).all() for s in (0, 1)
        )
        for b in blocks
    ]
    assert [(b.first_frame, len(b.frames) // 320, b.private) for b in blocks] == [
        (0, 3, 0),
        (3, 4, 3),
        (7, 2, 1),
        (9, 1, 0),
    ]
    assert sides == [(True, True), (False, False), (False, True), (True, True)]


def test_a_recording_may_begin_private():
    taps = Taps(Legs(4), np.full((4, 160), 9, np.uint8))
    taps.start("r", (0,), (1,), LEFT | RIGHT)
    taps.step()
    rest = taps.stop("r")
    assert rest is not None
    assert (rest.private, set(rest.frames)) == (3, {0xD5})
