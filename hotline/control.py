"""The part of the facade that fronts calls under way."""

from collections.abc import Iterable

from hotline.commands import (
    CallAction,
    CallRecord,
    MinutesStatus,
    NotAllowed,
    PartyStatus,
    Reference,
    Unavailable,
    UnknownThing,
    WrongState,
)
from hotline.errors import BadTarget, NotNow
from hotline.floor import Floor
from hotline.orders import order_of
from hotline.parties import Party, Role
from hotline.targets import QueueTarget


class Control(Floor):
    """Implements what HotlineCommands says of calls."""

    def parties(self, call_id: str, viewer: str = "") -> list[PartyStatus]:
        """Who takes part now; UnknownThing, and nobody once the call has ended.

        A viewer who is no supervisor sees who listens only where that is wanted.
        """
        self.call(call_id)
        visit = self._conductor.visits.get(call_id)
        hides = viewer and not self._conductor.presence.is_supervisor(viewer)
        hides = hides and not self._parts.config.calls.supervision_visible
        return [
            status_of(party)
            for party in (() if visit is None else visit.parties)
            if not (hides and party.role is Role.SUPERVISOR)
        ]

    def act(self, call_id: str, action: CallAction) -> CallRecord:
        """Do it; UnknownThing, WrongState with the state, NotAllowed for a bad target."""
        record = self.call(call_id)
        visit = self._conductor.visits.get(call_id)
        if visit is None:
            raise WrongState(f"call {call_id} has ended")
        before = record.order
        record.order = action.order or before  # the platform's INVITE tells it
        try:
            self._conductor.command(call_id, order_of(self._conductor, visit, action))
        except (NotNow, BadTarget, NotAllowed) as error:
            record.order = before
            if isinstance(error, NotNow):
                raise WrongState(f"call {call_id} is {error}") from None
            raise NotAllowed(str(error)) from None
        if action.order:
            self.note_order(record.recordings, action.order)
        return record

    def note_order(self, recordings: Iterable[str], order: str) -> None:
        """Into those that are sealed already; one that goes on is told at its end."""
        going_on = self._conductor.performer.sound.open_recordings
        for recording in recordings:
            if recording not in going_on:
                self._parts.keeper.finish(recording, {"order": order})

    def place(self, agent: str, to: str) -> CallRecord:
        """Click to call: the agent's phone rings first."""
        return self._click(agent, to)

    def follow_up(self, agent: str, about: Reference) -> CallRecord:
        """The same to the citizen of a call, a callback or a work order, by that alone."""
        found = self._case(about)
        number = found.called if found.direction == "outbound" else found.caller
        try:
            return self._click(agent, number, found)
        except NotAllowed:
            raise NotAllowed(f"the citizen of call {found.call_id} cannot be called") from None

    def _click(self, agent: str, to: str, about: CallRecord | None = None) -> CallRecord:
        if self._conductor.draining:
            raise Unavailable("draining: no new calls are taken")
        directory = self._conductor.directory
        try:
            seat, target = directory.seat(agent), directory.find(to)
        except BadTarget as error:
            raise NotAllowed(str(error)) from None
        if isinstance(target, QueueTarget) or target.name == agent:
            raise NotAllowed(f"{to!r} cannot be called from here")
        if agent not in self._conductor.presence.registered and not seat.trunk:
            raise WrongState(f"seat {agent} is offline")
        return self.call(self._conductor.outbound.click(seat, target, about))

    def _case(self, about: Reference) -> CallRecord:
        """The call that a reference names; UnknownThing where there is none."""
        if about.callback:
            promised = {one.callback: one for one in self._parts.queueing.core.callbacks()}
            found = promised.get(about.callback)
            if found is None:
                raise UnknownThing(f"no callback {about.callback!r}")
            return self.call(found.call)
        if about.order:
            record = self._parts.book.of_order(about.order)
            if record is None:
                raise UnknownThing(f"no call about order {about.order!r}")
            return record
        return self.call(about.call)

    def minutes(self) -> list[MinutesStatus]:
        """What each trunk's package has been used for this month."""
        return self._parts.accounts.status()

    def call(self, call_id: str) -> CallRecord:
        """One call; UnknownThing when it is not in the book."""
        record = self._parts.book.get(call_id)
        if record is None:
            raise UnknownThing(f"no call {call_id!r}")
        return record


def status_of(party: Party) -> PartyStatus:
    """A party as screens show it."""
    return PartyStatus(
        leg=party.leg,
        who=party.target.name,
        kind=party.target.kind,
        role=party.role.value,
        stage=party.stage.value,
        place=party.place.value,
        muted=party.muted,
    )
