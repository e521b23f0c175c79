"""The hotline's side of a take-over: whose phones ring at once, and who is ready as before."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace

import pytest

from acd import events as acd
from acd.core import Core
from callcore.call.events import Registered, Unregistered
from callcore.call.registrar import Binding
from callcore.call.settings import Seat
from callcore.engine import Engine
from callcore.flow import Flow
from hotline.seats import picture
from service.cluster import Stage
from service.wiring import acd_settings
from tests.callcore.stage import CountingIdentifiers
from tests.hotline.house import House, configured

LISTENER = ("127.0.0.1", 5060)
USERS = ("8001", "8002", "9001")
CONFIG = configured().model_copy(
    update={
        "seats": tuple(one.model_copy(update={"auto_ready": False}) for one in configured().seats)
    }
)


class Node:
    """A node that follows; its registrar is the real one."""

    def __init__(self) -> None:
        self.house = House(CONFIG)
        self.parts = self.house.conductor.parts
        known = {user: Seat(user, "x") for user in USERS}
        settings = replace(self.house.sip.settings, seats=known)
        self.engine = Engine(settings, CountingIdentifiers())
        self.trunks: list[bool] = []
        paper = self.house.sip
        paper.addresses = [("udp", *LISTENER)]  # type: ignore[attr-defined]
        paper.restore = self._restore  # type: ignore[attr-defined]
        paper.register_trunks = self.trunks.append  # type: ignore[attr-defined]
        self.parts.queueing.adopt(Core(acd_settings(CONFIG)), None)

    def _restore(self, bindings: Sequence[Binding]) -> None:
        """As the server does: what the engine has to tell is told before it returns."""
        self.engine.restore(bindings, self.parts.clock.anywhere())
        for fact in self.engine.take():
            assert isinstance(fact, Registered | Unregistered)
            self.house.conductor.on_sip(fact)

    def heard(self, *events: acd.Event) -> None:
        """What the leader decided."""
        for event in events:
            self.parts.queueing.follow(event, b"")

    def lead(self, seats: dict[str, bytes]) -> None:
        Stage(self.house.conductor).lead(seats)

    def shared(self, *bindings: Binding) -> dict[str, bytes]:
        """These phones as a leader shares them, with what the seats do now."""
        registrar = Engine(self.engine.settings, CountingIdentifiers())
        registrar.restore(bindings, 0.0)
        offset_ms = Stage(self.house.conductor)._offset_ms()
        return picture(registrar, self.parts.queueing.core, USERS, offset_ms)

    def phone(self, user: str, port: int = 5070) -> Binding:
        """A registration by UDP, good for a while."""
        expires_at = self.parts.clock.anywhere() + 300
        flow = Flow("udp", ("192.0.2.1", 5060), ("127.0.0.2", port))
        return Binding(user, f"sip:{user}@127.0.0.2:{port}", flow, expires_at, f"c{port}", 1)

    def states(self, users: Collection[str] = USERS) -> dict[str, str]:
        return {
            one.user: one.state for one in self.parts.queueing.core.agents() if one.user in users
        }


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    one = Node()
    yield one
    one.house.close()


async def test_who_was_ready_is_ready_again_and_who_was_not_is_not(node: Node) -> None:
    """
    node-1 (leads)     node-2                     8001, 8002 by UDP; 8001 has said that it is ready
      X kill -9          | leads
                         |-- restores 8001 ------> ready
                         |-- restores 8002 ------> not ready, as before
    """
    node.heard(acd.AgentReady(1, "8001"), acd.AgentNotReady(1, "8002", "registered"))
    node.lead(node.shared(node.phone("8001"), node.phone("8002", 5071)))
    assert node.states() == {"8001": "ready", "8002": "not_ready", "9001": "offline"}
    assert node.trunks == [True]


async def test_whose_phone_had_registered_here_already_is_ready_as_before(node: Node) -> None:
    node.heard(acd.AgentReady(1, "8001"))
    node.house.seat("8001")
    node.house.seat("8002")
    node.lead({})
    assert node.states(("8001", "8002")) == {"8001": "ready", "8002": "not_ready"}


async def test_a_phone_that_comes_back_by_itself_is_ready_as_before_once(node: Node) -> None:
    """Over TCP nothing can be restored: it registers again, and later goes and comes as ever."""
    node.heard(acd.AgentReady(1, "8001"))
    node.lead(node.shared())
    assert node.states(("8001",)) == {"8001": "offline"}
    node.house.seat("8001")
    assert node.states(("8001",)) == {"8001": "ready"}
    node.house.conductor.presence.went("8001", "flow closed")
    node.house.seat("8001")
    assert node.states(("8001",)) == {"8001": "not_ready"}


async def test_who_comes_back_the_next_morning_begins_anew(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.heard(acd.AgentReady(1, "8001"))
    node.lead(node.shared())
    later = node.parts.clock.wall_ms() + 12 * 3_600_000
    monkeypatch.setattr(node.parts.clock, "wall_ms", lambda: later)
    node.house.seat("8001")
    assert node.states(("8001",)) == {"8001": "not_ready"}


async def test_every_phone_of_a_seat_is_restored_in_the_order_in_which_they_came(
    node: Node,
) -> None:
    phones = [node.phone("8001", port) for port in (5070, 5071, 5072)]
    node.lead(node.shared(*phones))
    restored = node.engine.registrar.bindings("8001")
    assert [one.contact for one in reversed(restored)] == [one.contact for one in phones]
    assert {one.flow.local for one in restored} == {LISTENER}


async def test_a_phone_that_moved_while_another_node_led_is_rung_where_it_is(node: Node) -> None:
    """
    node-1 (leads)     node-2 (leads)     8001
      |<---- REGISTER, port 5070 --------- |
      X paused           | leads           |
                         |<-- REGISTER --- |  port 5071, the same Call-ID
      | leads again      X                 |
    """
    now = node.parts.clock.anywhere()
    before, after = (
        replace(node.phone("8001", port), call_id="one", cseq=cseq, since=now - 60 + cseq)
        for port, cseq in ((5070, 1), (5071, 2))
    )
    node.engine.restore([before], now)
    node.engine.take()
    node.lead(node.shared(after))
    (found,) = node.engine.registrar.bindings("8001")
    assert found.contact == after.contact
    assert found.since == pytest.approx(after.since, abs=0.01)


async def test_a_phone_that_was_put_away_while_another_node_led_is_not_rung(node: Node) -> None:
    """
    node-1 (leads)     node-2 (leads)     8001, which may register at both
      |<---- REGISTER -------------------- |
      X paused           | leads           |
                         |<-- Expires: 0 - |
      | leads again      X                 |
    """
    now = node.parts.clock.anywhere()
    before = replace(node.phone("8001"), since=now - 60)
    node.engine.restore([before], now)
    node.engine.take()
    node.lead(node.shared(replace(before, since=now - 10, gone=True)))
    assert node.engine.registrar.bindings("8001") == ()
    assert node.states(("8001",)) == {"8001": "offline"}
