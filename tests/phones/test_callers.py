"""Citizens call at random, wait, and give up; the staff answers."""

import os
from pathlib import Path

import pytest

from phones.callers import Callers, CallersOptions
from phones.driver import PhoneProcess, Softphone, SoftphoneOptions
from phones.laws import Law
from phones.staff import Offer, Staff, number_of
from phones.waiting import until

pytestmark = pytest.mark.interop

ELSEWHERE = (("127.0.0.2", 0),)


async def test_those_whom_nobody_answers_give_up_and_the_others_do_not() -> None:
    """The phone answers like the queue does; the harness says who reached an agent."""
    async with Softphone(SoftphoneOptions(user="q", auto_answer="0", calls=4)) as queue:
        options = CallersOptions(
            queue.address, sources=ELSEWHERE, per_second=50, patience=Law(0.3), calls=4
        )
        reached: list[str] = []

        def told(what: str, citizen: object) -> None:
            if what == "connected" and len(reached) < 2:
                reached.append(citizen.number)  # type: ignore[attr-defined]
                callers.answered(reached[-1])

        callers = Callers(options, told)
        async with callers:
            await callers.run()
            await until(lambda: sum(bool(c.gave_up) for c in callers.citizens.values()) == 2)
            await until(lambda: len(callers.live) == 2)
            assert {c.number for c in callers.live} == set(reached)
            assert len(callers.citizens) == len(set(callers.citizens)) == 4
            assert callers.blocked == 0
            for event in [e for e in queue.events if e.name == "incoming"]:
                queue.send("hangup", call=event["call"])
            assert await callers.settle(5)
        for citizen in callers.citizens.values():
            assert bool(citizen.gave_up) != bool(citizen.answered)
            assert citizen.by == ("local" if citizen.gave_up else "remote")


async def test_an_arrival_that_finds_all_our_lines_busy_is_counted() -> None:
    async with Softphone(SoftphoneOptions(user="q", no_answer=True, calls=4)) as queue:
        options = CallersOptions(queue.address, sources=ELSEWHERE, per_second=100, calls=5)
        async with Callers(options) as callers:
            await callers.run()
            assert (len(callers.live), callers.blocked) == (4, 1)


async def test_the_staff_knows_who_was_offered_and_answered() -> None:
    reached: list[str] = []
    seat = SoftphoneOptions(user="8001", auto_answer="0.05", talk="0.2")
    async with Staff([seat], answered=reached.append) as staff:
        target = staff.phones[0].address
        async with Callers(CallersOptions(target, sources=ELSEWHERE, calls=1)) as callers:
            callers.place()
            assert await callers.settle(5)
            await staff.phones[0].wait("ended")
    assert reached == list(callers.citizens)
    (offer,) = staff.offers
    assert (offer.user, offer.number, offer.by) == ("8001", reached[0], "local")
    assert offer.rang < offer.answered < offer.ended
    assert staff.double_offers() == []


@pytest.mark.parametrize(
    ("second", "double"),
    [
        (Offer("8001", "2", rang=2, live_before=1), True),
        (Offer("8002", "1", rang=2, live_before=0), True),
        (Offer("8002", "2", rang=2, live_before=0), False),
        (Offer("8001", "1", rang=4, live_before=0), False),
    ],
)
def test_double_offers_are_found(second: Offer, double: bool) -> None:
    staff = Staff([])
    staff.offers = [Offer("8001", "1", rang=1, live_before=0, ended=3), second]
    assert bool(staff.double_offers()) is double


def test_numbers_are_read_from_addresses() -> None:
    assert number_of('"Zhang" <sip:13900000001@127.0.0.1;user=phone>') == "13900000001"
    assert number_of("nobody") == ""


async def test_a_population_that_is_killed_leaves_no_phone_behind() -> None:
    arguments = ["--target", "127.0.0.1:9", "--processes", "2", "--per-second", "20"]
    population = PhoneProcess("callers", "phones.callers", arguments)
    async with population:
        await population.wait("citizen", what="placed")
        phones = children(population.pid)
        assert len(phones) == 2
        population.process.kill()
        await until(lambda: not any(Path(f"/proc/{phone}").exists() for phone in phones), 8)


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    assert os.getpid() != pid
    return [int(one) for one in text.split()]
