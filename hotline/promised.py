"""The offer of a callback to a waiting caller, and the key that takes it."""

from typing import TYPE_CHECKING

import structlog

from acd import events as acd
from hotline import visit_facts as f
from hotline.visit_state import Phase

if TYPE_CHECKING:
    from hotline.conductor import Conductor

log = structlog.get_logger("hotline")
KEY = "1"  # as the prompt says


class CallbackOffers:
    """Who has heard the offer; the key means nothing from anybody else."""

    def __init__(self, conductor: "Conductor") -> None:
        self._conductor = conductor
        self._parts = conductor.parts
        self._queues = {queue.name: queue for queue in conductor.parts.config.queues}
        self._offered: set[str] = set()

    def offer(self, effect: acd.OfferCallback) -> None:
        """Say it, then the music again."""
        visit = self._conductor.visits.get(effect.call)
        record = self._parts.book.get(effect.call)
        if visit is None or visit.citizen is None or record is None or record.queue is None:
            return
        queue = self._queues[record.queue]
        prompts = tuple(name for name in (queue.callback.prompt, queue.music) if name)
        self._offered.add(effect.call)
        self._parts.plane.play(visit.citizen.leg, prompts, loop_last=bool(queue.music))

    def pressed(self, call_id: str, leg: str, digit: str) -> None:
        """The caller takes it: it leaves, and its place is kept."""
        visit = self._conductor.visits.get(call_id)
        if call_id not in self._offered or digit != KEY or visit is None:
            return
        if visit.phase is not Phase.QUEUED or visit.citizen is None or visit.citizen.leg != leg:
            return
        queueing = self._parts.queueing
        queueing.tell(acd.CallbackAsked(self._parts.clock.wall_ms(), call_id))
        if queueing.core.call(call_id) is None:
            log.info("callback promised", call_id=call_id)
            self._conductor.tell(call_id, f.HangUp("called back"))

    def forget(self, call_id: str) -> None:
        """The visit is gone."""
        self._offered.discard(call_id)
