"""A shift at a hotline by chance: what the conductor would tell the core, from a seed."""

import random
from collections.abc import Callable

from acd import events as e
from acd.settings import AcdSettings, AgentSettings, QueueSettings

USERS = [str(8001 + index) for index in range(6)]
SETTINGS = AcdSettings(
    queues=(
        QueueSettings("12345", wrap_up_seconds=3, ring_seconds=8, max_wait_seconds=40),
        QueueSettings("night", policy="fifo", skills=("night",), wrap_up_seconds=0),
    ),
    agents=tuple(AgentSettings(user, ("night",) if user < "8004" else ()) for user in USERS),
)


class Shift:
    """Callers, phones and the clock; `step` is told each event and gives the effects back."""

    def __init__(self, seed: int, step: Callable[[e.Event], list[e.Effect]], now_ms: int = 0):
        self.now_ms = now_ms
        self.calls = 0
        self.arrived: set[str] = set()
        self.finished: list[str] = []
        self._random = random.Random(seed)
        self._name = f"{seed}-{now_ms}"
        self._step = step
        self._offers: dict[str, e.Offer] = {}
        self._accepted: dict[str, str] = {}
        self._talking: list[str] = []
        self._timers: dict[str, int] = {}

    def tell(self, event: e.Event) -> None:
        for effect in self._step(event):
            if isinstance(effect, e.Offer):
                self._offers[effect.token] = effect
            elif isinstance(effect, e.CancelOffer):
                self._offers.pop(effect.token, None)
                self._accepted.pop(effect.token, None)
            elif isinstance(effect, e.Arm):
                self._timers[effect.timer] = effect.at_ms
            elif isinstance(effect, e.Disarm):
                self._timers.pop(effect.timer, None)
            elif isinstance(effect, e.Finished):
                self.finished.append(effect.call)

    def begin(self) -> None:
        """As a start of the engine does."""
        self.tell(e.Configured(self.now_ms, SETTINGS))
        self.tell(e.Restarted(self.now_ms))
        for user in USERS:
            self.tell(e.AgentReady(self.now_ms, user))

    def go_on(self, turns: int) -> None:
        for _ in range(turns):
            self.turn()

    def turn(self) -> None:
        """Something happens, and every timer that is due fires."""
        self.now_ms += self._random.randrange(2000)
        for timer in [one for one, at in self._timers.items() if at <= self.now_ms]:
            del self._timers[timer]
            self.tell(e.Fired(self.now_ms, timer))
        self._random.choice(
            [self.arrive, self.arrive, self.accept, self.accept, self.bridge, self.bridge,
             self.end, self.end, self.refuse, self.pause, self.hang_up]
        )()  # fmt: skip

    def arrive(self) -> None:
        self.calls += 1
        call = f"{self._name}-{self.calls}"
        self.arrived.add(call)
        queue = self._random.choice(["12345", "12345", "night"])
        self.tell(e.Arrived(self.now_ms, call, queue, priority=self._random.choice([0, 0, 1])))

    def accept(self) -> None:
        if self._offers:
            token = self._random.choice(sorted(self._offers))
            self._accepted[token] = self._offers.pop(token).call
            self.tell(e.Accepted(self.now_ms, token))

    def refuse(self) -> None:
        if self._offers:
            token = self._random.choice(sorted(self._offers))
            del self._offers[token]
            self.tell(e.Refused(self.now_ms, token))

    def bridge(self) -> None:
        if self._accepted:
            call = self._accepted.pop(min(self._accepted))
            self._talking.append(call)
            self.tell(e.Bridged(self.now_ms, call))

    def end(self) -> None:
        if self._talking:
            call = self._talking.pop(self._random.randrange(len(self._talking)))
            self.tell(self._random.choice([e.HungUp, e.CallEnded])(self.now_ms, call))

    def hang_up(self) -> None:
        waiting = sorted(self.arrived.difference(self.finished, self._talking))
        if waiting:
            self.tell(e.HungUp(self.now_ms, self._random.choice(waiting)))

    def pause(self) -> None:
        user = self._random.choice(USERS)
        self.tell(e.AgentNotReady(self.now_ms, user, "tea"))
        self.now_ms += 10
        self.tell(e.AgentReady(self.now_ms, user))
