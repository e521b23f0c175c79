"""Both sides on one time, whatever network and clock the sender has."""

from __future__ import annotations

import numpy as np
import pytest

from media import messages as m
from media.g711 import PCMA, encode
from recorder.align import Spot, plan, slip
from recorder.seal import Head, Heard, SegmentNote, Source, audio
from recorder.spool import SIDES, Block, SideState, side_states
from tests.media.wire import Board, rtp

SECONDS = 110
CLICKS = np.arange(1.0, SECONDS - 1, 1.37)


def sender(ppm: float, delays: np.ndarray, ssrc: int) -> list[tuple[float, bytes]]:
    """Packets by when they come, in ms: a click at each of CLICKS of true time, noise between."""
    count = len(delays)
    signal = np.random.default_rng(ssrc).normal(0, 20, count * 160)
    click = 8000 * np.sin(2 * np.pi * np.arange(32) / 8)
    for at in np.rint(CLICKS * 8000 * (1 + ppm * 1e-6)).astype(int):
        signal[at : at + 32] = click
    codes = encode(np.rint(signal).astype(np.int16), PCMA).tobytes()
    packets = [
        (
            number * 20 / (1 + ppm * 1e-6) + delays[number],
            rtp(number, number * 160, codes[number * 160 : (number + 1) * 160], ssrc=ssrc),
        )
        for number in range(count)
    ]
    return sorted(packets)


def taken(ppm: float, delays: np.ndarray) -> list[Block]:
    """What the tap of a call writes whose caller sends so, and whose agent is the reference."""
    board, blocks = Board("ab"), []
    board.switch.writer.write = blocks.append
    board.obey(m.Record("r", ("a",), ("b",), {}, 0))
    streams = [sender(ppm, delays, 5), sender(0, np.full(SECONDS * 50, 3.0), 6)]
    for tick in range(SECONDS * 50):
        for leg, stream in enumerate(streams):
            while stream and stream[0][0] <= 31 + tick * 20:
                board.wire.put(leg, stream.pop(0)[1])
        board.step()
    blocks.append(board.switch.tick.taps.stop("r"))
    return [Block(b.first_frame, b.frames, b.private, b.sides) for b in blocks if b is not None]


def sealed(blocks: list[Block], heads: list[Head]) -> tuple[np.ndarray, tuple[Heard, Heard]]:
    heard = Heard(), Heard()
    source = Source(SegmentNote(0, 1_760_000_000_000), blocks, heads)
    return np.concatenate(list(audio([source], heard))), heard


def apart(stereo: np.ndarray) -> np.ndarray:
    """Samples between the caller's clicks and the agent's, which were at the same moments."""
    left, right = (
        loud[np.flatnonzero(np.diff(loud, prepend=-9999) > 200)]
        for loud in (np.flatnonzero(np.abs(stereo[:, side].astype(int)) > 4000) for side in (0, 1))
    )
    return np.array([left[np.argmin(np.abs(left - at))] - at for at in right])


def test_a_sender_of_200_ppm_over_a_network_with_jitter_stays_beside_the_reference():
    """As heard they come to be 60 ms apart, when the buffer is deep; as sealed 5 ms at most."""
    delays = np.zeros(round(SECONDS * 50 * 1.0002))
    delays[600:2500] = np.random.default_rng(1).uniform(0, 60, 1900)
    blocks = taken(200, delays)
    as_heard, _ = sealed(blocks, [])
    assert np.abs(apart(as_heard)).max() > 320
    heads = [Head(block.first_frame, block.count, block.sides) for block in blocks]
    whole, (caller, agent) = sealed(blocks, heads)
    assert len(apart(whole)) == len(CLICKS)
    assert np.abs(apart(whole)).max() <= 40
    assert 130 < caller.drift_ppm < 270  # packets are read each 20 ms
    assert abs(agent.drift_ppm) < 10
    assert (caller.source, caller.known_frames) == ("PCMA", SECONDS * 50)
    assert len(whole) % 160 == 0


def spots(*told: tuple[int, int]) -> list[Spot]:
    """Blocks of half a second, with the delay and earliness of each."""
    return [
        Spot(number * 25, (number + 1) * 4000, SideState(delay, ahead, 1, "PCMU", 0))
        for number, (delay, ahead) in enumerate(told)
    ]


def test_a_way_that_gets_longer_moves_the_side_back_and_is_no_drift():
    """80 ms more from the third block on: what is heard is so much later."""
    left, right = plan(spots((0, 160), (0, 160), (640, -480), (640, -480)), spots(*[(0, 160)] * 4))
    assert left.shifts == {50: 640}
    assert (left.drift_ppm, right.shifts) == (0.0, {})
    assert (left.lost_frames, left.known_frames, left.source) == (4, 100, "PCMU")


def test_what_cannot_be_a_depth_moves_nothing():
    left, _ = plan(spots((0, 160), (90_000, -89_840), (0, 160)), spots(*[(0, 160)] * 3))
    assert left.shifts == {}


def test_nothing_known_moves_nothing():
    assert [one.shifts for one in plan([], [])] == [{}, {}]


@pytest.mark.parametrize("count", [-700, -8, 8, 700])
def test_time_is_left_out_and_put_in_where_least_is_said(count):
    rng = np.random.default_rng(2)
    samples = rng.integers(-8000, 8000, 4000).astype(np.int16)
    samples[1500:2900] = 0
    moved = slip(samples, count)
    assert len(moved) == 4000 - count
    assert np.array_equal(moved[:1400], samples[:1400])
    assert np.array_equal(moved[-1000:], samples[-1000:])


def test_a_slip_longer_than_the_block_is_left_to_the_next():
    samples = np.zeros(160, np.int16)
    assert slip(samples, 150) is samples


def test_what_media_writes_of_the_sides_is_what_the_recorder_reads():
    from media.taps import NOT_KNOWN, NOTHING, SIDE

    assert SIDE.size * 2 == SIDES.size
    told = SIDE.pack(-7, 300, 2, 8, 5) + NOTHING
    assert side_states(told) == (SideState(-7, 300, 2, "PCMA", 5), None)
    early = SIDE.pack(1, NOT_KNOWN, 0, 0, 255) * 2
    assert side_states(early)[1] == SideState(1, None, 0, "PCMU", 255)
