"""The keeping process: `python -m recorder.io.worker`, tasks on standard input (hands.py).

It gives way to whatever answers telephones, and ends with the engine: a recording that is only
half kept then is kept again by the next one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

from recorder.io.hands import HEAD, Task, frame
from recorder.io.keeper import open_vault
from recorder.io.vault import Vault

NICENESS = 10
PR_SET_PDEATHSIG = 1  # prctl(2)


class Worker:
    """Does tasks in threads; each answer is one write, whoever was first."""

    def __init__(self, vault: Vault, workers: int, out: int) -> None:
        self._vault = vault
        self._out = out
        self._writing = threading.Lock()
        self._keepers = ThreadPoolExecutor(workers, "keeper")
        self._noters = ThreadPoolExecutor(1, "note")

    def take(self, task: Task) -> None:
        """Begin a task, behind those of its kind."""
        pool = self._keepers if task.what == "keep" else self._noters
        pool.submit(self._do, task)

    def _do(self, task: Task) -> None:
        outcome: Any = None
        try:
            if task.what == "keep":
                outcome = self._vault.keep(task.recording, task.extra)
            else:
                self._vault.note(task.recording, task.extra or {}, task.announces)
        except Exception as error:  # the keeper's to judge
            outcome = portable(error)
        data = frame((task.number, outcome))
        with self._writing, contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._out, data) :]


def portable(error: Exception) -> Exception:
    """The error, or its text where it does not survive the way to the engine."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def read(source: BinaryIO) -> Any:
    """The next message; None at the end."""
    head = source.read(HEAD)
    if len(head) < HEAD:
        return None
    body = source.read(int.from_bytes(head, "big"))
    return pickle.loads(body)


def settle(parent: int) -> None:
    """Behind everybody else, deaf to a terminal's Ctrl-C, and gone when the engine is."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def main() -> None:
    """Settings first, then tasks until the engine closes the pipe."""
    settle(os.getppid())
    out = os.dup(1)
    os.dup2(2, 1)  # what a key service of somebody's own prints is no answer of ours
    source = sys.stdin.buffer
    settings = read(source)
    if settings is None:
        return
    worker = Worker(open_vault(settings), settings.workers, out)
    while (task := read(source)) is not None:
        worker.take(task)
    os._exit(0)


if __name__ == "__main__":
    main()
