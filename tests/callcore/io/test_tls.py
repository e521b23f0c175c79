"""TLS on real sockets: seats and trunks, both roles, certificates good and bad."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys

import pytest

from callcore.call.events import Ended, Registered, TrunkChanged, Unregistered
from callcore.call.placement import Party, SeatTarget, TrunkTarget
from callcore.call.settings import Trunk
from callcore.io.certificates import Certificates, TlsSettings, Trust, certificate_names
from callcore.io.streams import StreamLimits
from callcore.message import parse, render, response
from tests.callcore.io.authority import Authority
from tests.callcore.io.test_server import Writer, proof, until
from tests.callcore.stage import SDP


class TlsPeer:
    """A TLS connection that reads whole messages, in either role."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.address = writer.get_extra_info("sockname")
        self.requests = Writer(self.address, "tls")

    @classmethod
    async def connect(cls, server, authority, certificate=None, name="localhost"):
        context = ssl.create_default_context(cafile=str(authority.path))
        if certificate is not None:
            context.load_cert_chain(*certificate)
        port = server.ports["tls"]
        return cls(
            *await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
        )

    def send(self, data):
        self.writer.write(data)

    async def next(self):
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 3)
        length = int(head.rpartition(b"Content-Length:")[2].split()[0])
        return parse(head + await self.reader.readexactly(length))

    async def ask(self, *arguments, **more):
        self.send(self.requests.request(*arguments, **more))
        return await self.next()

    async def register(self):
        challenged = await self.ask("REGISTER", to="")
        return await self.ask("REGISTER", to="", headers=[proof(challenged)])

    async def close(self):
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


