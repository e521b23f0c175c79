"""Keys through the tick, as events and in the sound, through networks that lose and reorder."""

import string

import numpy as np
import pytest

from media import events
from media import messages as m
from media.dtmf import DIGITS
from media.events import DialFinished, Dtmf
from media.g711 import PCMA, encode
from media.inband import Ears
from media.prompts import Bank
from media.tones import HIGH, KEYS, LOW, built_in
from tests.media.wire import REMOTE, Board, key, rtp, voice

TONE_TICKS, GAP_TICKS = 3, 3


def told(board: Board) -> str:
    return "".join(event.digit for event in board.of(Dtmf))


def presses(digits: str) -> list[list[bytes]]:
    """The packets of each tick: RFC 4733, an update each tick, the end three times, silence."""
    ticks, number = [], 0
    for digit in digits:
        start = len(ticks) * 160
        for tick in range(TONE_TICKS + 2):
            ended = tick >= TONE_TICKS - 1
            payload = key(digit, min(tick + 1, TONE_TICKS) * 160, ended)
            ticks.append([rtp(number, start, payload, kind=101)])
            number += 1
        for _ in range(GAP_TICKS):
            ticks.append([voice(number)])
            number += 1
    return ticks


@pytest.mark.parametrize("keys", [101, 96])
def test_a_press_between_silences_is_told_once(keys):
    assert heard_once(keys, keys, keys) == "5"


@pytest.mark.parametrize("kind", [101, 96])
def test_keys_come_by_the_offer_s_number_or_by_that_of_the_far_end_s_own_answer(kind):
    """RFC 3264 §6.1 asks for the first; phones that do the second are heard as well."""
    assert heard_once(96, 101, kind) == "5"


def heard_once(sent: int, received: int, kind: int) -> str:
    """What is told of a press by `kind`, of a leg that agreed on these numbers for keys."""
    board = Board()
    agreed = m.Connect("a", *REMOTE, "PCMA", 8, sent, receive_dtmf_payload_type=received)
    board.switch.obey(agreed, (0, 0, 0))
    for packets in presses("5"):
        for packet in packets:
            board.wire.put(0, packet.replace(b"\x80\x65", bytes([0x80, kind]), 1))
        board.step()
    board.step(20)
    return told(board)


def test_ten_thousand_digits_are_exact_with_5_percent_loss_and_reordering():
    """On forty legs at once, each with a network of its own."""
    rng = np.random.default_rng(4733)
    board = Board(string.ascii_letters[:40])
    digits = {leg: "".join(rng.choice(list(DIGITS), 250)) for leg in board.switch.legs.index}
    for leg in range(40):
        board.wire.put(leg, voice(65000))
    board.step()
    late: dict[int, list[bytes]] = {leg: [] for leg in range(40)}
    for packets in zip(*map(presses, digits.values()), strict=True):
        for leg, (packet,) in enumerate(packets):
            fate = rng.random()
            now, late[leg] = late[leg], []
            if fate >= 0.05:
                (late[leg] if fate < 0.10 else now).insert(0, packet)
            for one in now:
                board.wire.put(leg, one)
        board.step()
    board.step(30)
    told = dict.fromkeys(digits, "")
    for event in board.of(Dtmf):
        told[event.leg] += event.digit
    assert told == digits


