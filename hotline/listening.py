"""What the media plane tells: keys, silence, prompts that ended, recordings, workers that died."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog
from msgspec.structs import asdict

from hotline import visit_facts as f
from hotline.events import Alert
from hotline.visit_state import Phase
from media import events as media

if TYPE_CHECKING:
    from hotline.conductor import Conductor

log = structlog.get_logger("hotline")


class Listening:
    """Facts of the media plane, told to the visits that they are about."""

    def __init__(self, conductor: "Conductor") -> None:
        self._conductor = conductor
        self._parts = conductor.parts
        self._performer = conductor.performer

    def heard(self, fact: media.Event) -> None:
        """One fact."""
        handler = TABLE.get(type(fact))
        if handler is not None:
            handler(self, fact)

    def _silent(self, fact: media.RtpTimeout) -> None:
        log.info("no media", leg=fact.leg)
        self._conductor.tell_leg(fact.leg, f.LegSilent(fact.leg))

    def _pressed(self, fact: media.Dtmf) -> None:
        """An answer to a prompt, or a key of a feature code."""
        conductor = self._conductor
        conductor.tell_leg(fact.leg, f.Digit(fact.leg, fact.digit))
        call_id = self._performer.call_of_leg.get(fact.leg)
        if call_id is not None and call_id in conductor.visits:
            conductor.keypads.pressed(call_id, fact.leg, fact.digit)
            conductor.callback_offers.pressed(call_id, fact.leg, fact.digit)

    def _tone_heard(self, fact: media.ToneHeard) -> None:
        """Why a leg will not be answered, where its network says so by tones alone."""
        call_id = self._performer.call_of_leg.get(fact.leg, "")
        log.info("tone heard", call_id=call_id, leg=fact.leg, tone=fact.tone)
        record = self._parts.book.get(call_id)
        if record is not None:
            record.tones[fact.leg] = fact.tone
        self._conductor.tell_leg(fact.leg, f.ToneHeard(fact.leg, fact.tone))

    def _prompts_finished(self, fact: media.PromptsFinished) -> None:
        self._conductor.tell_leg(fact.leg, f.PromptsEnded(fact.leg))

    def _leg_failed(self, fact: media.LegFailed) -> None:
        """The worker could not open the leg's socket: that end will never be heard."""
        log.error("media leg failed", leg=fact.leg, why=fact.why)
        self._parts.sip.hang_up(fact.leg, "media lost")

    def _leg_closed(self, fact: media.LegClosed) -> None:
        """How good it sounded, for the call's record and for the meters."""
        call_id, side = self._performer.closing.pop(fact.leg, ("", ""))
        record = self._parts.book.get(call_id)
        if record is not None and side:
            record.quality[side] = asdict(fact.quality)
        self._parts.meters.legs.heard(side or "none", fact.quality, fact.sound)

    def _recording_closed(self, fact: media.RecordingClosed) -> None:
        self._seal(fact.recording)

    def _sink_failed(self, fact: media.SinkFailed) -> None:
        log.error("recording not written", recording=fact.recording, why=fact.why)
        self._parts.meters.sink_failures.inc()
        self._parts.keeper.sink_failed(fact.recording, fact.why)
        self._conductor.herald.tell(
            Alert("recording", f"{fact.recording}: {fact.why}", fact.recording)
        )

    def _worker_lost(self, fact: media.WorkerLost) -> None:
        """Its calls go on over the new worker; taps whose call is over are sealed as they are."""
        conductor = self._conductor
        log.error("media worker lost", worker=fact.worker, legs=len(fact.legs))
        self._parts.meters.workers_lost.inc()
        text = f"worker {fact.worker} was replaced"
        conductor.herald.tell(Alert("media worker", text, str(fact.worker)))
        calls = dict.fromkeys(self._performer.call_of_leg.get(leg) for leg in fact.legs)
        for call_id in calls:
            if call_id is not None:
                conductor.tell(call_id, f.MediaLost())
        live = {
            party.recording
            for visit in conductor.visits.values()
            if visit.phase is not Phase.ENDING
            for party in visit.parties
        }
        for recording in fact.recordings:
            if recording not in live:
                self._seal(recording)

    def _seal(self, recording: str) -> None:
        call_id = self._performer.sound.open_recordings.pop(recording, None)
        if call_id is not None:
            facts: dict[str, Any] = {"ended_ms": self._parts.clock.wall_ms()}
            record = self._parts.book.get(call_id)
            if record is not None:
                facts |= {"order": record.order, "result": record.result or ""}
            self._parts.keeper.finish(recording, facts)


TABLE: dict[type, Callable[..., None]] = {
    media.RtpTimeout: Listening._silent,
    media.Dtmf: Listening._pressed,
    media.ToneHeard: Listening._tone_heard,
    media.PromptsFinished: Listening._prompts_finished,
    media.LegFailed: Listening._leg_failed,
    media.LegClosed: Listening._leg_closed,
    media.RecordingClosed: Listening._recording_closed,
    media.SinkFailed: Listening._sink_failed,
    media.WorkerLost: Listening._worker_lost,
}
