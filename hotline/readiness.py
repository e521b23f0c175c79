"""Whether calls should be sent here: what `/readyz` says, and a code for each of it."""

from collections.abc import Iterator
from typing import NamedTuple

from hotline.commands import ClusterStatus, Code, Readiness
from hotline.conductor import Conductor


class Trouble(NamedTuple):
    """Something that is not as it should be; `stops`: no calls should come."""

    stops: bool
    code: str
    text: str
    about: str = ""


def readiness(conductor: Conductor, cluster: ClusterStatus) -> Readiness:
    """What keeps traffic away, and what only needs mending."""
    found = [*_of_calls(conductor, cluster), *_of_recordings(conductor)]
    reasons = [one for one in found if one.stops]
    warnings = [one for one in found if not one.stops]
    return Readiness(
        not reasons,
        tuple(one.text for one in reasons),
        tuple(one.text for one in warnings),
        cluster.role,
        tuple(Code(one.code, one.about) for one in reasons),
        tuple(Code(one.code, one.about) for one in warnings),
    )


def _of_calls(conductor: Conductor, cluster: ClusterStatus) -> Iterator[Trouble]:
    parts = conductor.parts
    if conductor.draining:
        yield Trouble(True, "draining", "draining: no new calls are taken")
    if not parts.queueing.leads():
        leader = cluster.leader or "no node"
        yield Trouble(True, "not_leading", f"{cluster.role}: {leader} leads", leader)
    if cluster.trouble:
        yield Trouble(False, "cluster", f"cluster: {cluster.trouble}", cluster.trouble)
    journal = parts.queueing.journal
    if journal is not None and journal.trouble:
        text = f"the journal is not written: {journal.trouble}; {journal.pending} events wait"
        yield Trouble(False, "journal", text, journal.trouble)
    trunks = [trunk.name for trunk in parts.config.trunks]
    down = [name for name in trunks if not parts.sip.engine.trunk_up(name)]
    if down:
        names = ", ".join(down)
        yield Trouble(len(down) == len(trunks), "trunk_down", f"trunk down: {names}", names)
    if not parts.plane.stats().pids:
        yield Trouble(True, "no_media", "no media worker is alive")
    if parts.gateway is not None and not parts.gateway.is_up:
        text = "the gateway is down: browser seats cannot be called"
        yield Trouble(True, "gateway_down", text)


def _of_recordings(conductor: Conductor) -> Iterator[Trouble]:
    status = conductor.parts.keeper.status()
    for name, text in zip(status.alert_names, status.alerts, strict=True):
        yield Trouble(False, f"recordings_{name}", text, text)
    if not status.store_ok:
        text = f"the store is away: {status.spooled} recordings wait in the spool"
        yield Trouble(True, "store_away", text, str(status.spooled))
    if not status.database_ok:
        yield Trouble(True, "database_away", "the database does not answer, or not yet")
