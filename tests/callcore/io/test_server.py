"""The engine on real sockets of loopback."""

import asyncio
import contextlib
import socket

import pytest

from callcore.call.events import Arrived, Ended, Refused, Registered, TrunkChanged, Unregistered
from callcore.call.placement import Party, SeatTarget, TrunkTarget
from callcore.call.settings import AuthSettings, EngineSettings, Registration, Seat, Trunk
from callcore.engine import Engine
from callcore.errors import LocalProtocolError
from callcore.flow import Flow
from callcore.io.identifiers import RandomIdentifiers
from callcore.io.server import ServerSettings, SipServer, parse_listener
from callcore.io.streams import StreamLimits
from callcore.message import parse, render, response
from callcore.message.digest import answer, parse_challenge, parse_credentials, verify
from tests.callcore.stage import SDP, Peer

SEATS = {"8001": Seat("8001", "secret-8001")}
LIMITS = StreamLimits(first_bytes_seconds=0.2, idle_seconds=0.4, connections_per_host=20)


class UdpPeer(asyncio.DatagramProtocol):
    """A UDP socket that keeps what it hears."""

    def __init__(self):
        self.heard = asyncio.Queue()

    def connection_made(self, transport):
        self.transport = transport
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data, remote):
        self.heard.put_nowait(parse(data))

    async def next(self):
        return await asyncio.wait_for(self.heard.get(), 3)


class TcpPeer:
    """A TCP connection that reads whole messages."""

    @classmethod
    async def connect(cls, port):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.address = self.writer.get_extra_info("sockname")
        return self

    async def next(self):
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 3)
        length = int(head.rpartition(b"Content-Length:")[2].split()[0])
        return parse(head + await self.reader.readexactly(length))

    async def close(self):
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class Writer(Peer):
    """Peer's way of writing requests, without its stage."""

    made = 0

    def __init__(self, address, transport="udp"):
        super().__init__(None, *address, flow=Flow(transport, address, address))
        Writer.made += 1
        self.count = 1000 * Writer.made  # two writers on one address never share a branch


def proof(challenged, user="8001", password="secret-8001"):
    challenge = parse_challenge(challenged.all("WWW-Authenticate")[0])
    return (
        "Authorization",
        answer(
            challenge,
            method="REGISTER",
            uri="sip:hotline.local",
            user=user,
            password=password,
            cnonce="c",
            nc=1,
        ),
    )


@pytest.fixture
async def udp_peer():
    peers = []

    async def make():
        loop = asyncio.get_running_loop()
        _, peer = await loop.create_datagram_endpoint(UdpPeer, local_addr=("127.0.0.1", 0))
        peers.append(peer)
        return peer

    yield make
    for peer in peers:
        peer.transport.close()
    await asyncio.sleep(0)


@pytest.fixture
async def tcp_peer():
    peers = []

    async def make(server):
        peers.append(await TcpPeer.connect(server.ports["tcp"]))
        return peers[-1]

    yield make
    for peer in peers:
        await peer.close()


@pytest.fixture
async def serve():
    servers, problems = [], []
    asyncio.get_running_loop().set_exception_handler(lambda loop, c: problems.append(c))

    async def start(*trunks, **more):
        limits = more.pop("limits", LIMITS)
        settings = EngineSettings("hotline.local", SEATS, trunks, **more)
        engine = Engine(settings, RandomIdentifiers())
        server = SipServer(
            engine, ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], ServerSettings(limits)
        )
        server.events = []
        server.on_event = server.events.append
        await server.start()
        servers.append(server)
        server.ports = {scheme: port for scheme, _, port in server.addresses}
        return server

    yield start
    for server in servers:
        await server.stop()
    assert problems == []


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for is the server's, not ours
            await asyncio.sleep(0.005)


async def send_udp(server, peer, data):
    peer.transport.sendto(data, ("127.0.0.1", server.ports["udp"]))
    return await peer.next()


async def register(server, peer, password="secret-8001"):
    writer = Writer(peer.address)
    challenged = await send_udp(server, peer, writer.request("REGISTER", to=""))
    assert challenged.status == 401
    again = writer.request("REGISTER", to="", headers=[proof(challenged, password=password)])
    return await send_udp(server, peer, again)


async def test_a_seat_registers_over_udp_and_is_called(serve, udp_peer):
    server, peer = await serve(), await udp_peer()
    assert (await register(server, peer)).status == 200
    await until(lambda: server.events)
    assert isinstance(server.events[0], Registered)
    server.place("L", SeatTarget("8001"), Party("0551"), SDP)
    invite = await peer.next()
    assert invite.body == SDP
    assert invite.via.port == server.ports["udp"]
    busy = render(response(invite, 486, to_tag="t"))
    ack = await send_udp(server, peer, busy)
    assert ack.method == "ACK"
    assert [e.status for e in server.events if isinstance(e, Ended)] == [486]


async def test_wrong_passwords_are_401_then_403(serve, udp_peer):
    server = await serve(auth=AuthSettings(failures=2))
    peer = await udp_peer()
    assert (await register(server, peer, "guess")).status == 401
    assert (await register(server, peer, "guess")).status == 401
    blocked = await send_udp(server, peer, Writer(peer.address).request("REGISTER", to=""))
    assert blocked.status == 403
    assert int(blocked.get("Retry-After")) > 0


