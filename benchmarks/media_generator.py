"""Independent RTP parties for the media benchmarks: `main` with LEGS SECONDS CORE KIND CODECS.

Prints the parties' ports as JSON, reads the legs' host and ports as JSON from standard input,
talks, and prints what arrived: each payload starts with its tick and its sender, and a bridge of
one codec leaves it as it is, so every packet is found again. The parties of a group share one
socket, so that sendmmsg and recvmmsg let one core serve thousands; to the plane's legs it makes
no difference, each has its own port, source and SSRC. KIND is plain; srtp (each packet is
sealed by libsrtp) or mixed (what is heard is a sum): then what arrives is only counted.
"""

# benchmarks: a part of others

import contextlib
import ctypes
import json
import os
import socket
import sys
import time
from typing import Any

import numpy as np
import pylibsrtp
from media_load import PAYLOAD_TYPES, key_of

GROUPS = 40  # of parties, each with its own half millisecond of the 20
TAIL_TICKS = 10  # at the end, still on the way
MARK = 0xCA11C0DE
BATCH = 256
SO_RCVBUFFORCE = 33
LIBC = ctypes.CDLL(None, use_errno=True)


class IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class MsgHdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(IoVec)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class MmsgHdr(ctypes.Structure):
    _fields_ = (("header", MsgHdr), ("length", ctypes.c_uint))


def messages(rows: Any, names: Any | None) -> Any:
    """An mmsghdr array over numpy rows, with destinations when there are any."""
    array = (MmsgHdr * len(rows))()
    vectors = (IoVec * len(rows))()
    for at in range(len(rows)):
        vectors[at].base = rows[at].ctypes.data
        vectors[at].length = rows.shape[1]
        header = array[at].header
        header.vectors = ctypes.pointer(vectors[at])
        header.vector_count = 1
        if names is not None:
            header.name = names[at].ctypes.data
            header.name_length = 16
    array.keep = (vectors, rows, names)
    return array


class Parties:
    """All groups' sockets and rows; times a tick and party."""

    def __init__(
        self, count: int, ticks: int, kind: str, codecs: tuple[str, ...] = ("PCMA",)
    ) -> None:
        self.kind = kind
        self.heard = 0  # packets that can only be counted, and
        self.counting = False
        self.groups = np.array_split(np.arange(count), GROUPS)
        self.sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(GROUPS)]
        for sock in self.sockets:
            sock.setblocking(False)
            try:
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
            except OSError:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.bind(("127.0.0.1", 0))
        self.rows = np.zeros((count, 172), np.uint8)
        self.rows[:, 0] = 0x80
        self.rows[:, 1] = [PAYLOAD_TYPES[codecs[at % len(codecs)]] for at in range(count)]
        self.rows[:, 12:] = np.random.default_rng(1).integers(0, 256, (count, 160))
        words = self.rows.view(">u4")
        words[:, 2] = np.arange(count) + 1
        words[:, 4] = np.arange(count)
        words[:, 5] = MARK
        self.wide = np.zeros((count, 182 if kind == "srtp" else 172), np.uint8)  # as sent
        self.sealers = [sealer(at) for at in range(count)] if kind == "srtp" else []
        self.inbox = np.zeros((BATCH, 184), np.uint8)
        self.incoming = messages(self.inbox, None)
        self.sent_at = np.zeros((ticks, count))
        self.got_at = np.zeros((ticks, count))
        self.errors = 0

    def ports(self) -> list[int]:
        """The port that each party is reached at."""
        numbers = [sock.getsockname()[1] for sock in self.sockets]
        return [numbers[at] for at, group in enumerate(self.groups) for _ in group]

    def connect(self, host: str, ports: list[int]) -> None:
        names = np.zeros((len(ports), 16), np.uint8)
        names[:, :2] = np.frombuffer(socket.AF_INET.to_bytes(2, sys.byteorder), np.uint8)
        names.view(">u2")[:, 1] = ports
        names[:, 4:8] = np.frombuffer(socket.inet_aton(host), np.uint8)
        self.outgoing = [
            messages(self.wide[group[0] : group[-1] + 1], names[group[0] : group[-1] + 1])
            for group in self.groups
        ]

    def prepare(self, tick: int) -> None:
        """All parties' packets of a tick."""
        self.rows.view(">u2")[:, 1] = tick & 0xFFFF
        words = self.rows.view(">u4")
        words[:, 1] = tick * 160
        words[:, 3] = tick
        self.wide[:, :172] = self.rows

    def seal(self, number: int) -> None:
        """A group's packets, encrypted."""
        for at in self.groups[number].tolist():
            sealed = self.sealers[at](self.rows[at].tobytes())
            self.wide[at] = np.frombuffer(sealed, np.uint8)

    def send(self, tick: int, number: int) -> None:
        group = self.groups[number]
        if self.sealers:
            self.seal(number)
        part = slice(group[0], group[-1] + 1)
        self.sent_at[tick, part] = time.monotonic()
        done = 0
        while done < len(group):
            at = ctypes.byref(self.outgoing[number], done * ctypes.sizeof(MmsgHdr))
            sent = LIBC.sendmmsg(self.sockets[number].fileno(), at, len(group) - done, 0)
            if sent <= 0:
                self.errors += 1
                return
            done += sent

    def receive(self, number: int) -> None:
        """Everything that waits for one group."""
        descriptor = self.sockets[number].fileno()
        got = BATCH
        while got == BATCH:
            got = LIBC.recvmmsg(descriptor, self.incoming, BATCH, socket.MSG_DONTWAIT, None)
            if got > 0 and self.kind != "plain":
                self.heard += got if self.counting else 0
            elif got > 0:
                words = self.inbox[:got].view(">u4")
                # A frame that was stretched or made up may have the mark and not the numbers.
                mine = words[:, 5] == MARK
                mine &= (words[:, 3] < len(self.got_at)) & (words[:, 4] < self.got_at.shape[1])
                self.got_at[words[mine, 3], words[mine, 4]] = time.monotonic()


