"""The network, the people and the clock around a whole hotline: what may happen to it."""

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from acd.events import CallbackPromised
from callcore.call import events as sip
from callcore.errors import LocalProtocolError
from callcore.message import request
from callcore.sdp import parse_sdp
from callcore.sdp.offer_answer import LocalMedia, make_offer
from config.schema import Config
from hotline.commands import CallAction, NotAllowed, Unavailable, UnknownThing, WrongState
from hotline.orders import ORDERS
from media import events as media
from tests.hotline.days import Days, let_pass
from tests.hotline.house import FLOW, G729, OFFER

MOST_LEGS = 7
SEATS = ("8001", "8002", "9001")  # with phones; 8003 works on a mobile
AGENTS = (*SEATS, "8003")
TARGETS = (*AGENTS, "12345", "12346", "13800000009", "13800000008", "119", "platform", "999999")
KEYS = ("*18002#", "*28002#", "*3", "*4", "*5", "*613800000009#", "*7", "#119", "*9110#")
KEYS += ("*81", "*82", "*83", "*84", "1", "1", "5", "*112345#")
CODES = ("*818001", "*828001", "*838002", "*848001", "*818003")
TONES = ("busy", "congestion", "special", "sound", "ringback")
CALLERS = ("13800138000", "13800138001", "anonymous")
PAUSES = (0.05, 1.0, 3.0, 6.5, 12.0, 30.0, 65.0, 700.0)
HELD = parse_sdp(
    make_offer(LocalMedia("127.0.0.3", 4002, session_id=1, version=2, direction="sendonly"))
)
SAID = {"usual": OFFER, "none": None, "unfit": G729, "held": HELD}
NOT_NOW = (WrongState, NotAllowed, UnknownThing, Unavailable)


