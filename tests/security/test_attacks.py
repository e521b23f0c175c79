"""sipvicious and sipsak against the real engine: they get nothing, and the seats are served."""

import asyncio
import re
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from phones.engine import Engine
from phones.plan import EnginePlan
from phones.raw import RawEnd, digest
from phones.sipp import free_port
from tests.security.programs import attack

pytestmark = pytest.mark.interop

HOTLINE = ("--domain", "hotline.local", "--maximumtime", "2")
REGISTRAR_SECONDS = 1.0  # of a seat's REGISTER, challenge and answer, while it is attacked


class Target:
    """An engine under attack and a seat that was there before."""

    def __init__(self, engine: Engine, plan: EnginePlan, folder: Path) -> None:
        self.engine, self.plan, self.folder = engine, plan, folder
        self.seats: list[RawEnd] = []

    @property
    def where(self) -> tuple[str, int]:
        return "127.0.0.1", self.plan.sip_port

    async def seat(self, user: str, host: str) -> RawEnd:
        seat = RawEnd(user, 1900, 1150)
        await seat.open(host)
        self.seats.append(seat)
        return seat

    async def serves(self, seat: RawEnd) -> float:
        """Seconds that a REGISTER of a seat takes, challenge and answer."""
        started = time.monotonic()
        password = f"secret-{seat.user}"
        assert await seat.register(self.where, "hotline.local", password) == 200
        return time.monotonic() - started

    async def serves_during(self, seat: RawEnd, work: asyncio.Task) -> list[float]:
        """The same again and again while an attack goes on."""
        took = []
        while not work.done():
            took.append(await self.serves(seat))
            await asyncio.sleep(0.1)
        return took

    @property
    def to(self) -> tuple[str, ...]:
        """What sipvicious takes: where from and where to."""
        return "-b", "127.0.0.1", "-p", str(self.plan.sip_port), "127.0.0.1"

    async def metric(self, name: str, label: str = "") -> float:
        """One value of the metrics; 0 when it is not there."""

        def fetch() -> str:
            with urllib.request.urlopen(f"{self.engine.http}/metrics", timeout=5) as answer:
                return str(answer.read().decode())

        for line in (await asyncio.to_thread(fetch)).splitlines():
            if line.startswith(name) and label in line:
                return float(line.split()[-1])
        return 0.0

    async def guess(self, cracker: RawEnd, times: int) -> AsyncIterator[int]:
        """The statuses that guesses get, all by one nonce, until none is answered any more."""
        party, challenge = f"<sip:{cracker.user}@hotline.local>", ""
        for number in range(times + 1):
            headers = [f"From: {party};tag=g", f"To: {party}", f"Call-ID: guess{number}"]
            headers.append(f"CSeq: {number + 1} REGISTER")
            if challenge:
                to = "sip:hotline.local"
                given = digest(challenge, "REGISTER", to, cracker.user, f"guess{number}")
                headers.append(f"Authorization: {given}")
            cracker.request("REGISTER sip:hotline.local", headers, self.where)
            try:
                answer = await cracker.response(f"guess{number}", 0.5)
            except TimeoutError:
                return
            if challenge:
                yield answer.status
            challenge = challenge or answer.get("www-authenticate")

    async def bans(self) -> list[str]:
        return [ban["source"] for ban in await self.engine.get("/api/v1/bans")]

    async def lift(self, source: str) -> int:
        def ask() -> int:
            url = f"{self.engine.http}/api/v1/bans/{source}"
            request = urllib.request.Request(url, method="DELETE")
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)

        return await asyncio.to_thread(ask)


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    plan = EnginePlan(tmp_path, free_port(), free_port("tcp"), seats=3, media_ports=(21000, 21998))
    with (tmp_path / "engine.log").open("wb") as log:
        config = plan.write()
        with config.open("a", encoding="utf-8") as more:
            more.write('[security]\ndigest_algorithms = ["MD5"]\n')
        async with Engine(config, log, tmp_path) as engine:
            target = Target(engine, plan, tmp_path)
            yield target
            for seat in target.seats:
                seat.close()
    assert b"Traceback" not in (tmp_path / "engine.log").read_bytes()


