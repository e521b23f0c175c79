"""Calls that we place: destinations tried, branches watched, one leg told of."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from callcore.call.cause import ELSEWHERE
from callcore.call.events import Answered, AnsweredInVain, CallEvent, Ended, Progressed
from callcore.call.fork import Failure, Fork
from callcore.call.placement import Headers
from callcore.call.refusals import REFUSING, Refusals
from callcore.call.resolve import Plan
from callcore.call.target import Call, Destination
from callcore.call.trunk import Target
from callcore.flow import Flow

SILENCE_SECONDS = 1.0  # for the other phones of a seat, once one of them declined
PARTING_SECONDS = 1.0  # for a phone to let its last call go, twice what a lost CANCEL takes


class Carrier(Protocol):
    """What the engine does for us."""

    def reach(self, way: Flow | Target) -> Flow | None:
        """The flow to a destination; None while a connection is being opened."""
        ...

    def begin(
        self, branch: str, destination: Destination, flow: Flow, call: Call, now: float
    ) -> bool:
        """Place one branch; whether it is offered a protection that it may refuse."""
        ...

    def drop(self, branch: str, reason: str | None, now: float, headers: Headers = ()) -> None:
        """Hang one branch up."""
        ...

    def tell(self, event: CallEvent) -> None:
        """Tell a fact of a leg."""
        ...

    def dead(self, target: Target, why: str, now: float) -> None:
        """A destination did not answer."""
        ...


class Outgoing:
    """All legs that we placed, until they end."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._forks: dict[str, Fork] = {}
        self._legs: dict[str, str] = {}  # of branches that are not named like their leg
        self._ways: dict[str, Target] = {}  # of branches to a static peer
        self._connecting: dict[Target, list[str]] = {}
        self._patience: dict[str, float] = {}  # of branches that say nothing, until when
        self._contacts: dict[str, str] = {}  # of branches to a phone of a seat
        self._parting: dict[str, tuple[str, float]] = {}  # of those that ended, and until when
        # Legs that wait for such phones: until when, and where the phones are then.
        self._held: dict[str, tuple[float, Callable[[float], Plan]]] = {}
        self._refusals = Refusals()
        self._protected: dict[str, Destination] = {}  # branches that may refuse to be

    def __contains__(self, leg: str) -> bool:
        return leg in self._forks

    def __len__(self) -> int:
        return len(self._forks)

    def leg(self, branch: str) -> str:
        """The leg that a branch is of."""
        return self._legs.get(branch, branch)

    def branch(self, leg: str) -> str:
        """The branch that commands to a leg go to."""
        fork = self._forks.get(leg)
        return leg if fork is None or fork.winner is None else fork.winner

    def place_all(
        self,
        leg: str,
        destinations: Sequence[Destination],
        call: Call,
        now: float,
        again: Callable[[float], Plan],
    ) -> None:
        """Call all destinations at once, when each has let its last call go.

        A phone that has not handled our CANCEL yet would ring for two, or be busy for this one.
        Where the leg has to wait for that, `again` says where the phones are by then.
        """
        self._forks[leg] = Fork(leg, call, tuple(destinations))
        until = self._busy_until(leg)
        if until > now:
            self._held[leg] = until, again
        else:
            self._try_all(leg, now)

    def place_in_turn(
        self, leg: str, destinations: Sequence[Destination], call: Call, now: float, patience: float
    ) -> None:
        """Call the first; the next after a failure, or `patience` seconds of silence."""
        self._forks[leg] = Fork(leg, call, tuple(destinations), patience)
        self._try_next(leg, now)

    def hang_up(self, leg: str, reason: str | None, now: float, headers: Headers = ()) -> None:
        """End a leg that we placed, whatever its branches do."""
        fork = self._forks[leg]
        if fork.told:
            return
        if fork.winner is not None:
            self._carrier.drop(fork.winner, reason, now, headers)
            return
        self._forks[leg] = fork._replace(waiting=(), hung_up=True)
        self._held.pop(leg, None)
        for branch in fork.ringing:
            self._patience.pop(branch, None)
            self._carrier.drop(branch, reason, now, headers)
        if leg in self._forks:  # else the last branch ended at once
            self._end_if_over(leg)

    def reached(self, target: Target, flow: Flow | None, now: float) -> None:
        """A connection was opened, or (None) could not be."""
        for leg in self._connecting.pop(target, ()):
            fork = self._forks.get(leg)
            if fork is None or not fork.waiting or fork.waiting[0].way != target:
                continue  # hung up meanwhile
            if flow is None:
                self._carrier.dead(target, "no connection", now)
                self._forks[leg] = fork.skipped(Failure(503, "No Connection", "transport"))
                self._try_next(leg, now)
            else:
                self._begin(leg, flow, now)

    def heard(self, branch: str) -> None:
        """Any response to the INVITE: somebody is there."""
        self._patience.pop(branch, None)
        leg = self._legs.get(branch, branch)
        fork = self._forks.get(leg)
        if fork is not None and fork.winner is None:
            self._forks[leg] = fork.responded(branch)

    def fact(self, event: CallEvent, now: float) -> None:
        """What a branch tells, told of its leg, once."""
        branch = event.leg
        leg = self._legs.get(branch, branch)
        fork = self._forks.get(leg)
        if fork is None:
            self._carrier.tell(event)
        elif isinstance(event, Ended):
            self._ended(fork, event, now)
        elif isinstance(event, AnsweredInVain):
            self._carrier.tell(event if branch == leg else replace(event, leg=leg))
        elif branch not in fork.ringing or fork.hung_up:
            pass  # a loser that has not heard it yet
        else:
            if isinstance(event, Progressed):
                self._forks[leg] = fork.heard()
            elif isinstance(event, Answered):
                self._win(fork, branch, now)
            self._carrier.tell(event if branch == leg else replace(event, leg=leg))

    def left(self, branch: str, now: float) -> None:
        """A phone has nothing of an ended branch any more: whoever waited for that may ring it."""
        self._contacts.pop(branch, None)
        if self._parting.pop(branch, None) is not None:
            for leg in [leg for leg in self._held if self._busy_until(leg) <= now]:
                self._let_go(leg, now)

    def fire(self, now: float) -> None:
        """Go on to the next destination where the last says nothing at all."""
        for branch in [b for b, at in self._patience.items() if at <= now]:
            leg = self._legs.get(branch, branch)
            fork = self._forks[leg]
            self._patience.pop(branch, None)
            self._note_death(branch, "no response", now)
            self._forks[leg] = fork.failed(branch, Failure(408, "Request Timeout", "timeout"))
            self._carrier.drop(branch, None, now)
            self._advance(leg, now)
        for leg in [leg for leg, (at, _) in self._held.items() if at <= now]:
            self._let_go(leg, now)

    def deadline(self) -> float | None:
        """When to fire."""
        held = (at for at, _ in self._held.values())
        return min((*self._patience.values(), *held), default=None)

    def _busy_until(self, leg: str) -> float:
        """When, at the latest, no phone that the leg is to ring has a call of ours to let go."""
        if not self._parting:
            return 0.0
        contacts = {destination.request_uri for destination in self._forks[leg].waiting}
        return max((at for uri, at in self._parting.values() if uri in contacts), default=0.0)

    def _let_go(self, leg: str, now: float) -> None:
        _, again = self._held.pop(leg)
        plan = again(now)
        self._forks[leg] = self._forks[leg]._replace(waiting=plan.destinations)
        if plan.destinations:
            self._try_all(leg, now)
        else:
            self._tell_end(leg, Ended(leg, plan.status, plan.why, "local"))

    def _try_all(self, leg: str, now: float) -> None:
        for _ in self._forks[leg].waiting:
            if leg in self._forks and self._forks[leg].waiting:
                self._try_next(leg, now)

    def _try_next(self, leg: str, now: float) -> None:
        fork = self._forks[leg]
        if not fork.waiting:
            self._end_if_over(leg)
            return
        way = fork.waiting[0].way
        flow = self._carrier.reach(way)
        if flow is not None:
            self._begin(leg, flow, now)
        elif isinstance(way, Target):
            self._connecting.setdefault(way, []).append(leg)

    def _begin(self, leg: str, flow: Flow, now: float) -> None:
        fork = self._forks[leg]
        branch, destination = fork.next_branch, fork.waiting[0]
        if self._refusals.hold(destination.party, now):
            destination = replace(destination, plain=True)
        fork = self._forks[leg] = fork.started(branch)
        if branch != leg:
            self._legs[branch] = leg
        if isinstance(destination.way, Target):
            self._ways[branch] = destination.way
        if destination.kind == "seat":
            self._contacts[branch] = destination.request_uri
        if fork.patience_seconds and fork.waiting:
            self._patience[branch] = now + fork.patience_seconds
        choice = self._carrier.begin(branch, destination, flow, fork.call, now)
        if choice and leg in self._forks and branch in self._forks[leg].live:
            self._protected[branch] = destination

    def _win(self, fork: Fork, branch: str, now: float) -> None:
        self._forks[fork.leg], losers = fork.won(branch)
        self._patience.pop(branch, None)
        for loser in losers:
            self._carrier.drop(loser, ELSEWHERE, now)

    def _ended(self, fork: Fork, event: Ended, now: float) -> None:
        branch, leg = event.leg, fork.leg
        self._patience.pop(branch, None)
        contact = self._contacts.get(branch)
        if contact is not None:
            self._parting[branch] = contact, now + PARTING_SECONDS
        if event.by in ("timeout", "transport") and fork.winner is None:
            self._note_death(branch, event.reason or event.by, now)
        self._ways.pop(branch, None)
        self._legs.pop(branch, None)
        protected = self._protected.pop(branch, None)
        was_ringing = branch in fork.ringing
        fork = fork.ended(branch)
        if fork.winner == branch:
            self._forks[leg] = fork
            self._tell_end(leg, event if branch == leg else replace(event, leg=leg))
        elif was_ringing and protected and event.by == "remote" and event.status in REFUSING:
            self._refusals.note(protected.party, now)
            self._forks[leg] = fork.repeated(branch, replace(protected, plain=True))
            self._try_next(leg, now)
        elif was_ringing:
            self._forks[leg] = fork.failed(branch, Failure(event.status, event.reason, event.by))
            self._advance(leg, now)
        else:
            self._forks[leg] = fork  # given up before
            self._forget_if_over(leg)

    def _advance(self, leg: str, now: float) -> None:
        fork = self._forks[leg]
        if fork.waiting and not fork.ringing:
            self._try_next(leg, now)
        elif fork.ringing:
            # One phone declined; those that a crash left registered will never say anything.
            for branch in fork.ringing:
                if branch not in fork.responsive:
                    self._patience.setdefault(branch, now + SILENCE_SECONDS)
        else:
            self._end_if_over(leg)

    def _end_if_over(self, leg: str) -> None:
        fork = self._forks[leg]
        if fork.ringing or fork.waiting or fork.told:
            return
        if fork.hung_up:
            self._tell_end(leg, Ended(leg, 487, "Request Terminated", "local"))
        elif fork.best is not None:
            status, reason, by = fork.best
            self._tell_end(leg, Ended(leg, status, reason, by))

    def _tell_end(self, leg: str, event: Ended) -> None:
        self._forks[leg] = self._forks[leg]._replace(told=True, ringing=())
        self._forget_if_over(leg)
        self._carrier.tell(event)

    def _forget_if_over(self, leg: str) -> None:
        """The leg's name stays taken until its last branch has ended."""
        fork = self._forks[leg]
        if fork.told and not fork.live:
            del self._forks[leg]

    def _note_death(self, branch: str, why: str, now: float) -> None:
        target = self._ways.pop(branch, None)
        if target is not None:
            self._carrier.dead(target, why, now)
