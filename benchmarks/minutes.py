"""Outgoing minutes against SIPp's own clock: what a trunk is charged for, call by call.

The desk has a seat (SIPp) call numbers behind the trunk (SIPp too) for times drawn by chance; the
seat hangs up half of the calls, the far end the other half. SIPp's log says when each 200 left and
when each BYE passed at the far end, and the call's record what we counted.
"""

import asyncio
import json
import math
import random
import re
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.outcome import Outcome, parser, percentile, say, two_cores  # noqa: E402
from phones.engine import Engine  # noqa: E402
from phones.laws import Law  # noqa: E402
from phones.plan import EnginePlan  # noqa: E402
from phones.raw import RawEnd  # noqa: E402
from phones.sipp import Sipp, SippOptions, free_port  # noqa: E402

CALLS, QUICK_CALLS = 1000, 60
RATE = 12.0  # new calls a second
TALK = Law(3.0, 0.5)
UNIT_SECONDS = 6
SEAT, TRUNK = "8001", "127.0.0.2"
STAMP = re.compile(r"^-{10,} (\d{4}-\d\d-\d\d)[ \t](\d\d:\d\d:\d\d\.\d+)", re.MULTILINE)
NUMBER = re.compile(r"^To: <sip:(\d+)@", re.MULTILINE)


class Phones(RawEnd):
    """The seat's phone: answers whatever comes, without sound, and hangs up if it is to."""

    def __init__(self, registrar: tuple[str, int]) -> None:
        super().__init__(SEAT, 1000, 2000)
        self.registrar = registrar
        self.hangs_up = False
        self.random = random.Random(1)

    async def serve(self) -> None:
        """Until it is cancelled."""
        while True:
            invite, remote, _ = await self.incoming.get()
            tag = f";tag=raw{invite.get('call-id')[:8]}"
            self.respond(invite, remote, "180 Ringing")
            self.respond(invite, remote, "200 OK", self.description((self.address[0], 9)))
            headers = [f"From: {invite.get('to')}{tag}", f"To: {invite.get('from')}"]
            headers += [f"Call-ID: {invite.get('call-id')}", "CSeq: 2 BYE"]
            target = invite.get("contact").strip("<>").split(">")[0]
            if self.hangs_up:
                bye = partial(self.request, f"BYE {target}", headers, remote)
                asyncio.get_running_loop().call_later(TALK.draw(self.random), bye)


@dataclass
class Heard:
    """One call at the far end, in seconds of SIPp's clock."""

    answered: float = math.nan
    ended: float = math.nan

    @property
    def seconds(self) -> float:
        return self.ended - self.answered


def read_log(path: Path) -> dict[str, Heard]:
    """Number -> when its first 200 to INVITE and its first BYE passed."""
    text = path.read_text(encoding="latin-1")
    marks = list(STAMP.finditer(text))
    found: dict[str, Heard] = {}
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        message = text[mark.end() : after.start() if after else len(text)]
        at = datetime.fromisoformat(f"{mark[1]} {mark[2]}").timestamp()
        number = NUMBER.search(message) or re.search(r"^From: <sip:(\d+)@", message, re.MULTILINE)
        if "SIP/2.0 200 OK" in message and re.search(r"^CSeq: \d+ INVITE", message, re.MULTILINE):
            assert number is not None
            heard = found.setdefault(number[1], Heard())
            heard.answered = at if math.isnan(heard.answered) else heard.answered
        elif re.search(r"^BYE sip:", message, re.MULTILINE):
            for one in re.findall(r"<sip:(\d+)@", message):
                if one in found and math.isnan(found[one].ended):
                    found[one].ended = at
    return found


def units(seconds: float) -> int:
    """Started units, in seconds."""
    return math.ceil(round(seconds * 1000) / (UNIT_SECONDS * 1000)) * UNIT_SECONDS


def write(plan: EnginePlan) -> Path:
    """The configuration: no limit on what one seat calls, OPTIONS to nobody."""
    path = plan.write()
    text = path.read_text(encoding="utf-8")
    text = text.replace("max_calls = 200", "max_calls = 500\nprobe_seconds = 0")
    text += "[outbound]\nseat_calls = 0\nseat_calls_a_day = 0\ncalls_a_day = 0\n"
    text += f"[minutes]\nunit_seconds = {UNIT_SECONDS}\n"
    path.write_text(text, encoding="utf-8")
    return path


