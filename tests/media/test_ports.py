import pytest

from media.errors import LocalProtocolError
from media.ports import Ports


def test_ports_are_even_and_within_the_range():
    ports = Ports(10001, 10006, 5)
    assert [ports.take(0) for _ in range(3)] == [10002, 10004, 10006]
    with pytest.raises(LocalProtocolError):
        ports.take(0)


def test_a_returned_port_rests():
    ports = Ports(10000, 10000, 5)
    ports.give_back(ports.take(0), 100)
    with pytest.raises(LocalProtocolError):
        ports.take(104.9)
    assert ports.take(105) == 10000


def test_a_range_without_an_even_port():
    with pytest.raises(LocalProtocolError):
        Ports(10001, 10001, 5)
