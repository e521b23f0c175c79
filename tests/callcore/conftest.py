"""The engine on its stage, and who speaks to it."""

import pytest

from callcore.call.events import TrunkChanged
from tests.callcore.stage import Peer, Stage


@pytest.fixture
def stage():
    stage = Stage()
    assert stage.told() == [TrunkChanged("ims", True, "not probed")]
    return stage


@pytest.fixture
def trunk(stage):
    return Peer(stage, "10.0.0.1")


@pytest.fixture
def seat(stage):
    return Peer(stage, "10.0.7.1")
