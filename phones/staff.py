"""The seats' softphones together: who was offered which caller when, and what was offered twice."""

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Self

from phones.driver import Event, Softphone, SoftphoneOptions


@dataclass(slots=True)
class Offer:
    """One INVITE that reached a seat; times in seconds on the monotonic clock, 0 = not yet."""

    user: str
    number: str
    rang: float
    live_before: int  # calls that the seat had already
    answered: float = 0.0
    ended: float = 0.0
    by: str = ""
    code: int = 0
    received: int = 0  # RTP packets


def number_of(uri: str) -> str:
    """The user part of a SIP URI in a header's value."""
    found = re.search(r"sips?:([^@;>]+)@", uri)
    return found.group(1) if found else ""


class _Seat(Softphone):
    def __init__(self, options: SoftphoneOptions, told: Callable[[str, Event], None]) -> None:
        super().__init__(options)
        self.told = told

    def heard(self, event: Event) -> None:
        self.told(self.options.user, event)


class Staff:
    """Softphones that start, register, are watched and stop together."""

    def __init__(
        self,
        phones: Iterable[SoftphoneOptions],
        answered: Callable[[str], None] | None = None,
    ) -> None:
        self.answered = answered or (lambda number: None)
        self.offers: list[Offer] = []
        self.phones = [_Seat(replace(one), self._heard) for one in phones]
        self._live: dict[tuple[str, str], Offer] = {}

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, timeout_seconds: float = 60.0) -> None:
        """Spawns all and waits until each is registered."""
        await asyncio.gather(*(phone.start() for phone in self.phones))
        await asyncio.gather(
            *(p.wait("registered", timeout_seconds) for p in self.phones if p.options.registrar)
        )

    async def stop(self) -> None:
        """Hangs up, unregisters and ends all."""
        await asyncio.gather(*(p.stop() for p in self.phones))

    def _heard(self, user: str, event: Event) -> None:
        key = (user, str(event.get("call")))
        if event.name == "incoming":
            offer = Offer(user, number_of(event["from"]), event.t, event.get("live", 0))
            self._live[key] = offer
            self.offers.append(offer)
            return
        offer_or_none = self._live.get(key)
        if offer_or_none is None:
            return
        if event.name == "state" and event["state"] == "CONFIRMED" and not offer_or_none.answered:
            offer_or_none.answered = event.t
            self.answered(offer_or_none.number)
        elif event.name == "ended":
            offer_or_none.ended = event.t
            offer_or_none.by, offer_or_none.code = event["by"], event["code"]
            offer_or_none.received = event.get("received", 0)
            del self._live[key]

    def double_offers(self) -> list[tuple[Offer, Offer]]:
        """Pairs that should not be: a seat with two live INVITEs, or a caller at two seats."""
        pairs = []
        for index, first in enumerate(self.offers):
            until = first.ended or float("inf")
            for second in self.offers[index + 1 :]:
                if second.rang >= until:
                    continue  # in order of arrival, but another process's clock line may lag
                if second.user == first.user or second.number == first.number:
                    pairs.append((first, second))
        return pairs