def test_a_long_press_in_segments_is_one_press():
    """§2.5.1.3: after 65,535 samples the event goes on under a new timestamp."""
    board = Board()
    board.wire.put(0, voice(0))
    board.step()
    for number, (start, length, end) in enumerate(
        [(800, 60000, False), (800, 65535, False), (66335, 800, False), (66335, 1600, True)]
    ):
        board.wire.put(0, rtp(number + 1, start, key("7", length, end), kind=101))
        board.step()
    assert [(e.digit, e.duration_ms) for e in board.of(Dtmf)] == [("7", (65535 + 1600) // 8)]


def test_digits_are_dialled_as_events_each_with_its_own_marker_and_timestamp():
    """§2.5.1.4: updates, then the end three times; told back by another tick as they were."""
    board, other = Board(), Board()
    board.obey(m.Dial("a", "12*", tone_ms=60, gap_ms=40))
    board.step(40)
    packets = [packet for _, packet in board.wire.events]
    assert sum(packet[1] >> 7 for packet in packets) == 3
    assert len({packet[4:8] for packet in packets}) == 3
    assert sum(packet[13] >> 7 for packet in packets) == 9
    assert len(board.of(DialFinished)) == 1
    other.wire.put(0, voice(0, ssrc=77))
    other.step()
    for packet in packets:
        other.wire.put(0, packet)
        other.step()
    assert [(e.digit, e.duration_ms) for e in other.of(Dtmf)] == [("1", 60), ("2", 60), ("*", 60)]


def tones(digit: str, ms: float, level: float, twist: float = 1, off: float = 0) -> np.ndarray:
    """Both tones of a key; `twist` the high one's share, `off` the error of both frequencies."""
    at = np.arange(round(ms * 8)) / 8000
    place = KEYS.index(digit)
    low, high = LOW[place // 4] * (1 + off), HIGH[place % 4] * (1 + off)
    return level * (np.sin(2 * np.pi * low * at) + twist * np.sin(2 * np.pi * high * at))


def hear(signal: np.ndarray, law: int = PCMA) -> list[str]:
    ears, pressed = Ears(1), []
    frames = np.clip(signal, -32768, 32767).astype(np.int16)
    codes = encode(frames[: len(frames) // 160 * 160], law).reshape(-1, 160)
    for row in codes:
        heard = ears.listen(np.array([0]), row[None], np.array([law], np.uint8))
        pressed += [press.digit for press in heard]
    return pressed


@pytest.mark.parametrize(
    ("ms", "level", "twist", "off", "noise"),
    [
        (100, 4000, 1, 0, 0),
        (40, 4000, 1, 0, 0),
        (50, 300, 1, 0, 0),
        (50, 3000, 2.2, 0, 0),
        (50, 3000, 0.45, 0, 0),
        (60, 4000, 1, 0.013, 0),
        (60, 4000, 1, -0.015, 0),
        (50, 3000, 1, 0, 300),
    ],
)
def test_keys_are_heard_in_the_sound(ms, level, twist, off, noise):
    """ITU-T Q.24: at least 40 ms, twist, 1.5 % off, and not aligned to our frames."""
    rng = np.random.default_rng(24)
    digits = rng.choice(list(KEYS), 200)
    parts = []
    for number, digit in enumerate(digits):
        parts += [
            tones(digit, ms + number % 7, level, twist, off),
            np.zeros(400 + 13 * (number % 11)),
        ]
    signal = np.concatenate([*parts, np.zeros(800)])
    signal += noise * rng.normal(size=len(signal))
    assert hear(signal) == digits.tolist()


def test_what_is_35_per_mille_off_is_no_key():
    signal = np.concatenate([tones(d, 100, 4000, 1, 0.035) for d in KEYS])
    assert hear(np.concatenate([signal, np.zeros(800)])) == []


def test_one_tone_alone_or_noise_is_no_key():
    rng = np.random.default_rng(9)
    at = np.arange(16000) / 8000
    assert hear(8000 * np.sin(2 * np.pi * 697 * at)) == []
    assert hear(6000 * np.sin(2 * np.pi * 450 * at)) == []
    assert hear(rng.normal(0, 4000, 160000)) == []


def test_a_hole_of_10_ms_neither_ends_nor_doubles_a_press():
    signal = tones("8", 120, 4000)
    signal[440:520] = 0
    assert hear(np.concatenate([signal, np.zeros(800)])) == ["8"]


def test_only_legs_without_events_are_listened_to_and_never_both_ways():
    for keys, expected in ((None, "6"), (101, "")):
        board = Board(keys=keys)
        codes = encode(np.rint(tones("6", 200, 4000)).astype(np.int16), PCMA).tobytes()
        for number in range(30):
            loud = 5 <= number < 15
            payload = (
                codes[(number - 5) * 160 :][:160]
                if loud
                else encode(np.zeros(160, np.int16), PCMA).tobytes()
            )
            board.wire.put(0, rtp(number, number * 160, payload))
            board.step()
        assert told(board) == expected


def test_in_a_conference_all_who_hear_a_leg_are_told_its_keys_in_their_own_streams():
    """The caller and the third party hear the agent; the whisperer is heard by the agent alone."""
    board = Board("abcd")
    gains = ((0, 1, 1, 0), (1, 0, 1, 1), (1, 1, 0, 0), (1, 1, 1, 0))
    board.obey(m.Bridge("room", ("a", "b", "c", "d"), gains))
    for leg in range(4):
        board.wire.put(leg, voice(65000))
    board.step()
    begun = [int(board.switch.tick.outgoing.timestamp[leg]) for leg in range(4)]
    for packets in presses("5"):
        for packet in packets:
            board.wire.put(1, packet)
        board.step()
    heard: dict[int, list[bytes]] = {}
    for leg, packet in board.wire.events:
        heard.setdefault(leg, []).append(packet)
    assert set(heard) == {0, 2, 3}
    for leg, packets in heard.items():
        assert {int.from_bytes(packet[4:8], "big") for packet in packets} == {begun[leg]}
        assert [packet[1] >> 7 for packet in packets] == [1, 0, 0, 0, 0]
        assert [packet[13] >> 7 for packet in packets] == [0, 0, 1, 1, 1]
    board.wire.events.clear()
    for packets in presses("7"):
        for packet in packets:
            board.wire.put(3, packet[:2] + bytes([1]) + packet[3:])
        board.step()
    assert {leg for leg, _ in board.wire.events} == {1}


def test_who_has_agreed_on_no_events_hears_a_key_in_the_sound():
    """
    caller          us          third party, no telephone-event
       |== RFC 4733 ==>|== two tones ==>|   nothing is told of their end
    """
    board = Board("ab", bank=Bank(built_in({})))
    board.obey(m.Connect("b", *REMOTE, "PCMA", 8))
    board.obey(m.Bridge("call", ("a", "b")))
    ears, heard = Ears(1), []
    board.wire.put(0, voice(65000))
    for packets in [[], *presses("59"), *[[]] * 12]:
        for packet in packets:
            board.wire.put(0, packet)
        board.step()
        codes = np.frombuffer(board.wire.sent[1], np.uint8)[None, 12:]
        heard += ears.listen(np.array([0]), codes, np.array([PCMA], np.uint8))
    assert "".join(press.digit for press in heard) == "59"
    assert told(board) == "59"
    assert not board.of(events.Said)
    assert not board.of(events.DialFinished)
