"""What holds for all tests."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of what is tested: no example has a deadline here. The same code gives
# the same result each time; `make explore` draws new examples, and what it finds becomes a test.
settings.register_profile(
    "callcore", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("callcore"), derandomize=False)
settings.load_profile("callcore")

REQUIRED = "CALLCORE_REQUIRE_INTEROP"
APART = "CALLCORE_TEST_NETWORKS"  # "1": each process of pytest-xdist has a network of its own
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def pytest_configure(config: pytest.Config) -> None:
    """Phones and engines of two processes must not meet: their addresses are the same."""
    if os.environ.get(APART) == "1" and hasattr(config, "workerinput"):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no network namespace of our own")
        with socket.socket(type=socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


# Of tests/interop, what hears no voice and minds no moment, and so may share the machine.
SIDE_BY_SIDE = frozenset(
    {
        *("test_scripts", "test_trunk_trial", "test_trunks", "test_ims", "test_refusals"),
        *("test_start", "test_restart", "test_stores", "test_radosgw", "test_limits"),
        "test_crossings",
    }
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real phones that are heard, or whose moments count, play `alone`."""
    for item in items:
        if item.path.parent.name == "interop" and item.path.stem not in SIDE_BY_SIDE:
            item.add_marker(pytest.mark.alone)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where all programs are installed, a test with real phones or servers may not be skipped."""
    report = yield
    if (
        report.skipped
        and os.environ.get(REQUIRED) == "1"
        and item.get_closest_marker("interop") is not None
    ):
        report.outcome = "failed"
        report.longrepr = f"{REQUIRED}=1, and this test was skipped: {report.longrepr}"
    return report
