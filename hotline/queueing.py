"""The queue's core at work: its timers on the loop's clock, its events in the journal."""

import asyncio
from collections.abc import Callable

from acd.core import Core
from acd.events import Arm, Disarm, Effect, Event, Fired
from acd.io.journal import Journal
from hotline.clock import Clock


class Queueing:
    """Tells the core facts, journals them, arms its timers and hands on its other effects.

    Effects are handed on after the core's step is over, in order; `perform` may tell more facts.
    """

    def __init__(
        self, core: Core, journal: Journal | None, clock: Clock, perform: Callable[[Effect], None]
    ) -> None:
        self.core = core
        self._journal = journal
        self._clock = clock
        self._perform = perform
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def tell(self, event: Event) -> None:
        """One fact, journalled in the order in which the core sees it."""
        if self._journal is not None:
            self._journal.append(event)
        for effect in self.core.step(event):
            if isinstance(effect, Arm):
                self._arm(effect)
            elif isinstance(effect, Disarm):
                self._disarm(effect.timer)
            else:
                self._perform(effect)

    def close(self) -> None:
        """No timer fires any more."""
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()

    def _arm(self, effect: Arm) -> None:
        self._disarm(effect.timer)
        delay = max(0.0, (effect.at_ms - self._clock.wall_ms()) / 1000)
        loop = asyncio.get_running_loop()
        self._timers[effect.timer] = loop.call_later(delay, self._fire, effect.timer)

    def _disarm(self, timer: str) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def _fire(self, timer: str) -> None:
        self._timers.pop(timer, None)
        self.tell(Fired(self._clock.wall_ms(), timer))
