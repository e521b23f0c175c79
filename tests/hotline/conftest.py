"""A house for each test that wants one; a fault in it fails the test."""

from collections.abc import AsyncIterator

import pytest

from tests.hotline.house import House


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """The usual one."""
    made = House()
    yield made
    made.close()
