"""The legs' sockets served by io_uring: two system calls a tick, however many legs there are.

Each latched leg's connected socket has one receive of many shots armed, which takes rows of a pool
that all legs share; the tick collects what came. Sends are a table of requests, made when the plan
changes and copied to the kernel each tick. Doors, other codecs and RTCP go the way of UdpWire.

Measured (docs/decisions/0022), microseconds a leg and tick in the worker with 1,000 legs on a
loaded machine: reading 7.0 by epoll and recv_into, 3.3 here; sending 8.3 by send, 5.2 here.
"""

import socket
from collections.abc import Callable

import numpy as np

from media.io.sockets import Got, UdpWire, sound
from media.io.uring import (
    BUFFER_SELECT,
    BUFFER_SHIFT,
    ENOBUFS,
    FIXED_FILE,
    HAS_ROW,
    MORE,
    OP_ASYNC_CANCEL,
    OP_RECV,
    OP_SEND,
    RECV_MULTISHOT,
    SKIP_SUCCESS,
    SQE,
    Records,
    Ring,
)
from media.outgoing import PACKET
from media.rtp import ROW
from media.srtp import MOST_TAG, TAGS
from media.types import Bytes, Flags, Integers, Words

LEAST_ROWS = 1 << 10  # a flood takes up to a hundred or so in a tick
MOST_ROWS = 1 << 15  # what a pool of the kernel's may have
BACKLOG = 25  # packets of one leg that may wait, those of half a second: rows are for all
NOBODY = (1 << 64) - 1  # completions of sends and cancels: told only when they fail
SEALED = (PACKET + MOST_TAG + 7) // 8 * 8  # a row of what is sent by SRTP, aligned
LEG_BITS = 32  # of a receive's number; above it the times that the leg has been pinned


