"""The UDP socket: order is kept and nothing is lost while the kernel has no room."""

import asyncio
import socket
import time

from callcore.io.udp import MAX_WAITING, SO_TIMESTAMPNS, STAMP, TURN, UdpSocket, lateness


class Full:
    """A socket whose send buffer is full until it is told otherwise."""

    def __init__(self, real):
        self.real, self.full = real, True

    def sendto(self, data, remote):
        if self.full:
            raise BlockingIOError
        return self.real.sendto(data, remote)

    def __getattr__(self, name):
        return getattr(self.real, name)


async def test_datagrams_wait_in_order_while_the_buffer_is_full():
    heard, woken = [], []
    receiving = UdpSocket(("127.0.0.1", 0), lambda data, flow, at: heard.append(data), lambda: None)
    sending = UdpSocket(("127.0.0.1", 0), lambda data, flow, at: None, lambda: woken.append(1))
    full = sending._socket = Full(sending._socket)
    for n in range(100):
        assert sending.send(b"%d" % n, receiving.address)
    full.full = False
    async with asyncio.timeout(30):
        while len(heard) < 100:  # noqa: ASYNC110 - the sockets' readers run meanwhile
            await asyncio.sleep(0.01)
    assert heard == [b"%d" % n for n in range(100)]
    assert sending.send(b"now", receiving.address)
    sending.close()
    sending.close()
    receiving.close()


async def test_what_waits_is_bounded():
    sending = UdpSocket(("127.0.0.1", 0), lambda data, flow, at: None, lambda: None)
    sending._socket = Full(sending._socket)
    for _ in range(MAX_WAITING + 7):
        assert sending.send(b"x", sending.address)
    assert sending.dropped == 7
    sending.close()


async def test_what_cannot_be_sent_is_told():
    sending = UdpSocket(("127.0.0.1", 0), lambda data, flow, at: None, lambda: None)
    assert not sending.send(bytes(70_000), sending.address)
    sending.close()


async def test_ipv6_listens_beside_ipv4():
    heard = []

    def listen(host, port):
        return UdpSocket((host, port), lambda data, flow, at: heard.append(flow), lambda: None)

    both = [listen("127.0.0.1", 0)]
    port = both[0].address[1]
    try:
        both.append(listen("::1", port))
    except OSError:
        both[0].close()
        return  # a host without IPv6 has nothing to keep apart
    both[1].send(b"x", ("::1", port))
    async with asyncio.timeout(30):
        while not heard:  # noqa: ASYNC110 - the sockets' readers run meanwhile
            await asyncio.sleep(0.01)
    assert heard[0].remote == heard[0].local == ("::1", port)
    for one in both:
        one.close()


async def test_a_burst_is_worked_on_in_turns_and_in_order():
    heard, turns, delays = [], [], []
    receiving = UdpSocket(
        ("127.0.0.1", 0),
        lambda data, flow, at: heard.append(data),
        lambda: turns.append(len(heard)),
    )
    receiving.on_delay = delays.append
    sending = UdpSocket(("127.0.0.1", 0), lambda data, flow, at: None, lambda: None)
    for n in range(100):
        sending.send(b"%d" % n, receiving.address)
    async with asyncio.timeout(30):
        while len(heard) < 100:  # noqa: ASYNC110 - the sockets' readers run meanwhile
            await asyncio.sleep(0.01)
    assert heard == [b"%d" % n for n in range(100)]
    assert turns == [TURN, 2 * TURN, 3 * TURN, 100]
    assert len(delays) == 4
    assert delays[0] == min(delays) >= 0
    receiving.close()
    sending.close()


async def test_what_was_read_is_not_worked_on_after_closing():
    heard = []

    def receive(data, flow, at):
        heard.append(data)
        receiving.close()

    receiving = UdpSocket(("127.0.0.1", 0), receive, lambda: None)
    sending = UdpSocket(("127.0.0.1", 0), lambda data, flow, at: None, lambda: None)
    for _ in range(3 * TURN):
        sending.send(b"x", receiving.address)
    await asyncio.sleep(0.05)
    assert heard == [b"x"]
    sending.close()


async def test_the_kernel_says_when_a_datagram_arrived():
    """The loop is busy for a while: the time of arrival is from before."""
    heard = []
    loop = asyncio.get_running_loop()
    receiving = UdpSocket(
        ("127.0.0.1", 0), lambda data, flow, at: heard.append((at, loop.time())), lambda: None
    )
    sending = UdpSocket(("127.0.0.1", 0), lambda data, flow, at: None, lambda: None)
    sending.send(b"x", receiving.address)
    sent = loop.time()
    time.sleep(0.08)  # noqa: ASYNC251 - what the test is about
    while not heard:  # noqa: ASYNC110 - the sockets' readers run meanwhile
        await asyncio.sleep(0)
    ((arrived, told),) = heard
    assert told - sent >= 0.08
    assert arrived <= told - 0.08
    receiving.close()
    sending.close()


def test_a_stamp_that_cannot_be_is_none():
    def stamp(at):
        return [(socket.SOL_SOCKET, SO_TIMESTAMPNS, STAMP.pack(int(at), 0))]

    assert lateness(stamp(1000), 1000.5) == 0.5
    assert lateness(stamp(2000), 1000.5) == 0.0
    assert lateness(stamp(10), 1000.5) == 0.0
    assert lateness([], 1000.5) == 0.0
