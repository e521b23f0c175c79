"""The UDP socket: order is kept and nothing is lost while the kernel has no room."""

import asyncio

from callcore.io.udp import MAX_WAITING, UdpSocket


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
    receiving = UdpSocket(("127.0.0.1", 0), lambda data, flow: heard.append(data), lambda: None)
    sending = UdpSocket(("127.0.0.1", 0), lambda data, flow: None, lambda: woken.append(1))
    full = sending._socket = Full(sending._socket)
    for n in range(100):
        assert sending.send(b"%d" % n, receiving.address)
    full.full = False
    async with asyncio.timeout(3):
        while len(heard) < 100:  # noqa: ASYNC110 - the sockets' readers run meanwhile
            await asyncio.sleep(0.01)
    assert heard == [b"%d" % n for n in range(100)]
    assert sending.send(b"now", receiving.address)
    sending.close()
    sending.close()
    receiving.close()


async def test_what_waits_is_bounded():
    sending = UdpSocket(("127.0.0.1", 0), lambda data, flow: None, lambda: None)
    sending._socket = Full(sending._socket)
    for _ in range(MAX_WAITING + 7):
        assert sending.send(b"x", sending.address)
    assert sending.dropped == 7
    sending.close()


async def test_what_cannot_be_sent_is_told():
    sending = UdpSocket(("127.0.0.1", 0), lambda data, flow: None, lambda: None)
    assert not sending.send(bytes(70_000), sending.address)
    sending.close()


async def test_ipv6_listens_beside_ipv4():
    heard = []

    def listen(host, port):
        return UdpSocket((host, port), lambda data, flow: heard.append(flow), lambda: None)

    both = [listen("127.0.0.1", 0)]
    port = both[0].address[1]
    try:
        both.append(listen("::1", port))
    except OSError:
        both[0].close()
        return  # a host without IPv6 has nothing to keep apart
    both[1].send(b"x", ("::1", port))
    async with asyncio.timeout(3):
        while not heard:  # noqa: ASYNC110 - the sockets' readers run meanwhile
            await asyncio.sleep(0.01)
    assert heard[0].remote == heard[0].local == ("::1", port)
    for one in both:
        one.close()
