"""What the tests of the keeper and of its store share."""

from __future__ import annotations

import hashlib

import boto3
import pytest
from keeper_house import House
from moto.server import ThreadedMotoServer

from tests.peers.fault_proxy import FaultProxy


@pytest.fixture
async def house(tmp_path):
    house = House(tmp_path)
    yield house
    for keeper in house.keepers:
        await keeper.stop()


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture
def proxy(server):
    with FaultProxy(server) as proxy:
        yield proxy


@pytest.fixture
def bucket(server, request):
    """A bucket of its own for each test, past all faults."""
    name = "b" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server}",
        region_name="us-east-1",
        aws_access_key_id="who",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket=name)
    yield name, client
    client.close()
