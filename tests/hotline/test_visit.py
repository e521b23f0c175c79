"""The visit's machine, told as call flows; the last test tries every order of facts."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hotline.visit import TABLE, State, Visit, enter, step
from hotline.visit_facts import (
    AcceptOffer,
    AgentAnswered,
    AgentLost,
    AgentUnfit,
    Bridge,
    CallBridged,
    CallHeld,
    CallOver,
    CallResumed,
    CloseMedia,
    DialAgent,
    EndLeg,
    Entered,
    Gone,
    HangUp,
    JoinQueue,
    LeaveQueue,
    LegEnded,
    LegHeld,
    LegResumed,
    LegSilent,
    MediaLost,
    OfferCancelled,
    Offered,
    Overflowed,
    PlayWaiting,
    Reanchor,
    RefuseOffer,
    StartRecording,
    StopPlay,
    StopRecording,
    Unbridge,
)


class Flow:
    """Drives a visit; `expect` names every effect, so that an unwanted one fails."""

    def __init__(self) -> None:
        self.visit = enter("v", "c")
        self.effects: list[object] = []

    def on(self, *events: object) -> "Flow":
        self.effects = []
        for event in events:
            self.visit, effects = step(self.visit, event)  # type: ignore[arg-type]
            self.effects += effects
        return self

    def expect(self, *effects: object) -> "Flow":
        assert self.effects == list(effects)
        return self

    def now(self, state: State) -> "Flow":
        assert self.visit.state is state
        return self


def waiting() -> Flow:
    return Flow().on(Entered()).expect(PlayWaiting("c"), JoinQueue()).now(State.WAITING)


def offered() -> Flow:
    return waiting().on(Offered("8001", "t1")).expect(DialAgent("v-a1", "8001")).now(State.OFFERED)


def talking() -> Flow:
    flow = offered().on(AgentAnswered("v-a1"))
    return flow.expect(
        StopPlay("c"),
        Bridge("c", "v-a1"),
        AcceptOffer("t1"),
        CallBridged(),
        StartRecording("v-1", "c", "v-a1"),
    ).now(State.TALKING)


def test_a_call_is_answered_talked_and_ended_by_the_caller():
    """The main job.

    caller           us            agent
      |--- INVITE --->|--- INVITE --->|
      |               |<---- 200 -----|
      |<== talk =====>|<=============>|
      |---- BYE ----->|---- BYE ----->|
    """
    flow = talking().on(LegEnded("c", 200, "remote"))
    flow.expect(EndLeg("v-a1"), StopRecording("v-1"), LeaveQueue(), CloseMedia("c"))
    flow.now(State.ENDING).on(LegEnded("v-a1", 200, "local")).expect(CloseMedia("v-a1"), Gone())


def test_the_agent_hangs_up_first():
    flow = talking().on(LegEnded("v-a1", 200, "remote"))
    flow.expect(EndLeg("c"), StopRecording("v-1"), CallOver(), CloseMedia("v-a1"))
    flow.on(LegEnded("c", 200, "local")).expect(CloseMedia("c"), Gone())


def test_a_caller_who_hangs_up_while_waiting_leaves_the_queue():
    waiting().on(LegEnded("c", 200, "remote")).expect(LeaveQueue(), CloseMedia("c"), Gone())


def test_a_caller_who_hangs_up_while_it_rings_cancels_the_offer():
    flow = offered().on(LegEnded("c", 200, "remote"))
    flow.expect(EndLeg("v-a1", "caller hung up"), LeaveQueue(), CloseMedia("c"))
    flow.on(LegEnded("v-a1", 487, "local")).expect(CloseMedia("v-a1"), Gone())


def test_no_answer_goes_back_and_the_next_offer_is_a_new_leg():
    flow = offered().on(OfferCancelled("t1")).expect(EndLeg("v-a1", "no answer"))
    flow.now(State.WAITING).on(Offered("8002", "t2")).expect(DialAgent("v-a2", "8002"))
    flow.on(LegEnded("v-a1", 487, "local")).expect(CloseMedia("v-a1")).now(State.OFFERED)


def test_a_200_that_crosses_the_cancel_is_not_bridged():
    flow = offered().on(OfferCancelled("t1"))
    flow.on(AgentAnswered("v-a1")).expect().now(State.WAITING)


def test_a_cancel_of_an_older_offer_does_not_touch_the_new_one():
    flow = offered().on(OfferCancelled("t1"), Offered("8002", "t2"))
    flow.on(OfferCancelled("t1")).expect().now(State.OFFERED)


def test_a_busy_phone_refuses_the_offer_with_its_status():
    flow = offered().on(LegEnded("v-a1", 486, "remote"))
    flow.expect(CloseMedia("v-a1"), RefuseOffer("t1", 486)).now(State.WAITING)


def test_an_answer_without_common_codec_is_ended_and_refused():
    flow = offered().on(AgentUnfit("v-a1", 488))
    flow.expect(EndLeg("v-a1"), RefuseOffer("t1", 488)).now(State.WAITING)


def test_an_agent_whose_phone_dies_loses_the_call_not_the_caller():
    flow = talking().on(LegSilent("v-a1"))
    flow.expect(
        StopRecording("v-1"),
        Unbridge(),
        PlayWaiting("c", again=True),
        AgentLost(),
        EndLeg("v-a1", "media timeout"),
    ).now(State.WAITING)
    flow.on(LegEnded("v-a1", 408, "local")).expect(CloseMedia("v-a1")).now(State.WAITING)


def test_an_agent_whose_signalling_dies_loses_the_call_not_the_caller():
    flow = talking().on(LegEnded("v-a1", 408, "timeout")).now(State.WAITING)
    flow.expect(
        StopRecording("v-1"),
        Unbridge(),
        PlayWaiting("c", again=True),
        AgentLost(),
        CloseMedia("v-a1"),
    )
    flow.on(Offered("8002", "t2"), AgentAnswered("v-a2")).now(State.TALKING)
    assert flow.visit.recording == "v-2"


def test_a_dead_caller_ends_the_talk():
    flow = talking().on(LegSilent("c"))
    flow.expect(EndLeg("c"), EndLeg("v-a1"), StopRecording("v-1"), CallOver())


def test_hold_plays_music_and_resume_stops_it():
    flow = talking().on(LegHeld("v-a1"))
    flow.expect(PlayWaiting("c", again=True), CallHeld()).now(State.HELD)
    flow.on(LegResumed("v-a1")).expect(StopPlay("c"), CallResumed()).now(State.TALKING)


def test_the_longest_wait_ends_the_call():
    waiting().on(Overflowed("max_wait")).expect(EndLeg("c", "max_wait"), CallOver()).now(
        State.ENDING
    )


def test_a_worker_that_dies_in_the_talk_is_replaced_under_it():
    flow = talking().on(MediaLost())
    flow.expect(
        Reanchor("c", None),
        Reanchor("v-a1", "c"),
        Bridge("c", "v-a1"),
        StartRecording("v-1", "c", "v-a1"),
    ).now(State.TALKING)


def test_a_worker_that_dies_while_it_rings_tries_the_agent_anew():
    flow = offered().on(MediaLost())
    flow.expect(
        Reanchor("c", None),
        PlayWaiting("c", again=True),
        EndLeg("v-a1", "media lost"),
        RefuseOffer("t1", 503),
    ).now(State.WAITING)


def test_every_state_but_the_last_knows_what_to_do_when_a_leg_ends_or_the_command_comes():
    for state in State:
        assert (state, LegEnded) in TABLE
        assert state is State.ENDING or (state, HangUp) in TABLE


class AnyOrder(RuleBasedStateMachine):
    """Whatever the order of facts: each leg is ended once, the queue hears of the end once."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self.tokens = 0
        self.visit: Visit = enter("v", "c")
        self.alive = {"c"}  # legs whose LegEnded we have not sent
        self.closed: list[str] = []
        self.left: list[object] = []  # what the queue was told about the call's end
        self.recording = False
        self.gone = False
        self.tell(Entered())

    def tell(self, event: object) -> None:
        assert not self.gone
        self.visit, effects = step(self.visit, event)  # type: ignore[arg-type]
        for effect in effects:
            self.perform(effect)

    def perform(self, effect: object) -> None:
        if isinstance(effect, DialAgent):
            self.alive.add(effect.leg)
        elif isinstance(effect, CloseMedia):
            assert effect.leg not in self.closed
            self.closed.append(effect.leg)
        elif isinstance(effect, LeaveQueue | CallOver):
            self.left.append(effect)
        elif isinstance(effect, StartRecording):
            self.recording = True
        elif isinstance(effect, StopRecording):
            assert self.recording
            self.recording = False
        elif isinstance(effect, Gone):
            self.gone = True

    @precondition(lambda self: not self.gone)
    @rule()
    def offer(self) -> None:
        if self.visit.state is State.WAITING:
            self.tokens += 1
            self.tell(Offered("8001", f"t{self.tokens}"))

    @precondition(lambda self: not self.gone)
    @rule(back=st.integers(0, 2))
    def cancel(self, back: int) -> None:
        self.tell(OfferCancelled(f"t{self.tokens - back}"))

    @precondition(lambda self: not self.gone)
    @rule(data=st.data(), by=st.sampled_from(["remote", "timeout", "transport", "local"]))
    def end_leg(self, data: st.DataObject, by: str) -> None:
        leg = data.draw(st.sampled_from(sorted(self.alive)))
        self.alive.discard(leg)
        self.tell(LegEnded(leg, 480, by))

    @precondition(lambda self: not self.gone)
    @rule(
        kind=st.sampled_from([AgentAnswered, LegSilent, LegHeld, LegResumed]),
        data=st.data(),
    )
    def about_a_leg(self, kind: type, data: st.DataObject) -> None:
        self.tell(kind(data.draw(st.sampled_from(sorted(self.alive)))))

    @precondition(lambda self: not self.gone and self.visit.state is not State.ENDING)
    @rule(event=st.sampled_from([MediaLost(), HangUp("drain"), Overflowed("max_wait")]))
    def about_all(self, event: object) -> None:
        if isinstance(event, Overflowed) and self.visit.state in (State.TALKING, State.HELD):
            return  # the queue never gives up a call that an agent has
        self.tell(event)

    @precondition(lambda self: self.gone)
    @rule()
    def next_citizen(self) -> None:
        self.begin()

    @invariant()
    def nothing_is_forgotten(self) -> None:
        assert self.visit.open_legs == self.alive
        assert self.gone == (not self.alive)
        assert len(self.left) == (self.visit.state is State.ENDING)
        if self.gone:
            assert not self.recording
            assert sorted(self.closed) == sorted(set(self.closed))

    @invariant()
    def a_state_holds_what_it_needs(self) -> None:
        visit = self.visit
        if visit.state is State.OFFERED:
            assert visit.agent_leg in visit.open_legs
            assert visit.token
        if visit.state in (State.TALKING, State.HELD):
            assert {visit.caller_leg, visit.agent_leg} <= visit.open_legs
            assert self.recording
        assert replace(visit) == visit


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
