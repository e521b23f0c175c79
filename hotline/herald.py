"""The herald: tells the desk and the log what changed."""

from collections.abc import Callable

import structlog

from acd import events as acd
from hotline.clock import iso
from hotline.events import Alert, CallbackChanged, CallChanged, LiveEvent, RecordingChanged
from hotline.parts import Parts
from hotline.visit_state import Visit
from recorder import events as recorder

log = structlog.get_logger("hotline")
audit = structlog.get_logger("audit")


class Herald:
    """Publishes to the live hub; everything that it tells is also in the API."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def tell(self, event: LiveEvent) -> None:
        """One event, now."""
        self._parts.hub.publish(self._parts.clock.wall_ms(), event)

    def call(self, visit: Visit) -> None:
        """A visit moved: bring its record up to date and tell it."""
        record = self._parts.book.get(visit.call_id)
        if record is None:
            return
        if record.ended is None:
            record.state = visit.state
            record.agent = visit.agent or record.agent
        self.tell(
            CallChanged(
                call_id=record.call_id,
                state=record.state,
                caller=record.caller,
                called=record.called,
                queue=record.queue or "",
                agent=record.agent,
                result=record.result,
                wait_ms=record.wait_ms,
                recording=record.recording,
            )
        )

    def on_recorder(self, fact: recorder.Event) -> None:
        """What became of a recording, or of the store."""
        RECORDER[type(fact)](self, fact)

    def on_queue(self, effect: acd.Overstayed | acd.Sidelined | acd.CallbackEnded) -> None:
        """What the supervisor has to know of the floor."""
        QUEUE[type(effect)](self, effect)

    def _overstayed(self, effect: acd.Overstayed) -> None:
        log.warning("agent in one state for long", user=effect.agent, state=effect.state)
        since = iso(effect.since_ms)
        self.tell(
            Alert("overstayed", f"{effect.agent} is {effect.state} since {since}", effect.agent)
        )

    def _sidelined(self, effect: acd.Sidelined) -> None:
        """Never silent: an agent who does not answer costs every caller after it."""
        log.warning("agent does not answer", user=effect.agent, misses=effect.misses)
        text = f"{effect.agent} missed {effect.misses} calls in a row and was made not ready"
        self.tell(Alert("no_answer", text, effect.agent))

    def _called_back(self, effect: acd.CallbackEnded) -> None:
        log.info("callback over", callback=effect.callback, result=effect.result)
        self.tell(CallbackChanged(effect.callback, effect.result, effect.attempts))

    def _recording(self, recording: str, state: str) -> None:
        call_id = recording.rpartition("-")[0]
        self.tell(RecordingChanged(recording, call_id, state))

    def _stored(self, fact: recorder.Stored) -> None:
        log.info("recording stored", recording=fact.recording, sha256=fact.sha256)
        self._recording(fact.recording, "stored")

    def _lost(self, fact: recorder.Failed) -> None:
        log.error("recording lost", recording=fact.recording, why=fact.why)
        self._recording(fact.recording, "failed")

    def _amended(self, fact: recorder.Amended) -> None:
        log.info("recording amended", recording=fact.recording, order=fact.order)

    def _delayed(self, fact: recorder.Delayed) -> None:
        log.warning("recording not stored yet", recording=fact.recording, why=fact.why)

    def _store_lost(self, fact: recorder.StoreLost) -> None:
        log.error("store away", why=fact.why)
        self.tell(Alert("store", fact.why))

    def _store_back(self, fact: recorder.StoreBack) -> None:
        log.info("store back", away_seconds=round(fact.away_seconds, 1))
        self.tell(Alert("store", "back", "back"))

    def _space_changed(self, fact: recorder.SpaceChanged) -> None:
        log.warning("spool space", state=fact.state, free_bytes=fact.free_bytes, why=fact.why)
        self.tell(Alert("spool", f"{fact.state}: {fact.why}", fact.state))

    def _store_limits(self, fact: recorder.StoreLimits) -> None:
        for why in fact.why:
            log.warning("the store's limits", why=why)

    def _expired(self, fact: recorder.Expired) -> None:
        kept_until = iso(fact.kept_until_ms)
        audit.info("recording expired", recording=fact.recording, kept_until=kept_until)
        self._recording(fact.recording, "deleted")

    def _guard_checked(self, fact: recorder.GuardChecked) -> None:
        """A recording that does not play is lost to the auditor: nobody may miss it."""
        if not fact.why:
            log.info("recording proved", recording=fact.recording)
            return
        log.error("recording does not play", recording=fact.recording, why=fact.why)
        self.tell(Alert("recording guard", f"{fact.recording}: {fact.why}", fact.recording))


QUEUE: dict[type, Callable[..., None]] = {
    acd.Overstayed: Herald._overstayed,
    acd.Sidelined: Herald._sidelined,
    acd.CallbackEnded: Herald._called_back,
}
RECORDER: dict[type, Callable[..., None]] = {
    recorder.Stored: Herald._stored,
    recorder.Failed: Herald._lost,
    recorder.Amended: Herald._amended,
    recorder.Delayed: Herald._delayed,
    recorder.StoreLost: Herald._store_lost,
    recorder.StoreBack: Herald._store_back,
    recorder.SpaceChanged: Herald._space_changed,
    recorder.StoreLimits: Herald._store_limits,
    recorder.GuardChecked: Herald._guard_checked,
    recorder.Expired: Herald._expired,
}