async def far_end(certificate, authority=None):
    """A TLS server of the other side; connections come out of the queue."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    if authority is not None:
        context.load_verify_locations(str(authority.path))
        context.verify_mode = ssl.CERT_REQUIRED
    peers = asyncio.Queue()
    server = await asyncio.start_server(
        lambda r, w: peers.put_nowait(TlsPeer(r, w)), "127.0.0.1", 0, ssl=context
    )
    return server, peers, server.sockets[0].getsockname()[1]


async def close(server, *peers):
    for peer in peers:
        await peer.close()
    server.close()
    await server.wait_closed()


async def test_a_tls_seat_registers_is_called_and_is_gone_with_its_connection(
    secure_serve, authority
):
    server = await secure_serve()
    peer = await TlsPeer.connect(server, authority)
    assert (await peer.register()).status == 200
    await until(lambda: server.events)
    assert isinstance(server.events[0], Registered)
    server.place("L", SeatTarget("8001"), Party("0551"), SDP)
    invite = await peer.next()
    assert (invite.via.transport, invite.via.port) == ("TLS", server.ports["tls"])
    assert invite.get("Contact") == f"<sip:127.0.0.1:{server.ports['tls']};transport=tls>"
    assert invite.body == SDP
    await peer.close()
    await until(lambda: any(isinstance(e, Unregistered) for e in server.events))
    assert [e.by for e in server.events if isinstance(e, Ended)] == ["transport"]


async def test_every_split_of_a_message_over_tls(secure_serve, authority):
    server = await secure_serve()
    peer = await TlsPeer.connect(server, authority)
    data = peer.requests.request("OPTIONS", body=SDP)
    for at in range(0, len(data) - 1, 7):
        peer.send(data[:at])
        await peer.writer.drain()
        await asyncio.sleep(0)
        peer.send(data[at:])
        assert (await peer.next()).status == 200
    peer.send(b"\r\n\r\n" + data)
    assert await asyncio.wait_for(peer.reader.readexactly(2), 3) == b"\r\n"
    assert (await peer.next()).status == 200
    await peer.close()


async def test_a_trunk_over_tls_is_probed_and_called_over_one_connection(secure_serve, authority):
    """
    us                         carrier
     |---- TLS, its name -------->|
     |---- OPTIONS -------------->|
     |<--- 200 -------------------|
     |---- INVITE (same) -------->|
    """
    far, peers, port = await far_end(authority.issue("carrier", "localhost"))
    trunk = Trunk("ims", peers=(f"tls://localhost:{port}",))
    server = await secure_serve(trunk, tls={"trusts": {"ims": Trust(ca=str(authority.path))}})
    peer = await asyncio.wait_for(peers.get(), 3)
    options = await peer.next()
    assert (options.method, options.via.transport) == ("OPTIONS", "TLS")
    assert "alias" in options.via.params
    peer.send(render(response(options, 200, to_tag="t")))
    await until(lambda: TrunkChanged("ims", True, "answered 200") in server.events)
    server.place("L", TrunkTarget("ims", "138"), Party("1"), SDP)
    invite = await peer.next()
    assert invite.uri == f"sip:138@localhost:{port};transport=tls"
    assert peers.empty()
    peer.send(render(response(invite, 486, to_tag="t")))
    assert (await peer.next()).method == "ACK"
    await close(far, peer)


@pytest.mark.parametrize(
    ("names", "trust", "reached"),
    [
        (["localhost"], {}, True),
        (["other.example"], {}, False),
        (["sip:localhost"], {}, True),
        (["*.example"], {}, False),
        (["other.example"], {"verify": False, "ca": ""}, True),
    ],
)
async def test_a_far_certificate_must_name_the_domain(
    secure_serve, authority, names, trust, reached
):
    """RFC 5922 §7."""
    far, peers, port = await far_end(authority.issue("carrier", *names))
    trunk = Trunk("ims", peers=(f"tls://localhost:{port}",), probe_seconds=0)
    chosen = Trust(**{"ca": str(authority.path), **trust})
    server = await secure_serve(trunk, tls={"trusts": {"ims": chosen}})
    await until(lambda: server.engine.trunks.targets("ims"))
    server.place("L", TrunkTarget("ims", "138"), Party("1"), SDP)
    if reached:
        peer = await asyncio.wait_for(peers.get(), 3)
        assert (await peer.next()).method == "INVITE"
        await close(far, peer)
    else:
        await until(lambda: any(isinstance(e, Ended) for e in server.events))
        assert [e.status for e in server.events if isinstance(e, Ended)] == [503]
        assert server.streams.counters["handshake"] == 1
        await close(far)


async def test_an_authority_that_nobody_trusts_is_not_believed(secure_serve, authority, tmp_path):
    stranger = Authority(tmp_path, "Stranger")
    far, _, port = await far_end(stranger.issue("carrier", "localhost"))
    trunk = Trunk("ims", peers=(f"tls://localhost:{port}",))
    server = await secure_serve(trunk, tls={"trusts": {"ims": Trust(ca=str(authority.path))}})
    changed = []
    await until(lambda: changed.extend(e for e in server.events if e not in changed) or changed)
    assert changed[0].up is False
    assert "verify failed" in changed[0].why
    await close(far)


async def test_seats_must_show_a_certificate_where_that_is_required(secure_serve, authority):
    check = {"client_check": "required", "client_ca": str(authority.path)}
    server = await secure_serve(tls=check)
    phone = authority.issue("phone", "8001.hotline.local")
    peer = await TlsPeer.connect(server, authority, phone)
    assert (await peer.register()).status == 200
    await peer.close()
    stranger = await TlsPeer.connect(server, authority)
    with pytest.raises((ssl.SSLError, asyncio.IncompleteReadError, ConnectionError)):
        await stranger.ask("OPTIONS")
    await stranger.close()
    assert server.streams.counters["handshake"] == 1


async def test_a_peer_that_proves_its_name_is_called_by_its_own_connection(secure_serve, authority):
    """RFC 5923 §5; nothing listens at the port that its Via names."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    trunk = Trunk("ims", (f"tls://127.0.0.1:{port}",), probe_seconds=0, certificate_name="ims.test")
    check = {"client_check": "optional", "client_ca": str(authority.path)}
    server = await secure_serve(trunk, tls=check)
    peer = await TlsPeer.connect(server, authority, authority.issue("ims", "ims.test"))
    writer = Writer(("127.0.0.1", port), "tls")
    invite = writer.request("INVITE", body=SDP, from_host="x")
    peer.send(invite.replace(b";rport", b";rport;alias"))
    assert (await peer.next()).status == 100
    server.place("L", TrunkTarget("ims", "138"), Party("1"), SDP)
    assert (await peer.next()).method == "INVITE"
    await peer.close()
    await until(lambda: any(isinstance(e, Ended) and e.leg == "L" for e in server.events))


