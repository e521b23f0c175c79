"""One hotline for the tests of a module, and its log when one of them fails."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.interop import hotline as hotlines
from tests.interop.hotline import Hotline


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hotline(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Hotline]:
    """The module's `CONFIGURATION` holds the arguments of its hotline."""
    arguments = getattr(request.module, "CONFIGURATION", {})
    async with Hotline(tmp_path_factory.mktemp("hotline"), **arguments) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def soundness(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """A fault of the engine fails the test in which it happened."""
    shared = "hotline" in request.fixturenames
    yield
    if shared:
        await request.getfixturevalue("hotline").assert_sound()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """The end of each engine's log goes into the report."""
    report = yield
    if report.failed:
        for one in hotlines.started[-2:]:
            tail = "\n".join(one.log().splitlines()[-hotlines.LOG_LINES :])
            report.sections.append((f"log of the engine in {one.folder}", tail))
    return report
