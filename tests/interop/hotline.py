"""A hotline of its own for a test: a small configuration, the engine in a process, its API."""

import asyncio
import contextlib
import copy
import json
import os
import random
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from prometheus_client.parser import text_string_to_metric_families

from phones.driver import Softphone, SoftphoneOptions
from phones.engine import Engine
from phones.tones import write_tone
from tests.callcore.io.authority import Authority

SEAT = "127.0.0.1"
TRUNK = "127.0.1.1"  # citizens call from here: 127.0.1.0/24 is the trunk's network
STRANGER = "127.0.9.9"
NUMBER = "12345"
WELCOME_HZ, MUSIC_HZ, CALLER_HZ, AGENT_HZ = 500, 800, 440, 1150
TONES = (WELCOME_HZ, MUSIC_HZ, CALLER_HZ, AGENT_HZ)
PORTS_A_HOTLINE = 200
LOG_LINES = 30
started: list["Hotline"] = []  # for the report of a test that fails

T = TypeVar("T")


def free_media_ports() -> str:
    """A range below the system's own choice of ports in which nothing is bound now."""
    lines = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    bound = {int(line.split()[1].split(":")[1], 16) for line in lines}
    while True:
        first = random.randrange(20_000, 32_000, PORTS_A_HOTLINE)
        ports = range(first, first + PORTS_A_HOTLINE)
        if bound.isdisjoint(ports):
            return f"{first}-{ports[-1]}"


def configuration(folder: Path, seats: int) -> dict[str, Any]:
    """A queue, a trunk and some seats; announcement and music are tones."""
    welcome = write_tone(folder / "welcome.wav", WELCOME_HZ, seconds=1)
    music = write_tone(folder / "music.wav", MUSIC_HZ)
    users = [str(8001 + index) for index in range(seats)]
    return {
        "sip": {"domain": "hotline.local", "listen": [f"{t}://{SEAT}:0" for t in ("udp", "tcp")]},
        # A worker that waits for a processor on a busy machine is not what these tests are about.
        "media": {
            "address": SEAT,
            "ports": free_media_ports(),
            "spare": False,
            "stuck_seconds": 15,
        },
        "trunks": [{"name": "city", "peers": ["127.0.1.0/24"], "calls_per_second": 100}],
        "seats": [{"user": u, "password": f"secret-{u}", "name": f"Agent {u}"} for u in users],
        "queues": [
            {
                "name": NUMBER,
                "policy": "fifo",
                "wrap_up_seconds": 0,
                "overflow_mobile_after_seconds": 0,
                "announcement": str(welcome),
                "music": str(music),
                "survey": False,
            }
        ],
        "routes": [{"number": NUMBER, "queue": NUMBER}],
        "recordings": {"store": f"file:{folder}/recordings", "spool": f"{folder}/spool"},
        "http": {"listen": "127.0.0.1:0"},
        "database": {"url": f"sqlite:///{folder}/callcore.db"},
        "engine": {"drain_seconds": 2, "journal": f"{folder}/journal"},
        "logging": {"format": "json"},
    }


