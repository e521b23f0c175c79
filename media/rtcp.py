"""RTCP packets, RFC 3550 §6: sender and receiver reports, descriptions, goodbyes."""

import struct
from dataclasses import dataclass

SR, RR, SDES, BYE = 200, 201, 202, 203
CNAME = 1
NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
MOST_BYTES = 1500
_head = struct.Struct(">BBH")
_sender = struct.Struct(">IIIII")  # NTP seconds and fraction, RTP timestamp, packets, octets
_block = struct.Struct(">IIIIII")


@dataclass(frozen=True, slots=True)
class Sender:
    """§6.4.1: what a sender says of its own stream; `ntp` has 32 bits of fraction."""

    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Heard:
    """§6.4.1: a report block; `delay` in 1/65536 s, `jitter` in timestamp units."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """One party's word: of its own stream, if it sends, and of those that it hears."""

    ssrc: int
    sender: Sender | None
    heard: tuple[Heard, ...]
    goodbye: bool = False


def ntp(now: float) -> int:
    """Seconds since 1970 as 64 bits of NTP time."""
    return int((now + NTP_EPOCH) * (1 << 32)) & (1 << 64) - 1


def middle(stamp: int) -> int:
    """§6.4.1: the 32 bits in the middle of an NTP time."""
    return stamp >> 16 & 0xFFFFFFFF


def parse(data: bytes) -> Report | None:
    """A compound packet, A.2; None when it is not one: version, lengths, a report first."""
    if not 8 <= len(data) <= MOST_BYTES or len(data) % 4:
        return None
    at, first, report = 0, True, Report(0, None, ())
    goodbye = False
    while at < len(data):
        # §6.5, §6.6: a count of nought is valid, though useless: four octets.
        bits, kind, words = _head.unpack_from(data, at)
        end = at + 4 + 4 * words
        # §6.4.1: padding is allowed in the last packet only.
        if bits >> 6 != 2 or end > len(data) or (bits & 0x20 and end != len(data)):
            return None
        if first:
            found = _report(data[at:end], bits & 0x1F, kind)
            if found is None:
                return None
            report, first = found, False
        goodbye |= kind == BYE
        at = end
    return Report(report.ssrc, report.sender, report.heard, goodbye)


def cname(data: bytes) -> str:
    """§6.5.1: what the sender of a compound packet that `parse` takes calls itself, or nothing."""
    at = 0
    while at < len(data):
        bits, kind, words = _head.unpack_from(data, at)
        end = at + 4 + 4 * words
        # One chunk, the sender's own, whose first item is the name: that is how all write it.
        if kind == SDES and bits & 0x1F and end >= at + 10 and data[at + 8] == CNAME:
            return data[at + 10 : min(end, at + 10 + data[at + 9])].decode(errors="replace")
        at = end
    return ""


def _report(part: bytes, count: int, kind: int) -> Report | None:
    if kind not in (SR, RR):
        return None
    start = 8 + (_sender.size if kind == SR else 0)
    if len(part) < start + count * _block.size:
        return None
    sender = None
    if kind == SR:
        seconds, fraction, timestamp, packets, octets = _sender.unpack_from(part, 8)
        sender = Sender(seconds << 32 | fraction, timestamp, packets, octets)
    heard = []
    for at in range(start, start + count * _block.size, _block.size):
        ssrc, lost, highest, jitter, last, delay = _block.unpack_from(part, at)
        total = lost & 0xFFFFFF
        total -= (total & 0x800000) << 1  # 24 bits, signed
        heard.append(Heard(ssrc, lost >> 24, total, highest, jitter, last, delay))
    return Report(int.from_bytes(part[4:8], "big"), sender, tuple(heard))


def build(report: Report, name: str) -> bytes:
    """A compound packet: the report, then who we are (§6.5.1, CNAME), then perhaps a goodbye."""
    body = b"".join(
        _block.pack(
            block.ssrc,
            block.fraction << 24 | max(-0x800000, min(block.lost, 0x7FFFFF)) & 0xFFFFFF,
            block.highest & 0xFFFFFFFF,
            block.jitter & 0xFFFFFFFF,
            block.last,
            block.delay & 0xFFFFFFFF,
        )
        for block in report.heard
    )
    if report.sender is not None:
        s = report.sender
        words = s.ntp >> 32, s.ntp & 0xFFFFFFFF, s.timestamp, s.packets, s.octets
        body = _sender.pack(*(word & 0xFFFFFFFF for word in words)) + body
    kind = RR if report.sender is None else SR
    packet = _part(len(report.heard), kind, report.ssrc, body)
    said = name.encode()[:255]
    items = bytes([CNAME, len(said)]) + said
    packet += _part(1, SDES, report.ssrc, items + bytes(4 - len(items) % 4))
    return packet + (_part(1, BYE, report.ssrc, b"") if report.goodbye else b"")


def _part(count: int, kind: int, ssrc: int, body: bytes) -> bytes:
    return _head.pack(0x80 | count, kind, 1 + len(body) // 4) + ssrc.to_bytes(4, "big") + body