async def test_half_open_handshakes_and_garbage_are_cut_off_and_counted(secure_serve, authority):
    limits = StreamLimits(first_bytes_seconds=0.3, unready_per_host=8)
    server = await secure_serve(limits=limits)
    address = ("127.0.0.1", server.ports["tls"])
    hello = ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(authority.path))
    wrapped = context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        wrapped.do_handshake()
    half = hello.read()[:100]
    opened = [await asyncio.open_connection(*address) for _ in range(12)]
    for number, (_, writer) in enumerate(opened):
        writer.write(half if number % 2 else b"")
    await until(lambda: server.streams.refused == 4)
    assert len(server.streams.flows) == 8
    await until(lambda: not server.streams.flows)
    assert server.streams.counters["silent"] == 8
    for _, writer in opened:
        writer.close()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"REGISTER sip:hotline.local SIP/2.0\r\n\r\n")
    await asyncio.wait_for(reader.read(), 3)
    writer.close()
    assert server.streams.counters["handshake"] == 1
    peer = await TlsPeer.connect(server, authority)
    assert (await peer.ask("OPTIONS")).status == 200
    await peer.close()


async def test_a_message_that_does_not_end_is_cut_off(secure_serve, authority):
    server = await secure_serve(limits=StreamLimits(message_seconds=0.3))
    peer = await TlsPeer.connect(server, authority)
    assert (await peer.register()).status == 200  # even where a seat is bound
    peer.send(b"\r\n")
    await asyncio.sleep(0.5)
    assert server.streams.flows
    for byte in peer.requests.request("OPTIONS")[:20]:
        peer.send(bytes([byte]))
        await asyncio.sleep(0.03)
        if not server.streams.flows:
            break
    assert not server.streams.flows
    assert server.streams.counters["slow"] == 1
    await peer.close()


async def test_certificates_are_replaced_without_a_restart(secure_serve, authority):
    server = await secure_serve(watch=0.05)
    told = []
    server.on_certificates = told.append
    before = await TlsPeer.connect(server, authority)
    assert (await before.register()).status == 200
    authority.issue("server", "new.example")
    await until(lambda: told)
    assert told[-1] == ""
    after = await TlsPeer.connect(server, authority, name="new.example")
    assert (await after.ask("OPTIONS")).status == 200
    assert (await before.ask("OPTIONS")).status == 200
    # A file that cannot be read changes nothing.
    (authority.folder / "server.key").write_text("broken")
    await until(lambda: told[-1])
    again = await TlsPeer.connect(server, authority, name="new.example")
    assert (await again.ask("OPTIONS")).status == 200
    assert "SSLError" in server.reload_certificates()
    for peer in (before, after, again):
        await peer.close()


def test_names_are_those_that_rfc_5922_allows():
    common = ((("commonName", "Host.Example"),),)
    assert certificate_names({"subject": common}) == {"host.example"}
    alternative = (("URI", "sip:a.example"), ("URI", "sip:u@b.example"), ("DNS", "C.example"))
    named = {"subject": common, "subjectAltName": alternative}
    assert certificate_names(named) == {"a.example", "c.example"}
    assert certificate_names({}) == frozenset()


def test_an_encrypted_key_is_an_error_and_no_prompt(authority, tmp_path):
    certificate, key = authority.issue("server", "x", use_rsa=True)
    script = "from cryptography.hazmat.primitives import serialization as s;import sys;"
    script += "k=s.load_pem_private_key(open(sys.argv[1],'rb').read(),None);open(sys.argv[1],'wb')"
    script += ".write(k.private_bytes(s.Encoding.PEM,s.PrivateFormat.PKCS8,"
    script += "s.BestAvailableEncryption(b'pw')))"
    subprocess.run([sys.executable, "-c", script, key], check=True)
    with pytest.raises(OSError, match="encrypted"):
        Certificates(TlsSettings(certificate, key))
