"""A member of a cluster and the hotline that it switches on and off."""

import time

from acd.io.shared import Shared
from hotline.conductor import Conductor
from hotline.events import Alert
from hotline.seats import AT_WORK, bindings_of, picture, read_seat
from service.journal import Store
from service.member import Member
from service.wiring import acd_settings

REQUESTS_A_LEASE = 4  # a request that takes longer than this share of it has failed


class Stage:
    """Implements service.member.Hotline over a conductor."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._parts = conductor.parts

    def lead(self, seats: dict[str, bytes]) -> None:
        """Take over: what the last leader's calls were is counted, its seats are ours."""
        parts = self._parts
        known = {user: seat for user, one in seats.items() if (seat := read_seat(one))}
        agents = parts.queueing.core.agents()
        at_work = {agent.user for agent in agents if agent.state in AT_WORK}
        parts.queueing.lead(acd_settings(parts.config))
        # Before the phones are restored: each of them is greeted as it comes.
        self._conductor.presence.take_over(at_work)
        local = next((one[1:] for one in parts.sip.addresses if one[0] == "udp"), None)
        if local is not None:
            for user, seat in known.items():
                parts.sip.restore(bindings_of(user, seat, local, self._offset_ms()))
        parts.sip.register_trunks(True)

    async def step_down(self) -> None:
        """Calls end in their own time; the operators' come to another node from now on."""
        self._parts.sip.register_trunks(False)
        await self._conductor.step_down(self._parts.config.engine.drain_seconds)

    def seats(self) -> dict[str, bytes]:
        """As the core and the registrar have them now."""
        parts = self._parts
        return picture(parts.sip.engine, parts.queueing.core, self.users(), self._offset_ms())

    def users(self) -> list[str]:
        """Those of the configuration."""
        return [seat.user for seat in self._parts.config.seats]

    def minutes(self) -> bytes:
        """Finished calls, and those under way as they stand."""
        return self._parts.accounts.told()

    def hear_minutes(self, others: list[bytes]) -> None:
        """They count against the same packages as ours."""
        self._parts.accounts.hear(others)

    def report(self, text: str) -> None:
        """An alert on the desk's screens."""
        self._conductor.herald.tell(Alert("cluster", text))

    def _offset_ms(self) -> float:
        """Wall time less the engine's clock; true wall time, since another machine reads it."""
        return time.time() * 1000 - self._parts.clock.anywhere() * 1000


def make_member(conductor: Conductor, store: Store) -> Member:
    """This node; it follows until it knows better."""
    settings = conductor.parts.config.cluster
    url = settings.url.get_secret_value()
    shared = Shared(url, settings.name, settings.lease_seconds / REQUESTS_A_LEASE)
    return Member(settings, shared, store, conductor.parts.queueing, Stage(conductor))