class UringWire(UdpWire):
    """OSError where the kernel has no io_uring for us."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        rows = min(MOST_ROWS, max(LEAST_ROWS, 1 << (4 * capacity - 1).bit_length()))
        entries = min(MOST_ROWS, 1 << (capacity - 1).bit_length())
        self._ring = Ring(entries, capacity, rows, ROW)
        self._pool = [memoryview(row) for row in self._ring.rows]
        self._pins: Integers = np.zeros(capacity, np.int64)
        self._asked: list[Records] = []  # cancels and receives, to be submitted
        self._armed = 0
        self._used: Integers = np.zeros(0, np.int64)  # rows that the tick has seen
        # What came and was not taken yet: leg, row of the pool, size, and how many before it.
        self._held: Integers = np.zeros((4, 0), np.int64)
        self._first: Integers = np.zeros(capacity, np.int64)
        self._sealed: Bytes = np.zeros((capacity, SEALED), np.uint8)
        self._requests: Records = np.zeros(0, SQE)
        self._seals: list[tuple[Callable[[], int], memoryview, memoryview]] = []
        self.dropped = 0

    def _attend(self, leg: int, line: socket.socket) -> None:
        self._ring.file(leg, line.fileno())
        self._pins[leg] += 1
        self._armed += 1
        self._arm(np.array([leg]), np.array([line.fileno()]))

    def _arm(self, legs: Integers, descriptors: Integers) -> None:
        """By descriptor: a registered file would be kept from closing on kernels before 6.13."""
        request = np.zeros(len(legs), SQE)
        request["opcode"], request["flags"] = OP_RECV, BUFFER_SELECT
        request["ioprio"] = RECV_MULTISHOT
        request["fd"] = descriptors
        request["user_data"] = self._pins[legs] << LEG_BITS | legs
        self._asked.append(request)

    def _neglect(self, leg: int, line: socket.socket) -> None:
        request = np.zeros(1, SQE)
        request["opcode"], request["flags"] = OP_ASYNC_CANCEL, SKIP_SUCCESS
        request["addr"] = self._pins[leg] << LEG_BITS | leg
        request["user_data"] = NOBODY
        self._asked.append(request)
        self._pins[leg] += 1
        self._armed -= 1
        self._ring.file(leg, -1)
        of_others = self._held[0] != leg
        self._ring.give_back(self._held[1, ~of_others])
        self._held = self._held[:, of_others]

    def read(self, turn: int) -> Got | None:
        """One packet of each leg that has as many as `turn`, from what was there at turn 0."""
        if not turn:
            self._collect()
        due = self._held[3] == turn
        if due.all():
            taken, self._held = self._held, self._held[:, :0]
        else:
            taken, self._held = self._held[:, due], self._held[:, ~due]
        legs, rows, sizes = taken[0], taken[1], taken[2]
        if not len(legs):
            return None
        self._used = np.concatenate([self._used, rows]) if turn else rows
        if self._guards or self._edges:
            self._unlock(legs, sizes, [self._pool[row] for row in rows.tolist()])
        start = int(rows[0])
        if rows[-1] - start == len(rows) - 1 and (np.diff(rows) == 1).all():
            packets = self._ring.rows[start : start + len(rows)]  # as the kernel took them
        else:
            packets = self._ring.rows.take(rows, axis=0)
        return sound(legs, packets, sizes)

    def _collect(self) -> None:
        """Everything that came, behind what was left over."""
        ring = self._ring
        if len(self._used):
            ring.give_back(self._used)
            self._used = self._used[:0]
        if self._asked:
            ring.submit(np.concatenate(self._asked))
            self._asked.clear()
        found = ring.reap(self._armed)
        number = found["user_data"].astype(np.int64)
        size = found["res"].astype(np.int64)
        flags = found["flags"]
        legs = number & NOBODY >> LEG_BITS
        steady = number.min(initial=0) >= 0 and size.min(initial=1) > 0 and (flags & MORE).all()
        if not steady or (self._pins[legs] != number >> LEG_BITS).any():
            good = self._sift(number, size, flags)
            legs, size, flags = legs[good], size[good], flags[good]
        # An empty datagram takes no row: it has the last one, which is nobody's.
        rows = np.where(flags & HAS_ROW, flags >> BUFFER_SHIFT, len(self._pool) - 1)
        came = np.stack([legs, rows.astype(np.int64), size, np.zeros_like(size)])
        self._held = self._ranked(np.concatenate([self._held, came], axis=1))

    def _sift(self, number: Integers, size: Integers, flags: Words) -> Flags:
        """Which completions are packets of legs as they are pinned now; sees to all others."""
        told = number >= 0
        legs = np.where(told, number & NOBODY >> LEG_BITS, 0)
        ours = told & (self._pins[legs] == number >> LEG_BITS)
        ended = legs[ours & (flags & MORE == 0)]
        if len(ended):
            lines = [self._lines[leg] for leg in ended.tolist()]
            self._arm(ended, np.array([-1 if line is None else line.fileno() for line in lines]))
        self.errors += int(((ours | ~told) & (size < 0) & (size != -ENOBUFS)).sum())
        has_row = flags & HAS_ROW != 0
        self._ring.give_back((flags[has_row & ~ours] >> BUFFER_SHIFT).astype(np.int64))
        good: Flags = ours & (size >= 0)
        return good

    def _ranked(self, held: Integers) -> Integers:
        """How many packets of its leg are before each; what is too many is dropped."""
        legs = held[0]
        place = np.arange(len(legs))
        self._first[legs] = place
        if (self._first[legs] == place).all():  # the steady state: one packet a leg
            held[3] = 0
            return held
        order = np.argsort(legs, kind="stable")
        grouped = legs[order]
        begins = np.concatenate([[True], grouped[1:] != grouped[:-1]])
        start = np.maximum.accumulate(np.where(begins, place, 0))
        held[3, order] = place - start
        fits = held[3] < BACKLOG
        self.dropped += int((~fits).sum())
        self._ring.give_back(held[1, ~fits])
        return held[:, fits]

    def _prepare(self) -> None:
        """Requests for the legs that have a line and no other codec; the others one by one."""
        plan = self._plan.tolist()
        fast = [leg for leg in plan if self._lines[leg] is not None and leg not in self._edges]
        own = set(fast)
        self._sends = [(self._sender(leg), self._out[leg]) for leg in plan if leg not in own]
        legs = np.array(fast, np.int64)
        request = np.zeros(len(legs), SQE)
        request["opcode"], request["flags"] = OP_SEND, FIXED_FILE | SKIP_SUCCESS
        request["fd"] = legs
        request["addr"] = self.outgoing.ctypes.data + legs * self.outgoing.shape[1]
        request["len"] = PACKET
        request["op_flags"] = socket.MSG_DONTWAIT
        request["user_data"] = NOBODY
        self._requests = request
        self._seals = []
        for at, leg in enumerate(fast):
            guard = self._guards.get(leg)
            if guard is not None:
                place = memoryview(self._sealed[leg])[: PACKET + TAGS[guard.keys.suite]]
                request[at]["addr"] = self._sealed[leg].ctypes.data
                request[at]["len"] = len(place)
                self._seals.append((guard.sealer(place, PACKET), self._out[leg], place))

    def send(self, legs: Integers | None) -> None:
        super().send(legs)
        for seal, row, place in self._seals:
            place[:PACKET] = row
            if seal():
                self.errors += 1
                place[:] = bytes(len(place))  # it is sent all the same: never as it was
        if len(self._requests):
            self._ring.submit(self._requests)
