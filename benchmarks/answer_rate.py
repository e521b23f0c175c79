"""Answer rate: real softphones, real SIP from a trunk, beside Erlang-A's prediction.

All times are divided by --scale: with 20, a target of 15 s is 0.75 s, a handling time of 180 s
(answering 1.5 s, talk 163.5 s lognormal, wrap-up 15 s) is 9 s, a mean patience of 120 s is 6 s.
The load is --rho erlangs an agent, or the heaviest at which Erlang-A gives --predicted. A citizen
gets 200 when the queue begins, so giving up is done here: when the patience is over and no seat's
phone has answered.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.erlang import Load, erlang_a, heaviest_load, interval  # noqa: E402
from benchmarks.outcome import Outcome, parser, say  # noqa: E402
from phones.callers import Callers, CallersOptions  # noqa: E402
from phones.engine import Engine  # noqa: E402
from phones.laws import Law  # noqa: E402
from phones.plan import EnginePlan  # noqa: E402
from phones.sipp import free_port  # noqa: E402
from phones.staff import Staff  # noqa: E402

TARGET, TALK, TALK_CV, WRAP_UP, PATIENCE, ANSWER = 15.0, 163.5, 0.6, 15.0, 120.0, 1.5
LEVEL_BAR = 0.90


@dataclass(frozen=True, slots=True)
class Measured:
    """What the run showed; `heard_*` by the phones, the rest by the engine's API."""

    level_a: float
    offered: int
    answered: int
    abandoned: int
    in_target: int
    heard_answered: int
    heard_gave_up: int
    heard_in_target: int
    heard_level: float
    lost: int
    double_offers: int
    blocked: int


def load_of(given: argparse.Namespace) -> Load:
    """The scaled laws and the load chosen."""
    scale = given.scale
    talk = Law(TALK / scale, TALK_CV) if given.talk == "lognormal" else Law(TALK / scale)
    if given.talk == "exponential":
        talk = replace(talk, kind="exponential")
    load = Load(
        agents=given.agents,
        per_second=1.0,
        answer_delay=ANSWER / scale,
        talk=talk,
        wrap_up=WRAP_UP / scale,
        patience=PATIENCE / scale,
        target=TARGET / scale,
    )
    if given.rho:
        return replace(load, per_second=given.rho * given.agents / load.busy_seconds)
    return replace(load, per_second=heaviest_load(load, given.predicted))


async def product_forecast(load: Load, scale: float) -> dict[str, Any]:
    """What the product's own command line forecasts, in unscaled time; {} when it cannot."""
    arguments = {
        "calls-per-hour": load.per_second / scale * 3600,
        "aht": load.busy_seconds * scale,
        "patience": load.patience * scale,
        "target-seconds": (load.target - load.answer_delay) * scale,
        "agents": load.agents,
    }
    line = [part for name, value in arguments.items() for part in (f"--{name}", f"{value:g}")]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "service.cli", "forecast", *line, "--json"],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    out, error = await process.communicate()
    if process.returncode != 0:
        say(f"callcore forecast: {error.decode(errors='replace').strip()[-200:]}")
        return {}
    return dict(json.loads(out))


def staff_of(plan: EnginePlan, load: Load, given: argparse.Namespace, callers: Callers) -> Staff:
    """A softphone at each seat that answers and talks by the laws."""
    shape = "exp" if load.talk.kind == "exponential" else f"{load.talk.cv:g}"
    phones = [
        replace(
            plan.phone(user),
            auto_answer=str(load.answer_delay),
            talk=f"{load.talk.mean:g},{shape}",
            tone=400 + 30 * index,
            seed=given.seed * 100 + index,
        )
        for index, user in enumerate(plan.users)
    ]
    return Staff(phones, answered=callers.answered)


async def run_calls(plan: EnginePlan, load: Load, given: argparse.Namespace) -> Measured:
    """The whole run on an engine of its own: the only place where engine and phones meet."""
    options = CallersOptions(
        target=plan.sip,
        sources=((plan.trunk, 0),) * given.caller_processes,
        per_second=load.per_second,
        patience=Law(load.patience, kind="exponential"),
        calls=given.calls,
        seed=given.seed,
    )
    callers = Callers(options)
    staff = staff_of(plan, load, given, callers)
    with (plan.folder / "engine.log").open("wb") as log:
        async with Engine(plan.write(), log) as engine, staff, callers:
            say(f"{len(staff.phones)} softphones are registered; {given.calls} calls follow")
            progress = asyncio.create_task(report(engine, callers))
            await callers.run()
            settled = await callers.settle(20 * (load.busy_seconds + load.patience))
            progress.cancel()
            queue = await engine.get("/api/v1/queues/12345")
            calls = await engine.get(f"/api/v1/calls?limit={given.calls * 2}")
    say("" if settled else "some calls did not end")
    return judge(load, staff, callers, queue, calls)


