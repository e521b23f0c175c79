"""What holds for all tests."""

import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of what is tested: no example has a deadline here.
settings.register_profile("callcore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("callcore")

REQUIRED = "CALLCORE_REQUIRE_INTEROP"


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
