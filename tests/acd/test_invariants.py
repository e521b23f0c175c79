"""What holds after every event, whatever their order: more than 100,000 steps."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.acd.walk import Walk

WALKS, STEPS, LEAST_EVENTS = 36, 500, 100_000


class Queues(RuleBasedStateMachine):
    """Short walks, each step drawn on its own: what Hypothesis shrinks best."""

    @initialize(code=st.integers(0, 383))
    def start(self, code):
        self.walk = Walk(code)

    @rule(code=st.integers(0, 255), choice=st.integers(0, 255))
    def happen(self, code, choice):
        self.walk.step(code, choice)

    def teardown(self):
        if hasattr(self, "walk"):
            self.walk.end()


class TestQueues(Queues.TestCase):
    settings = settings(
        max_examples=40,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


seen = []


@settings(max_examples=WALKS, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    code=st.integers(0, 383),
    seed=st.randoms(use_true_random=False),
    head=st.binary(max_size=40),
)
def walk_far(code, seed, head):
    """The first steps are Hypothesis's own, the others follow from a seed that it draws."""
    walk = Walk(code)
    raw = head + seed.randbytes(2 * STEPS)
    for at in range(0, 2 * STEPS, 2):
        walk.step(raw[at], raw[at + 1])
    walk.end()
    seen.append(len(walk.journal))


@pytest.mark.timeout(600)  # 15 s of processor time, of which a busy machine gives little
def test_no_call_is_lost_on_long_walks():
    """Every event is checked, and there are enough of them."""
    walk_far()
    assert sum(seen) >= LEAST_EVENTS
