"""Linux's io_uring as the media worker uses it: many sends, or all that came, in one system call.

The kernel's io_uring(7), io_uring_setup(2), io_uring_enter(2) and io_uring_register(2), called
through the C library; both rings are numpy views of the memory that is shared with the kernel, so a
thousand requests are one array copy. Needs Linux 6.1 (receives of many shots, work that is done
only when it is asked for); containers' default seccomp rules forbid it.
"""

import ctypes
import errno
import mmap
import os

import numpy as np
from numpy.typing import NDArray

from media.types import Bytes, Integers

SETUP, ENTER, REGISTER = 425, 426, 427  # system calls, the same number on every architecture
SETUP_CQSIZE, SETUP_SUBMIT_ALL = 1 << 3, 1 << 7
SETUP_SINGLE_ISSUER, SETUP_DEFER_TASKRUN = 1 << 12, 1 << 13
ENTER_GETEVENTS, ENTER_EXT_ARG = 1 << 0, 1 << 3
OFFSET_SQES = 0x10000000
REGISTER_FILES_UPDATE2, REGISTER_FILES2 = 14, 13
REGISTER_PBUF_RING = 22
RSRC_SPARSE = 1
SQ_LEAST_FEATURES = 1  # one mmap for both rings
OP_ASYNC_CANCEL, OP_SEND, OP_RECV = 14, 26, 27
FIXED_FILE, BUFFER_SELECT, SKIP_SUCCESS = 1 << 0, 1 << 5, 1 << 6
RECV_MULTISHOT = 1 << 1
HAS_ROW, MORE = 1 << 0, 1 << 1  # of a completion's flags: it took a row; the request goes on
BUFFER_SHIFT = 16
ENOBUFS = errno.ENOBUFS

SQE = np.dtype(
    [
        ("opcode", "u1"),
        ("flags", "u1"),
        ("ioprio", "<u2"),
        ("fd", "<i4"),
        ("off", "<u8"),
        ("addr", "<u8"),
        ("len", "<u4"),
        ("op_flags", "<u4"),
        ("user_data", "<u8"),
        ("buf_group", "<u2"),
        ("personality", "<u2"),
        ("file_index", "<i4"),
        ("addr3", "<u8"),
        ("pad", "<u8"),
    ]
)
CQE = np.dtype([("user_data", "<u8"), ("res", "<i4"), ("flags", "<u4")])
BUFFER = np.dtype([("addr", "<u8"), ("len", "<u4"), ("bid", "<u2"), ("tail", "<u2")])

Records = NDArray[np.void]

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long] * 7


def _call(number: int, *arguments: int) -> int:
    """OSError as the kernel says."""
    result: int = _syscall(number, *arguments, *(0,) * (6 - len(arguments)))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"io_uring: {os.strerror(code)}")
    return result


