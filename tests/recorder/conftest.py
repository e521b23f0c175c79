"""What the tests of the keeper share."""

from __future__ import annotations

import pytest
from keeper_house import House


@pytest.fixture
async def house(tmp_path):
    house = House(tmp_path)
    yield house
    for keeper in house.keepers:
        await keeper.stop()
