"""ITU-T G.711 tables 1 and 2."""

import numpy as np
import pytest

from media.g711 import DECODE, ENCODE, PCMA, PCMU, TRANSCODE, decode, encode

# Decision values x_n of the segments' ends and the step inside each, as the tables print them:
# A-law in units of 1/4096 of full scale, mu-law in units of 1/8159.
ALAW_SEGMENTS = [(0, 2), (32, 2), (64, 4), (128, 8), (256, 16), (512, 32), (1024, 64), (2048, 128)]
MULAW_SEGMENTS = [
    (0, 2),
    (31, 4),
    (95, 8),
    (223, 16),
    (479, 32),
    (991, 64),
    (2015, 128),
    (4063, 256),
]


def alaw_table() -> list[tuple[int, int, int]]:
    """(code, first 16-bit value, value after the last) of the positive half."""
    rows = []
    for segment, (start, step) in enumerate(ALAW_SEGMENTS):
        for interval in range(16):
            code = (0x80 | segment << 4 | interval) ^ 0x55
            low = start + interval * step
            rows.append((code, low * 8, (low + step) * 8))
    return rows


def mulaw_table() -> list[tuple[int, int, int]]:
    """The same; the first interval of all is half as wide: it shares its step with minus."""
    rows = []
    for segment, (start, step) in enumerate(MULAW_SEGMENTS):
        for interval in range(16):
            code = ~(segment << 4 | interval) & 0xFF
            if segment == 0:
                low, high = max(0, interval * 2 - 1), interval * 2 + 1
            else:
                low, high = start + interval * step, start + (interval + 1) * step
            rows.append((code, low * 4, high * 4))
    return rows


@pytest.mark.parametrize(
    ("codec", "table"), [(PCMA, alaw_table()), (PCMU, mulaw_table())], ids=["A", "mu"]
)
def test_every_decision_value_lies_where_the_standard_puts_it(codec, table):
    for code, low, high in table:
        values = np.arange(low, min(high, 32768), dtype=np.int32).astype(np.int16)
        assert (encode(values, codec) == code).all()
        negative = (~values.astype(np.int32)).astype(np.int16)
        assert (encode(negative, codec) == code ^ 0x80).all()


def test_a_law_decodes_to_the_middle_of_each_interval():
    for code, low, high in alaw_table():
        assert DECODE[PCMA][code] == (low + high) // 2
        assert DECODE[PCMA][code ^ 0x80] == -((low + high) // 2)


def test_mu_law_decodes_to_the_values_of_table_2a():
    known = {0xFF: 0, 0xFE: 2, 0xF0: 30, 0xEF: 33, 0xE0: 93, 0xDF: 99, 0xD0: 219, 0xCF: 231}
    known |= {0xC0: 471, 0xBF: 495, 0xB0: 975, 0xAF: 1023, 0xA0: 1983, 0x9F: 2079, 0x90: 3999}
    known |= {0x8F: 4191, 0x80: 8031}
    for code, value in known.items():
        assert DECODE[PCMU][code] == value * 4
        assert DECODE[PCMU][code ^ 0x80] == -value * 4


def test_every_code_survives_decoding_and_encoding():
    codes = np.arange(256, dtype=np.uint8)
    assert (encode(decode(codes, PCMA), PCMA) == codes).all()
    again = encode(decode(codes, PCMU), PCMU)
    assert (again[codes != 0x7F] == codes[codes != 0x7F]).all()
    assert again[0x7F] == 0xFF  # minus zero and plus zero are one value


def test_transcoding_is_decoding_and_encoding():
    codes = np.arange(256, dtype=np.uint8)
    assert (TRANSCODE[PCMA] == encode(decode(codes, PCMA), PCMU)).all()
    assert (TRANSCODE[PCMU] == encode(decode(codes, PCMU), PCMA)).all()


def test_louder_never_decodes_softer():
    values = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
    for codec in (PCMA, PCMU):
        assert (
            np.diff(decode(ENCODE[codec][values.view(np.uint16)], codec).astype(int)) >= 0
        ).all()
