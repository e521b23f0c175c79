"""`callcore trunk test`: registers or probes, calls if asked to, and says what failed and why."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from callcore.call.events import Answered, Ended, Event
from callcore.call.placement import Party, TrunkTarget
from callcore.call.settings import EngineSettings, Trunk
from callcore.errors import RemoteProtocolError
from callcore.io.identifiers import RandomIdentifiers
from callcore.io.server import SipServer
from callcore.message import Response
from callcore.message.digest import parse_challenge
from callcore.sdp import LocalMedia, make_offer, read_answer
from config.schema import Config
from service.trunk_causes import UNHEARD, causes
from service.trunk_watch import Exchange, Voice, WatchedEngine
from service.wiring import server_settings, trunk_settings

LEG = "test"
RING_SECONDS = 45.0
PROVEN = frozenset({401, 407})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried; `ms` until its answer, None without one."""

    step: str
    ok: bool
    ms: float | None
    says: str
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """What to try."""

    config: Config
    trunk: str
    call: str = ""
    seconds: float = 3.0


Tell = Callable[[Step], None]


class TrunkTrial:
    """One trial; `tell` hears each step as soon as it is known."""

    def __init__(self, trial: Trial, tell: Tell) -> None:
        self._trial = trial
        self._tell = tell
        self._trunk = _trunk_of(trial)
        settings = EngineSettings(trial.config.sip.domain, trunks=(self._trunk,))
        self._engine = WatchedEngine(settings, RandomIdentifiers())
        host = trial.config.sip.listen[0].host
        shown = f"[{host}]" if ":" in host else host
        listen = [f"udp://{shown}:0", f"tcp://{shown}:0"]
        if trial.config.sip.certificate:  # TLS of ours: where peers' Via and Contact lead
            listen.append(f"tls://{shown}:0")
        self._server = SipServer(self._engine, listen, server_settings(trial.config))
        self._server.on_event = self._on_event
        self._answered: Answered | None = None
        self._ended: Ended | None = None

    async def run(self) -> bool:
        """Try everything; whether the trunk can be used. OSError where no port can be had.

        It can be used with a peer or a proxy that is away, as long as there is another.
        """
        await self._server.start()
        try:
            if self._trunk.registration is not None:
                works = await self._register()
            else:
                works = await self._probe()
            if works and self._trial.call:
                works = await self._call()
        finally:
            await self._server.stop()
        return works

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Answered):
            self._answered = event
        elif isinstance(event, Ended):
            self._ended = event

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until it holds; whether it does."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():  # noqa: ASYNC110 (several causes, no event for most)
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return condition()
        return True

    # Registering ---------------------------------------------------------------------------------

    async def _register(self) -> bool:
        lines, name = self._engine.lines, self._trunk.name

        def decided() -> bool:
            line = lines.registration(name)
            ways = max(1, len(self._engine.trunks.targets(name)))
            return line is not None and (line.up or line.failures >= ways)

        ways = len(self._trunk.peers) + 1
        await self._until(decided, (self._trunk.answer_seconds + 1) * ways * 2)
        up = self._engine.trunk_up(name)
        exchanges = self._engine.of("REGISTER")
        if not exchanges:
            told = "the proxy's name has no address"
            self._tell(Step("resolve", False, None, told, causes("REGISTER", None)[1:2]))
            return False
        for number, one in enumerate(exchanges):
            self._tell(self._registering(one, exchanges[number + 1 :]))
        line = lines.registration(name)
        if up and line is not None:
            given = ", ".join(line.associated) or "none named"
            route = ", ".join(line.service_route) or "none"
            says = f"identities: {given}; Service-Route: {route}"
            self._tell(Step("registered", True, None, says))
        return up

    def _registering(self, one: Exchange, later: list[Exchange]) -> Step:
        """A challenge is no failure where an answer to it followed."""
        step = f"REGISTER to {_address(one)}"
        if one.final is None:
            return Step(step, False, None, "no answer", causes("REGISTER", None))
        at, response = one.final
        asked_again = bool(later) and later[0].remote == one.remote
        ok = response.status < 300 or (response.status in (*PROVEN, 423) and asked_again)
        why = () if ok else (*self._realms(response), *causes("REGISTER", response.status))
        return Step(step, ok, _ms(one, at), _status(response), why)

    def _realms(self, response: Response) -> tuple[str, ...]:
        """What a challenge says that we cannot answer."""
        wanted = self._trunk.registration.realm if self._trunk.registration else ""
        found = []
        for value in (*response.all("WWW-Authenticate"), *response.all("Proxy-Authenticate")):
            try:
                realm = parse_challenge(value).realm
            except RemoteProtocolError:
                found.append(f"the operator wants what we cannot do: {value}")
                continue
            if wanted and realm != wanted:
                found.append(f"the operator's realm is {realm!r}, and realm is {wanted!r}")
        return tuple(found)

    # Static peers --------------------------------------------------------------------------------

    async def _probe(self) -> bool:
        targets = self._engine.trunks.targets(self._trunk.name)
        if not targets:
            told = "no peer has an address that could be called"
            self._tell(Step("peers", False, None, told, ("peers names networks only",)))
            return False

        def answers() -> list[Exchange]:
            return [one for one in self._engine.of("OPTIONS") if one.final is not None]

        patience = self._trunk.answer_seconds + 1.5  # the first goes out within a second
        await self._until(lambda: len(answers()) >= len(targets), patience)
        up = any(one.final is not None and one.final[1].status != 503 for one in answers())
        tried = self._engine.of("OPTIONS")
        if not tried:
            self._tell(Step("OPTIONS", False, None, "no connection", causes("OPTIONS", None)))
        for one in tried:
            self._tell(_option(one))
        return up

    # The call ------------------------------------------------------------------------------------

    async def _call(self) -> bool:
        """Whether the call was answered and heard, and our BYE answered."""
        config, voice = self._trial.config, Voice()
        await voice.open(config.media.address, config.media.ports)
        shown = config.media.public_address or config.media.address
        local = LocalMedia(shown, voice.port, session_id=1, version=1)
        try:
            target = TrunkTarget(self._trunk.name, self._trial.call)
            self._server.place(LEG, target, Party(self._trunk.outbound_number), make_offer(local))
            await self._until(lambda: bool(self._answered or self._ended), RING_SECONDS)
            for one in self._engine.of("INVITE"):
                self._tell(self._inviting(one))
            heard = self._answered is not None and await self._talk(local, voice)
            self._server.hang_up(LEG)
            await self._until(lambda: not self._engine.legs, 2.0)
        finally:
            await voice.close()
        for one in self._engine.of("BYE"):
            said = "no answer" if one.final is None else _status(one.final[1])
            ms = None if one.final is None else _ms(one, one.final[0])
            self._tell(Step(f"BYE to {_address(one)}", one.final is not None, ms, said))
            heard = heard and one.final is not None
        return heard

    def _inviting(self, one: Exchange) -> Step:
        step = f"INVITE to {_address(one)}"
        if one.final is None:
            if not one.responses:
                return Step(step, False, None, "no answer", causes("INVITE", None))
            said = _path(one)
            told = ("nobody took the call in time",)
            return Step(step, False, _ms(one, one.responses[-1][0]), said, told)
        at, response = one.final
        more = self._engine.of("INVITE")[-1] is not one
        ok = response.status < 300 or (response.status in PROVEN and more)
        why = () if ok else (*self._realms(response), *causes("INVITE", response.status))
        return Step(step, ok, _ms(one, at), _path(one), why)

    async def _talk(self, local: LocalMedia, voice: Voice) -> bool:
        answered = self._answered
        assert answered is not None
        if answered.description is None:
            told = ("the operator answered without a session description",)
            self._tell(Step("voice", False, None, "no description", told))
            return False
        try:
            agreed = read_answer(local, answered.description)
        except RemoteProtocolError as error:
            self._tell(Step("voice", False, None, str(error), causes("INVITE", 488)))
            return False
        voice.speak((agreed.remote_host, agreed.remote_port), agreed.send_payload_type)
        await self._until(lambda: self._ended is not None, self._trial.seconds)
        says = f"{agreed.codec.name} with {agreed.remote_host}:{agreed.remote_port}, "
        says += f"{voice.heard} packets heard"
        self._tell(Step("voice", voice.heard > 0, None, says, () if voice.heard else UNHEARD))
        return voice.heard > 0


