"""Performs the effects that a visit's machine asks for: one method an effect."""

from collections.abc import Callable
from typing import Any

import structlog

from acd import events as acd
from callcore.call.placement import Party, SeatTarget
from callcore.errors import LocalProtocolError
from hotline import visit_facts as v
from hotline.calls import CallBook
from hotline.parts import Parts
from hotline.visit import Visit
from media.errors import LocalProtocolError as MediaError

log = structlog.get_logger("hotline")
Tell = Callable[[str, v.Event], None]
MOST_CLOSING = 10_000
BOTH_SIDES = ("left", "right")


class Performer:
    """The hands of the conductor; `tell` puts a fact into a visit's inbox."""

    def __init__(self, parts: Parts, tell: Tell) -> None:
        self._parts = parts
        self._tell = tell
        self._queues = {q.name: q for q in parts.config.queues}
        self.call_of_leg: dict[str, str] = {}
        self.open_recordings: dict[str, str] = {}  # recording -> call, until the recorder has it
        self.closing: dict[str, tuple[str, str]] = {}  # leg -> call, side, until it is summed up
        self.private: set[str] = set()  # recordings that are paused

    @property
    def _book(self) -> CallBook:
        return self._parts.book

    def perform(self, visit: Visit, effect: v.Effect) -> None:
        """Do it now; what cannot be done comes back to the visit as a fact."""
        TABLE[type(effect)](self, visit, effect)

    # The queue --------------------------------------------------------------------------------

    def join_queue(self, visit: Visit, _: v.JoinQueue) -> None:
        record = self._book.get(visit.call_id)
        assert record is not None
        assert record.queue is not None
        at_ms = self._now_ms()
        self._book.queued(visit.call_id, at_ms)
        self._parts.queueing.tell(
            acd.Arrived(
                at_ms=at_ms,
                call=visit.call_id,
                queue=record.queue,
                caller=record.caller,
                skills=tuple(self._queues[record.queue].skills),
            )
        )

    def leave_queue(self, visit: Visit, _: v.LeaveQueue) -> None:
        self._queue(acd.HungUp(self._now_ms(), visit.call_id))

    def accept_offer(self, visit: Visit, effect: v.AcceptOffer) -> None:
        self._queue(acd.Accepted(self._now_ms(), effect.token))

    def refuse_offer(self, visit: Visit, effect: v.RefuseOffer) -> None:
        self._queue(acd.Refused(self._now_ms(), effect.token, effect.status))

    def call_bridged(self, visit: Visit, _: v.CallBridged) -> None:
        assert visit.agent is not None
        at_ms = self._now_ms()
        self._queue(acd.Bridged(at_ms, visit.call_id))
        wait_ms = self._book.bridged(visit.call_id, visit.agent, at_ms)
        if wait_ms is not None:
            self._parts.meters.answer_seconds.observe(wait_ms / 1000)

    def call_held(self, visit: Visit, _: v.CallHeld) -> None:
        self._queue(acd.Held(self._now_ms(), visit.call_id))

    def call_resumed(self, visit: Visit, _: v.CallResumed) -> None:
        self._queue(acd.Resumed(self._now_ms(), visit.call_id))

    def call_over(self, visit: Visit, _: v.CallOver) -> None:
        self._queue(acd.CallEnded(self._now_ms(), visit.call_id))

    def agent_lost(self, visit: Visit, _: v.AgentLost) -> None:
        self._queue(acd.AgentDropped(self._now_ms(), visit.call_id))

    # SIP --------------------------------------------------------------------------------------

    def dial_agent(self, visit: Visit, effect: v.DialAgent) -> None:
        """Place the agent's leg; one that cannot be placed has ended with 480."""
        parts = self._parts
        record = self._book.get(visit.call_id)
        assert record is not None
        self.call_of_leg[effect.leg] = visit.call_id
        try:
            parts.media.open(effect.leg, near=visit.caller_leg, seat=effect.agent)
            offer = parts.media.offer(effect.leg)
            caller = Party(record.caller, record.caller)
            parts.sip.place(effect.leg, SeatTarget(effect.agent), caller, offer)
        except (LocalProtocolError, MediaError) as error:
            log.warning("agent not dialled", agent=effect.agent, why=str(error))
            self._tell(visit.call_id, v.LegEnded(effect.leg, 480, "local"))

    def end_leg(self, visit: Visit, effect: v.EndLeg) -> None:
        self._parts.sip.hang_up(effect.leg, effect.reason or None)

    # Media ------------------------------------------------------------------------------------

    def close_media(self, visit: Visit, effect: v.CloseMedia) -> None:
        side = "caller" if effect.leg == visit.caller_leg else "agent"
        self.closing[effect.leg] = visit.call_id, side
        if len(self.closing) > MOST_CLOSING:  # legs of workers that died are never summed up
            del self.closing[next(iter(self.closing))]
        self._parts.media.close(effect.leg)
        self.call_of_leg.pop(effect.leg, None)

    def play_waiting(self, visit: Visit, effect: v.PlayWaiting) -> None:
        record = self._book.get(visit.call_id)
        assert record is not None
        queue = self._queues[record.queue or ""]
        prompts = (queue.music,) if effect.again else (queue.announcement, queue.music)
        names = tuple(name for name in prompts if name)
        if names:
            self._parts.plane.play(effect.leg, names, loop_last=bool(queue.music))

    def stop_play(self, visit: Visit, effect: v.StopPlay) -> None:
        self._parts.plane.stop_play(effect.leg)

    def bridge(self, visit: Visit, effect: v.Bridge) -> None:
        self._parts.plane.bridge(visit.call_id, (effect.caller_leg, effect.agent_leg))

    def unbridge(self, visit: Visit, _: v.Unbridge) -> None:
        self._parts.plane.unbridge(visit.call_id)

    def reanchor(self, visit: Visit, effect: v.Reanchor) -> None:
        """A leg whose far end cannot be told now (no ACK yet) cannot be saved."""
        offer = self._parts.media.move(effect.leg, effect.near)
        try:
            self._parts.sip.offer(effect.leg, offer)
        except LocalProtocolError as error:
            log.warning("leg not re-anchored", leg=effect.leg, why=str(error))
            self._parts.sip.hang_up(effect.leg, "media lost")

    # Recording --------------------------------------------------------------------------------

    def start_recording(self, visit: Visit, effect: v.StartRecording) -> None:
        record = self._book.get(visit.call_id)
        assert record is not None
        if effect.recording not in self.open_recordings:
            self.open_recordings[effect.recording] = visit.call_id
            record.recordings.append(effect.recording)
            record.recording = record.recording or effect.recording
        header: dict[str, Any] = {
            "recording": effect.recording,
            "call_id": visit.call_id,
            "caller": record.caller,
            "called": record.called,
            "agent": visit.agent,
            "queue": record.queue,
            "started_ms": self._now_ms(),
        }
        paused = BOTH_SIDES if effect.recording in self.private else ()
        self._parts.plane.record(
            effect.recording, effect.caller_leg, effect.agent_leg, header, paused
        )

    def stop_recording(self, visit: Visit, effect: v.StopRecording) -> None:
        self.private.discard(effect.recording)
        self._parts.plane.stop_record(effect.recording)

    def set_privacy(self, recording: str, paused: bool) -> None:
        """Pause or resume; it outlasts the media worker. MediaError when nothing is recorded."""
        if paused:
            self._parts.plane.pause_record(recording)
            self.private.add(recording)
        else:
            self._parts.plane.resume_record(recording)
            self.private.discard(recording)

    def gone(self, visit: Visit, _: v.Gone) -> None:
        self._parts.plane.unbridge(visit.call_id)

    # ------------------------------------------------------------------------------------------

    def _queue(self, event: acd.Event) -> None:
        self._parts.queueing.tell(event)

    def _now_ms(self) -> int:
        return self._parts.clock.wall_ms()


TABLE: dict[type, Callable[..., None]] = {
    v.JoinQueue: Performer.join_queue,
    v.LeaveQueue: Performer.leave_queue,
    v.AcceptOffer: Performer.accept_offer,
    v.RefuseOffer: Performer.refuse_offer,
    v.CallBridged: Performer.call_bridged,
    v.CallHeld: Performer.call_held,
    v.CallResumed: Performer.call_resumed,
    v.CallOver: Performer.call_over,
    v.AgentLost: Performer.agent_lost,
    v.DialAgent: Performer.dial_agent,
    v.EndLeg: Performer.end_leg,
    v.CloseMedia: Performer.close_media,
    v.PlayWaiting: Performer.play_waiting,
    v.StopPlay: Performer.stop_play,
    v.Bridge: Performer.bridge,
    v.Unbridge: Performer.unbridge,
    v.StartRecording: Performer.start_recording,
    v.StopRecording: Performer.stop_recording,
    v.Reanchor: Performer.reanchor,
    v.Gone: Performer.gone,
}
