"""Children that cannot outlive their parent, even one killed by signal 9 (prctl(2))."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, signal_number: int = signal.SIGKILL) -> None:
    """Asks the kernel to signal this process when its parent dies; exits if it already has."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(1)


def bound(
    command: list[str], signal_number: int = signal.SIGKILL, cores: Iterable[int] = ()
) -> list[str]:
    """The command line that runs `command` on those cores and lets it die with this process."""
    here = os.path.abspath(__file__)
    pinned = ",".join(map(str, cores))
    start = [sys.executable, "-S", "-E", here, str(os.getpid()), str(int(signal_number)), pinned]
    return [*start, *command]


if __name__ == "__main__":
    if sys.argv[3]:
        os.sched_setaffinity(0, {int(core) for core in sys.argv[3].split(",")})
    die_with_parent(int(sys.argv[1]), int(sys.argv[2]))
    os.execvp(sys.argv[4], sys.argv[4:])
