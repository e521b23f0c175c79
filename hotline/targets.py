"""Whom a transfer, a call or a key sequence means: seats, queues, numbers, the emergency services.

8002                a seat              seat:8002
12345               a queue's number    queue:NAME
13800000001, 119    over a trunk        number:13800000001
platform            the city's 12345 platform
sip:8002@domain, tel:+8655112345678     as a phone's REFER names them
"""

import re
from dataclasses import dataclass

from callcore.call.fraud import TollGuard
from callcore.call.numbers import number_of
from callcore.call.settings import OutboundSettings
from callcore.errors import RemoteProtocolError
from callcore.message import parse_uri
from config.schema import Config, Seat
from hotline.errors import BadTarget
from hotline.parties import Target
from hotline.routes import Routes

PLATFORM = "platform"
_number = re.compile(r"\+?[0-9]{3,20}\Z").match


@dataclass(frozen=True, slots=True)
class QueueTarget:
    """A queue of ours."""

    queue: str


class Directory:
    """Finds targets by what people write; BadTarget says what is wrong with one."""

    def __init__(self, config: Config, outbound: OutboundSettings) -> None:
        self._calls = config.calls
        self._seats = {seat.user: seat for seat in config.seats}
        self._queues = {queue.name for queue in config.queues}
        self._trunks = [trunk.name for trunk in config.trunks]
        self._routes = Routes((r.number, r.queue) for r in config.routes if "*" not in r.number)
        self._outbound = outbound
        self._guard = TollGuard(outbound, (), bool)

    def find(self, text: str) -> Target | QueueTarget:
        """The target of a text, or of a SIP or tel URI."""
        text = text.strip()
        scheme, _, rest = text.partition(":")
        if scheme.lower() in ("sip", "sips", "tel"):
            return self._plain(self._user_of(text))
        if scheme == "seat" and rest:
            return self.seat(rest)
        if scheme == "queue" and rest:
            return self.queue(rest)
        if scheme == "number" and rest:
            return self.number(rest)
        if text == PLATFORM:
            return self.platform()
        return self._plain(text)

    def platform(self) -> Target:
        """The city's 12345 platform, by a trunk of its own where it has one."""
        number, trunk = self._calls.platform_number, self._calls.platform_trunk
        if not number:
            raise BadTarget("the city's platform has no number here ([calls] platform_number)")
        return Target("number", number, trunk or self.trunk(), number)

    def seat(self, user: str) -> Target:
        """A seat: its phone, or the mobile of one that works there."""
        seat = self._seats.get(user)
        if seat is None:
            raise BadTarget(f"no seat {user!r}")
        return self.mobile_of(seat) if seat.remote else Target("seat", user)

    def mobile_of(self, seat: Seat) -> Target:
        """The seat at its mobile: whoever answers there has to press a key."""
        return Target("seat", seat.user, self.trunk(), seat.mobile, confirm=True)

    def overflow(self, agent: str, address: str) -> Target:
        """An agent's mobile, or (no agent) the number of the city's platform."""
        if not agent:
            trunk = self._calls.platform_trunk or self.trunk()
            return Target("number", address, trunk, address)
        return Target("seat", agent, self.trunk(), address, confirm=True)

    def queue(self, name: str) -> QueueTarget:
        """A queue by its name."""
        if name not in self._queues:
            raise BadTarget(f"no queue {name!r}")
        return QueueTarget(name)

    def number(self, number: str) -> Target:
        """A number of a class that may be dialled; BadTarget 403 for the others."""
        plain = self._guard.normal(number)
        if plain is None or _number(plain) is None:
            raise BadTarget(f"{number!r} is no number")
        kind = self._guard.kind(plain)
        if kind is None or kind not in self._outbound.allowed:
            raise BadTarget(f"numbers like {plain!r} may not be called ({kind or 'no class'})", 403)
        return Target("number", plain, self.trunk(), plain, emergency=kind == "emergency")

    def emergency(self, number: str) -> Target:
        """110, 119, 120: allowed whatever the configuration says of other numbers."""
        if self._guard.kind(number) != "emergency":
            raise BadTarget(f"{number!r} is no emergency number")
        return Target("number", number, self.trunk(), number, emergency=True)

    def trunk(self) -> str:
        """The trunk that calls of ours go out by."""
        if self._calls.trunk:
            return self._calls.trunk
        if not self._trunks:
            raise BadTarget("there is no trunk to call out by", 503)
        return self._trunks[0]

    def _plain(self, text: str) -> Target | QueueTarget:
        if text in self._seats:
            return self.seat(text)
        queue = self._routes.find(text)
        if queue is not None:
            return QueueTarget(queue)
        return self.number(text)

    def _user_of(self, text: str) -> str:
        try:
            return number_of(parse_uri(text))
        except RemoteProtocolError as error:
            raise BadTarget(f"{text!r}: {error}", 400) from None
