"""G.711 by tables, for the harness's own RTP end points (ITU-T G.711)."""

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]


def _alaw_decode_table() -> Samples:
    """G.711 A-law: even bits inverted, sign, three bits of segment, four of step."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code >> 4) & 7
    step = ((code & 15) << 4) + 8
    magnitude = np.where(segment == 0, step, (step + 0x100) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _ulaw_decode_table() -> Samples:
    """G.711 mu-law: all bits inverted, bias 132."""
    code = np.arange(256, dtype=np.int32) ^ 0xFF
    magnitude = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _encode_table(decode: Samples) -> npt.NDArray[np.uint8]:
    """The nearest code of each of the 65,536 samples, indexed by the sample as uint16."""
    order = np.argsort(decode, kind="stable")
    levels = decode[order].astype(np.int32)
    middles = (levels[1:] + levels[:-1]) / 2
    samples = np.arange(65536, dtype=np.uint16).view(np.int16)
    nearest = np.searchsorted(middles, samples, side="right")  # of two zeros the positive one
    return order[nearest].astype(np.uint8)


ALAW_DECODE = _alaw_decode_table()
ULAW_DECODE = _ulaw_decode_table()
ALAW_ENCODE = _encode_table(ALAW_DECODE)
ULAW_ENCODE = _encode_table(ULAW_DECODE)


def encode_alaw(samples: Samples) -> bytes:
    """A-law bytes of 16-bit samples."""
    return ALAW_ENCODE[samples.view(np.uint16)].tobytes()


def decode_alaw(payload: bytes) -> Samples:
    """16-bit samples of A-law bytes."""
    return ALAW_DECODE[np.frombuffer(payload, np.uint8)]


def encode_ulaw(samples: Samples) -> bytes:
    """mu-law bytes of 16-bit samples."""
    return ULAW_ENCODE[samples.view(np.uint16)].tobytes()


def decode_ulaw(payload: bytes) -> Samples:
    """16-bit samples of mu-law bytes."""
    return ULAW_DECODE[np.frombuffer(payload, np.uint8)]
