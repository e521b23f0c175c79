"""The demo: the engine, a softphone for each seat, and citizens who call at random.

Stops cleanly on Ctrl-C or SIGTERM; even a demo killed by signal 9 leaves no process behind.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.live import Live  # noqa: E402
from rich.text import Text  # noqa: E402

from phones.callers import Callers, CallersOptions  # noqa: E402
from phones.driver import PhoneError, SoftphoneOptions  # noqa: E402
from phones.engine import Engine, EngineError  # noqa: E402
from phones.laws import Law  # noqa: E402
from phones.staff import Staff  # noqa: E402
from phones.tones import speak  # noqa: E402

AGENT_SAYS = "您好,这里是蜀山区热线,请问有什么可以帮您?您反映的问题我已经记录,我们会尽快转交办理。"
CITIZENS_SAY = (
    "你好,我们小区门口的路灯坏了,已经三天了,晚上很黑,请派人来修。",
    "您好,我想咨询一下,办理居住证需要带什么材料?",
    "楼下的工地半夜还在施工,太吵了,孩子睡不着,请你们管一管。",
    "我们这里从早上开始停水,什么时候能来水?",
)
LINE_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the demo reads of the configuration; the engine itself checks all of it."""

    domain: str
    listen: tuple[str, ...]
    seats: tuple[tuple[str, str], ...]  # user, password
    peer: str  # the trunk's first peer: where citizens call from
    queue: str
    number: str
    http: str

    @property
    def registrar(self) -> str:
        """host:port of the first UDP listener."""
        return urlsplit(next(one for one in self.listen if one.startswith("udp://"))).netloc


def secret(value: Any) -> str:
    """A password as the configuration may give it."""
    if isinstance(value, dict) and "env" in value:
        return os.environ.get(value["env"], "")
    if isinstance(value, dict):
        return Path(value["file"]).read_text(encoding="utf-8").strip()
    return str(value)


def read_plan(path: Path) -> Plan:
    """Reads the parts that the simulation needs."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    route = raw["routes"][0]
    return Plan(
        domain=raw["sip"]["domain"],
        listen=tuple(raw["sip"]["listen"]),
        seats=tuple((str(s["user"]), secret(s["password"])) for s in raw["seats"]),
        peer=raw["trunks"][0]["peers"][0],
        queue=route["queue"],
        number=str(route["number"]).rstrip("*"),
        http=raw["http"]["listen"],
    )


def busy_ports(plan: Plan) -> Iterator[str]:
    """The addresses of the plan that another program holds."""
    wanted = [urlsplit(one) for one in (*plan.listen, f"tcp://{plan.http}")]
    for address in wanted:
        kind = socket.SOCK_DGRAM if address.scheme == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address.hostname or "127.0.0.1", address.port or 0))
            except OSError as error:
                yield f"{address.geturl()} ({error.strerror})"


def citizens_from(peer: str) -> tuple[str, int]:
    """Address and first port of the callers, who must look like the trunk's peer."""
    host, _, port = peer.partition(":")
    network, _, prefix = host.partition("/")
    if prefix and prefix != "32":
        network = network.rsplit(".", 1)[0] + ".1"
    return network, int(port or 0)


