"""The engine on real sockets: bytes and time in, effects out, and one timer."""

import asyncio
import contextlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from callcore.call.events import Event
from callcore.call.legs import Party, SeatTarget, TrunkTarget
from callcore.call.locate import Way
from callcore.call.registrar import Binding
from callcore.effects import Close, Connect, Raw, Resolve
from callcore.engine import Engine
from callcore.errors import LocalProtocolError
from callcore.flow import Flow, Transport
from callcore.io.certificates import Certificates, TlsSettings
from callcore.io.resolve import Resolver, ResolverSettings, outward_host
from callcore.io.streams import SECURE, StreamLimits, Streams
from callcore.io.udp import UdpSocket
from callcore.message import Message
from callcore.transaction import Transmit

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What the shell needs to know beside where to listen.

    Certificates' files are looked at every `watch_seconds` (0: never), and loaded if they differ.
    """

    limits: StreamLimits = field(default_factory=StreamLimits)
    tls: TlsSettings = field(default_factory=TlsSettings)
    resolver: ResolverSettings = field(default_factory=ResolverSettings)
    watch_seconds: float = 10.0


def parse_listener(text: str) -> tuple[Transport, Address]:
    """`udp://host:port`, or tcp, tls, ws or wss; LocalProtocolError names what is wrong."""
    scheme, separator, rest = text.partition("://")
    host, _, port = rest.rpartition(":")
    known = scheme in ("udp", "tcp", "tls", "ws", "wss")
    if not separator or not known or not host or not port.isdecimal():
        raise LocalProtocolError(f"listener {text!r} is not TRANSPORT://HOST:PORT")
    return cast(Transport, scheme), (host.strip("[]"), int(port))


class SipServer:
    """Runs an Engine on its listeners; every event of the engine goes to `on_event`.

    While a handler is told what a message brought, `heard_at` is when that arrived (None: it is of
    our own doing), on the loop's clock and as the kernel saw it. `on_certificates` is told
    whenever certificates were loaded again: why that failed, or "".
    """

    def __init__(
        self, engine: Engine, listen: list[str], settings: ServerSettings | None = None
    ) -> None:
        self.engine = engine
        self.on_event: Callable[[Event], None] = lambda event: None
        self.on_certificates: Callable[[str], None] = lambda why: None
        self.heard_at: float | None = None
        self.addresses: list[tuple[str, str, int]] = []
        self._listen = [parse_listener(text) for text in listen]
        self._settings = settings or ServerSettings()
        self._udp: dict[Address, UdpSocket] = {}
        self._streams: Streams | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._resolver: Resolver | None = None
        self._connecting: set[asyncio.Task[None]] = set()
        self._flushing = False
        self._stopping = False
        self._stopped = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    async def start(self, *, registering: bool = True) -> None:
        """Bind every listener; OSError, and nothing left open, when one cannot be bound.

        Trunks that want it are registered, now or by `register_trunks`.
        """
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        settings = self._settings
        certificates = Certificates(settings.tls)
        if not settings.tls.certificate and any(one in SECURE for one, _ in self._listen):
            raise LocalProtocolError("a tls:// or wss:// listener needs a certificate")
        self._streams = Streams(self, settings.limits, certificates)
        self._resolver = Resolver(self._resolved, settings.resolver)
        try:
            for scheme, address in self._listen:
                bound = await self._bind(scheme, address)
                self.addresses.append((scheme, *bound))
                self.engine.listening(scheme, bound, outward_host(bound[0]))
        except OSError as error:
            await self._close()
            why = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(error.errno, f"{scheme}://{address[0]}:{address[1]}: {why}") from None
        if settings.watch_seconds and settings.tls.files():
            self._watch = self._loop.call_later(settings.watch_seconds, self._look)
        self.engine.start(self._now(), registering=registering)
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

    def register_trunks(self, on: bool) -> None:
        """Have the operators' calls sent to us, or no more."""
        if on:
            self.engine.register(self._now())
        else:
            self.engine.deregister(self._now())
        self._flush()

    def restore(self, bindings: Sequence[Binding]) -> None:
        """Seats that another node knew; needs a UDP listener."""
        self.engine.restore(bindings, self._now())
        self._flush()

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

    def hang_up(
        self, leg: str, reason: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """End a leg whatever its state."""
        self.engine.hang_up(leg, reason, headers, now=self._now())
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

    def accept_transfer(self, leg: str) -> None:
        """Take on what Referred asks for."""
        self.engine.accept_transfer(leg, now=self._now())
        self._flush()

    def refuse_transfer(self, leg: str, status: int = 603) -> None:
        """Refuse what Referred asks for."""
        self.engine.refuse_transfer(leg, status, now=self._now())
        self._flush()

    def progress_transfer(self, leg: str, status: int) -> None:
        """Tell how the new call of a transfer fares."""
        self.engine.progress_transfer(leg, status, now=self._now())
        self._flush()

    def reload_certificates(self) -> str:
        """Load certificates again for the connections to come; why that failed, or ""."""
        certificates = self.streams.certificates
        certificates.have_changed()
        try:
            certificates.reload()
        except OSError as error:  # ssl.SSLError is one
            why = f"{type(error).__name__}: {error}"
        else:
            why = ""
        self.on_certificates(why)
        return why

    @property
    def streams(self) -> Streams:
        """The connections, once started."""
        assert self._streams is not None
        return self._streams

    def stream_received(self, data: bytes, flow: Flow) -> None:
        """Bytes of a connection (StreamUser)."""
        self.heard_at = now = self._now()
        self.engine.receive(data, flow, now)
        self._flush()
        self.heard_at = None

    def stream_closed(self, flow: Flow) -> None:
        """A connection is gone (StreamUser)."""
        self.engine.flow_closed(flow, self._now())
        self._flush()

    def stream_is_kept(self, flow: Flow) -> bool:
        """Whether a silent connection is still of use (StreamUser)."""
        return self.engine.keeps(flow)

    def stream_is_waiting(self, flow: Flow) -> bool:
        """Whether a message has come in part only (StreamUser)."""
        return self.engine.is_waiting(flow)

    def stream_proven(self, flow: Flow, names: frozenset[str]) -> None:
        """A connection may be used; `names` are those of its certificate (StreamUser)."""
        self.engine.proven(flow, names)

    async def _bind(self, scheme: Transport, address: Address) -> Address:
        assert self._streams is not None
        if scheme != "udp":
            return await self._streams.listen(scheme, address)
        udp = UdpSocket(address, self._datagram, self._rearm)
        udp.on_delay = self.engine.delayed
        self._udp[udp.address] = udp
        return udp.address

    async def _close(self) -> None:
        for timer in (self._timer, self._watch):
            if timer is not None:
                timer.cancel()
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

    def _datagram(self, data: bytes, flow: Flow, arrived: float) -> None:
        self.heard_at = arrived
        self.engine.receive(data, flow, self._now())
        self._perform()
        self.heard_at = None

    def _resolved(self, asked: Resolve, ways: tuple[Way, ...]) -> None:
        self.engine.resolved(asked, ways, self._now())
        self._flush()

    def _look(self) -> None:
        if self.streams.certificates.have_changed():
            self.reload_certificates()
        self._watch = self._loop.call_later(self._settings.watch_seconds, self._look)

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
                        self._transmit(effect.flow, effect.data, effect.message)
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
            self._resolver.resolve(effect)
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

    def _transmit(self, flow: Flow, data: bytes, message: Message | None = None) -> None:
        if flow.transport == "udp":
            udp = self._udp.get(flow.local)
            sent = udp is not None and udp.send(data, flow.remote)
        else:
            assert self._streams is not None
            sent = self._streams.send(flow, data)
        if not sent:
            self.engine.transport_failed(flow, self._now(), message)

    async def _connect(self, effect: Connect) -> None:
        assert self._streams is not None
        try:
            flow = await self._streams.connect(effect)
        except (OSError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            self.engine.connect_failed(effect, why, self._now())
        else:
            self.engine.connected(effect, flow, self._now())
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
