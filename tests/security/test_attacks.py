"""sipvicious and sipsak against the real engine: they get nothing, and the seats are served."""

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from phones.engine import Engine
from phones.plan import EnginePlan
from phones.raw import RawEnd, digest
from phones.sipp import free_port
from tests.interop.hotline import eventually
from tests.security.programs import attack

pytestmark = pytest.mark.interop

HOTLINE = ("--domain", "hotline.local", "--maximumtime", "2")


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

    async def serves(self, seat: RawEnd) -> None:
        """A REGISTER of a seat is granted before its transactions time out."""
        password = f"secret-{seat.user}"
        assert await seat.register(self.where, "hotline.local", password) == 200

    async def serves_during(self, seat: RawEnd, work: asyncio.Task) -> int:
        """The same again and again while an attack goes on; how often."""
        served = 0
        while not work.done():
            await self.serves(seat)
            served += 1
            await asyncio.sleep(0.1)
        return served

    async def refused(self, why: str) -> float:
        return await self.metric("callcore_sip_refused_total", f'why="{why}"')

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

    async def guess(self, cracker: RawEnd, times: int) -> list[int]:
        """The statuses that so many guesses get, all by one nonce."""
        party, challenge, statuses = f"<sip:{cracker.user}@hotline.local>", "", []
        for number in range(times + 1):
            headers = [f"From: {party};tag=g", f"To: {party}", f"Call-ID: guess{number}"]
            headers.append(f"CSeq: {number + 1} REGISTER")
            if challenge:
                to = "sip:hotline.local"
                given = digest(challenge, "REGISTER", to, cracker.user, f"guess{number}")
                headers.append(f"Authorization: {given}")
            cracker.request("REGISTER sip:hotline.local", headers, self.where)
            answer = await cracker.response(f"guess{number}")
            if challenge:
                statuses.append(answer.status)
            challenge = challenge or answer.get("www-authenticate")
        return statuses

    async def ignores(self, end: RawEnd) -> bool:
        """Whether a REGISTER with the right password is dropped unread."""

        async def dropped() -> bool:
            return await self.metric("callcore_sip_messages_total", 'method="banned"') > before

        before = await self.metric("callcore_sip_messages_total", 'method="banned"')
        asking = asyncio.create_task(self.serves(end))
        await eventually(dropped)
        answered = asking.done()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return not answered

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
    # sipvicious listens at 5060 of every address: a probe of the trunk makes it give up.
    plan = EnginePlan(
        *(tmp_path, free_port(), free_port("tcp")),
        seats=3,
        media_ports=(21000, 21998),
        probe_seconds=0,
    )
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
    await target.serves(seat)


async def test_svcrack_gets_no_password_even_where_the_right_one_is_in_its_list(
    target: Target,
) -> None:
    """svcrack knows MD5 alone, so this engine offers it; the last word is the right one."""
    words = target.folder / "words.txt"
    words.write_text("\n".join([*(f"guess{n}" for n in range(30)), "secret-8001"]) + "\n")
    seat = await target.seat("8002", "127.0.0.3")
    await target.serves(seat)
    crack = ("svcrack", *target.to, "-u", "8001", "-d", str(words), *HOTLINE)

    async def blocked() -> bool:
        return await target.refused("wrong password") >= 5 and await target.refused("blocked") >= 5

    cracking = asyncio.create_task(attack(target.folder, *crack, until=blocked))
    assert await target.serves_during(seat, cracking) > 0
    said = await cracking
    counts = [await target.refused(why) for why in ("wrong password", "blocked")]
    assert await blocked(), (counts, said.text)
    assert "secret-8001" not in said.text, said.text


async def test_svcrack_would_get_the_password_were_it_the_first_word(target: Target) -> None:
    """The test above proves something: svcrack works against this engine."""
    words = target.folder / "words.txt"
    words.write_text("guess\nsecret-8001\n")
    crack = ("svcrack", *target.to, "-u", "8001", "-d", str(words), *HOTLINE)
    assert "secret-8001" in (await attack(target.folder, *crack)).text


async def test_a_banned_source_is_not_heard_with_the_right_password_until_it_is_lifted(
    target: Target,
) -> None:
    """A cracker that goes on with the nonce it has, while it is blocked."""
    cracker = await target.seat("8001", "127.0.0.9")
    assert await target.guess(cracker, 20) == [401] * 5 + [403] * 15
    assert await target.bans() == ["127.0.0.9"]
    thief, seat = await target.seat("8003", "127.0.0.9"), await target.seat("8002", "127.0.0.3")
    assert await target.ignores(thief)
    await target.serves(seat)
    assert await target.metric("callcore_sip_bans ") == 1
    assert await target.lift("127.0.0.9") == 200
    assert await target.bans() == []
    await target.serves(thief)


@pytest.mark.parametrize("times", [1, 2])
async def test_sipsak_s_flood_and_its_random_mode_leave_the_seats_served(
    target: Target, times: int
) -> None:
    seat = await target.seat("8001", "127.0.0.3")
    await target.serves(seat)
    where = f"sip:8001@127.0.0.1:{target.plan.sip_port}"
    mode = ["-F", "-e", "20000"] if times == 1 else ["-R", "-t", "60"]
    flood = asyncio.create_task(attack(target.folder, "sipsak", *mode, "-s", where, seconds=4))
    assert await target.serves_during(seat, flood) > 0
    await flood
    assert await target.metric("callcore_registrations ") == 1
    await target.serves(seat)
