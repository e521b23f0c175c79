"""The engine on real sockets: bytes and time in, effects out, and one timer."""

import asyncio
import contextlib
import math
from collections.abc import Callable

from callcore.call.events import Event
from callcore.call.legs import Party, SeatTarget, TrunkTarget
from callcore.effects import Close, Connect, Raw, Resolve
from callcore.engine import Engine
from callcore.errors import LocalProtocolError
from callcore.flow import Flow, Transport
from callcore.io.resolve import Resolver, outward_host
from callcore.io.tcp import StreamLimits, TcpStreams
from callcore.io.udp import UdpSocket
from callcore.transaction import Transmit

Address = tuple[str, int]


def parse_listener(text: str) -> tuple[str, Address]:
    """`udp://host:port` or `tcp://host:port`; LocalProtocolError names what is wrong."""
    scheme, separator, rest = text.partition("://")
    host, _, port = rest.rpartition(":")
    if not separator or scheme not in ("udp", "tcp") or not host or not port.isdecimal():
        raise LocalProtocolError(f"listener {text!r} is not udp://HOST:PORT or tcp://HOST:PORT")
    return scheme, (host.strip("[]"), int(port))


class SipServer:
    """Runs an Engine on its listeners; every event of the engine goes to `on_event`."""

    def __init__(
        self, engine: Engine, listen: list[str], limits: StreamLimits | None = None
    ) -> None:
        self.engine = engine
        self.on_event: Callable[[Event], None] = lambda event: None
        self.addresses: list[tuple[str, str, int]] = []
        self._listen = [parse_listener(text) for text in listen]
        self._limits = limits or StreamLimits()
        self._udp: dict[Address, UdpSocket] = {}
        self._streams: TcpStreams | None = None
        self._resolver: Resolver | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self._flushing = False
        self._stopping = False
        self._stopped = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    async def start(self) -> None:
        """Bind every listener; OSError, and nothing left open, when one cannot be bound."""
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._streams = TcpStreams(self, self._limits)
        self._resolver = Resolver(self._resolved)
        try:
            for scheme, address in self._listen:
                bound = await self._bind(scheme, address)
                self.addresses.append((scheme, *bound))
                transport: Transport = "udp" if scheme == "udp" else "tcp"
                self.engine.listening(transport, bound, outward_host(bound[0]))
        except OSError:
            await self._close()
            raise
        self.engine.start(self._now())
        self._flush()

    async def stop(self, unregister_seconds: float = 2.0) -> None:
        """Take our registrations back, close every socket and wait until all is closed."""
        self._stopping = True
        self.engine.stop(self._now())
        self._flush()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(unregister_seconds):
                await self._stopped.wait()
        await self._close()

    def place(
        self,
        leg: str,
        target: SeatTarget | TrunkTarget,
        caller: Party,
        offer: bytes,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Call a seat or a number through a trunk; the leg's name is the caller's to choose."""
        self.engine.place(leg, target, caller, offer, headers, now=self._now())
        self._flush()

    def progress(self, leg: str, status: int = 180, description: bytes | None = None) -> None:
        """Send a provisional response."""
        self.engine.progress(leg, status, description, now=self._now())
        self._flush()

    def answer(self, leg: str, description: bytes) -> None:
        """Send 200 with our description."""
        self.engine.answer(leg, description, now=self._now())
        self._flush()

    def refuse(self, leg: str, status: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Send a final refusal."""
        self.engine.refuse(leg, status, headers, now=self._now())
        self._flush()

    def hang_up(self, leg: str, reason: str | None = None) -> None:
        """End a leg whatever its state."""
        self.engine.hang_up(leg, reason, now=self._now())
        self._flush()

    def offer(self, leg: str, description: bytes) -> None:
        """Send a re-INVITE."""
        self.engine.offer(leg, description, now=self._now())
        self._flush()

    def accept_offer(self, leg: str, description: bytes) -> None:
        """Answer a re-INVITE of theirs."""
        self.engine.accept_offer(leg, description, now=self._now())
        self._flush()

    def refuse_offer(self, leg: str, status: int) -> None:
        """Refuse a re-INVITE of theirs."""
        self.engine.refuse_offer(leg, status, now=self._now())
        self._flush()

    @property
    def streams(self) -> TcpStreams:
        """The connections, once started."""
        assert self._streams is not None
        return self._streams

    def stream_received(self, data: bytes, flow: Flow) -> None:
        """Bytes of a connection (StreamUser)."""
        self.engine.receive(data, flow, self._now())
        self._flush()

    def stream_closed(self, flow: Flow) -> None:
        """A connection is gone (StreamUser)."""
        self.engine.flow_closed(flow, self._now())
        self._flush()

    def stream_is_kept(self, flow: Flow) -> bool:
        """Whether a silent connection is still of use (StreamUser)."""
        return self.engine.keeps(flow)

    async def _bind(self, scheme: str, address: Address) -> Address:
        assert self._streams is not None
        if scheme == "tcp":
            return await self._streams.listen(address)
        udp = UdpSocket(address, self._datagram, self._rearm)
        udp.on_delay = self.engine.delayed
        self._udp[udp.address] = udp
        return udp.address

    async def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        if self._resolver is not None:
            await self._resolver.stop()
        if self._streams is not None:
            await self._streams.stop()
        for udp in self._udp.values():
            udp.close()
        if self._timer is not None:
            self._timer.cancel()

    def _datagram(self, data: bytes, flow: Flow) -> None:
        self.engine.receive(data, flow, self._now())
        self._perform()

    def _resolved(self, host: str, addresses: tuple[str, ...]) -> None:
        self.engine.resolved(host, addresses, self._now())
        self._flush()

    def _flush(self) -> None:
        if not self._flushing:  # else whoever is at it goes on with what was added
            self._perform()
            self._rearm()

    def _perform(self) -> None:
        """Perform effects until none is left; a handler's commands queue behind what is there."""
        self._flushing = True
        try:
            while effects := self.engine.take():
                for effect in effects:
                    if type(effect) is Transmit:
                        self._transmit(effect.flow, effect.data)
                    else:
                        self._do(effect)
        finally:
            self._flushing = False

    def _do(self, effect: Raw | Connect | Close | Resolve | Event | Transmit) -> None:
        assert self._streams is not None
        assert self._resolver is not None
        if isinstance(effect, Raw):
            self._transmit(effect.flow, effect.data)
        elif isinstance(effect, Connect):
            task = self._loop.create_task(self._connect(effect))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        elif isinstance(effect, Close):
            self._streams.close(effect.flow)
        elif isinstance(effect, Resolve):
            self._resolver.resolve(effect.host)
        elif not isinstance(effect, Transmit):
            self._tell(effect)

    def _tell(self, event: Event) -> None:
        try:
            self.on_event(event)
        except Exception as error:
            # A handler's bug must not cost the effects behind it; the loop's handler reports it.
            self._loop.call_exception_handler(
                {"message": f"on_event failed at {type(event).__name__}", "exception": error}
            )

    def _transmit(self, flow: Flow, data: bytes) -> None:
        if flow.transport == "udp":
            udp = self._udp.get(flow.local)
            sent = udp is not None and udp.send(data, flow.remote)
        else:
            assert self._streams is not None
            sent = self._streams.send(flow, data)
        if not sent:
            self.engine.transport_failed(flow, self._now())

    async def _connect(self, effect: Connect) -> None:
        assert self._streams is not None
        try:
            flow = await self._streams.connect(effect.remote)
        except (OSError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            self.engine.connect_failed(effect.transport, effect.remote, why, self._now())
        else:
            self.engine.connected(flow, self._now())
        self._flush()

    def _rearm(self) -> None:
        """One timer: moved only to an earlier time, since to fire early does no harm."""
        if self._stopping and self.engine.is_stopped:
            self._stopped.set()
        deadline = self.engine.deadline()
        if deadline is None or deadline >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._fire)

    def _fire(self) -> None:
        self._timer_at = math.inf
        # The loop's clock may run a timer up to its resolution early.
        self.engine.fire(max(self._now(), self._deadline_reached()))
        self._flush()

    def _deadline_reached(self) -> float:
        deadline = self.engine.deadline()
        return deadline if deadline is not None and deadline - self._now() < 0.001 else -math.inf
