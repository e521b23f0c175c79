"""Every order of facts and commands at up to six legs: nothing is left open, nothing told twice."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hotline import visit_effects as e
from hotline import visit_facts as f
from hotline.errors import BadTarget, NotNow
from hotline.parties import Place, Stage, Target
from hotline.scene import scene
from hotline.visit import begin, enter, enter_seat, step
from hotline.visit_state import Phase, Policy
from tests.hotline.flow import CITIZEN, MOBILE, OTHER, OUTSIDE, SEAT

TARGETS = (SEAT, OTHER, OUTSIDE, MOBILE, Target("seat", "9001"), Target("number", "119", "ims"))
COMMANDS = ("transfer", "consult", "invite", "emergency", "monitor", "whisper", "take over")
BYS = ("remote", "timeout", "transport", "local")
WAYS: tuple[tuple[str, ...], ...] = ((), ("agent",), ("queue",), ("agent", "queue"))


class AnyOrder(RuleBasedStateMachine):
    """The world around one visit after the other: legs that live, a queue, a recorder, a meter."""

    def __init__(self) -> None:
        super().__init__()
        self.begin("citizen", Policy())

    def begin(self, kind: str, policy: Policy) -> None:
        self.alive: set[str] = set()
        self.closed: list[str] = []
        self.ending: set[str] = set()
        self.recording: set[str] = set()
        self.metered: set[str] = set()
        self.minutes: Counter[str] = Counter()
        self.timers: set[str] = set()
        self.busy: Counter[str] = Counter()
        self.left = 0
        self.told_queue = False
        self.tokens = 0
        self.gone = False
        if kind == "citizen":
            self.visit = enter("v", "c", CITIZEN, policy)
            self.alive.add("c")
            self.tell(f.Entered())
        elif kind == "seat":
            self.visit = enter_seat("v", "s", SEAT, policy)
            self.alive.add("s")
            self.tell(f.Dial(OUTSIDE, "callee", "s"))
        else:
            self.visit = begin("v", policy)
            self.tell(f.Dial(SEAT, "desk", then=OUTSIDE))

    def tell(self, event: f.Event) -> None:
        before = self.visit
        try:
            self.visit, effects = step(self.visit, event)
        except (NotNow, BadTarget):
            assert self.visit is before
            return
        for effect in effects:
            self.perform(effect)

    def perform(self, effect: e.Effect) -> None:
        match effect:
            case e.DialLeg(leg):
                assert leg not in self.alive
                self.alive.add(leg)
            case e.EndLeg(leg) | e.RefuseLeg(leg):
                assert leg in self.alive
                assert leg not in self.ending
                self.ending.add(leg)
            case e.CloseMedia(leg):
                assert leg not in self.closed
                self.closed.append(leg)
            case e.StartRecording(recording):
                self.recording.add(recording)
            case e.StopRecording(recording):
                self.recording.remove(recording)
            case e.StartMinutes(leg):
                assert leg not in self.minutes
                self.metered.add(leg)
                self.minutes[leg] += 1
            case e.StopMinutes(leg):
                self.metered.remove(leg)
            case e.Arm(timer):
                self.timers.add(timer)
            case e.Disarm(timer):
                self.timers.discard(timer)
            case e.SeatBusy(user):
                self.busy[user] += 1
            case e.SeatFree(user):
                self.busy[user] -= 1
            case e.JoinQueue():
                self.told_queue = True
            case e.LeaveQueue() | e.CallOver():
                self.left += 1
            case e.Gone():
                self.gone = True
            case e.Arrange(hears):
                assert {leg for leg, _ in hears} <= {p.leg for p in self.visit.parties}
            case _:
                pass

    def leg(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.alive)))

    @precondition(lambda self: not self.gone)
    @rule(whom=st.sampled_from(TARGETS), errand=st.sampled_from(["offer", "overflow"]))
    def offer(self, whom: Target, errand: str) -> None:
        if self.visit.phase is Phase.QUEUED and len(self.alive) < 6:
            self.tokens += 1
            self.tell(f.Offered(whom, f"t{self.tokens}", errand))

    @precondition(lambda self: not self.gone)
    @rule(back=st.integers(0, 2))
    def cancel(self, back: int) -> None:
        self.tell(f.OfferCancelled(f"t{self.tokens - back}"))

    @precondition(lambda self: not self.gone)
    @rule(data=st.data(), by=st.sampled_from(BYS), status=st.sampled_from([200, 404, 486]))
    def end_leg(self, data: st.DataObject, by: str, status: int) -> None:
        leg = self.leg(data)
        self.alive.discard(leg)
        self.tell(f.LegEnded(leg, status, by))

    @precondition(lambda self: not self.gone)
    @rule(
        kind=st.sampled_from([f.LegAnswered, f.LegAnswered, f.LegSilent, f.LegHeld, f.LegResumed]),
        data=st.data(),
    )
    def about_a_leg(self, kind: type, data: st.DataObject) -> None:
        self.tell(kind(self.leg(data)))

    @precondition(lambda self: not self.gone)
    @rule(data=st.data(), early=st.booleans(), digit=st.sampled_from("135*"))
    def ring_and_press(self, data: st.DataObject, early: bool, digit: str) -> None:
        self.tell(f.LegRinging(self.leg(data), early))
        self.tell(f.Digit(self.leg(data), digit))
        self.tell(f.LegUnfit(self.leg(data), 488) if digit == "5" else f.PromptsEnded("c"))

    @precondition(lambda self: not self.gone)
    @rule(
        data=st.data(),
        whom=st.sampled_from(TARGETS),
        errand=st.sampled_from(COMMANDS),
        reports=st.booleans(),
    )
    def dial(self, data: st.DataObject, whom: Target, errand: str, reports: bool) -> None:
        if len(self.alive) < 6:
            by = "" if errand in ("monitor", "whisper") else self.leg(data)
            self.tell(f.Dial(whom, errand, by, reports and errand == "transfer"))

    @precondition(lambda self: not self.gone)
    @rule(data=st.data(), place=st.sampled_from(list(Place)))
    def command(self, data: st.DataObject, place: Place) -> None:
        leg = self.leg(data)
        commands = (
            f.Complete(leg),
            f.Join(leg),
            f.Move(leg, place),
            f.Mute(leg),
            f.Mute(leg, muted=False),
            f.Remove(leg),
            f.TakeOver(leg),
            f.Enqueue("q", leg) if self.told_queue else f.Join(leg),
        )
        self.tell(data.draw(st.sampled_from(commands)))

    @precondition(lambda self: not self.gone)
    @rule(data=st.data())
    def fire(self, data: st.DataObject) -> None:
        if self.timers:
            timer = data.draw(st.sampled_from(sorted(self.timers)))
            self.timers.discard(timer)
            self.tell(f.Fired(timer))

    @precondition(lambda self: not self.gone)
    @rule(event=st.sampled_from([f.MediaLost(), f.HangUp("x"), f.Overflowed("max_wait")]))
    def about_all(self, event: f.Event) -> None:
        if not isinstance(event, f.HangUp) or len(self.alive) > 4:
            self.tell(event)

    @precondition(lambda self: self.gone)
    @rule(
        kind=st.sampled_from(["citizen", "citizen", "seat", "desk"]),
        agent_leaves=st.sampled_from(["stay", "end"]),
        returns=st.sampled_from(WAYS),
        survey=st.booleans(),
        message=st.booleans(),
    )
    def next_visit(
        self, kind: str, agent_leaves: str, returns: tuple[str, ...], survey: bool, message: bool
    ) -> None:
        policy = Policy(agent_leaves=agent_leaves, returns=returns, survey=survey, message=message)
        self.begin(kind, policy)

    @invariant()
    def no_leg_is_orphaned(self) -> None:
        """A leg is a party's as long as it lives; one whose end was asked for is only waited on."""
        assert {party.leg for party in self.visit.parties} == self.alive
        assert self.gone == (not self.alive)
        leaving = {p.leg for p in self.visit.parties if p.stage is Stage.LEAVING}
        assert leaving == self.ending & self.alive

    @invariant()
    def nothing_runs_on(self) -> None:
        """Recordings, minutes, timers and seats end with what they are for."""
        ups = {party.leg for party in self.visit.parties if party.stage is not Stage.LEAVING}
        assert self.metered <= ups
        assert self.visit.phase is not Phase.ENDING or not self.recording
        if self.gone:
            assert not self.recording
            assert not self.metered
            assert not self.timers
            assert not +self.busy
            assert sorted(self.closed) == sorted(set(self.closed))

    @invariant()
    def the_queue_hears_of_it_once(self) -> None:
        assert self.left <= self.told_queue
        ended = self.visit.phase in (Phase.ENDING, Phase.SURVEY, Phase.MESSAGE)
        assert not (self.told_queue and ended) or self.left == 1

    @invariant()
    def who_waits_is_waited_for_with_a_timer(self) -> None:
        for party in self.visit.parties:
            if party.is_coming and not party.token and self.visit.phase is not Phase.ENDING:
                assert any(timer.endswith(f"/{party.leg}") for timer in self.timers), party

    @invariant()
    def nobody_sits_alone_in_silence(self) -> None:
        """A citizen in a talk hears somebody or something, or is muted from a whole room."""
        citizen = self.visit.citizen
        if citizen is None or self.visit.phase is not Phase.TALKING or not self.visit.talked:
            return
        if citizen.stage is Stage.UP and citizen.place in (Place.TALK, Place.HOLD):
            shown = scene(self.visit)
            heard = citizen.leg in shown.hears or citizen.leg in shown.plays
            assert heard or self.visit.hearers_of(citizen)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
