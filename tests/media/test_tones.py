"""Tones by their cadence and frequency; announcements over music, keys over a call."""

import numpy as np
import pytest

from config import sounds
from media import messages as m
from media.errors import LocalProtocolError
from media.events import DialFinished, Dtmf, Said
from media.g711 import PCMA, decode, encode
from media.overlay import BELOW, FADE_TICKS
from media.prompts import Bank
from media.tones import TONES, Tone, built_in, check, samples
from tests.media.phones import power
from tests.media.wire import Board, rtp, voice


def test_the_configuration_knows_the_same_tones():
    assert set(sounds.BUILT_IN) == set(TONES)


@pytest.mark.parametrize("name", TONES)
def test_a_tone_is_on_and_off_as_its_cadence_says(name):
    tone = TONES[name]
    period = samples(tone)
    assert len(period) % 160 == 0
    at = 0
    for number, seconds in enumerate(tone.cadence or (1,)):
        part = period[at : at + round(seconds * 8000)]
        at += len(part)
        if number % 2:
            assert not part.any()
        else:
            assert power(part, tone.hertz[0]) > 0.9
    assert abs(at - len(period)) <= 80


def test_a_tone_without_a_pause_goes_round_without_a_click():
    twice = np.concatenate([samples(TONES["dial"])] * 2).astype(int)
    assert max(abs(np.diff(twice))) == max(abs(np.diff(twice[:8000])))


@pytest.mark.parametrize(
    "tone", [Tone(()), Tone((5000,)), Tone((450,), (-1,)), Tone((450,), (99,)), Tone((450,), (), 9)]
)
def test_what_cannot_be_made_is_refused(tone):
    with pytest.raises(LocalProtocolError, match="tone mine"):
        check("mine", tone)


def bank() -> Bank:
    music = np.rint(8000 * np.sin(2 * np.pi * 700 * np.arange(16000) / 8000)).astype(np.int16)
    words = np.rint(8000 * np.sin(2 * np.pi * 300 * np.arange(4800) / 8000)).astype(np.int16)
    return Bank({"music": music, "words": words, **built_in({})})


def listen(board: Board, ticks: int, leg: int = 0) -> np.ndarray:
    """What the leg is sent, decoded."""
    heard = []
    for _ in range(ticks):
        board.step()
        heard.append(decode(np.frombuffer(board.wire.sent[leg][12:], np.uint8), PCMA))
    return np.concatenate(heard).astype(np.int16)


def amplitude(signal: np.ndarray, hertz: float) -> float:
    at = np.arange(len(signal)) / 8000
    return 2 * abs((signal * np.exp(-2j * np.pi * hertz * at)).sum()) / len(signal)


def test_music_fades_down_under_an_announcement_and_up_after_it():
    board = Board(bank=bank())
    board.obey(m.Play("a", ("music",), True))
    assert amplitude(listen(board, 10), 700) == pytest.approx(8000, rel=0.02)
    board.obey(m.Say("a", ("words",)))
    said = listen(board, 30)
    assert amplitude(said[160 * FADE_TICKS :], 300) == pytest.approx(8000, rel=0.03)
    assert amplitude(said[160 * FADE_TICKS :], 700) == pytest.approx(8000 * BELOW, rel=0.1)
    fading = [amplitude(said[at : at + 160], 700) for at in range(0, 160 * FADE_TICKS, 160)]
    assert fading == sorted(fading, reverse=True)
    assert board.of(Said) == []
    after = listen(board, 30)
    assert board.of(Said) == [Said("a")]
    assert amplitude(after[160 * (FADE_TICKS + 1) :], 700) == pytest.approx(8000, rel=0.02)
    assert not board.switch.tick.overlay.busy
    # No step of the fading is louder than the tones' own steps.
    assert max(abs(np.diff(np.concatenate([said, after]).astype(int)))) < 8000


def test_nothing_is_said_into_the_talk_once_the_music_is_stopped():
    board = Board(bank=bank())
    board.obey(m.Play("a", ("music",), True))
    board.obey(m.Say("a", ("words",)))
    listen(board, 5)
    board.obey(m.StopPlay("a"))
    assert not listen(board, 20)[160 * FADE_TICKS :].max() > 8


def test_keys_are_dialled_in_the_sound_where_no_event_was_agreed_on():
    """What one leg is sent, another one hears: the way round through both tables of tones."""
    board, other = Board(keys=None, bank=bank()), Board(keys=None)
    board.obey(m.Dial("a", "159*0#D"))
    for number in range(90):
        board.step()
        other.wire.put(0, rtp(number, number * 160, board.wire.sent[0][12:], ssrc=9))
        other.step()
    assert "".join(event.digit for event in other.of(Dtmf)) == "159*0#D"
    assert board.of(DialFinished) == [DialFinished("a")]
    assert board.wire.events == []


def test_a_digit_that_no_telephone_has_is_refused():
    with pytest.raises(LocalProtocolError, match="x cannot be dialled"):
        Board().obey(m.Dial("a", "1x"))


def test_odd_senders_are_counted_and_stall_nothing():
    """Timestamps that jump, packets of 25 ms, ten times the rate, our own SSRC, two at once."""
    board = Board()
    board.wire.put(0, voice(0, ssrc=77))
    board.step()
    assert board.count("collisions") == 1
    assert int(board.switch.tick.outgoing.ssrc[0]) != 77
    for number in range(1, 50):
        board.wire.put(0, rtp(number, number * 160 + 7 * number, bytes(160), ssrc=77))
        board.step()
    assert board.count("resynced") > 10
    before = board.count("malformed")
    for number in range(50, 60):
        board.wire.put(0, rtp(number, number * 160, bytes(200), ssrc=77))
        board.step()
    assert board.count("malformed") == before + 10
    for number in range(60, 360):
        board.wire.put(0, voice(number, ssrc=77))
    board.step(10)
    assert board.count("flooded") == 10
    assert board.count("packets_in") <= 100


def test_comfort_noise_is_as_loud_as_it_was_told():
    """RFC 3389: 40 dB below overload, after a talk and without any packet of sound."""
    board = Board()
    for number in range(20):
        board.wire.put(0, voice(number, 3000))
        board.step()
    heard = []
    for number in range(20, 60):
        if number == 20:
            board.wire.put(0, rtp(number, number * 160, bytes([40]), kind=13))
        board.step()
        heard.append(decode(board.heard(), PCMA))
    noise = np.concatenate(heard[10:]).astype(float)
    level = 20 * np.log10(np.sqrt((noise**2).mean()) / 32768)
    assert level == pytest.approx(-40, abs=1)
    assert board.count("comfort") == 1
    for number in range(21, 30):
        board.wire.put(0, voice(number + 40, 3000))
        board.step()
    assert board.count("resynced") == 0


def test_another_ssrc_goes_on_without_a_click():
    board = Board()
    heard = []
    for number in range(80):
        ssrc, shift = (5, 0) if number < 40 else (6, 33000)
        at = (number * 160 + np.arange(160)) / 8000
        tone = np.rint(8000 * np.sin(2 * np.pi * 400 * at)).astype(np.int16)
        payload = encode(tone, PCMA).tobytes()
        board.wire.put(0, rtp(number + shift, number * 160 + shift, payload, ssrc=ssrc))
        board.step()
        heard.append(decode(board.heard(), PCMA))
    signal = np.concatenate(heard[10:]).astype(int)
    assert max(abs(np.diff(signal))) < 3600
    assert min(abs(frame.astype(int)).max() for frame in heard[10:]) > 4000
