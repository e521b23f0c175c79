"""RFC 3263 with a real name server: NAPTR, SRV, addresses, and the next one when one fails."""

import asyncio

import pytest

from callcore.call.events import Ended
from callcore.call.placement import Party, TrunkTarget
from callcore.call.settings import Trunk
from callcore.io.resolve import ResolverSettings
from phones.raw import RawEnd
from phones.waiting import until
from tests.callcore.io.names import NameServer
from tests.callcore.stage import SDP


@pytest.fixture
async def peers():
    """Two hosts of the operator, with a port each."""
    found = [RawEnd("peer", 700, 700) for _ in range(2)]
    for one in found:
        await one.open()
    yield found
    for one in found:
        one.close()


@pytest.fixture
async def names(peers):
    """ims.test: NAPTR wants UDP, SRV the first host before the second."""
    first, second = (one.address[1] for one in peers)
    server = NameServer(
        {
            ("ims.test.", "NAPTR"): [
                '20 10 "s" "SIP+D2T" "" _sip._tcp.ims.test.',
                '10 10 "s" "SIP+D2U" "" _sip._udp.ims.test.',
            ],
            ("_sip._udp.ims.test.", "SRV"): [
                f"20 0 {second} b.ims.test.",
                f"10 0 {first} a.ims.test.",
            ],
            ("a.ims.test.", "A"): ["127.0.0.1"],
            ("b.ims.test.", "A"): ["127.0.0.1"],
        }
    )
    address = await server.open()
    yield server, address
    server.close()


async def called(peer: RawEnd):
    """The next INVITE that a peer gets."""
    async with asyncio.timeout(10):
        invite, address, _ = await peer.incoming.get()
    return invite, address


def ends(server) -> list[int]:
    return [event.status for event in server.events if isinstance(event, Ended)]


async def resolved(server, count: int) -> None:
    await until(lambda: len(server.engine.trunks.targets("ims")) >= count)


async def test_a_name_leads_to_its_hosts_in_order_and_503_to_the_next(secure_serve, peers, names):
    """
    us            a.ims.test       b.ims.test
     |-- INVITE ----->|                |
     |<---- 503 ------|                |
     |-- INVITE ---------------------->|
     |<---- 486 -----------------------|
    """
    first, second = peers
    zone, address = names
    server = await secure_serve(
        Trunk("ims", peers=("ims.test",), probe_seconds=0, answer_seconds=0.5),
        resolver=ResolverSettings(nameservers=(address,), hosts_file=""),
        schemes=("udp",),
    )
    await resolved(server, 2)
    server.place("L", TrunkTarget("ims", "13911112222"), Party("055112345"), SDP)
    invite, source = await called(first)
    assert invite.start.startswith("INVITE sip:13911112222@ims.test SIP/2.0")
    first.respond(invite, source, "503 Service Unavailable")
    invite, source = await called(second)
    assert invite.start.startswith("INVITE sip:13911112222@ims.test SIP/2.0")
    second.respond(invite, source, "486 Busy Here")
    await until(lambda: ends(server))
    assert ends(server) == [486]
    asked = len(zone.asked)
    server.place("M", TrunkTarget("ims", "13911112222"), Party("055112345"), SDP)
    await called(first)  # silence: after answer_seconds the second is tried
    await called(second)
    assert len(zone.asked) == asked  # what is known is not asked for again, nor waited for
    server.hang_up("M")


async def test_a_name_that_nobody_knows_ends_the_call_at_once(secure_serve, names):
    zone, address = names
    server = await secure_serve(
        Trunk("ims", peers=("nobody.test",), probe_seconds=0),
        resolver=ResolverSettings(nameservers=(address,), hosts_file=""),
        schemes=("udp",),
    )
    await until(lambda: ("nobody.test.", "A") in zone.asked)
    server.place("L", TrunkTarget("ims", "13911112222"), Party("055112345"), SDP)
    assert ends(server) == [503]
