"""Captures that Wireshark opens: SIP messages in IP packets that we make up around them.

Messages of UDP become UDP, messages of TCP become TCP segments in order. What came encrypted or
over a WebSocket is here in the clear, so it is written as UDP: a capture that says TLS would
not be looked into.
"""

import ipaddress
import struct
from collections import defaultdict
from typing import BinaryIO

from service.ladder import Seen

MAGIC, LINK_RAW = 0xA1B2C3D4, 101  # LINKTYPE_RAW: the packet begins with its IP header
UDP, TCP, PUSH_ACK = 17, 6, 0x18
MOST_BYTES = 65_000  # of a message in one packet; the rest is cut off, as a snapshot length does

Address = tuple[str, int]


class PcapWriter:
    """Writes a classic pcap file, each packet at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sent: defaultdict[tuple[Address, Address], int] = defaultdict(lambda: 1)
        file.write(struct.pack("!IHHiIII", MAGIC, 2, 4, 0, 0, 262_144, LINK_RAW))

    def write(self, seen: Seen) -> None:
        """One message."""
        ends = (seen.remote, seen.local) if seen.direction == "in" else (seen.local, seen.remote)
        data = seen.data[:MOST_BYTES]
        if seen.transport == "tcp":
            packet = ip(ends, TCP, self._segment(ends, data))
        else:
            packet = ip(ends, UDP, datagram(ends, data))
        head = struct.pack(
            "!IIII", seen.at_us // 1_000_000, seen.at_us % 1_000_000, len(packet), len(packet)
        )
        self._file.write(head + packet)
        self._file.flush()

    def _segment(self, ends: tuple[Address, Address], data: bytes) -> bytes:
        """RFC 9293 §3.1, as in the middle of a connection."""
        source, target = ends
        sequence, acknowledged = self._sent[source, target], self._sent[target, source]
        self._sent[source, target] = (sequence + len(data)) & 0xFFFFFFFF
        head = struct.pack(
            "!HHIIBBHHH", source[1], target[1], sequence, acknowledged, 0x50, PUSH_ACK, 65535, 0, 0
        )
        return checked(ends, TCP, head + data, 16)


def datagram(ends: tuple[Address, Address], data: bytes) -> bytes:
    """RFC 768."""
    source, target = ends
    head = struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0)
    return checked(ends, UDP, head + data, 6)


def ip(ends: tuple[Address, Address], protocol: int, payload: bytes) -> bytes:
    """RFC 791 or RFC 8200 in front."""
    source, target = (ipaddress.ip_address(host) for host, _ in ends)
    if source.version == 6:
        head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
        return head + source.packed + target.packed + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0)
    head += source.packed + target.packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def checked(ends: tuple[Address, Address], protocol: int, segment: bytes, at: int) -> bytes:
    """The segment with its checksum, which covers the addresses as well."""
    source, target = (ipaddress.ip_address(host).packed for host, _ in ends)
    pseudo = source + target + struct.pack("!IBBH", len(segment), 0, 0, protocol)
    found = checksum(pseudo + segment) or 0xFFFF
    return segment[:at] + struct.pack("!H", found) + segment[at + 2 :]


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