async def test_svmap_learns_no_name_and_no_version(target: Target) -> None:
    said = await attack(target.folder, "svmap", *target.to)
    assert f"127.0.0.1:{target.plan.sip_port}" in said.text
    assert re.search(r"\| unknown +\|", said.text), said.text


async def test_svwar_cannot_tell_users_from_strangers(target: Target) -> None:
    """8001 to 8003 exist; what svwar asks about first does not, and is challenged all the same."""
    said = await attack(target.folder, "svwar", *target.to, "-e", "7990-8020", *HOTLINE)
    assert "authentication request for an unknown extension" in said.text
    assert "found nothing" in said.text


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
async def test_svwar_finds_no_user_by_force(target: Target, method: str) -> None:
    seat = await target.seat("8001", "127.0.0.3")
    await target.serves(seat)
    scan = ("svwar", *target.to, "-m", method, "-e", "7990-8020", "--force", *HOTLINE)
    said = await attack(target.folder, *scan)
    assert not re.search(r"^\| 8", said.text, re.MULTILINE), said.text
    assert await target.serves(seat) < REGISTRAR_SECONDS


async def test_svcrack_gets_no_password_even_where_the_right_one_is_in_its_list(
    target: Target,
) -> None:
    """svcrack knows MD5 alone, so this engine offers it; the tenth word is the right one."""
    words = target.folder / "words.txt"
    words.write_text("\n".join([*(f"guess{n}" for n in range(9)), "secret-8001"]) + "\n")
    seat = await target.seat("8002", "127.0.0.3")
    await target.serves(seat)
    crack = ("svcrack", *target.to, "-u", "8001", "-d", str(words), *HOTLINE)
    cracking = asyncio.create_task(attack(target.folder, *crack, seconds=6))
    took = await target.serves_during(seat, cracking)
    said = await cracking
    assert "secret-8001" not in said.text, said.text
    assert max(took) < REGISTRAR_SECONDS
    assert await target.metric("callcore_sip_refused_total", 'why="wrong password"') >= 5


async def test_svcrack_would_get_the_password_were_it_the_first_word(target: Target) -> None:
    """The test above proves something: svcrack works against this engine."""
    words = target.folder / "words.txt"
    words.write_text("guess\nsecret-8001\n")
    crack = ("svcrack", *target.to, "-u", "8001", "-d", str(words), *HOTLINE)
    assert "secret-8001" in (await attack(target.folder, *crack, seconds=6)).text


async def test_a_banned_source_is_not_heard_with_the_right_password_until_it_is_lifted(
    target: Target,
) -> None:
    """A cracker that goes on with the nonce it has, while it is blocked."""
    cracker = await target.seat("8001", "127.0.0.9")
    statuses = [status async for status in target.guess(cracker, 60)]
    assert statuses == [401] * 5 + [403] * 15
    assert await target.bans() == ["127.0.0.9"]
    thief, seat = await target.seat("8003", "127.0.0.9"), await target.seat("8002", "127.0.0.3")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(target.serves(thief), 0.5)
    assert await target.serves(seat) < REGISTRAR_SECONDS
    assert await target.metric("callcore_sip_bans ") == 1
    assert await target.lift("127.0.0.9") == 200
    assert await target.bans() == []
    assert await target.serves(thief) < REGISTRAR_SECONDS


@pytest.mark.parametrize("times", [1, 2])
async def test_sipsak_s_flood_and_its_random_mode_leave_the_seats_served(
    target: Target, times: int
) -> None:
    seat = await target.seat("8001", "127.0.0.3")
    await target.serves(seat)
    where = f"sip:8001@127.0.0.1:{target.plan.sip_port}"
    mode = ["-F", "-e", "20000"] if times == 1 else ["-R", "-t", "60"]
    flood = asyncio.create_task(attack(target.folder, "sipsak", *mode, "-s", where, seconds=4))
    took = await target.serves_during(seat, flood)
    await flood
    assert max(took) < REGISTRAR_SECONDS
    assert await target.serves(seat) < REGISTRAR_SECONDS