async def report(engine: Engine, callers: Callers) -> None:
    """Progress every few seconds."""
    while True:
        await asyncio.sleep(5)
        queue = await engine.get("/api/v1/queues/12345")
        say(
            f"  {len(callers.citizens)} placed, {queue['answered']} answered, "
            f"{queue['abandoned']} abandoned, A {queue['service_level']['A']}"
        )


def judge(
    load: Load, staff: Staff, callers: Callers, queue: dict[str, Any], calls: Any
) -> Measured:
    """Each citizen must be answered by one seat, or have given up; the rest is lost."""
    first_answer: dict[str, float] = {}
    for offer in staff.offers:
        if offer.answered:
            first_answer.setdefault(offer.number, offer.answered)
    everybody = list(callers.citizens.values())
    known = {str(c["caller"]) for c in (calls["items"] if isinstance(calls, dict) else calls)}
    lost = [
        c
        for c in everybody
        if (c.number not in first_answer and not c.gave_up) or c.number not in known
    ]
    for citizen in lost:
        say(f"  lost: {citizen}")
    good = sum(
        c.number in first_answer and first_answer[c.number] - c.connected <= load.target
        for c in everybody
    )
    doubles = staff.double_offers()
    for pair in doubles:
        say(f"  offered twice: {pair}")
    return Measured(
        level_a=float(queue["service_level"]["A"] or 0),
        offered=queue["offered"],
        answered=queue["answered"],
        abandoned=queue["abandoned"],
        in_target=queue["answered_in_target"],
        heard_answered=len(first_answer),
        heard_gave_up=sum(bool(c.gave_up) for c in everybody),
        heard_in_target=good,
        heard_level=good / max(1, len(everybody)),
        lost=len(lost),
        double_offers=len(doubles),
        blocked=callers.blocked,
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    made = parser("answer_rate", __doc__)
    add = made.add_argument
    add("--calls", type=int, default=0, help="300; 40 with --quick")
    add("--agents", type=int, default=14)
    add("--scale", type=float, default=20.0, help="all times are divided by it")
    add("--policy", choices=("fifo", "answer_in_time"), default="fifo")
    add("--talk", choices=("lognormal", "exponential"), default="lognormal")
    add("--predicted", type=float, default=0.96, help="Erlang-A's service level at the load")
    add("--rho", type=float, default=0.0, help="erlangs an agent, in place of --predicted")
    add("--caller-processes", type=int, default=8, help="of four lines each")
    add("--seed", type=int, default=1)
    given = made.parse_args()
    given.calls = given.calls or (40 if given.quick else 300)
    return given


async def main() -> None:
    """Prediction, run, bars."""
    given = arguments()
    load = load_of(given)
    predicted = erlang_a(load)
    low, mean, high = interval(load, given.calls, 1000 if given.quick else 4000)
    say(
        f"{load.per_second * load.busy_seconds:.1f} erlangs on {load.agents} agents, "
        f"{load.per_second:.3f} calls/s (scale {given.scale:g}); Erlang-A {predicted:.3f}, "
        f"runs of {given.calls} calls {mean:.3f} ({low:.3f} to {high:.3f} in 95 % of them)"
    )
    outcome = Outcome("answer_rate")
    forecast = await product_forecast(load, given.scale)
    with tempfile.TemporaryDirectory(prefix="answer-rate-") as folder:
        plan = EnginePlan(
            Path(folder),
            sip_port=free_port(),
            http_port=free_port("tcp"),
            seats=given.agents,
            target_seconds=load.target,
            policy=given.policy,
            promotion_seconds=120 / given.scale,
            wrap_up_seconds=load.wrap_up,
        )
        measured = await run_calls(plan, load, given)
    outcome.figures = {
        **asdict(measured),
        "policy": given.policy,
        "scale": given.scale,
        "erlangs": round(load.per_second * load.busy_seconds, 2),
        "erlang_a": round(predicted, 4),
        "forecast": forecast.get("service_level"),
        "finite_runs": {"low": low, "mean": mean, "high": high},
    }
    outcome.bar("level_a", LEVEL_BAR, measured.level_a >= LEVEL_BAR)
    outcome.bar("lost", 0, measured.lost == 0)
    outcome.bar("double_offers", 0, measured.double_offers == 0)
    outcome.bar("blocked", 0, measured.blocked == 0)
    if given.policy == "fifo":
        outcome.bar("within_interval", [low, high], low <= measured.level_a <= high)
    outcome.finish()


if __name__ == "__main__":
    asyncio.run(main())
