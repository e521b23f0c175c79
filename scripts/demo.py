"""The demo: the engine, a softphone for each seat, and citizens who call at random.

Stops cleanly on Ctrl-C or SIGTERM; even a demo killed by signal 9 leaves no process behind.
"""

import argparse
import asyncio
import contextlib
import random
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.live import Live  # noqa: E402
from rich.text import Text  # noqa: E402

from config.loader import ConfigError, load  # noqa: E402
from config.schema import Config  # noqa: E402
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
BROWSER_SEAT = "8015"  # no softphone takes it: it is left to whoever opens /phone/


def busy_ports(config: Config) -> Iterator[str]:
    """The addresses of the configuration that another program holds."""
    wanted = [(one.transport, one.host, one.port) for one in config.sip.listen]
    wanted.append(("tcp", config.http.listen.host, config.http.listen.port))
    for transport, host, port in wanted:
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                yield f"{transport} {host}:{port} ({error.strerror})"


def registrar_of(config: Config) -> str:
    """host:port of the first UDP listener: softphones and citizens speak UDP."""
    for one in config.sip.listen:
        if one.transport == "udp":
            return f"{one.host}:{one.port}"
    raise EngineError("the demo needs a udp:// address under [sip] listen")


def sources_of(config: Config) -> tuple[tuple[str, int], ...]:
    """Where citizens call from: the trunk's peers, or four ports of its first network."""
    peers = [peer for trunk in config.trunks[:1] for peer in trunk.peers]
    if not peers:
        raise EngineError("the demo needs a trunk with peers")
    exact = [
        (str(peer.network.network_address), peer.port) for peer in peers if peer.network is not None
    ]
    if not exact:
        raise EngineError("the demo needs a peer that is an address or a network")
    if given := tuple((host, port) for host, port in exact if port):
        return given
    return ((exact[0][0], 0),) * 4


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


async def show(engine: Engine, config: Config, callers: Callers, console: Console) -> None:
    """A live line on a terminal; a plain one now and then elsewhere."""
    every = LINE_EVERY_SECONDS if console.is_terminal else 5 * LINE_EVERY_SECONDS
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            await asyncio.sleep(every)
            try:
                queue = await engine.get(f"/api/v1/queues/{config.queues[0].name}")
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


def seats_of(config: Config, given: argparse.Namespace, voices: Voices) -> list[SoftphoneOptions]:
    """One softphone for each seat but the browser's, each with its own voice and chance."""
    return [
        SoftphoneOptions(
            user=seat.user,
            password=seat.password.get_secret_value(),
            domain=config.sip.domain,
            registrar=registrar_of(config),
            auto_answer=given.answer_after,
            talk_mean=given.talk,
            talk_cv=0.6,
            seed=given.seed + index,
            **voices.agent(index),
        )
        for index, seat in enumerate(config.seats)
        if seat.user != BROWSER_SEAT
    ]


async def simulate(given: argparse.Namespace, config: Config, console: Console) -> None:
    """Engine, staff and citizens, until cancelled."""
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-")))
        log = stack.enter_context((var / "demo.log").open("ab"))
        voices = Voices(folder)
        engine = await stack.enter_async_context(Engine(given.config, log))
        console.print(f"[bold]desk and status[/]   {engine.http}/")
        for seat in config.seats:
            if seat.user == BROWSER_SEAT:
                login = f"seat {seat.user}, password {seat.password.get_secret_value()}"
                console.print(f"browser seat      {engine.http}/phone/  ({login})")
        console.print(f"metrics           {engine.http}/metrics")
        console.print(f"SIP               {', '.join(engine.ready['sip'])}")
        console.print(f"log               {var / 'demo.log'}    Ctrl-C ends it all")
        citizens = CallersOptions(
            target=registrar_of(config),
            number=config.routes[0].number.rstrip("*"),
            sources=sources_of(config),
            per_second=1 / given.every,
            patience=Law(given.patience, kind="exponential"),
            wavs=voices.citizens(),
            seed=given.seed,
        )
        callers = Callers(citizens)
        staff = Staff(seats_of(config, given, voices), answered=callers.answered)
        await stack.enter_async_context(staff)
        console.print(f"{len(staff.phones)} softphones are registered; citizens begin to call")
        await stack.enter_async_context(callers)
        work = asyncio.current_task()
        if given.seconds and work is not None:
            asyncio.get_running_loop().call_later(given.seconds, work.cancel)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(callers.run())
            tasks.create_task(show(engine, config, callers, console))
            tasks.create_task(_watch(engine))


async def _watch(engine: Engine) -> None:
    code = await engine.process.wait()
    raise EngineError(f"the engine ended with {code}; see var/demo.log")


async def demo(given: argparse.Namespace) -> int:
    """Runs until a signal or the end of --seconds."""
    console = Console()
    try:
        config = load(given.config)
    except ConfigError as error:
        console.print(str(error), markup=False)
        return 2
    if taken := list(busy_ports(config)):
        console.print(f"already in use: {', '.join(taken)}; stop that program first")
        return 1
    work = asyncio.create_task(simulate(given, config, console))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
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
    add("--seconds", type=float, default=0, help="of calls, then it ends by itself; 0: never")
    add("--every", type=float, default=3.0, help="mean seconds between calls")
    add("--talk", type=float, default=20.0, help="mean talk time in seconds")
    add("--patience", type=float, default=60.0, help="mean patience in seconds")
    add("--answer-after", default="2,0.4", help="seconds until an agent answers: mean,cv")
    add("--seed", type=int, default=random.randrange(1, 900))
    given = parser.parse_args()
    sys.exit(asyncio.run(demo(given)))


if __name__ == "__main__":
    main()