class Ring:
    """`files` slots of registered sockets, `room` rows of `row` bytes that receives are put into.

    Not for use by another thread than the one that made it. OSError where the kernel will not.
    """

    def __init__(self, entries: int, files: int, room: int, row: int) -> None:
        parameters = np.zeros(30, np.uint32)
        parameters[1] = 2 * max(entries, room)  # receives end where completions find no place
        parameters[2] = SETUP_CQSIZE | SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN
        self._fd = _call(SETUP, entries, parameters.ctypes.data)
        try:
            self._map(parameters)
            self._register_files(files)
            self._register_rows(room, row)
        except BaseException:
            self.close()
            raise

    def _map(self, parameters: NDArray[np.uint32]) -> None:
        entries, completions, features = (int(parameters[at]) for at in (0, 1, 5))
        if not features & SQ_LEAST_FEATURES:
            raise OSError("io_uring: the kernel is too old")
        sq, cq = parameters[10:18].tolist(), parameters[20:28].tolist()
        size = max(sq[6] + 4 * entries, cq[5] + CQE.itemsize * completions)
        shared = mmap.mmap(self._fd, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
        sqes = mmap.mmap(
            self._fd, entries * SQE.itemsize, mmap.MAP_SHARED | mmap.MAP_POPULATE,
            offset=OFFSET_SQES,
        )  # fmt: skip
        words = np.frombuffer(shared, np.uint32, size // 4)
        words[sq[6] // 4 : sq[6] // 4 + entries] = np.arange(entries)  # places are used in order
        self._sq_tail = words[sq[1] // 4 : sq[1] // 4 + 1]
        self._cq_head = words[cq[0] // 4 : cq[0] // 4 + 1]
        self._cq_tail = words[cq[1] // 4 : cq[1] // 4 + 1]
        self._sqes = np.frombuffer(sqes, SQE, entries)
        self._cqes = np.frombuffer(shared, CQE, completions, cq[5])
        self.entries, self.completions = entries, completions
        nothing = np.zeros(2, np.int64)  # a time-out of nothing: what is there, and no waiting
        self._wait = np.array([0, 0, nothing.ctypes.data], np.uint64)
        self._kept = (nothing, shared, sqes)

    def _register_files(self, files: int) -> None:
        what = np.array([files | RSRC_SPARSE << 32, 0, 0, 0], np.uint64)
        _call(REGISTER, self._fd, REGISTER_FILES2, what.ctypes.data, what.nbytes)

    def _register_rows(self, room: int, row: int) -> None:
        """`room`, a power of two, rows that the kernel takes in turn."""
        memory = mmap.mmap(-1, room * BUFFER.itemsize)
        self._buffers = np.frombuffer(memory, BUFFER, room)
        self.rows: Bytes = np.zeros((room + 1, row), np.uint8)  # the last one is never given
        what = np.array([self._buffers.ctypes.data, room, 0, 0, 0], np.uint64)
        _call(REGISTER, self._fd, REGISTER_PBUF_RING, what.ctypes.data, 1)
        self._addresses = self.rows.ctypes.data + np.arange(room, dtype=np.uint64) * row
        self._returned = 0
        self._buffers["len"] = row
        self.give_back(np.arange(room))

    def close(self) -> None:
        """All requests end."""
        os.close(self._fd)

    def file(self, slot: int, descriptor: int) -> None:
        """A socket into its slot; -1 takes it out."""
        number = np.array([descriptor], np.int32)
        what = np.array([slot, number.ctypes.data, 0, 1], np.uint64)
        _call(REGISTER, self._fd, REGISTER_FILES_UPDATE2, what.ctypes.data, what.nbytes)

    def submit(self, requests: Records) -> None:
        """All of the requests, in order; what goes wrong is told by completions."""
        for start in range(0, len(requests), self.entries):
            part = requests[start : start + self.entries]
            at = int(self._sq_tail[0]) % self.entries
            first = min(len(part), self.entries - at)
            self._sqes[at : at + first] = part[:first]
            self._sqes[: len(part) - first] = part[first:]
            self._sq_tail += np.uint32(len(part))
            left = len(part)
            while left:  # one that cannot be begun ends a call, and is told by its completion
                taken = _call(ENTER, self._fd, left)
                if not taken:
                    raise OSError(errno.ENOMEM, "io_uring: requests were not taken")
                left -= taken

    def reap(self, most: int) -> Records:
        """The completions that are there, `most` or a few more, as a copy."""
        flags = ENTER_GETEVENTS | ENTER_EXT_ARG
        try:
            _call(ENTER, self._fd, 0, most, flags, self._wait.ctypes.data, self._wait.nbytes)
        except OSError as error:
            if error.errno not in (errno.ETIME, errno.EINTR):  # fewer are there; or a signal came
                raise
        head, tail = int(self._cq_head[0]), int(self._cq_tail[0])
        count = (tail - head) & 0xFFFFFFFF
        at = head % self.completions
        first = min(count, self.completions - at)
        found = np.concatenate([self._cqes[at : at + first], self._cqes[: count - first]])
        self._cq_head[0] = tail
        return found

    def give_back(self, rows: Integers) -> None:
        """The kernel may use these rows again, in this order."""
        count = len(self._buffers)
        rows = rows[rows < count]
        at = (self._returned + np.arange(len(rows))) % count
        self._buffers["addr"][at] = self._addresses[rows]
        self._buffers["bid"][at] = rows
        self._returned = (self._returned + len(rows)) & 0xFFFF
        self._buffers["tail"][0] = self._returned