def sealer(leg: int) -> Any:
    """How a leg's party seals."""
    kind = pylibsrtp.Policy.SSRC_ANY_OUTBOUND
    return pylibsrtp.Session(pylibsrtp.Policy(key=key_of(leg, 2), ssrc_type=kind)).protect


def talk(parties: Parties, ticks: int) -> float:
    """Send all ticks, each group at its time; how late we were at most, seconds."""
    start = time.monotonic() + 0.05
    worst = 0.0
    turn = 0
    for tick in range(ticks):
        parties.prepare(tick)
        parties.counting = min(100, ticks // 3) <= tick < ticks - TAIL_TICKS
        for group in range(GROUPS):
            due = start + tick * 0.02 + group * 0.02 / GROUPS
            now = time.monotonic()
            if now < due:
                time.sleep(due - now)
            worst = max(worst, time.monotonic() - due)
            parties.send(tick, group)
            for _ in range(GROUPS // 10):  # each group's socket every 5 ms
                parties.receive(turn % GROUPS)
                turn += 1
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        for group in range(GROUPS):
            parties.receive(group)
        time.sleep(0.002)
    return worst


def main() -> None:
    count, seconds, core = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    kind, *codecs = sys.argv[4:]
    os.sched_setaffinity(0, {core})
    with contextlib.suppress(OSError):  # a generator that is late measures only itself
        os.nice(-15)
    ticks = round(seconds / 0.02)
    parties = Parties(count, ticks, kind, tuple(codecs[0].split(",")) if codecs else ("PCMA",))
    print(json.dumps(parties.ports()), flush=True)
    host, ports = json.loads(sys.stdin.readline())
    parties.connect(host, ports)
    worst = talk(parties, ticks)
    settled = slice(min(100, ticks // 3), ticks - TAIL_TICKS)  # latching and buffers are done
    sent, got = parties.sent_at[settled], parties.got_at[settled]
    delay_ms = (got - sent)[got > 0] * 1000
    report = {
        "sent": int(sent.size),
        "missing": int((got == 0).sum()) if kind == "plain" else max(0, sent.size - parties.heard),
        "delay_ms": {q: round(float(np.percentile(delay_ms, q)), 1) for q in (50, 99)}
        if got.any()
        else {},
        "generator_late_ms": worst * 1000,
        "errors": parties.errors,
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