class World:
    """Which legs are alive, and what the media plane has yet to say; `rare` is left to chance."""

    def __init__(self, config: Config, data: st.DataObject) -> None:
        self.data = data
        self.days = Days(config)
        self.arrived = 0
        self.begin()

    def begin(self) -> None:
        """A start of the hotline: nobody has registered yet, no call is there."""
        self.house = house = self.days.begin()
        self.alive: dict[str, None] = {}
        self.dead: list[str] = []
        self.ended: Counter[str] = Counter()
        self.unsaid: list[media.Event] = []
        self.no_way = self.no_ack = False
        tell, place, offer = house.conductor.on_sip, house.sip.place, house.sip.offer

        def told(fact: Any) -> None:
            if isinstance(fact, sip.Ended):
                if fact.leg not in self.alive:
                    return  # the engine tells each end once
                del self.alive[fact.leg]
                self.dead.append(fact.leg)
                self.ended[fact.leg] += 1
            tell(fact)

        def placed(leg: str, target: Any, *rest: Any, **more: Any) -> None:
            assert leg not in self.alive
            if self.no_way:
                raise LocalProtocolError("no such trunk")
            self.alive[leg] = None
            place(leg, target, *rest, **more)
            user = getattr(target, "user", None)
            if user is not None and user not in house.conductor.presence.registered:
                told(sip.Ended(leg, 480, "", "local"))

        def offered(leg: str, body: bytes) -> None:
            if self.no_ack:
                raise LocalProtocolError("no ACK yet")
            offer(leg, body)

        house.sip.on_event = self.tell = told
        house.sip.place = placed  # type: ignore[method-assign]
        house.sip.offer = offered  # type: ignore[method-assign]
        self._listen_to_the_plane()
        house.conductor.presence.open_remote_seats()

    def _listen_to_the_plane(self) -> None:
        plane = self.house.plane
        stop, close = plane.stop_record, plane.close

        def stopped(recording: str) -> None:
            stop(recording)
            self.unsaid.append(media.RecordingClosed(recording))

        def closed(leg: str) -> None:
            close(leg)
            self.unsaid.append(media.LegClosed(leg, media.LegStats()))

        plane.stop_record, plane.close = stopped, closed  # type: ignore[method-assign]

    def draw(self, *choices: Any) -> Any:
        return choices[0] if len(choices) == 1 else self.data.draw(st.sampled_from(choices))

    def is_rare(self) -> bool:
        return bool(self.data.draw(st.integers(0, 5)) == 0)

    def leg(self) -> str:
        return str(self.draw(*self.alive))

    def said(self) -> Any:
        """What a message says of media."""
        return SAID[self.draw("usual", "usual", "usual", "none", "unfit", "held")]

    def call_id(self) -> str:
        return str(self.draw(*self.house.conductor.visits, "v1"))

    # Legs ---------------------------------------------------------------------------------------

    def arrives(self) -> None:
        """A citizen, a seat, a supervisor's code, or somebody who picks a leg up."""
        if len(self.alive) >= MOST_LEGS:
            return
        self.arrived += 1
        name = f"in{self.arrived}"
        kind = self.draw("citizen", "citizen", "seat", "code", "replaces")
        source, caller, replaces = "ims", self.draw(*CALLERS), ""
        called = self.draw("12345", "12345", "12345", "12346", "999")
        if kind == "seat":
            source, called = self.draw(*SEATS), self.draw(*TARGETS[:-2])
        elif kind == "code":
            source, called = self.draw("9001", "8002"), self.draw(*CODES)
        elif kind == "replaces":
            if not self.alive:
                return
            source, replaces = self.draw(*SEATS), self.leg()
        self.alive[name] = None
        invite = request("INVITE", f"sip:{called}@h", headers=[])
        way = "trunk" if source == "ims" else "seat"
        if source != "ims":
            caller = source
        offer = self.said()
        said = sip.Presented()
        self.tell(
            sip.Arrived(name, source, way, caller, called, offer, invite, said, replaces)  # type: ignore[arg-type]
        )

    def talks(self) -> None:
        """A citizen comes, and whoever is rung for it answers at once."""
        if len(self.alive) >= MOST_LEGS:
            return
        before = tuple(self.alive)
        self.arrived += 1
        name = f"in{self.arrived}"
        self.alive[name] = None
        invite = request("INVITE", "sip:12345@h", headers=[])
        caller = self.draw(*CALLERS)
        self.tell(sip.Arrived(name, "ims", "trunk", caller, "12345", OFFER, invite))
        for leg in [leg for leg in self.alive if leg not in before and leg != name]:
            self.tell(sip.Answered(leg, OFFER))
        self.confirms()

    def progresses(self) -> None:
        leg = self.leg()
        if leg.startswith("in"):
            self.tell(sip.Confirmed(leg, self.said()))
            return
        self.tell(sip.Progressed(leg, self.draw(180, 183), self.said()))

    def answers(self) -> None:
        """Mostly one that rings, and in a way that fits; also once more, which changes nothing."""
        visits = self.house.conductor.visits.values()
        coming = [one.leg for visit in visits for one in visit.parties if one.is_coming]
        leg = self.draw(*coming) if coming else self.leg()
        if not leg.startswith("in"):
            self.tell(sip.Answered(leg, OFFER if self.draw(True, True, False) else self.said()))

    def answers_in_vain(self) -> None:
        """A fork of a live leg, or one that had ended: a 200 that crossed our CANCEL."""
        legs = [leg for leg in (*self.alive, *self.dead[-3:]) if not leg.startswith("in")]
        if legs:
            self.tell(sip.AnsweredInVain(self.draw(*legs)))

    def hangs_up(self) -> None:
        leg, status = self.leg(), self.draw(200, 486, 404, 503)
        self.tell(sip.Ended(leg, status, "", self.draw("remote", "timeout", "transport")))

    def refers(self) -> None:
        leg, other = self.leg(), self.leg()
        attended = self.draw(True, False, False)
        to = f"sip:{self.draw(*TARGETS[:-2])}@h"
        self.tell(sip.Referred(leg, to, "x" if attended else "", other if attended else ""))

    def negotiates(self) -> None:
        leg = self.leg()
        what = self.draw("offers", "offers", "answers", "refuses")
        if what == "refuses":
            self.tell(sip.OfferRefused(leg, 491))
        else:
            fact = sip.Offered if what == "offers" else sip.OfferAnswered
            self.tell(fact(leg, self.said()))

    def types(self) -> None:
        leg = self.draw(*self.alive, *self.dead[-2:])
        for key in self.draw(*KEYS):
            self.house.conductor.on_media(media.Dtmf(leg, key, 100))

    def confirms(self) -> None:
        for leg in tuple(self.alive):
            self.house.conductor.on_media(media.Dtmf(leg, "1", 100))

    # The desk -----------------------------------------------------------------------------------

    def commands(self) -> None:
        """By API: whatever does not fit is refused with the state, and changes nothing."""
        parties = (*self.alive, "", "agent", "citizen")
        action = CallAction(
            self.draw(*ORDERS), self.draw(*TARGETS), self.draw(*parties), self.draw(*AGENTS)
        )
        with contextlib.suppress(*NOT_NOW):
            self.house.desk.act(self.call_id(), action)

    def clicks(self) -> None:
        if len(self.alive) >= MOST_LEGS:
            return
        with contextlib.suppress(*NOT_NOW):
            self.house.desk.place(self.draw(*AGENTS), self.draw(*TARGETS))

    def steers(self) -> None:
        """Agents and supervisors, by what the floor offers them."""
        desk, user = self.house.desk, self.draw(*AGENTS)
        wanted = self.draw("ready", "not_ready")
        orders: tuple[Callable[[], Any], ...] = (
            lambda: desk.set_agent_state(user, wanted, "tea"),
            lambda: desk.force_agent_state(user, wanted, "", "boss"),
            lambda: desk.extend_wrap_up(user),
            lambda: desk.prioritise(self.call_id(), self.draw(1, 2), "fire"),
            lambda: desk.set_privacy(self.call_id(), self.draw(True, False)),
            lambda: desk.hang_up(self.call_id()),
            lambda: desk.cancel_callback(self.draw("x", *(c.callback for c in desk.callbacks()))),
        )
        with contextlib.suppress(*NOT_NOW):
            self.draw(*orders)()

    def is_promised(self) -> None:
        """A callback, as a message is one: the queue calls when somebody is idle."""
        parts = self.house.conductor.parts
        at_ms = parts.clock.wall_ms()
        number = self.draw(*CALLERS[:2])
        if len(self.alive) < MOST_LEGS:
            parts.queueing.tell(CallbackPromised(at_ms, "m", "12345", number, at_ms))

    def comes_or_goes(self) -> None:
        """A phone registers, or is gone."""
        user = self.draw(*SEATS)
        if self.draw(True, True, False):
            self.tell(sip.Registered(user, f"sip:{user}@127.0.0.1", FLOW))
        else:
            self.tell(sip.Unregistered(user, self.draw("expired", "asked", "flow closed")))

    # The media plane ----------------------------------------------------------------------------

    def sounds(self) -> None:
        leg = self.draw(*self.alive, *self.dead[-2:])
        what = self.draw("silence", "prompts", "tone", "failure")
        facts: dict[str, Callable[[], media.Event]] = {
            "silence": lambda: media.RtpTimeout(leg),
            "prompts": lambda: media.PromptsFinished(leg),
            "tone": lambda: media.ToneHeard(leg, self.draw(*TONES)),
            "failure": lambda: media.LegFailed(leg, "no port"),
        }
        self.house.conductor.on_media(facts[what]())

    def closes(self) -> None:
        if self.unsaid:
            self.house.conductor.on_media(self.unsaid.pop(0))

    def loses_a_worker(self) -> None:
        if self.is_rare():
            taps = tuple(self.house.conductor.performer.sound.open_recordings)
            self.house.conductor.on_media(media.WorkerLost(0, tuple(self.alive), taps))

    # Time, and what breaks ----------------------------------------------------------------------

    def passes(self) -> None:
        """Timers fire when they are due; of those that are due together, any first."""
        let_pass(self.days, self.house, self.draw(*PAUSES), lambda due: self.draw(*due))

    def falls_behind(self) -> None:
        """A busy machine: what was due fires later, behind what has come meanwhile."""
        self.days.clock.seconds += self.draw(0.5, 4.0, 20.0)

    def changes(self) -> None:
        """Trunks that cannot be called, ports that are used up, a drain; and back."""
        house = self.house
        if not self.is_rare():
            return
        what = self.draw("way", "ack", "ports", "drain", "mend", "mend")
        mended = what == "mend"
        self.no_way = what == "way" or (self.no_way and not mended)
        self.no_ack = what == "ack" or (self.no_ack and not mended)
        house.plane.full = what == "ports" or (house.plane.full and not mended)
        house.conductor.draining = what == "drain" or (house.conductor.draining and not mended)

    def crashes(self) -> None:
        """The far ends hear nothing of us any more; the next start reads the journal."""
        if self.is_rare() and self.is_rare():
            self.house.close()
            self.begin()

    def happens(self) -> None:
        """One of them."""
        anyhow = (self.arrives, self.commands, self.clicks, self.passes, self.passes)
        anyhow += (self.comes_or_goes, self.comes_or_goes, self.steers, self.closes)
        anyhow += (self.falls_behind, self.changes, self.crashes, self.answers_in_vain, self.talks)
        anyhow += (self.is_promised,)
        with_legs = (self.progresses, self.answers, self.answers, self.hangs_up, self.refers)
        with_legs += (self.negotiates, self.types, self.commands, self.sounds, self.confirms)
        with_legs += (self.loses_a_worker, self.answers, self.arrives, self.talks, self.commands)
        with_legs += (self.answers, self.answers)
        self.draw(*(anyhow + with_legs if self.alive else anyhow))()