async def run(phones: Phones, url: str, first: int, calls: int) -> dict[str, Heard]:
    """Half of the calls; what the far end saw."""
    far = SippOptions(
        "uas" if phones.hangs_up else "uas_talks",
        local_port=5060,
        address=TRUNK,
        pause=TALK,
        calls=calls,
        timeout_seconds=100,
        cores=(two_cores()[1],),
        trace=True,
    )
    async with Sipp(far) as mobile:
        begin = asyncio.get_running_loop().time()
        for index in range(calls):
            await asyncio.sleep(begin + index / RATE - asyncio.get_running_loop().time())
            await asyncio.to_thread(click, url, f"138{first + index:08d}")
        result = await mobile.wait()
        say(f"  {result.successful} of {calls} calls, {result.failed} failed")
        if not result.ok:
            raise SystemExit("\n".join(result.errors[-5:]))
        return read_log(mobile.folder / "all_messages.log")


def click(url: str, number: str) -> None:
    """Click to call: the seat's phone first."""
    body = json.dumps({"agent": SEAT, "to": number}).encode()
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{url}/api/v1/calls", body, headers, method="POST")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        answer.read()


def read_records(url: str) -> dict[str, dict[str, float]]:
    """Each number's call."""
    with urllib.request.urlopen(f"{url}/api/v1/calls?limit=10000", timeout=30) as answer:
        return {one["called"]: one for one in json.load(answer)}


async def measure(
    plan: EnginePlan, calls: int
) -> tuple[dict[str, Heard], dict[str, dict[str, float]]]:
    """Both halves, and what was counted."""
    path = write(plan)
    with (plan.folder / "engine.log").open("wb") as log:
        async with Engine(path, log) as engine:
            host, _, port = plan.sip.partition(":")
            phones = Phones((host, int(port)))
            await phones.open()
            if await phones.register(phones.registrar, "hotline.local", f"secret-{SEAT}") != 200:
                raise SystemExit("the seat could not register")
            serving = asyncio.create_task(phones.serve())
            half, phones.hangs_up = calls // 2, True
            heard = await run(phones, engine.http, 0, half)
            phones.hangs_up = False
            heard |= await run(phones, engine.http, half, calls - half)
            await asyncio.sleep(1)  # the last records are closed
            records = await asyncio.to_thread(read_records, engine.http)
            serving.cancel()
            phones.close()
    return heard, records


async def main() -> None:
    """The run and its bar."""
    given = parser("minutes", __doc__).parse_args()
    calls = QUICK_CALLS if given.quick else CALLS
    with tempfile.TemporaryDirectory(prefix="minutes-") as folder:
        ports = {"sip_port": free_port(), "http_port": free_port("tcp")}
        heard, records = await measure(EnginePlan(Path(folder), seats=1, **ports), calls)
    theirs = {number: one.seconds for number, one in heard.items()}
    lost = [number for number, seconds in theirs.items() if math.isnan(seconds)]
    if lost or len(theirs) != calls:
        raise SystemExit(f"SIPp's log has {len(theirs)} calls, {len(lost)} of them without an end")
    ours = {number: float(records[number]["outgoing_seconds"]) for number in theirs}
    off_ms = [abs(ours[number] - theirs[number]) * 1000 for number in theirs]
    billed = {number: int(records[number]["billed_seconds"]) for number in theirs}
    off_units = [number for number in theirs if billed[number] != units(theirs[number])]
    outcome = Outcome("minutes")
    outcome.figures = {
        "calls": calls,
        "unit_seconds": UNIT_SECONDS,
        "seconds": round(sum(ours.values()), 3),
        "sipp_seconds": round(sum(theirs.values()), 3),
        "seconds_off": round(abs(sum(ours.values()) - sum(theirs.values())), 3),
        "off_p50_ms": round(percentile(off_ms, 0.5), 2),
        "off_p99_ms": round(percentile(off_ms, 0.99), 2),
        "off_max_ms": round(max(off_ms), 2),
        "billed_seconds": sum(billed.values()),
        "sipp_billed_seconds": sum(units(seconds) for seconds in theirs.values()),
        "calls_billed_otherwise": len(off_units),
    }
    for number in off_units:
        say(f"  {number}: {ours[number]:.4f} s, by SIPp {theirs[number]:.4f} s")
    outcome.bar("calls_billed_otherwise", 0, not off_units)
    outcome.bar("off_max_ms", 500, max(off_ms) < 500)  # no call is a whole second off
    outcome.finish()


if __name__ == "__main__":
    asyncio.run(main())
