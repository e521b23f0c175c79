"""A core and its script, for tests that read as call flows."""

from acd import events as e
from acd.core import Core
from acd.events import CancelOffer, Offer, Overflow
from acd.settings import AcdSettings, AgentSettings, QueueSettings


class Hotline:
    """`at` seconds, one event; the effects come back."""

    def __init__(self, *agents, limits=None, **queue):
        agents = [AgentSettings(one) if isinstance(one, str) else one for one in agents]
        more = {"limits": limits} if limits is not None else {}
        self.settings = AcdSettings((QueueSettings("12345", **queue),), tuple(agents), **more)
        self.core = Core(self.settings)
        self.journal = [e.Configured(0, self.settings)]

    def at(self, seconds, make, *arguments, **named):
        event = make(round(seconds * 1000), *arguments, **named)
        self.journal.append(event)
        return self.core.step(event)

    def ready(self, *agents):
        for index, agent in enumerate(agents):
            self.at(index / 1000, e.AgentReady, agent)

    def arrive(self, seconds, call, caller="13800000001", **named):
        return self.at(seconds, e.Arrived, call, "12345", caller, **named)

    def talk(self, seconds, call, token):
        self.at(seconds, e.Accepted, token)
        return self.at(seconds, e.Bridged, call)

    def busy(self, *agents):
        """Each of them talks since the first second, for as long as the test likes."""
        self.ready(*agents)
        for index, _ in enumerate(agents):
            effects = self.arrive(1, f"busy{index}", f"1390000{index:04}")
            self.talk(1, f"busy{index}", offers(effects)[0].token)

    def fire(self, seconds):
        """All timers that are due until then, each in its turn."""
        effects = []
        while due := [
            (at, timer) for timer, at in self.core.timers().items() if at <= seconds * 1000
        ]:
            at, timer = min(due)
            effects += self.at(at / 1000, e.Fired, timer)
        return effects

    def state(self, agent):
        return self.core.agent(agent).state

    @property
    def queue(self):
        return self.core.queue("12345")


def offers(effects):
    return [one for one in effects if isinstance(one, Offer)]


def overflows(effects):
    return [one for one in effects if isinstance(one, Overflow)]


def cancels(effects):
    return [one for one in effects if isinstance(one, CancelOffer)]


def of(kind, effects):
    return [one for one in effects if isinstance(one, kind)]