def secured(folder: Path) -> tuple[dict[str, Any], Path]:
    """What [sip] says for every transport at once, and the authority of its certificate."""
    authority = Authority(folder)
    certificate, key = authority.issue("server", SEAT, "localhost", "hotline.local")
    listen = [f"{one}://{SEAT}:0" for one in ("udp", "tcp", "tls", "ws", "wss")]
    return {"listen": listen, "certificate": certificate, "key": key}, authority.path


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Tables updated key by key; of an array of tables the first is updated, or more appended."""
    result = copy.deepcopy(base)
    for table, change in changes.items():
        if table not in result:
            result[table] = change
        elif isinstance(change, list):
            result[table] += change
        elif isinstance(result.get(table), list):
            result[table][0] |= change
        else:
            result[table] = result.get(table, {}) | change
    return result


def toml(document: dict[str, Any]) -> str:
    """JSON's strings, numbers, booleans and arrays are TOML's as well."""
    lines: list[str] = []
    for name, tables in document.items():
        array = isinstance(tables, list)
        for table in tables if array else [tables]:
            lines.append(f"[[{name}]]" if array else f"[{name}]")
            lines += [f"{key} = {inline(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def inline(value: Any) -> str:
    """A value on one line; only a table in a table is written otherwise than in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {inline(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def eventually(
    ask: Callable[[], Awaitable[T]], timeout_seconds: float = 30.0, every_seconds: float = 0.05
) -> T:
    """The first answer that is true; AssertionError with the last one when none ever is."""
    last: Any = None
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                if last := await ask():
                    return last
                await asyncio.sleep(every_seconds)
    except TimeoutError:
        where = getattr(ask, "__qualname__", ask)
        raise AssertionError(f"{where} not true within {timeout_seconds} s: {last!r}") from None


class Hotline:
    """`callcore run` on a configuration of its own in a folder; `async with` judges it at its end.

    `changes` are tables of the configuration: `queues={...}` updates the one queue, `trunks=[...]`
    adds trunks. The ports that the system chose stay the same when the engine is started again.
    `secure`: it listens for TLS and WebSockets too, with a certificate of `ca`.
    """

    def __init__(
        self, folder: Path, seats: int = 3, *, secure: bool = False, **changes: Any
    ) -> None:
        self.folder = folder
        self.document = configuration(folder, seats)
        self.ca: Path | None = None
        if secure:
            sip, self.ca = secured(folder)
            self.document["sip"] |= sip
        self.document = changed(self.document, changes)
        self.path = folder / "engine.toml"
        self.log_path = folder / "engine.log"
        self.log_path.touch()
        self._engine: Engine | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                await self.assert_sound()
        finally:
            code = await self.stop()
        if kind is None:
            assert code in (0, None), f"the engine ended with {code}"
            self.assert_clean_log()

    # --- the process

    @property
    def engine(self) -> Engine:
        assert self._engine is not None, "not started"
        return self._engine

    @property
    def pid(self) -> int:
        return self.engine.pid

    async def start(self) -> None:
        """Starts the engine; on the same ports when it was started before."""
        started.append(self)
        self.path.write_text(toml(self.document), encoding="utf-8")
        with self.log_path.open("ab") as log:
            self._engine = Engine(self.path, log)
            try:
                await self._engine.start(30)
            except BaseException:
                await self._engine.stop()
                raise
        self.document["sip"]["listen"] = self.engine.ready["sip"]
        self.document["http"]["listen"] = self.engine.http.removeprefix("http://")

    async def stop(self) -> int | None:
        """SIGTERM and the exit code; None when a test has killed the engine."""
        if self._engine is None or self._engine.process.returncode == -signal.SIGKILL:
            return None
        return await self._engine.stop(15)

    async def kill(self) -> None:
        """Signal 9 to the engine alone."""
        self.engine.process.kill()
        await self.engine.process.wait()

    async def kill_all(self) -> None:
        """Signal 9 to the engine and its workers at once."""
        for pid in (*self.children(), self.pid):
            os.kill(pid, signal.SIGKILL)
        await self.engine.process.wait()

    def children(self) -> list[int]:
        """The engine's child processes: media workers, the keeper of recordings, gateways."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(one) for one in path.read_text(encoding="ascii").split()]

    def media_workers(self) -> list[int]:
        """Those of them that carry voice."""
        lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in self.children()}
        return [pid for pid, line in lines.items() if b"media.io.worker" in line]

    def log(self) -> str:
        """All that the engine and its workers have written to standard error."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def assert_clean_log(self) -> None:
        """No exception came out anywhere."""
        assert "Traceback" not in self.log(), "a traceback in the engine's log"
        assert "media worker:" not in self.log(), "a media worker complains"

    async def assert_sound(self) -> None:
        """It is alive and has had no fault of its own so far."""
        if self._engine is None or self._engine.process.returncode is not None:
            return
        assert await self.metric("callcore_internal_errors_total") == 0
        self.assert_clean_log()

    # --- addresses

    def listener(self, transport: str = "udp") -> str:
        """host:port of a SIP listener."""
        found = [one for one in self.engine.ready["sip"] if one.startswith(f"{transport}://")]
        return str(found[0]).partition("://")[2]

    @property
    def address(self) -> tuple[str, int]:
        """The UDP listener as an address of a socket."""
        host, _, port = self.listener().partition(":")
        return host, int(port)

    def seat(self, user: str, **changes: Any) -> SoftphoneOptions:
        """A softphone for a seat, which answers at once unless told otherwise."""
        given = {"password": f"secret-{user}", "tone": AGENT_HZ, "auto_answer": "0", **changes}
        if given.get("no_answer"):
            del given["auto_answer"]
        transport = given.get("transport", "udp")
        registrar = self.listener(transport)
        if transport == "tls":
            given.setdefault("ca", self.ca)
        return SoftphoneOptions(user, domain="hotline.local", registrar=registrar, **given)

    def citizen(self, **changes: Any) -> SoftphoneOptions:
        """A softphone at the trunk's other end."""
        return SoftphoneOptions(**{"user": "trunk", "address": TRUNK, "tone": CALLER_HZ} | changes)

    def call(self, phone: Softphone, number: str = "13900001111", **fields: Any) -> None:
        """A citizen calls the hotline."""
        uri = f"sip:{number}@{TRUNK}"
        phone.call(f"sip:{NUMBER}@{self.listener()}", **{"from": uri, "asserted": uri}, **fields)

    # --- the API

    async def request(
        self, path: str, method: str = "GET", document: Any = None
    ) -> tuple[int, bytes]:
        """Status and body of an HTTP answer, whatever it is."""
        data = None if document is None else json.dumps(document).encode()
        headers = {"Content-Type": "application/json"}

        def fetch() -> tuple[int, bytes]:
            asked = urllib.request.Request(
                self.engine.http + path, data, headers=headers, method=method
            )
            try:
                with urllib.request.urlopen(asked, timeout=5) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read()

        return await asyncio.to_thread(fetch)

    async def get(self, path: str) -> Any:
        """JSON of `/api/v1` below which `path` is."""
        status, body = await self.request(f"/api/v1{path}")
        assert status == 200, (path, status, body)
        return json.loads(body)

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """Status and document of /readyz."""
        status, body = await self.request("/readyz")
        return status, json.loads(body)

    async def queue(self) -> dict[str, Any]:
        document: dict[str, Any] = await self.get(f"/queues/{NUMBER}")
        return document

    async def states(self) -> dict[str, str]:
        """Each seat's state."""
        return {agent["user"]: agent["state"] for agent in await self.get("/agents")}

    async def set_state(self, user: str, state: str) -> None:
        """An agent asks for a break, or ends it."""
        path = f"/api/v1/agents/{user}/state"
        status, body = await self.request(path, "PUT", {"state": state})
        assert status == 200, body

    async def until_state(self, user: str, *states: str, timeout_seconds: float = 30.0) -> None:
        async def reached() -> bool:
            return (await self.states())[user] in states

        await eventually(reached, timeout_seconds)

    async def last_call(self, state: str = "", timeout_seconds: float = 30.0) -> dict[str, Any]:
        """The newest call, when it is in that state."""

        async def found() -> dict[str, Any] | None:
            calls = await self.get("/calls?limit=1")
            return calls[0] if calls and state in ("", calls[0]["state"]) else None

        return await eventually(found, timeout_seconds) or {}

    async def recordings(
        self, call_id: str, count: int = 1, timeout_seconds: float = 30.0
    ) -> list[dict[str, Any]]:
        """A call's recordings, oldest first, when so many are stored."""

        async def stored() -> list[dict[str, Any]] | None:
            found = await self.get(f"/recordings?call_id={call_id}")
            ready = [one for one in found if one["state"] == "stored"]
            return sorted(ready, key=lambda one: one["started"]) if len(ready) >= count else None

        return await eventually(stored, timeout_seconds) or []

    async def metrics(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Every sample by its name."""
        _, body = await self.request("/metrics")
        samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
        return samples

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry these labels."""
        found = (await self.metrics()).get(name, [])
        return sum(value for has, value in found if labels.items() <= has.items())


@contextlib.asynccontextmanager
async def on_duty(hotline: Hotline, *options: SoftphoneOptions) -> AsyncIterator[list[Softphone]]:
    """Seats that became ready one after the other: the first is idle the longest."""
    async with contextlib.AsyncExitStack() as stack:
        phones: list[Softphone] = []
        for one in options:
            phones.append(await stack.enter_async_context(Softphone(one)))
            await phones[-1].wait("registered")
            await hotline.until_state(one.user, "ready")
        yield phones
