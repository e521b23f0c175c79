"""A recording in the store as a file: what is read is right, and little else is fetched."""

import io

import numpy as np
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from recorder.io.stretches import seekable

DATA = bytes(np.random.default_rng(1).integers(0, 256, 1_000_000).astype(np.uint8))


@given(st.lists(st.tuples(st.integers(0, 1_000_100), st.integers(0, 300_000)), max_size=6))
def test_whatever_is_sought_is_read_as_from_the_whole(steps):
    file = seekable(lambda start, stop: iter([DATA[start:stop]]), len(DATA))
    whole = io.BytesIO(DATA)
    for at, length in steps:
        assert file.seek(at) == whole.seek(at)
        assert file.read(length) == whole.read(length)
    assert file.seek(-10, io.SEEK_END) == whole.seek(-10, io.SEEK_END)
    assert file.read() == whole.read()


def test_seeking_in_an_hour_fetches_what_is_played():
    sound = np.random.default_rng(2).integers(-9000, 9000, (8000 * 600, 2)).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, 8000, format="FLAC", subtype="PCM_16")
    data = buffer.getvalue()
    fetched = 0

    def chunks(start, stop):
        nonlocal fetched
        fetched += stop - start
        yield data[start : start + (stop - start) // 2]
        yield data[start + (stop - start) // 2 : stop]

    with soundfile.SoundFile(seekable(chunks, len(data))) as file:
        file.seek(8000 * 500)
        assert np.array_equal(file.read(8000, dtype="int16"), sound[8000 * 500 : 8000 * 501])
    assert fetched < len(data) / 2
