"""One node's part in a cluster, step by step and by chance."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.lease import (
    TABLE,
    Ask,
    Away,
    CatchUp,
    CaughtUp,
    Ended,
    Failed,
    Forgotten,
    Granted,
    Lead,
    Lease,
    Looked,
    Refused,
    Rejoin,
    Renewed,
    Report,
    Reseed,
    Role,
    StepDown,
    Stop,
    Tick,
    View,
    leads,
    step,
)

S = 2.0
OTHER = View(3, "b/1", held=True)


class Node:
    """Told events at a time; `expect` names every effect but reports."""

    def __init__(self, **fields):
        self.lease = Lease("a/1", S, **fields)
        self.effects = []

    def on(self, event, at):
        self.lease, effects = step(self.lease, event, at)
        self.effects = [one for one in effects if not isinstance(one, Report)]
        return self

    def expect(self, *effects):
        assert self.effects == list(effects)
        return self

    def now(self, role):
        assert self.lease.role is role
        return self


def leader(at=100.0, epoch=3):
    node = Node(epoch=epoch - 1, heard=at)
    node.on(Looked(View(epoch - 1, "b/1")), at).expect(Ask.CLAIM)
    node.on(Granted(epoch, at), at).expect(CatchUp()).now(Role.CATCHING_UP)
    assert not leads(node.lease, at)
    return node.on(CaughtUp(), at).expect(Lead()).now(Role.LEADING)


def test_a_lease_that_ran_out_is_claimed_at_once():
    node = leader()
    assert leads(node.lease, 100.0 + S)
    assert not leads(node.lease, 100.1 + S)
    node.on(Tick(), 100.5).expect(Ask.RENEW)
    node.on(Renewed(100.5), 100.6).expect()
    assert leads(node.lease, 100.5 + S)


def test_a_lease_that_is_held_is_left_alone():
    node = Node().on(Tick(), 1).expect(Ask.LOOK)
    node.on(Looked(OTHER), 1).expect().now(Role.FOLLOWING)
    assert (node.lease.holder, node.lease.epoch) == ("b/1", 3)


def test_where_all_is_forgotten_the_leader_comes_first():
    """Emptied: its holder renews several times in the time that the others wait."""
    node = Node(epoch=3).on(Looked(View()), 10).expect()
    node.on(Looked(View()), 10 + S / 2).expect()
    node.on(Looked(OTHER), 10 + S).expect()
    node.on(Looked(View()), 11 + S).expect()
    node.on(Looked(View()), 11 + 2 * S).expect(Ask.CLAIM)


def test_a_redis_that_went_back_in_time_is_an_emptied_one():
    node = Node(epoch=3).on(Looked(View(2, "c/1")), 10).expect()
    node.on(Looked(View(2, "c/1")), 10 + S).expect(Ask.CLAIM)


def test_who_cannot_come_up_to_date_does_not_claim():
    Node(epoch=3).on(Looked(View(3, "b/1"), able=False), 1).expect().now(Role.FOLLOWING)


def test_a_claim_can_be_lost_or_left_unanswered():
    for answer in (Refused(OTHER), Away(1.0)):
        node = Node(epoch=2).on(Looked(View(2, "b/1")), 1).expect(Ask.CLAIM)
        node.on(answer, 1.1).expect().now(Role.FOLLOWING)


def test_a_stream_that_cannot_be_read_to_its_end_gives_the_lease_back():
    node = Node(epoch=2).on(Looked(View(2, "b/1")), 1).on(Granted(3, 1), 1)
    node.on(Failed(), 1.1).expect(Ask.RELEASE).now(Role.FOLLOWING)


def test_who_reads_for_longer_than_its_lease_does_not_lead_by_it():
    """Another may have claimed it since, and called the trunks to itself."""
    node = Node(epoch=2).on(Looked(View(2, "b/1")), 1).on(Granted(3, 1), 1).expect(CatchUp())
    node.on(CaughtUp(), 88).expect(Ask.RELEASE).now(Role.FOLLOWING)
    assert not leads(node.lease, 88)
    node.on(Tick(), 88.1).expect(Ask.LOOK)
    node.on(Looked(View(3, "a/1")), 88.1).expect(Ask.CLAIM)
    node.on(Granted(4, 88.1), 88.1).on(CaughtUp(), 88.1 + S).expect(Lead()).now(Role.LEADING)
    assert leads(node.lease, 88.1 + S)


def test_who_renews_its_lease_while_it_reads_leads_by_it():
    node = Node(epoch=2).on(Looked(View(2, "b/1")), 1).on(Granted(3, 1), 1)
    for at in range(2, 88):
        node.on(Tick(), at).expect(Ask.RENEW)
        node.on(Renewed(at), at).expect().now(Role.CATCHING_UP)
    node.on(CaughtUp(), 88).expect(Lead()).now(Role.LEADING)
    node.on(Tick(), 88.2).expect(Ask.RENEW).now(Role.LEADING)  # it was awake all the time


def test_who_loses_its_lease_while_it_reads_does_not_lead():
    node = Node(epoch=2).on(Looked(View(2, "b/1")), 1).on(Granted(3, 1), 1)
    node.on(Tick(), 4).on(Refused(View(4, "c/1", held=True)), 4).now(Role.FOLLOWING)
    node.on(CaughtUp(), 4.1).expect().now(Role.FOLLOWING)


def test_a_leader_goes_on_without_redis_and_is_one_again_after():
    node = leader().on(Tick(), 100.5).on(Away(100.5), 101.0).expect().now(Role.ALONE)
    for at in range(101, 160):
        node.on(Tick(), at).expect(Ask.RENEW)
        assert leads(node.lease, at)
        node.on(Away(at), at + 0.5).now(Role.ALONE)
    node.on(Tick(), 160).on(Renewed(160), 160.1).expect().now(Role.LEADING)


def test_a_leader_whose_redis_was_emptied_tells_it_again():
    node = leader().on(Tick(), 100.5).on(Forgotten(), 100.5).expect(Ask.RECLAIM)
    node.on(Renewed(100.5, anew=True), 100.6).expect(Reseed()).now(Role.LEADING)


def test_a_leader_that_slept_takes_no_call_until_it_knows():
    """SIGSTOP: the packets that came meanwhile are read before anything else."""
    node = leader()
    assert not leads(node.lease, 130)
    node.on(Tick(), 130).expect(Ask.RENEW).now(Role.DOUBTFUL)
    assert not leads(node.lease, 130)
    node.on(Refused(View(4, "b/1", held=True)), 130.1).expect(StepDown()).now(Role.STEPPING_DOWN)
    assert not leads(node.lease, 130.1)
    node.on(Ended(), 140).expect(Rejoin()).now(Role.FOLLOWING)


def test_an_answer_missed_in_its_sleep_proves_nothing():
    """The request went out before; its time ran out while nobody could hear."""
    node = leader().on(Tick(), 100.5).on(Away(100.5), 130).expect().now(Role.DOUBTFUL)
    node.on(Away(100.6), 130).now(Role.DOUBTFUL)
    assert not leads(node.lease, 130)
    node.on(Tick(), 130.1).expect(Ask.RENEW).now(Role.DOUBTFUL)
    node.on(Away(130.1), 130.6).now(Role.ALONE)
    assert leads(node.lease, 130.6)


def test_a_leader_that_went_on_alone_and_slept_asks_as_well():
    node = leader().on(Away(100.0), 100.5).now(Role.ALONE)
    assert not leads(node.lease, 130)
    node.on(Tick(), 130).expect(Ask.RENEW).now(Role.DOUBTFUL)


def test_a_short_sleep_within_the_lease_changes_nothing():
    node = leader().on(Tick(), 100 + S).expect(Ask.RENEW).now(Role.LEADING)
    node.on(Renewed(100 + S), 100 + S).now(Role.LEADING)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.STOPPED])
def test_every_role_can_stop_and_only_a_leader_gives_back(role):
    lease, effects = step(replace(Lease("a/1", S), role=role), Stop(), 1)
    gives = role in (Role.LEADING, Role.ALONE, Role.DOUBTFUL, Role.CATCHING_UP)
    assert (lease.role, effects) == (Role.STOPPED, [Ask.RELEASE] if gives else [])


def test_every_entry_of_the_table_has_a_role_that_can_be_told_it():
    assert {role for role, _ in TABLE} == set(Role) - {Role.STOPPED}


class PaperRedis:
    """The scripts' rules, with expiry by the true time."""

    def __init__(self):
        self.epoch, self.holder, self.until, self.away = 0, "", 0.0, False

    def answer(self, lease, ask, now):
        if self.away:
            return Away(now)
        view = View(self.epoch, self.holder, held=now < self.until)
        if ask is Ask.LOOK:
            return Looked(view)
        if ask is Ask.CLAIM:
            if view.held:
                return Refused(view)
            self.epoch, self.holder = max(self.epoch, lease.epoch) + 1, lease.node
            self.until = now + lease.seconds
            return Granted(self.epoch, now)
        if ask is Ask.RELEASE:
            if (self.epoch, self.holder) == (lease.epoch, lease.node):
                self.until = now
            return None
        if self.epoch < lease.epoch:
            if ask is Ask.RENEW:
                return Forgotten()
            self.epoch, self.holder = lease.epoch, lease.node
        elif (self.epoch, self.holder) != (lease.epoch, lease.node):
            return Refused(view)
        self.until = now + lease.seconds
        return Renewed(now, anew=ask is Ask.RECLAIM)

    def may_append(self, lease):
        return not self.away and (self.epoch, self.holder) == (lease.epoch, lease.node)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.05, 1.0),
            st.sampled_from(["", "", "", "away", "back", "empty", "pause0", "pause1", "wake"]),
        ),
        max_size=120,
    )
)
def test_whatever_happens_nobody_writes_beside_the_one_whom_redis_names(story):
    """Two nodes, a Redis that goes away and forgets, and pauses of any length.

    Whoever takes calls is the one whom Redis names, or Redis was away when it last asked; what is
    appended is always one node's of one epoch, and epochs never return where nothing is forgotten.
    """
    redis, now = PaperRedis(), 1000.0
    nodes = [Lease("a/1", S, heard=now), Lease("b/1", S, heard=now)]
    paused, epochs, emptied, ever = set(), [], False, False
    for pause, happens in story:
        now += pause
        redis.away = {"away": True, "back": False}.get(happens, redis.away)
        if happens == "empty":
            redis.epoch, redis.holder, redis.until, emptied = 0, "", 0.0, True
            ever = True
        elif happens.startswith("pause"):
            paused.add(int(happens[-1]))
        elif happens == "wake":
            paused.clear()
        for index in {0, 1} - paused:
            nodes[index] = beat(nodes[index], redis, now, epochs)
        writers = [one for one in nodes if redis.may_append(one)]
        assert len(writers) <= 1
        takers = [one for index, one in enumerate(nodes) if index not in paused]
        takers = [one for one in takers if leads(one, now)]
        if not redis.away and not emptied:
            assert all(redis.holder == one.node for one in takers)
        emptied = emptied and not takers
    # Emptied while the leader sleeps, Redis counts from what the other knows: docs/cluster.md.
    assert ever or epochs == sorted(set(epochs))


def beat(lease, redis, now, epochs):
    events = [Tick()]
    while events:
        lease, effects = step(lease, events.pop(0), now)
        for effect in effects:
            if isinstance(effect, Ask):
                answer = redis.answer(lease, effect, now)
                events += [answer] if answer is not None else []
                if isinstance(answer, Granted):
                    epochs.append(answer.epoch)
            elif isinstance(effect, CatchUp):
                events.append(CaughtUp())
            elif isinstance(effect, StepDown):
                events.append(Ended())
    return lease