def _trunk_of(trial: Trial) -> Trunk:
    """The trunk as the engine would have it, probed once whatever the configuration says."""
    found = next(one for one in trial.config.trunks if one.name == trial.trunk)
    trunk = trunk_settings(found)
    return replace(trunk, probe_seconds=0.0 if trunk.registration is not None else 60.0)


def _option(one: Exchange) -> Step:
    """Any answer but 503 says that somebody is there."""
    step = f"OPTIONS to {_address(one)}"
    if one.final is None:
        return Step(step, False, None, "no answer", causes("OPTIONS", None))
    at, response = one.final
    status = response.status
    ok = status != 503
    why = causes("OPTIONS", status) if status in (403, 503) else ()
    return Step(step, ok, _ms(one, at), _status(response), why)


def _address(one: Exchange) -> str:
    host, port = one.remote
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ms(one: Exchange, at: float) -> float:
    return round((at - one.at) * 1000, 1)


def _status(response: Response) -> str:
    return f"{response.status} {response.reason}".rstrip()


def _path(one: Exchange) -> str:
    """180 Ringing after 120 ms, 200 OK."""
    told = [f"{_status(r)} after {_ms(one, at):g} ms" for at, r in one.responses[:-1]]
    return ", ".join([*told, _status(one.responses[-1][1])])