async def test_an_unknown_peer_is_403_and_told(serve, udp_peer):
    server, peer = await serve(), await udp_peer()
    writer = Writer(peer.address)
    refused = await send_udp(server, peer, writer.request("INVITE", body=SDP, from_host="x"))
    assert refused.status == 403
    assert server.events == [Refused("127.0.0.1", "INVITE", 403, "unknown peer")]


async def test_too_many_calls_are_503_with_retry_after(serve, udp_peer):
    peer = await udp_peer()
    trunk = Trunk("ims", peers=(f"127.0.0.1:{peer.address[1]}",), max_calls=1, probe_seconds=0)
    server, writer = await serve(trunk), Writer(peer.address)
    first = await send_udp(server, peer, writer.request("INVITE", body=SDP, from_host="x"))
    assert first.status == 100
    peer.transport.sendto(
        writer.request("INVITE", body=SDP, from_host="x"), ("127.0.0.1", server.ports["udp"])
    )
    answers = [await peer.next(), await peer.next()]
    assert [m.status for m in answers] == [100, 503]
    assert answers[1].get("Retry-After") == "10"


async def test_a_storm_of_malformed_datagrams_harms_nobody(serve, udp_peer):
    server, peer, storm = await serve(), await udp_peer(), await udp_peer()
    good = Writer(storm.address).request("INVITE", body=SDP)
    bad = [good[:n] for n in range(0, len(good), 17)]
    bad += [good.replace(b"SIP/2.0", b"SIP/" + bytes([n])) for n in range(0, 255, 9)]
    bad += [bytes([n]) * n for n in range(1, 255, 3)]
    bad += [good.replace(b": ", b":" * n) for n in range(2, 9)]
    for data in bad:
        storm.transport.sendto(data, ("127.0.0.1", server.ports["udp"]))
    assert (await register(server, peer)).status == 200
    counters = server.engine.counters
    assert sum(n for key, n in counters.items() if key[:2] == ("in", "malformed")) > 50


async def test_bytes_of_a_stream_may_come_one_by_one(serve, tcp_peer):
    server = await serve()
    peer = await tcp_peer(server)
    data = Writer(peer.address, "tcp").request("OPTIONS")
    for at in range(len(data)):
        peer.writer.write(data[at : at + 1])
        await peer.writer.drain()
    assert (await peer.next()).status == 200
    peer.writer.write(data + data + b"\r\n\r\n")
    assert [(await peer.next()).status, (await peer.next()).status] == [200, 200]
    assert await asyncio.wait_for(peer.reader.readexactly(2), 3) == b"\r\n"
    await peer.close()


async def test_a_tcp_seat_is_called_over_its_connection_and_gone_with_it(serve, tcp_peer):
    server = await serve()
    peer = await tcp_peer(server)
    writer = Writer(peer.address, "tcp")
    peer.writer.write(writer.request("REGISTER", to=""))
    challenged = await peer.next()
    peer.writer.write(writer.request("REGISTER", to="", headers=[proof(challenged)]))
    assert (await peer.next()).status == 200
    await asyncio.sleep(0.6)  # longer than idle: a bound connection is kept
    server.place("L", SeatTarget("8001"), Party("1"), SDP)
    invite = await peer.next()
    assert invite.method == "INVITE"
    assert (invite.via.transport, invite.via.port) == ("TCP", server.ports["tcp"])
    await peer.close()
    await until(lambda: any(isinstance(e, Unregistered) for e in server.events))
    assert [e.by for e in server.events if isinstance(e, Ended)] == ["transport"]


async def test_silent_idle_and_broken_connections_are_closed(serve, tcp_peer):
    server = await serve()
    silent = await tcp_peer(server)
    idle = await tcp_peer(server)
    idle.writer.write(Writer(idle.address, "tcp").request("OPTIONS"))
    assert (await idle.next()).status == 200
    broken = await tcp_peer(server)
    broken.writer.write(b"INVITE sip:x SIP/2.0\r\nVia: x\r\n\r\n")
    for peer in (silent, idle, broken):
        with contextlib.suppress(ConnectionResetError):
            await asyncio.wait_for(peer.reader.read(), 3)


async def test_a_host_may_open_only_so_many_connections(serve, tcp_peer):
    server = await serve(limits=StreamLimits(connections_per_host=3))
    peers = [await tcp_peer(server) for _ in range(5)]
    await until(lambda: len(server.streams.flows) == 3)
    assert server.streams.refused == 2
    for peer in peers:
        peer.writer.close()
    await until(lambda: not server.streams.flows)


async def test_a_slow_reader_is_cut_off(serve, tcp_peer):
    server = await serve(limits=StreamLimits(send_buffer_bytes=20_000))
    peer = await tcp_peer(server)
    peer.writer.transport.pause_reading()
    await until(lambda: server.streams.flows)
    [flow] = server.streams.flows
    sent = sum(server.streams.send(flow, bytes(10_000)) for _ in range(2000))
    assert 0 < sent < 2000
    await until(lambda: not server.streams.flows)
    assert not server.streams.send(flow, b"x")


