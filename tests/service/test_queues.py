"""The configuration's queues as the core has them."""

import pytest

from acd import events as e
from acd.core import Core
from config.loader import loads
from service.queues import acd_settings

TABLES = """
[[seats]]
user = "8001"
password = "x"
[[queues]]
name = "12345"
target_seconds = 15
"""


@pytest.mark.parametrize(
    ("keys", "in_target"),
    [
        ("", 0),
        ('clock_stop = "accepted"', 1),
        ('clock_stop = "accepted"\ntarget_inclusive = false', 0),
    ],
)
def test_a_wait_ends_as_the_contract_has_it(keys, in_target):
    """Picked up after 15 s to the millisecond, heard a tenth of a second later."""
    core = Core(acd_settings(loads(TABLES + keys, environ={})))
    core.step(e.AgentReady(0, "8001"))
    (offer,) = [
        one for one in core.step(e.Arrived(1000, "c1", "12345")) if isinstance(one, e.Offer)
    ]
    core.step(e.Accepted(16_000, offer.token))
    core.step(e.Bridged(16_100, "c1"))
    total = core.queue("12345").total
    assert (total.answered, total.answered_in_target) == (1, in_target)
