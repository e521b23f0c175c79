"""Holds and deletions as they are done: allowed by the book, then by the store, then by both."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from recorder.approvers import Approvers
from recorder.custody import Custody, Event, Kind, Refused, State, step
from recorder.io import figures
from recorder.io.custody import CustodyBook
from recorder.io.index import Entry
from recorder.io.objects import StoreError
from recorder.io.reviews import Reviews
from recorder.io.turns import turn
from recorder.io.vault import Vault
from recorder.manifest import manifest_key


class UnknownRecording(LookupError):
    """The index has none of that name."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who says that it is them."""

    name: str
    password: str = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class Custodian:
    """All calls block; all raise UnknownRecording, NotAllowed, Refused, StoreError, IndexFailed."""

    vault: Vault
    approvers: Approvers

    @property
    def book(self) -> CustodyBook:
        return CustodyBook(self.vault.index.database, self.vault.store)

    def custody(self, recording: str) -> Custody:
        return self.book.of(self._entry(recording))

    def hold(self, recording: str, who: Person, reason: str, now_ms: int) -> Custody:
        """Until it is lifted, nothing deletes it: not two people, and no rule of the store's.

        A store that can do neither is a StoreError, for a rule of its may delete what our book
        says is held.
        """
        with turn(self.vault.index.database, recording):
            return self._hold(
                self._allowed(recording, who), Event("hold", who.name, now_ms, reason)
            )

    def _hold(self, custody: Custody, event: Event) -> Custody:
        held = custody.state is State.HELD
        if not held:
            step(custody, event)  # refused before anything is done
        # The store first: a deletion that looked at the book a moment ago is stopped by it alone.
        # Once more where it was held already: the store may have been away then.
        try:
            bound = self._bind(custody, True)
        finally:
            if not held:
                custody = self.book.record(custody, event)
        if not bound:
            raise StoreError(
                f"recording {custody.recording} is held in our book alone: {self.vault.store.url} "
                "can neither lock it nor spare it from its rule of expiry; let the store's keys do "
                "either and hold it again, or copy the recording out",
                store_away=False,
            )
        if held:
            step(custody, event)
        return custody

    def lift(self, recording: str, who: Person, reason: str, now_ms: int) -> Custody:
        custody = self._allowed(recording, who)
        lifted = custody.last is not None and custody.last.kind == "lift"
        if not lifted:
            custody = self.book.record(custody, Event("lift", who.name, now_ms, reason))
        # Once more where it was lifted already: the store may have been away then.
        self._bind(custody, False)
        if lifted:
            step(custody, Event("lift", who.name, now_ms, reason))
        return custody

    def ask_deletion(self, recording: str, who: Person, reason: str, now_ms: int) -> Custody:
        """The first of two; only past the date, and not under a hold."""
        return self._record("ask", recording, who, reason, now_ms)

    def withdraw(self, recording: str, who: Person, reason: str, now_ms: int) -> Custody:
        return self._record("withdraw", recording, who, reason, now_ms)

    def approve_deletion(self, recording: str, who: Person, now_ms: int) -> Custody:
        """The second of two: the recording is deleted, and the custody is its tombstone.

        Once approved, either of them may do it again, when the store was away.
        """
        with turn(self.vault.index.database, recording):
            custody = self._allowed(recording, who)
            if custody.state is not State.APPROVED:
                custody = self.book.record(custody, Event("approve", who.name, now_ms))
            return self._delete(custody, Event("deleted", who.name, now_ms), now_ms)

    def expired(self, entry: Entry, now_ms: int) -> Custody:
        """Its time was over, and the store's rule has taken it."""
        event = Event("expired", "the store's lifecycle rule", now_ms)
        custody = self.book.record(self.book.of(entry), event)
        self._bury(custody)
        return custody

    def expire(self, entry: Entry, now_ms: int) -> Custody:
        """Its time is over and nothing holds it: done by us where the store has no rule for it.

        Again when it broke off: what is gone already is no error.
        """
        event = Event("expired", "callcore's rule of expiry", now_ms)
        with turn(self.vault.index.database, entry.recording):
            custody = self.book.of(entry)
            step(custody, event)
            return self._delete(custody, event, now_ms)

    def _delete(self, custody: Custody, event: Event, now_ms: int) -> Custody:
        """In its turn: who writes the manifest at this moment would bring it back."""
        for key in (custody.key, manifest_key(custody.key)):
            self.vault.store.delete(key, now_ms)
        custody = self.book.record(custody, event)
        self._bury(custody)
        return custody

    def _record(self, kind: Kind, recording: str, who: Person, reason: str, now_ms: int) -> Custody:
        custody = self._allowed(recording, who)
        return self.book.record(custody, Event(kind, who.name, now_ms, reason))

    def _allowed(self, recording: str, who: Person) -> Custody:
        self.approvers.check(who.name, who.password)
        return self.custody(recording)

    def _entry(self, recording: str) -> Entry:
        entry = self.vault.index.get(recording)
        if entry is None:
            raise UnknownRecording(f"no recording {recording!r}")
        if entry.state in ("spooled", "failed"):
            raise Refused(f"recording {recording} is {entry.state}: the store does not have it")
        return entry

    def _bind(self, custody: Custody, held: bool) -> bool:
        """In the store, audio and manifest; whether it did so with both."""
        if custody.state is State.DELETED:
            return True
        keys = (custody.key, manifest_key(custody.key))
        done = [self.vault.store.hold(key, held) for key in keys]  # both, whatever one says
        return all(done)

    def _bury(self, custody: Custody) -> None:
        """The index keeps that it was there; the citizen's number goes with the audio."""
        entry = self.vault.index.get(custody.recording)
        last = custody.last
        if entry is not None and last is not None:
            note = f"{last.kind} {last.at} by {last.by}"
            self.vault.index.put(
                dataclasses.replace(entry, state="deleted", caller="", called="", note=note)
            )
            Reviews(self.vault.index.database).forget(custody.recording)
            figures.forget(self.vault.index.database, custody.recording)
