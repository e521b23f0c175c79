"""Commands by API, by keys, by REFER and Replaces, and hang-ups, in any order, on a whole hotline:
the real machines and the real queue; SIP and media are paper. Nothing may be left open at the end.
"""

import asyncio
import contextlib
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callcore.call import events as sip
from callcore.message import request
from callcore.sdp import parse_sdp
from callcore.sdp.offer_answer import LocalMedia, make_offer
from hotline.commands import CallAction, NotAllowed, UnknownThing, WrongState
from hotline.orders import ORDERS
from hotline.parties import Stage
from hotline.visit_state import Phase
from media import events as media
from tests.hotline.house import OFFER, House, configured

MOST_LEGS = 6
SEATS = ("8001", "8002", "9001")
TARGETS = (*SEATS, "12345", "13800000009", "13800000008", "119", "platform", "999999")
KEYS = ("*18002#", "*28002#", "*3", "*4", "*5", "*613800000009#", "*7", "#119", "*9110#")
KEYS += ("*81", "*82", "*83", "*84", "1", "5")
CODES = ("*818001", "*828001", "*838002", "*848001")
TONES = ("busy", "congestion", "special", "sound", "ringback")
HELD = parse_sdp(
    make_offer(LocalMedia("127.0.0.3", 4002, session_id=1, version=2, direction="sendonly"))
)