async def test_a_call_goes_out_over_a_tcp_trunk(serve):
    heard = asyncio.Queue()

    async def accept(reader, writer):
        heard.put_nowait(parse(await reader.readuntil(b"\r\n\r\n") + SDP))
        await reader.read()
        writer.close()

    far = await asyncio.start_server(accept, "127.0.0.1", 0)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    peers = (f"tcp://127.0.0.1:{nobody}", f"tcp://127.0.0.1:{far.sockets[0].getsockname()[1]}")
    server = await serve(Trunk("ims", peers=peers, probe_seconds=0))
    server.place("L", TrunkTarget("ims", "138"), Party("1"), SDP)
    invite = await asyncio.wait_for(heard.get(), 3)
    assert (invite.method, invite.via.transport) == ("INVITE", "TCP")
    await server.stop()
    far.close()
    await far.wait_closed()


async def test_a_trunk_registers_with_a_real_registrar_over_udp(serve, udp_peer):
    """
    us                    registrar
     |------ REGISTER ------->|
     |<-------- 401 ----------|
     |-- REGISTER, proven --->|
     |<-------- 200 ----------|  Service-Route
     |-- REGISTER, 0 -------->|  at stop
    """
    registrar = await udp_peer()
    port = registrar.address[1]
    registration = Registration(
        "impi", "pw", "sip:+86@ims.example", "ims.example", f"127.0.0.1:{port}"
    )
    server = await serve(Trunk("ims", registration=registration))
    here = ("127.0.0.1", server.ports["udp"])
    first = await registrar.next()
    challenge = ("WWW-Authenticate", 'Digest realm="ims", nonce="n", algorithm=MD5, qop="auth"')
    registrar.transport.sendto(render(response(first, 401, headers=[challenge], to_tag="t")), here)
    second = await registrar.next()
    credentials = parse_credentials(second.get("Authorization"))
    assert verify(credentials, method="REGISTER", password="pw")
    contact = second.get("Contact").partition(">")[0]
    granted = [("Contact", f"{contact}>;expires=600"), ("Service-Route", "<sip:s;lr>")]
    registrar.transport.sendto(render(response(second, 200, headers=granted, to_tag="t")), here)
    await until(lambda: TrunkChanged("ims", True, "registered") in server.events)
    stopping = asyncio.create_task(server.stop())
    leaving = await registrar.next()
    assert leaving.expires == 0
    registrar.transport.sendto(render(response(leaving, 200, to_tag="t")), here)
    await stopping


async def test_a_static_peer_is_probed_and_known_to_be_up(serve, udp_peer):
    peer = await udp_peer()
    server = await serve(Trunk("ims", peers=(f"127.0.0.1:{peer.address[1]}",)))
    options = await peer.next()
    assert options.method == "OPTIONS"
    here = ("127.0.0.1", server.ports["udp"])
    peer.transport.sendto(render(response(options, 200, to_tag="t")), here)
    await until(lambda: TrunkChanged("ims", True, "answered 200") in server.events)


async def test_a_datagram_that_cannot_be_sent_ends_its_call_at_once(serve):
    server = await serve(Trunk("ims", peers=("255.255.255.255:5060",), probe_seconds=0))
    server.place("L", TrunkTarget("ims", "138"), Party("1"), SDP)
    assert [e.by for e in server.events if isinstance(e, Ended)] == ["transport"]


async def test_a_name_is_resolved_in_the_background(serve):
    server = await serve(Trunk("ims", peers=("localhost:5099",), probe_seconds=0))
    await until(lambda: server.engine.trunks.targets("ims"))
    assert server.engine.trunks.owner("udp", ("127.0.0.1", 5099), 0) == "ims"


async def test_commands_from_within_an_event_keep_their_order(serve, udp_peer):
    peer = await udp_peer()
    server = await serve(Trunk("ims", peers=(f"127.0.0.1:{peer.address[1]}",), probe_seconds=0))

    def react(event):
        if isinstance(event, Arrived):
            server.progress(event.leg)
            server.answer(event.leg, SDP)

    server.on_event = react
    data = Writer(peer.address).request("INVITE", body=SDP, from_host="x")
    peer.transport.sendto(data, ("127.0.0.1", server.ports["udp"]))
    statuses = [(await peer.next()).status for _ in range(3)]
    assert statuses == [100, 180, 200]


async def test_a_port_in_use_is_an_error_that_leaves_nothing_open(serve):
    server = await serve()
    engine = Engine(EngineSettings("x"), RandomIdentifiers())
    second = SipServer(engine, ["udp://127.0.0.1:0", f"udp://127.0.0.1:{server.ports['udp']}"])
    with pytest.raises(OSError, match="in use"):
        await second.start()


@pytest.mark.parametrize("text", ["127.0.0.1:5060", "sctp://h:1", "udp://h", "udp://:1"])
def test_a_bad_listener_is_named(text):
    with pytest.raises(LocalProtocolError, match="listener"):
        parse_listener(text)
