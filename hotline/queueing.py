"""The queue's core at work: its timers on the loop's clock, its events in the journal."""

import asyncio
from collections.abc import Callable

from acd.core import Core
from acd.events import Arm, Configured, Disarm, Effect, Event, Finished, Fired, Restarted
from acd.frames import frame
from acd.io.journal import Journal
from acd.settings import AcdSettings
from hotline.clock import Clock
from hotline.membership import Membership, Single


class Queueing:
    """Tells the core facts, journals them, arms its timers and hands on its other effects.

    Effects are handed on after the core's step is over, in order; `perform` may tell more facts,
    whose effects come behind those that there are: a timer that the second fact disarms was armed.
    In a cluster it leads, follows (the leader's facts alone count, and nothing comes of them
    here), or rests (replaced: its last calls end, and what is decided for them is nobody's truth).
    """

    def __init__(
        self, core: Core, journal: Journal | None, clock: Clock, perform: Callable[[Effect], None]
    ) -> None:
        self.core = core
        self.membership: Membership = Single()
        self.on_written: Callable[[int, bytes], None] | None = None  # number and frame
        self._journal = journal
        self._kept = journal  # while nothing of ours may be written to it
        self._follows = False
        self._clock = clock
        self._perform = perform
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._effects: list[Effect] | None = None  # that are being handed on

    @property
    def journal(self) -> Journal | None:
        """The node's, whoever leads."""
        return self._kept

    def leads(self) -> bool:
        """Whether a new call may be taken now."""
        return self.membership.leads()

    def tell(self, event: Event) -> None:
        """One fact, journalled in the order in which the core sees it."""
        if self._follows:
            return
        if self._journal is not None:
            self._write(self._journal, event)
        effects = self.core.step(event)
        if self._effects is not None:  # told by one of its own effects: behind the others
            for effect in effects:
                if isinstance(effect, Finished):
                    self._perform(effect)  # its visit is gone before their turn comes
                else:
                    self._effects.append(effect)
            return
        self._effects = effects
        try:
            for effect in effects:  # which grow meanwhile
                if isinstance(effect, Arm):
                    self._arm(effect)
                elif isinstance(effect, Disarm):
                    self._disarm(effect.timer)
                else:
                    self._perform(effect)
        finally:
            self._effects = None

    def follow(self, event: Event, written: bytes) -> None:
        """One fact of the leader's: into state and journal, with no effect."""
        assert self._follows
        if self._kept is not None:
            self._kept.append(event, written)
        self.core.step(event)

    def adopt(self, core: Core, journal: Journal | None) -> None:
        """Follows from now on, from this state."""
        self.close()
        self.core, self._kept, self._journal, self._follows = core, journal, None, True

    def lead(self, settings: AcdSettings) -> None:
        """Writes from now on: under these settings, and without the calls of whoever led before.

        What a crash or a take-over cut off is counted as failed; wrap-ups and breaks go on.
        """
        self._journal, self._follows = self._kept, False
        self.tell(Configured(self._clock.wall_ms(), settings))
        self.tell(Restarted(self._clock.wall_ms()))

    def rest(self) -> None:
        """Writes no more; what is still told moves the core and nothing else."""
        self._journal = None

    def close(self) -> None:
        """No timer fires any more."""
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()

    def _write(self, journal: Journal, event: Event) -> None:
        if self.on_written is None:
            journal.append(event)
        else:
            written = frame(event)
            journal.append(event, written)
            self.on_written(journal.sequence, written)

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