class World:
    """The network around the house: which legs are alive, and what happens to them."""

    def __init__(self, house: House, data: st.DataObject) -> None:
        self.house, self.data = house, data
        self.alive: dict[str, None] = {}
        self.ended: Counter[str] = Counter()
        self.arrived = 0
        tell = house.conductor.on_sip
        place = house.sip.place

        def told(fact: Any) -> None:
            if isinstance(fact, sip.Ended):
                if fact.leg not in self.alive:
                    return  # the engine tells each end once
                del self.alive[fact.leg]
                self.ended[fact.leg] += 1
            tell(fact)

        def placed(leg: str, *rest: Any, **more: Any) -> None:
            assert leg not in self.alive
            self.alive[leg] = None
            place(leg, *rest, **more)

        house.sip.on_event = self.tell = told
        house.sip.place = placed  # type: ignore[method-assign]

    def draw(self, *choices: Any) -> Any:
        return self.data.draw(st.sampled_from(choices))

    def leg(self) -> str:
        return str(self.draw(*self.alive))

    def call_id(self) -> str:
        return str(self.draw(*self.house.conductor.visits, "v1"))

    # What may happen ----------------------------------------------------------------------------

    def arrives(self) -> None:
        """A citizen, a seat, a supervisor's code, or somebody who picks a leg up."""
        if len(self.alive) >= MOST_LEGS:
            return
        self.arrived += 1
        name = f"in{self.arrived}"
        kind = self.draw("citizen", "citizen", "seat", "code", "replaces")
        source, called, replaces = "ims", "12345", ""
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
        said = sip.Presented()
        caller = "13800138000" if source == "ims" else source
        self.tell(
            sip.Arrived(name, source, way, caller, called, OFFER, invite, said, replaces)  # type: ignore[arg-type]
        )

    def progresses(self) -> None:
        leg = self.leg()
        self.tell(sip.Progressed(leg, 183, OFFER if self.draw(True, False) else None))

    def answers(self) -> None:
        leg = self.leg()
        if leg.startswith("v"):
            self.tell(sip.Answered(leg, OFFER))

    def hangs_up(self) -> None:
        leg, status = self.leg(), self.draw(200, 486, 404, 503)
        self.tell(sip.Ended(leg, status, "", self.draw("remote", "timeout", "transport")))

    def refers(self) -> None:
        leg, other = self.leg(), self.leg()
        attended = self.draw(True, False, False)
        to = f"sip:{self.draw(*TARGETS[:-2])}@h"
        self.tell(sip.Referred(leg, to, "x" if attended else "", other if attended else ""))

    def holds(self) -> None:
        self.tell(sip.Offered(self.leg(), self.draw(OFFER, HELD)))

    def types(self) -> None:
        leg = self.leg()
        for key in self.draw(*KEYS):
            self.house.conductor.on_media(media.Dtmf(leg, key, 100))

    def commands(self) -> None:
        """By API: whatever does not fit is refused with the state, and changes nothing."""
        parties = (*self.alive, "", "agent", "citizen")
        action = CallAction(
            self.draw(*ORDERS), self.draw(*TARGETS), self.draw(*parties), self.draw(*SEATS)
        )
        with contextlib.suppress(WrongState, NotAllowed, UnknownThing):
            self.house.desk.act(self.call_id(), action)

    def clicks(self) -> None:
        if len(self.alive) >= MOST_LEGS:
            return
        with contextlib.suppress(WrongState, NotAllowed):
            self.house.desk.place(self.draw(*SEATS), self.draw(*TARGETS))

    def sounds(self) -> None:
        leg = self.leg()
        fact: media.Event = self.draw(
            media.RtpTimeout(leg), media.PromptsFinished(leg), media.ToneHeard(leg, "busy")
        )
        if isinstance(fact, media.ToneHeard):
            fact = media.ToneHeard(leg, self.draw(*TONES))
        self.house.conductor.on_media(fact)

    def loses_a_worker(self) -> None:
        if self.data.draw(st.integers(0, 5)) == 0:
            self.house.conductor.on_media(media.WorkerLost(0, tuple(self.alive), ()))

    def happens(self) -> None:
        """One of them."""
        anyhow = (self.arrives, self.commands, self.clicks)
        with_legs = (self.progresses, self.answers, self.answers, self.hangs_up, self.refers)
        with_legs += (self.holds, self.types, self.commands, self.sounds, self.loses_a_worker)
        self.draw(*(anyhow + with_legs if self.alive else anyhow))()

    # What must hold -----------------------------------------------------------------------------

    def check(self) -> None:
        """Each live leg is one call's party, and each party is a live leg."""
        visits = self.house.conductor.visits.values()
        parties = Counter(party.leg for visit in visits for party in visit.parties)
        assert set(parties) == set(self.alive)
        assert not parties or max(parties.values()) == 1
        meter = self.house.conductor.parts.accounts.meter
        assert meter.running <= len(self.alive)
        assert all(count == 1 for count in self.ended.values())
        self.check_queue()

    def check_queue(self) -> None:
        """Who waits is known to the queue, and no agent who is on the phone is free to it."""
        core = self.house.conductor.parts.queueing.core
        for visit in self.house.conductor.visits.values():
            if visit.phase is Phase.QUEUED and visit.in_queue:
                call = core.call(visit.call_id)
                assert call is not None, visit
                assert call.state in ("waiting", "ringing"), (call, visit)
            for party in visit.where(Stage.UP):
                agent = core.agent(party.target.name) if party.target.is_seat else None
                assert agent is None or agent.state not in ("ready", "ringing"), (agent, visit)

    def all_over(self) -> None:
        """Everybody hangs up: nothing is left."""
        conductor, plane = self.house.conductor, self.house.plane
        while self.alive:
            self.tell(sip.Ended(next(iter(self.alive)), 200, "", "remote"))
        assert conductor.visits == {}
        assert conductor.performer.call_of_leg == {}
        assert conductor.parts.accounts.meter.running == 0
        done = Counter((one[0], one[1]) for one in plane.done if len(one) > 1)
        for what, name in list(done):
            if what == "record":
                assert done["stop_record", name] == 1, name
            if what == "open":
                assert done["close", name] >= 1, name
        records = self.house.desk.calls(1000)
        assert all(record.ended and record.result for record in records)
        assert all(part.until for record in records for part in record.segments)
        charged = sum(record.billed_seconds for record in records)
        used = conductor.parts.accounts.used_minutes("ims") * 60
        assert charged == used
        stuck = [
            one for one in self.house.desk.agents() if one.state in ("ringing", "held", "talking")
        ]
        assert not stuck


async def live(data: st.DataObject) -> None:
    house = House(configured("[minutes]\nunit_seconds = 1\n"))
    try:
        for user in SEATS:
            house.seat(user)
        world = World(house, data)
        for _ in range(data.draw(st.integers(5, 40))):
            world.happens()
            world.check()
        world.all_over()
        assert house.faults == 0
    finally:
        house.close()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_any_order_of_commands_and_hang_ups_leaves_nothing_open(data: st.DataObject) -> None:
    asyncio.run(live(data))
