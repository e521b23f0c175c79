"""Where seats are and what they do, as the leader shares it and the next one takes it over."""

from collections.abc import Iterable

import msgspec

from acd.core import Core
from callcore.call.registrar import Binding
from callcore.engine import Engine
from callcore.flow import Flow

AT_WORK = ("ready", "ringing", "talking", "held")
NEVER = float("-inf")


class SharedBinding(msgspec.Struct, frozen=True, array_like=True):
    """A registration by UDP: only such a one can be used from another machine (RFC 5626 §3.1)."""

    contact: str
    host: str
    port: int
    expires_ms: int  # since the epoch
    call_id: str
    cseq: int
    instance: str = ""
    q: str = ""
    path: tuple[str, ...] = ()
    since_ms: int = 0  # of the registration; 0 = told by an older version


class SharedSeat(msgspec.Struct, frozen=True, array_like=True):
    """One seat."""

    state: str
    since_ms: int
    reason: str
    bindings: tuple[SharedBinding, ...]
    gone: tuple[SharedBinding, ...] = ()  # taken back by their phones: no node rings there


def picture(engine: Engine, core: Core, users: Iterable[str], offset_ms: float) -> dict[str, bytes]:
    """Each seat's document; `offset_ms` is wall time less the engine's clock."""
    found: dict[str, bytes] = {}
    for user in users:
        agent = core.agent(user)
        bindings, gone = (
            tuple(_shared(one, offset_ms) for one in some if one.flow.transport == "udp")
            for some in (engine.registrar.bindings(user), engine.registrar.gone(user))
        )
        if agent is not None:
            seat = SharedSeat(agent.state, agent.since_ms, agent.reason, bindings, gone)
            found[user] = msgspec.msgpack.encode(seat)
    return found


def _shared(one: Binding, offset_ms: float) -> SharedBinding:
    return SharedBinding(
        one.contact,
        *one.flow.remote[:2],
        round(one.expires_at * 1000 + offset_ms),
        one.call_id,
        one.cseq,
        one.instance,
        one.q,
        one.path,
        0 if one.since == NEVER else round(one.since * 1000 + offset_ms),
    )


def read_seat(document: bytes) -> SharedSeat | None:
    """The contrary; None for what another version wrote in another way."""
    try:
        return msgspec.msgpack.decode(document, type=SharedSeat)
    except msgspec.MsgspecError:
        return None


def bindings_of(
    user: str, seat: SharedSeat, local: tuple[str, int], offset_ms: float
) -> list[Binding]:
    """A seat's registrations as if it had sent them to the listener `local`, oldest first.

    Behind them what its phones have taken back.
    """
    return [
        Binding(
            user,
            one.contact,
            Flow("udp", local, (one.host, one.port)),
            (one.expires_ms - offset_ms) / 1000,
            one.call_id,
            one.cseq,
            one.instance,
            one.q,
            one.path,
            since=(one.since_ms - offset_ms) / 1000 if one.since_ms else NEVER,
            gone=gone,
        )
        for some, gone in ((reversed(seat.bindings), False), (seat.gone, True))
        for one in some
    ]
