"""A-law and mu-law by table, ITU-T G.711; all samples are 16-bit, 8 kHz."""

import numpy as np

from media.types import Bytes, Samples

PCMA = 0
PCMU = 1
CODECS = {"PCMA": PCMA, "PCMU": PCMU}
SILENCE = np.array([0xD5, 0xFF], np.uint8)  # the codes of the smallest positive value


def _alaw_levels() -> Samples:
    """G.711 table 1: even bits inverted on the line; the middle of each interval."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment, step = (code >> 4) & 7, code & 15
    first = (step << 4) + 8
    other = ((step << 4) + 0x108) << np.maximum(segment - 1, 0)
    magnitude = np.where(segment == 0, first, other)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _mulaw_levels() -> Samples:
    """G.711 table 2: all bits inverted on the line; bias 33 in 14-bit units."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    segment, step = (code >> 4) & 7, code & 15
    magnitude = (((step << 3) + 132) << segment) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_codes() -> Bytes:
    """The code of every 16-bit value, indexed by its two's complement; 12-bit magnitudes."""
    value = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(value < 0, ~value, value) >> 4
    segment = np.searchsorted([32, 64, 128, 256, 512, 1024], magnitude, side="right")
    # The first two segments share one step size: together they are the 32 lowest codes.
    code = np.where(magnitude < 32, magnitude, ((segment + 1) << 4) + ((magnitude >> segment) & 15))
    codes: Bytes = ((code | np.where(value < 0, 0, 0x80)) ^ 0x55).astype(np.uint8)
    return codes


def _mulaw_codes() -> Bytes:
    """The code of every 16-bit value; 14-bit magnitudes, clipped at 8158, bias 33."""
    value = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum((np.where(value < 0, ~value, value) >> 2) + 33, 0x1FFF)
    segment = np.searchsorted([64, 128, 256, 512, 1024, 2048, 4096], magnitude, side="right")
    code = (segment << 4) + ((magnitude >> (segment + 1)) & 15)
    codes: Bytes = (~(code | np.where(value < 0, 0x80, 0)) & 0xFF).astype(np.uint8)
    return codes


# (2, 256) int16 and (2, 65536) uint8, first index PCMA or PCMU.
DECODE: Samples = np.stack([_alaw_levels(), _mulaw_levels()])
ENCODE: Bytes = np.stack([_alaw_codes(), _mulaw_codes()])

# (2, 256) uint8: a code of this codec as a code of the other one, through its linear value.
TRANSCODE: Bytes = np.stack(
    [
        ENCODE[PCMU][DECODE[PCMA].view(np.uint16)],
        ENCODE[PCMA][DECODE[PCMU].view(np.uint16)],
    ]
)


def decode(codes: Bytes, codec: int) -> Samples:
    """Linear 16-bit samples of G.711 codes, any shape."""
    samples: Samples = DECODE[codec].take(codes)
    return samples


def encode(samples: Samples, codec: int) -> Bytes:
    """G.711 codes of linear 16-bit samples, any shape."""
    codes: Bytes = ENCODE[codec].take(samples.view(np.uint16))
    return codes
