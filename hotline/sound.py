"""A visit's sound: who hears whom, what is played, what is recorded, told to the media plane."""

import contextlib
from collections.abc import Callable
from typing import Any

import structlog

from acd import events as acd
from callcore.errors import LocalProtocolError
from hotline import visit_effects as e
from hotline.parties import Party, Stage
from hotline.parts import Parts
from hotline.visit_state import Visit
from media.errors import LocalProtocolError as MediaError
from media.matrix import Gains
from media.spoken import queue_announcement

log = structlog.get_logger("hotline")
RINGBACK = "ringback.wav"
BOTH_SIDES = ("left", "right")


class Sound:
    """One for all visits; what each of them was told last is kept."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._queues = {q.name: q for q in parts.config.queues}
        self.open_recordings: dict[str, str] = {}  # recording -> call, until the recorder has it
        self.private: set[str] = set()  # calls whose recordings are paused

    def perform(self, visit: Visit, effect: e.Effect) -> None:
        """Do it now."""
        TABLE[type(effect)](self, visit, effect)

    def forget(self, visit: Visit) -> None:
        """The visit is gone."""
        self.private.discard(visit.call_id)
        self._parts.plane.unbridge(visit.call_id)

    def arrange(self, visit: Visit, effect: e.Arrange) -> None:
        """One bridge a visit, with a matrix where not everybody hears everybody."""
        legs, gains = matrix_of(effect.hears)
        if legs:
            self._parts.plane.bridge(visit.call_id, legs, gains)
        else:
            self._parts.plane.unbridge(visit.call_id)

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
        config = self._parts.config
        fixed = {
            "ringback": RINGBACK,
            "confirm": config.calls.confirm,
            "thanks": config.survey.thanks,
            "message": config.message.prompt,
        }
        if what in fixed:
            return (fixed[what],)
        if what.startswith("survey"):
            return (config.survey.prompt,)
        music = next(iter(self._queues.values())).music if self._queues else ""
        if queue is not None:
            music = queue.music
        welcome = ""
        if what == "welcome" and queue is not None:
            now_ms = self._parts.clock.wall_ms()
            today = self._parts.queueing.core.announcement(queue.name, now_ms)
            welcome = today or queue.announcement
        return tuple(name for name in (welcome, music) if name)

    def announce(self, visit: Visit, told: acd.Announce) -> None:
        """The citizen's place and wait, over the music; nothing of a leg that is just going."""
        ahead = None if told.position is None else told.position - 1
        words = queue_announcement(ahead, told.wait_seconds)
        citizen = visit.citizen
        try:
            if words and citizen is not None:
                self._parts.plane.say(citizen.leg, words)
        except MediaError as error:
            log.info("place not announced", call_id=visit.call_id, why=str(error))

    def stop_play(self, visit: Visit, effect: e.StopPlay) -> None:
        self._parts.plane.stop_play(effect.leg)

    def discern(self, visit: Visit, effect: e.Discern) -> None:
        self._parts.plane.discern(effect.leg, effect.on)

    def reanchor(self, visit: Visit, effect: e.Reanchor) -> None:
        """A leg without a port, or whose far end cannot be told now (no ACK), is not saved."""
        try:
            offer = self._parts.media.move(effect.leg, effect.near)
            self._parts.sip.offer(effect.leg, offer)
        except (LocalProtocolError, MediaError) as error:
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
            "part": record.recordings.index(effect.recording) + 1,
            "kind": kind_of(visit, other),
            "started_ms": self._parts.clock.wall_ms(),
        }
        right = (effect.other_leg,) if effect.other_leg else ()  # nobody: a message
        self._parts.plane.record(
            effect.recording,
            (effect.caller_leg,),
            right,
            header,
            BOTH_SIDES if visit.call_id in self.private else (),
        )

    def set_privacy(self, call_id: str, paused: bool) -> None:
        """Pause or resume all that is recorded of a call, parts to come included.

        It outlasts the media worker. MediaError when nothing is recorded.
        """
        plane, done = self._parts.plane, 0
        for recording in [one for one, call in self.open_recordings.items() if call == call_id]:
            with contextlib.suppress(MediaError):  # closed, and not sealed yet
                (plane.pause_record if paused else plane.resume_record)(recording)
                done += 1
        if not done:
            raise MediaError(f"nothing of call {call_id} is recorded")
        (self.private.add if paused else self.private.discard)(call_id)

    def stop_recording(self, visit: Visit, effect: e.StopRecording) -> None:
        self._parts.plane.stop_record(effect.recording)


def kind_of(visit: Visit, other: Party | None) -> str:
    """What a recording is of, for its manifest: a message, the first talk, or what came of it."""
    if other is None:
        return "message"
    talking = [one for one in visit.where(Stage.UP) if one.recording and one is not other]
    if talking:
        return "conference"
    return "talk" if other.recording.endswith("-1") else "transfer"


def matrix_of(hears: e.Hears) -> tuple[tuple[str, ...], Gains | None]:
    """The legs of a bridge, and (None: all hear all) who of them hears whom."""
    known = dict(hears)
    legs = tuple(dict.fromkeys((*known, *(leg for _, others in hears for leg in others))))
    rows = tuple(tuple(float(mouth in known.get(ear, ())) for mouth in legs) for ear in legs)
    is_full = all(row.count(1.0) == len(legs) - 1 for row in rows)
    return legs, None if is_full else rows


TABLE: dict[type, Callable[..., None]] = {
    e.Arrange: Sound.arrange,
    e.Play: Sound.play,
    e.StopPlay: Sound.stop_play,
    e.Discern: Sound.discern,
    e.Reanchor: Sound.reanchor,
    e.StartRecording: Sound.start_recording,
    e.StopRecording: Sound.stop_recording,
}
