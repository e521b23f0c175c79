"""Independent RTP parties for benchmarks/media.py: `python media_generator.py LEGS SECONDS`.

Prints the parties' ports as JSON, reads the legs' address and ports as JSON from standard input,
talks, and prints what arrived: each payload starts with its tick and its sender, and a bridge of
one codec leaves it as it is, so every packet is found again.
"""

import json
import os
import select
import socket
import sys
import time

import numpy as np

GROUPS = 20  # of parties, each with its own millisecond of the 20
TAIL_TICKS = 10  # at the end that are still on the way


class Parties:
    """Sockets and rows, as the plane has them, but written on their own."""

    def __init__(self, count: int, ticks: int) -> None:
        self.sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(count)]
        self.poll = select.epoll()
        for sock in self.sockets:
            sock.setblocking(False)
            sock.bind(("127.0.0.1", 0))
            self.poll.register(sock.fileno(), select.EPOLLIN)
        self.by_fd = {sock.fileno(): sock.recv_into for sock in self.sockets}
        self.rows = np.zeros((count, 172), np.uint8)
        self.rows[:, 0], self.rows[:, 1] = 0x80, 8
        self.rows[:, 12:] = np.random.default_rng(1).integers(0, 256, (count, 160))
        words = self.rows.view(">u4")
        words[:, 2] = np.arange(count) + 1
        words[:, 4] = np.arange(count)
        words[:, 5] = 0xCA11C0DE
        self.inbox = np.zeros((count, 640), np.uint8)
        self.views = [memoryview(row) for row in self.inbox]
        self.sent_at = np.zeros((ticks, count))
        self.got_at = np.zeros((ticks, count))
        self.errors = 0

    def connect(self, host: str, ports: list[int]) -> None:
        for sock, port in zip(self.sockets, ports, strict=True):
            sock.connect((host, port))
        self.sends = [
            (s.send, memoryview(row)) for s, row in zip(self.sockets, self.rows, strict=True)
        ]

    def send(self, tick: int, group: int) -> None:
        size = len(self.sends) // GROUPS
        part = slice(group * size, (group + 1) * size if group < GROUPS - 1 else None)
        rows = self.rows[part]
        rows.view(">u2")[:, 1] = tick & 0xFFFF
        rows.view(">u4")[:, 1] = tick * 160
        rows.view(">u4")[:, 3] = tick
        self.sent_at[tick, part] = time.monotonic()
        for send, row in self.sends[part]:
            try:
                send(row)
            except OSError:
                self.errors += 1

    def receive(self) -> None:
        ready = self.poll.poll(0, len(self.views))
        if not ready:
            return
        now = time.monotonic()
        for (fd, _), view in zip(ready, self.views, strict=False):
            self.by_fd[fd](view)
        words = self.inbox[: len(ready)].view(">u4")
        marked = words[:, 5] == 0xCA11C0DE
        self.got_at[words[marked, 3], words[marked, 4]] = now


def talk(parties: Parties, ticks: int) -> float:
    """Send all ticks, each group at its millisecond; how late we were at most, seconds."""
    start = time.monotonic() + 0.05
    worst = 0.0
    for tick in range(ticks):
        for group in range(GROUPS):
            due = start + tick * 0.02 + group * 0.02 / GROUPS
            while (now := time.monotonic()) < due:
                parties.receive()
                time.sleep(max(0.0, min(0.0005, due - time.monotonic())))
            worst = max(worst, now - due)
            parties.send(tick, group)
        parties.receive()
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        parties.receive()
        time.sleep(0.001)
    return worst


def main() -> None:
    count, seconds, core = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    os.sched_setaffinity(0, {core})
    ticks = round(seconds / 0.02)
    parties = Parties(count, ticks)
    print(json.dumps([sock.getsockname()[1] for sock in parties.sockets]), flush=True)
    host, ports = json.loads(sys.stdin.readline())
    parties.connect(host, ports)
    worst = talk(parties, ticks)
    settled = slice(min(100, ticks // 3), ticks - TAIL_TICKS)  # latching and buffers are done
    sent, got = parties.sent_at[settled], parties.got_at[settled]
    delay_ms = (got - sent)[got > 0] * 1000
    report = {
        "sent": int(sent.size),
        "missing": int((got == 0).sum()),
        "delay_ms": {q: float(np.percentile(delay_ms, q)) for q in (50, 99)} if got.any() else {},
        "generator_late_ms": worst * 1000,
        "errors": parties.errors,
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
