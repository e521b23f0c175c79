"""Commands by API, by keys, by REFER and Replaces, phones that come and go, timers, crashes and
hang-ups, in any order, on a whole hotline: the real machines and the real queue; SIP and media are
paper. What may happen is in world.py, what must hold in laws.py.
"""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callcore.call import events as sip
from tests.hotline.days import SORTS, hotline_of
from tests.hotline.house import FLOW
from tests.hotline.laws import all_over, check
from tests.hotline.world import SEATS, World


async def live(data: st.DataObject, least: int = 5, most: int = 50) -> None:
    world = World(hotline_of(data.draw(st.integers(0, len(SORTS) - 1))), data)
    try:
        for user in SEATS:
            world.tell(sip.Registered(user, f"sip:{user}@127.0.0.1", FLOW))
        for _ in range(data.draw(st.integers(least, most))):
            world.happens()
            check(world)
        all_over(world)
    finally:
        world.house.close()


@settings(
    max_examples=90,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_any_order_of_commands_and_hang_ups_leaves_nothing_open(data: st.DataObject) -> None:
    asyncio.run(live(data))
