"""Which seats are there: their phones are registered, or they work on a mobile."""

from collections.abc import Collection

import structlog

from acd import events as acd
from hotline.parts import Parts

log = structlog.get_logger("hotline")
# Whose phone has come, or come back in the middle of a call: what it is told holds after the call.
COUNTED = ("offline", "ringing", "talking", "held")


class Presence:
    """Tells the queue who came and who went."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._seats = {seat.user: seat for seat in parts.config.seats}
        self.registered: set[str] = set()
        self._at_work: set[str] = set()  # under the leader before us, and not here since
        self._at_work_until_ms = 0

    def open_remote_seats(self) -> None:
        """Seats that work on a mobile need no phone of ours to be there."""
        for user, seat in self._seats.items():
            if seat.remote:
                self._log_in(user)

    def came(self, user: str) -> None:
        """A phone registered."""
        if user in self._seats and user not in self.registered:
            self._log_in(user)

    def went(self, user: str, why: str) -> None:
        """A phone's registration is over."""
        seat = self._seats.get(user)
        if user in self.registered and not (seat is not None and seat.remote):
            self.registered.discard(user)
            log.info("seat gone", user=user, why=why)
            self._parts.queueing.tell(acd.AgentOffline(self._parts.clock.wall_ms(), user))

    def take_over(self, at_work: Collection[str]) -> None:
        """We lead from now on: seats are ready if they were before, and here or come back.

        A phone comes back within its registration's time; after that it begins anew.
        """
        most_seconds = self._parts.sip.engine.settings.registrar.max_expires_seconds
        self._at_work = set(at_work)
        self._at_work_until_ms = self._parts.clock.wall_ms() + most_seconds * 1000
        for user in sorted(self.registered):
            self._greet(user)

    def is_supervisor(self, user: str) -> bool:
        """Whether a seat may listen to others."""
        seat = self._seats.get(user)
        return seat is not None and seat.role == "supervisor"

    def _log_in(self, user: str) -> None:
        self.registered.add(user)
        self._greet(user)

    def _greet(self, user: str) -> None:
        now_ms = self._parts.clock.wall_ms()
        was_at_work = user in self._at_work and now_ms <= self._at_work_until_ms
        self._at_work.discard(user)
        known = self._parts.queueing.core.agent(user)
        if known is None or known.state not in COUNTED:
            return  # a break or a wrap-up outlasts the phone's registration
        if was_at_work or self._seats[user].auto_ready:
            self._parts.queueing.tell(acd.AgentReady(now_ms, user))
        else:
            self._parts.queueing.tell(acd.AgentNotReady(now_ms, user, "registered"))
