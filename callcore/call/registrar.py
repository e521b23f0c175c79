"""The registrar (RFC 3261 §10.3), with each binding tied to the flow it came by (RFC 5626)."""

import heapq
from collections.abc import Iterator
from dataclasses import replace

from callcore.call.events import Registered, Unregistered
from callcore.call.settings import RegistrarSettings
from callcore.errors import RemoteProtocolError
from callcore.flow import Flow
from callcore.message import NameAddr, Request
from callcore.message.fields import read_seconds
from callcore.message.grammar import quote
from callcore.value import dataclass

Fact = Registered | Unregistered


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a user can be reached, by which flow, and until when."""

    user: str
    contact: str
    flow: Flow
    expires_at: float
    call_id: str
    cseq: int
    instance: str = ""
    q: str = ""
    path: tuple[str, ...] = ()  # RFC 3327: the proxies in front of the phone, as Route values
    inherited: bool = False  # told by another node, and not by the phone itself since
    since: float = float("-inf")  # the registration; a node of an older version does not tell it
    gone: bool = False  # the phone has taken it back, at `since`: it is kept to be told to others


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to answer to a REGISTER, and what it changed."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    facts: tuple[Fact, ...] = ()
    why: str = ""


class Registrar:
    """All bindings of all seats; whoever calls has checked who is asking."""

    def __init__(self, settings: RegistrarSettings) -> None:
        self._settings = settings
        self._users: dict[str, dict[str, Binding]] = {}
        self._gone: dict[str, dict[str, Binding]] = {}  # taken back, until they would expire
        self._flows: dict[Flow, set[tuple[str, str]]] = {}
        self._expiries: list[tuple[float, str, str]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, flow: Flow) -> bool:
        return flow in self._flows

    def has(self, user: str) -> bool:
        """Whether a user can be reached."""
        return user in self._users

    def bindings(self, user: str) -> tuple[Binding, ...]:
        """A user's bindings, the newest first."""
        return tuple(reversed(self._users.get(user, {}).values()))

    def gone(self, user: str) -> tuple[Binding, ...]:
        """What a user's phones have taken back, the latest last."""
        return tuple(self._gone.get(user, {}).values())

    def users_of(self, flow: Flow) -> frozenset[str]:
        """The users who are reached by this flow."""
        return frozenset(user for user, _ in self._flows.get(flow, ()))

    def register(self, request: Request, user: str, flow: Flow, now: float) -> Outcome:
        """RFC 3261 §10.3, steps 6 to 8: all of the request's changes, or none of them."""
        before = bool(self._users.get(user))
        try:
            changes = self._changes(request, user, flow, now)
            word = request.call_id, request.cseq.number
        except RemoteProtocolError as error:
            headers: tuple[tuple[str, str], ...] = ()
            if error.status == 423:
                headers = (("Min-Expires", str(self._settings.min_expires_seconds)),)
            return Outcome(error.status, headers, why=str(error))
        facts: list[Fact] = []
        for contact, binding in changes.items():
            old = self._users.get(user, {}).get(contact)
            self._remove(user, contact)
            if binding is not None:
                self._gone.get(user, {}).pop(contact, None)
                self._add(binding)
                if old is None or old.flow != flow:
                    facts.append(Registered(user, contact, flow))
            elif _takes_back(request, contact):
                until = now + self._settings.max_expires_seconds if old is None else old.expires_at
                self._note_gone(
                    Binding(user, contact, flow, until, *word, since=now, gone=True), now
                )
        if before and not self._users.get(user):
            facts.append(Unregistered(user, "asked"))
        path = tuple(("Path", value) for value in request.all("Path"))  # RFC 3327 §5.3
        return Outcome(200, (*self._contact_headers(user, now), *path), tuple(facts))

    def restore(self, binding: Binding, now: float) -> list[Fact]:
        """A binding as another node had it, a user's oldest first.

        Of one phone the newer word counts: what it told us itself since it told the other node, or
        what it told that one after it had told us.
        """
        gone = self._gone.get(binding.user, {}).get(binding.contact)
        if gone is not None and gone.expires_at > now and not _is_newer(binding, gone):
            return []
        if binding.gone:
            return self._restore_gone(binding, now)
        known = self._users.get(binding.user, {})
        same = [one for one in known.values() if _is_same_phone(one, binding)]
        if binding.expires_at <= now or not all(_is_newer(binding, one) for one in same):
            return []
        if len(known) - len(same) >= self._settings.max_bindings:
            return []
        for one in same:
            self._remove(binding.user, one.contact)
        self._gone.get(binding.user, {}).pop(binding.contact, None)
        self._add(replace(binding, inherited=True))
        known = self._users[binding.user]
        for one in [one for one in known.values() if one.since > binding.since]:
            known[one.contact] = known.pop(one.contact)
        if any(one.contact == binding.contact and one.flow == binding.flow for one in same):
            return []  # where it was
        return [Registered(binding.user, binding.contact, binding.flow)]

    def _restore_gone(self, binding: Binding, now: float) -> list[Fact]:
        """What a phone has taken back at another node is no longer rung here.

        By its contact alone: of two places that one REGISTER has named, one may stay.
        """
        known = self._users.get(binding.user, {}).get(binding.contact)
        if binding.expires_at <= now or (known is not None and not _is_newer(binding, known)):
            return []
        self._note_gone(binding, now)
        if known is None:
            return []
        self._remove(binding.user, binding.contact)
        return [] if self.has(binding.user) else [Unregistered(binding.user, "asked")]

    def _note_gone(self, binding: Binding, now: float) -> None:
        noted = self._gone.get(binding.user, {})
        noted.pop(binding.contact, None)
        live = [one for one in noted.values() if one.expires_at > now]
        latest = [*live, binding][-self._settings.max_bindings :]
        self._gone[binding.user] = {one.contact: one for one in latest}

    def flow_closed(self, flow: Flow) -> list[Fact]:
        """RFC 5626 §3.1: a binding lives no longer than the connection that carries it."""
        facts: list[Fact] = []
        for user, contact in sorted(self._flows.get(flow, ())):
            self._remove(user, contact)
            if user not in self._users:
                facts.append(Unregistered(user, "flow closed"))
        return facts

    def fire(self, now: float) -> list[Fact]:
        """Remove what has expired."""
        facts: list[Fact] = []
        while self._expiries and self._expiries[0][0] <= now:
            _, user, contact = heapq.heappop(self._expiries)
            binding = self._users.get(user, {}).get(contact)
            if binding is None or binding.expires_at > now:
                continue  # refreshed or removed since
            self._remove(user, contact)
            if user not in self._users:
                facts.append(Unregistered(user, "expired"))
        return facts

    def deadline(self) -> float | None:
        """When to fire."""
        return self._expiries[0][0] if self._expiries else None

    def _changes(
        self, request: Request, user: str, flow: Flow, now: float
    ) -> dict[str, Binding | None]:
        """The bindings to set (or, None, to remove); nothing is changed yet."""
        current = self._users.get(user, {})
        if request.wildcard:
            # §10.3 step 6: only alone (beside others it is no address), and only with Expires: 0.
            if request.expires != 0:
                raise RemoteProtocolError("Contact: * without Expires: 0", where="Contact")
            for binding in current.values():
                self._check_order(binding, request)
            return dict.fromkeys(current)
        changes: dict[str, Binding | None] = {}
        for contact in request.contacts:
            for key, change in self._change(request, contact, (user, flow, now)):
                changes[key] = change
        if len(current) + len(changes) <= self._settings.max_bindings:
            return changes
        added = {key for key, change in changes.items() if change is not None}
        if len(added) > self._settings.max_bindings:
            raise RemoteProtocolError("too many bindings", status=403, where="Contact")
        others = [key for key in current if key not in changes]
        excess = len(others) + len(added) - self._settings.max_bindings
        # A phone that crashed leaves its binding behind: the oldest make room.
        for key in others[: max(0, excess)]:
            changes[key] = None
        return changes

    def _change(
        self, request: Request, contact: NameAddr, by: tuple[str, Flow, float]
    ) -> Iterator[tuple[str, Binding | None]]:
        user, flow, now = by
        uri = str(contact.uri)
        expires = self._expires_seconds(request, contact)
        current = self._users.get(user, {})
        if uri in current:
            self._check_order(current[uri], request)
        if not expires:
            yield uri, None  # not known here, perhaps, but at another node
            return
        instance = contact.params.get("+sip.instance") or ""
        for key, other in current.items():
            # A phone that came back from another port: RFC 5626 §6.
            if instance and other.instance == instance and key != uri:
                yield key, None
        yield (
            uri,
            Binding(
                user=user,
                contact=uri,
                flow=flow,
                expires_at=now + expires,
                call_id=request.call_id,
                cseq=request.cseq.number,
                instance=instance,
                q=contact.params.get("q") or "",
                path=tuple(request.values("Path")),
                since=now,
            ),
        )

    def _expires_seconds(self, request: Request, contact: NameAddr) -> int:
        """RFC 3261 §10.3 step 7; a value that cannot be read counts as absent (§10.2.1.1)."""
        settings = self._settings
        asked = read_seconds(contact.params.get("expires"))
        if asked is not None:
            seconds = asked
        elif request.expires is not None:
            seconds = request.expires
        else:
            seconds = settings.default_expires_seconds
        if 0 < seconds < settings.min_expires_seconds:
            raise RemoteProtocolError("expiry too brief", status=423, where="Expires")
        return min(seconds, settings.max_expires_seconds)

    @staticmethod
    def _check_order(binding: Binding, request: Request) -> None:
        """§10.3 step 7: of two requests of one Call-ID the later has the higher CSeq."""
        if binding.call_id == request.call_id and request.cseq.number <= binding.cseq:
            raise RemoteProtocolError("REGISTER out of order", status=500, where="CSeq")

    def _add(self, binding: Binding) -> None:
        self._users.setdefault(binding.user, {})[binding.contact] = binding
        self._flows.setdefault(binding.flow, set()).add((binding.user, binding.contact))
        self._count += 1
        if len(self._expiries) > 2 * self._count + 64:
            # Refreshes leave their old expiry behind; keep the heap as small as the bindings.
            live = (b for user in self._users.values() for b in user.values())
            self._expiries = [(b.expires_at, b.user, b.contact) for b in live if b is not binding]
            heapq.heapify(self._expiries)
        heapq.heappush(self._expiries, (binding.expires_at, binding.user, binding.contact))

    def _remove(self, user: str, contact: str) -> None:
        bindings = self._users.get(user, {})
        binding = bindings.pop(contact, None)
        if binding is None:
            return
        self._count -= 1
        if not bindings:
            del self._users[user]
        carried = self._flows[binding.flow]
        carried.discard((user, contact))
        if not carried:
            del self._flows[binding.flow]

    def _contact_headers(self, user: str, now: float) -> Iterator[tuple[str, str]]:
        """§10.3 step 8: every current binding with what remains of it."""
        for binding in self.bindings(user):
            value = f"<{binding.contact}>;expires={max(0, round(binding.expires_at - now))}"
            if binding.q:
                value += f";q={binding.q}"
            if binding.instance:
                value += f";+sip.instance={quote(binding.instance)}"
            yield "Contact", value


def _takes_back(request: Request, contact: str) -> bool:
    """Whether the phone asked for it; a binding also goes to make room, or as its phone moves."""
    return request.wildcard or any(str(one.uri) == contact for one in request.contacts)


def _is_same_phone(known: Binding, restored: Binding) -> bool:
    """By its contact, its instance, or its Call-ID, which is one a phone (RFC 3261 §10.2.4).

    Two contacts of one REGISTER are two places where a user can be reached.
    """
    if known.contact == restored.contact:
        return True
    if known.instance and known.instance == restored.instance:
        return True
    return known.call_id == restored.call_id and known.cseq != restored.cseq


def _is_newer(restored: Binding, known: Binding) -> bool:
    """By CSeq where that tells (RFC 3261 §10.3 step 7), else by time, as far as clocks agree."""
    if restored.call_id == known.call_id and restored.cseq != known.cseq:
        return restored.cseq > known.cseq
    return restored.since > known.since
