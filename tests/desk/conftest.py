"""The houses of the desk: the hotline whole, and one on paper."""

from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi.testclient import TestClient

from tests.desk.paper import PaperHotline, app_of
from tests.hotline.house import House


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """The usual one."""
    made = House()
    yield made
    made.close()


@pytest.fixture
def hotline() -> PaperHotline:
    return PaperHotline()


@pytest.fixture
def desk(hotline: PaperHotline) -> Iterator[TestClient]:
    with TestClient(app_of(hotline)) as client:
        yield client
