"""From segments to stereo audio."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import soundfile
from spooled_call import (
    AGENT_HZ,
    CALLER_HZ,
    STARTED_MS,
    assert_tones,
    frames_of,
    pitch,
    read_flac,
    spool_call,
)

from recorder.alaw import LINEAR
from recorder.io import sealing
from recorder.io.encoding import FORMATS
from recorder.io.objects import sha256_of_file
from recorder.io.sealing import SealError, seal, wav_chunks, wav_size
from recorder.io.segments import segments_of
from recorder.io.spool import SpoolSink
from recorder.seal import SegmentNote, Source, audio
from recorder.spool import Block, Damage


def sealed_audio(*segments: tuple[int, list]) -> tuple[np.ndarray, list[SegmentNote]]:
    sources = [
        Source(SegmentNote(number, started_ms), items)
        for number, (started_ms, items) in enumerate(segments)
    ]
    pieces = list(audio(sources))
    whole = np.concatenate(pieces) if pieces else np.zeros((0, 2), np.int16)
    assert whole.dtype == np.int16
    return whole, [source.note for source in sources]


def test_a_law_is_what_another_implementation_says():
    codes = bytes(range(256))
    other, _ = soundfile.read(
        io.BytesIO(codes), format="RAW", subtype="ALAW", channels=1, samplerate=8000, dtype="int16"
    )
    assert LINEAR.tolist() == other.tolist()


def test_caller_is_left_and_agent_is_right():
    whole, [note] = sealed_audio((STARTED_MS, [Block(0, frames_of(100))]))
    assert whole.shape == (16000, 2)
    assert_tones(whole)
    assert (note.frames, note.missing_frames, note.shifted_ms) == (100, 0, 0)


def test_a_corrupt_block_becomes_silence_of_its_length():
    part = frames_of(25)
    whole, [note] = sealed_audio(
        (STARTED_MS, [Block(0, part), Damage(100, 8016, "corrupt"), Block(50, part)])
    )
    assert whole.shape == (75 * 160, 2)
    assert not whole[25 * 160 : 50 * 160].any()
    assert_tones(whole[50 * 160 :])
    assert (note.missing_frames, note.damaged_bytes, note.torn) == (25, 8016, False)


def test_segments_are_placed_by_their_clocks():
    """The worker was killed after 0.5 s; the next one began 1.25 s after the first."""
    part = frames_of(25)
    whole, notes = sealed_audio(
        (STARTED_MS, [Block(0, part), Damage(9000, 30, "torn tail")]),
        (STARTED_MS + 1250, [Block(0, part)]),
    )
    assert len(whole) == 8 * 1750
    assert not whole[4000:10000].any()
    assert_tones(whole[10000:])
    assert [note.at_ms for note in notes] == [0, 1250]
    assert notes[0].torn


def test_overlapping_segments_lose_nothing():
    part = frames_of(50)
    whole, notes = sealed_audio(
        (STARTED_MS, [Block(0, part)]), (STARTED_MS + 400, [Block(0, part)])
    )
    assert len(whole) == 16000
    assert notes[1].shifted_ms == 600


@pytest.mark.parametrize("jump_ms", [86_400_000 * 400, 5 * 3_600_000])
def test_a_clock_that_jumped_makes_no_day_of_silence(jump_ms):
    part = frames_of(25)
    whole, notes = sealed_audio(
        (STARTED_MS, [Block(0, part)]), (STARTED_MS + jump_ms, [Block(0, part)])
    )
    assert len(whole) == 8000
    assert notes[1].shifted_ms == 500 - jump_ms


def test_a_frame_number_that_lies_makes_no_day_of_silence():
    part = frames_of(25)
    whole, [note] = sealed_audio(
        (STARTED_MS, [Block(0, part), Block(4_000_000_000, part), Block(4_000_000_025, part)])
    )
    assert len(whole) == 3 * 4000
    assert note.missing_frames == 0


def test_frames_written_twice_are_heard_once():
    part = frames_of(50)
    late = part[25 * 320 :] + frames_of(25)
    whole, [note] = sealed_audio((STARTED_MS, [Block(0, part), Block(25, late)]))
    assert len(whole) == 75 * 160
    assert note.repeated_frames == 25


def test_a_sealed_file_is_flac_with_the_right_tones_and_hash(tmp_path):
    spool_call(tmp_path, "r1", 500)
    sealed = seal(segments_of(tmp_path, "r1"), str(tmp_path / "r1.flac"))
    data = (tmp_path / "r1.flac").read_bytes()
    assert data[:4] == b"fLaC"
    samples = read_flac(data)
    assert samples.shape == (80000, 2)
    assert_tones(samples)
    assert sealed.sha256 == sha256_of_file(tmp_path / "r1.flac")
    assert (sealed.size, sealed.duration_ms) == (len(data), 10_000)
    assert sealed.header["caller"] == "13900000001"


def test_a_call_without_audio_still_makes_a_file(tmp_path):
    sink = SpoolSink(str(tmp_path))
    sink.close(sink.open("r1", {"started_ms": STARTED_MS}))
    sealed = seal(segments_of(tmp_path, "r1"), str(tmp_path / "r1.flac"))
    assert sealed.duration_ms == 0
    assert not sealed.damaged
    assert not read_flac((tmp_path / "r1.flac").read_bytes()).any()


def test_a_lost_header_costs_the_name_and_not_the_audio(tmp_path):
    spool_call(tmp_path, "r1", 100)
    [segment] = segments_of(tmp_path, "r1")
    data = bytearray(Path(segment.path).read_bytes())
    data[30] ^= 1
    Path(segment.path).write_bytes(data)
    sealed = seal([segment], str(tmp_path / "r1.flac"))
    assert sealed.header == {}
    assert abs(sealed.started_ms + 2000 - segment.modified_ms()) < 100
    assert_tones(read_flac((tmp_path / "r1.flac").read_bytes()))


def test_a_disk_that_drops_bytes_is_noticed(tmp_path, monkeypatch):
    spool_call(tmp_path, "r1", 500)
    write = sealing._write

    def cut(*arguments):
        told = write(*arguments)
        with open(arguments[1], "r+b") as file:
            file.truncate(4000)
        return told

    monkeypatch.setattr(sealing, "_write", cut)
    with pytest.raises(SealError):
        seal(segments_of(tmp_path, "r1"), str(tmp_path / "r1.flac"))


def test_opus_in_ogg_keeps_length_sides_and_place(tmp_path):
    spool_call(tmp_path, "r1", 1500)
    path = tmp_path / "r1.opus"
    sealed = seal(segments_of(tmp_path, "r1"), str(path), FORMATS["opus"])
    assert path.read_bytes()[:4] == b"OggS"
    assert (sealed.samples, sealed.size) == (240_000, path.stat().st_size)
    assert sealed.size < 30 * 32_000 / 8 * 1.5
    opus, rate = soundfile.read(path, dtype="int16")
    assert (rate, opus.shape) == (8000, (240_000, 2))
    assert_tones(opus)
    seal(segments_of(tmp_path, "r1"), str(tmp_path / "r1.flac"))
    flac = read_flac((tmp_path / "r1.flac").read_bytes())
    for side in (0, 1):
        assert np.corrcoef(flac[8000:16000, side], opus[8000:16000, side])[0, 1] > 0.95


def test_an_opus_file_with_other_audio_is_noticed(tmp_path, monkeypatch):
    spool_call(tmp_path, "r1", 1000)
    write = sealing._write

    def silent(*arguments):
        told = write(*arguments)
        soundfile.write(arguments[1], np.zeros((160_000, 2)), 8000, format="OGG", subtype="OPUS")
        return told

    monkeypatch.setattr(sealing, "_write", silent)
    with pytest.raises(SealError, match="does not hold the audio"):
        seal(segments_of(tmp_path, "r1"), str(tmp_path / "r1.opus"), FORMATS["opus"])


@pytest.mark.parametrize("second", [0, 59])
def test_a_sealed_file_with_other_audio_is_noticed(tmp_path, monkeypatch, second):
    spool_call(tmp_path, "r1", 3000)
    write = sealing._write

    def other(*arguments):
        samples, proofs = write(*arguments)
        path = arguments[1]
        wrong, rate = soundfile.read(path, dtype="int16")
        wrong[second * rate : (second + 1) * rate] = 0
        soundfile.write(path, wrong, rate, format="FLAC")
        return samples, proofs

    monkeypatch.setattr(sealing, "_write", other)
    with pytest.raises(SealError, match="does not hold the audio"):
        seal(segments_of(tmp_path, "r1"), str(tmp_path / "r1.flac"))


def test_a_disk_that_fills_up_while_sealing_is_an_error(tmp_path):
    """libsndfile itself says nothing of it; /dev/full is a disk without room."""
    spool_call(tmp_path, "r1", 2000)
    with pytest.raises(OSError, match="No space left"):
        seal(segments_of(tmp_path, "r1"), "/dev/full")


def test_wav_on_request_is_the_same_audio_in_any_range(tmp_path):
    spool_call(tmp_path, "r1", 600)
    path = tmp_path / "r1.flac"
    sealed = seal(segments_of(tmp_path, "r1"), str(path))

    def wav(start=0, stop=None):
        return b"".join(wav_chunks(lambda: nullcontext(path), start, stop))

    whole = wav()
    assert len(whole) == wav_size(sealed.samples)
    samples, rate = soundfile.read(io.BytesIO(whole), dtype="int16")
    assert rate == 8000
    assert np.array_equal(samples, read_flac(path.read_bytes()))
    assert pitch(samples[:8000, 0]) == CALLER_HZ
    assert pitch(samples[:8000, 1]) == AGENT_HZ
    for start, stop in [(0, 10), (40, 50), (43, 44), (45, 1003), (100_001, 300_002), (44, 44)]:
        assert wav(start, stop) == whole[start:stop]
    assert wav(len(whole) - 3) == whole[-3:]


MEASURE = """
import resource, sys
from recorder.io.sealing import seal
from recorder.io.segments import segments_of
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seal(segments_of(sys.argv[1], "hour"), sys.argv[1] + "/hour.flac")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_an_hour_takes_little_memory(tmp_path):
    sink = SpoolSink(str(tmp_path))
    handle = sink.open("hour", {"started_ms": STARTED_MS})
    audio_500 = frames_of(500)
    for first in range(0, 180_000, 500):
        sink.write(handle, first, audio_500)
    sink.close(handle)
    out = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(out.stdout) < 40_000  # KiB; the audio alone would be 112 MiB