class Voices:
    """Spoken sentences when espeak-ng is there, tones otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def agent(self, index: int) -> dict[str, Any]:
        """Sound of one seat."""
        if index % 2 == 0:
            path = self.folder / "agent.wav"
            if path.exists() or speak(path, AGENT_SAYS):
                return {"play": path}
        return {"tone": 400 + 25 * index}

    def citizens(self) -> tuple[Path, ...]:
        """Sounds of the callers; empty: tones."""
        paths = [self.folder / f"citizen-{n}.wav" for n in range(len(CITIZENS_SAY))]
        spoken = [speak(path, text) for path, text in zip(paths, CITIZENS_SAY, strict=True)]
        return tuple(paths) if all(spoken) else ()


async def show(engine: Engine, plan: Plan, callers: Callers, console: Console) -> None:
    """A live line on a terminal; a plain one now and then elsewhere."""
    every = LINE_EVERY_SECONDS if console.is_terminal else 5 * LINE_EVERY_SECONDS
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            await asyncio.sleep(every)
            try:
                queue = await engine.get(f"/api/v1/queues/{plan.queue}")
            except (OSError, ValueError) as error:
                text = f"status is not to be had: {error}"
            else:
                level = (queue.get("service_level") or {}).get("A")
                text = (
                    f"waiting {queue['waiting']}  offered {queue['offered']}  "
                    f"answered {queue['answered']}  abandoned {queue['abandoned']}  "
                    f"in target {queue['answered_in_target']}  "
                    f"level A {'-' if level is None else f'{level:.1%}'}  "
                    f"citizens on the line {len(callers.live)}"
                )
            if console.is_terminal:
                live.update(Text(text), refresh=True)
            else:
                console.print(text, soft_wrap=True)


def seats_of(plan: Plan, given: argparse.Namespace, voices: Voices) -> list[SoftphoneOptions]:
    """One softphone for each seat, each with its own voice and its own chance."""
    return [
        SoftphoneOptions(
            user=user,
            password=password,
            domain=plan.domain,
            registrar=plan.registrar,
            auto_answer=given.answer_after,
            talk_mean=given.talk,
            talk_cv=0.6,
            seed=given.seed + index,
            **voices.agent(index),
        )
        for index, (user, password) in enumerate(plan.seats)
    ]


async def simulate(given: argparse.Namespace, plan: Plan, console: Console) -> None:
    """Engine, staff and citizens, until cancelled."""
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    address, first_port = citizens_from(plan.peer)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-")))
        log = stack.enter_context((var / "demo.log").open("ab"))
        voices = Voices(folder)
        engine = await stack.enter_async_context(Engine(given.config, log))
        console.print(f"[bold]desk and status[/]   {engine.http}/")
        console.print(f"metrics           {engine.http}/metrics")
        console.print(f"SIP               {', '.join(engine.ready['sip'])}")
        console.print(f"log               {var / 'demo.log'}    Ctrl-C ends it all")
        citizens = CallersOptions(
            target=plan.registrar,
            number=plan.number,
            address=address,
            first_port=first_port,
            processes=given.caller_processes,
            per_second=1 / given.every,
            patience=Law(given.patience, kind="exponential"),
            wavs=voices.citizens(),
            seed=given.seed,
        )
        callers = Callers(citizens)
        staff = Staff(seats_of(plan, given, voices), answered=callers.answered)
        await stack.enter_async_context(staff)
        console.print(f"{len(staff.phones)} softphones are registered; citizens begin to call")
        await stack.enter_async_context(callers)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(callers.run())
            tasks.create_task(show(engine, plan, callers, console))
            tasks.create_task(_watch(engine))


async def _watch(engine: Engine) -> None:
    code = await engine.process.wait()
    raise EngineError(f"the engine ended with {code}; see var/demo.log")


async def demo(given: argparse.Namespace) -> int:
    """Runs until a signal or the end of --seconds."""
    console = Console()
    plan = read_plan(given.config)
    if taken := list(busy_ports(plan)):
        console.print(f"already in use: {', '.join(taken)}; stop that program first")
        return 1
    work = asyncio.create_task(simulate(given, plan, console))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    if given.seconds:
        asyncio.get_running_loop().call_later(given.seconds, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        console.print("stopped")
        return 0
    except (EngineError, PhoneError, ExceptionGroup) as error:
        first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        console.print(str(first).strip(), markup=False)
    return 1


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="demo", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--config", type=Path, default=ROOT / "config" / "demo.toml")
    add("--seconds", type=float, default=0, help="ends by itself; 0: never")
    add("--every", type=float, default=3.0, help="mean seconds between calls")
    add("--talk", type=float, default=20.0, help="mean talk time in seconds")
    add("--patience", type=float, default=60.0, help="mean patience in seconds")
    add("--answer-after", default="2,0.4", help="seconds until an agent answers: mean,cv")
    add("--caller-processes", type=int, default=4, help="of four lines each")
    add("--seed", type=int, default=random.randrange(1, 900))
    given = parser.parse_args()
    sys.exit(asyncio.run(demo(given)))


if __name__ == "__main__":
    main()
