"""A visit's sound: who hears whom, what is played, what is recorded, told to the media plane."""

from collections.abc import Callable
from typing import Any

import structlog

from callcore.errors import LocalProtocolError
from hotline import visit_effects as e
from hotline.parts import Parts
from hotline.visit_state import Visit

log = structlog.get_logger("hotline")
RINGBACK = "ringback.wav"


class Sound:
    """One for all visits; what each of them was told last is kept."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._queues = {q.name: q for q in parts.config.queues}
        self._rooms: dict[str, list[tuple[str, ...]]] = {}  # call -> the legs of each bridge
        self.open_recordings: dict[str, str] = {}  # recording -> call, until the recorder has it

    def perform(self, visit: Visit, effect: e.Effect) -> None:
        """Do it now."""
        TABLE[type(effect)](self, visit, effect)

    def forget(self, visit: Visit) -> None:
        """The visit is gone."""
        for number in range(len(self._rooms.pop(visit.call_id, []))):
            self._parts.plane.unbridge(bridge_of(visit.call_id, number))

    def arrange(self, visit: Visit, effect: e.Arrange) -> None:
        """One bridge for each set of legs that hear one another."""
        after = rooms(effect.hears)
        before = self._rooms.get(visit.call_id, [])
        for number in range(len(after), len(before)):
            self._parts.plane.unbridge(bridge_of(visit.call_id, number))
        for number, legs in enumerate(after):
            self._parts.plane.bridge(bridge_of(visit.call_id, number), legs)
        self._rooms[visit.call_id] = after

    def play(self, visit: Visit, effect: e.Play) -> None:
        prompts = self._prompts(visit, effect.what)
        if prompts:
            loops = effect.what in ("welcome", "music", "ringback")
            self._parts.plane.play(effect.leg, prompts, loop_last=loops)
        else:
            self._parts.plane.stop_play(effect.leg)

    def _prompts(self, visit: Visit, what: str) -> tuple[str, ...]:
        """A call that no queue has has the first queue's music."""
        record = self._parts.book.get(visit.call_id)
        queue = self._queues.get(record.queue or "") if record is not None else None
        music = next(iter(self._queues.values())).music if self._queues else ""
        if queue is not None:
            music = queue.music
        if what == "welcome" and queue is not None:
            return tuple(name for name in (queue.announcement, music) if name)
        if what == "ringback":
            return (RINGBACK,)
        return (music,) if music else ()

    def stop_play(self, visit: Visit, effect: e.StopPlay) -> None:
        self._parts.plane.stop_play(effect.leg)

    def reanchor(self, visit: Visit, effect: e.Reanchor) -> None:
        """A leg whose far end cannot be told now (no ACK yet) cannot be saved."""
        self._rooms.pop(visit.call_id, None)
        offer = self._parts.media.move(effect.leg, effect.near)
        try:
            self._parts.sip.offer(effect.leg, offer)
        except LocalProtocolError as error:
            log.warning("leg not re-anchored", leg=effect.leg, why=str(error))
            self._parts.sip.hang_up(effect.leg, "media lost")

    def start_recording(self, visit: Visit, effect: e.StartRecording) -> None:
        record = self._parts.book.get(visit.call_id)
        assert record is not None
        other = visit.find(effect.other_leg)
        if effect.recording not in self.open_recordings:
            self.open_recordings[effect.recording] = visit.call_id
            record.recordings.append(effect.recording)
            record.recording = record.recording or effect.recording
        header: dict[str, Any] = {
            "recording": effect.recording,
            "call_id": visit.call_id,
            "caller": record.caller,
            "called": record.called,
            "agent": other.target.name if other is not None else visit.agent,
            "queue": record.queue,
            "started_ms": self._parts.clock.wall_ms(),
        }
        self._parts.plane.record(
            effect.recording, left=effect.caller_leg, right=effect.other_leg, header=header
        )

    def stop_recording(self, visit: Visit, effect: e.StopRecording) -> None:
        self._parts.plane.stop_record(effect.recording)


def bridge_of(call_id: str, number: int) -> str:
    """The name of a visit's bridge: the talk's is the call's."""
    return call_id if number == 0 else f"{call_id}/{number}"


def rooms(hears: e.Hears) -> list[tuple[str, ...]]:
    """Sets of legs that hear one another, the largest first."""
    known = {leg: frozenset((leg, *others)) for leg, others in hears}
    found: dict[frozenset[str], None] = {}
    for leg, room in known.items():
        mutual = frozenset(one for one in room if one == leg or leg in known.get(one, frozenset()))
        if len(mutual) > 1 and all(mutual <= known[one] for one in mutual):
            found[mutual] = None
    ordered = sorted(found, key=len, reverse=True)
    return [tuple(leg for leg in known if leg in room) for room in ordered]


TABLE: dict[type, Callable[..., None]] = {
    e.Arrange: Sound.arrange,
    e.Play: Sound.play,
    e.StopPlay: Sound.stop_play,
    e.Reanchor: Sound.reanchor,
    e.StartRecording: Sound.start_recording,
    e.StopRecording: Sound.stop_recording,
}
