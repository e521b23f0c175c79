"""The machine of one node's part in a cluster: who may write, from when on and until when.

The lease lives in one Redis; its epoch grows with each new leader and fences off all that an older
one still sends. A node trusts only its own monotonic clock, and only for how long ago it was that
Redis said yes: a leader that has slept knows by it that it may have been replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias


class Role(Enum):
    """What the node is; only the first three ever write."""

    LEADING = "leading"
    ALONE = "alone"  # leading, and Redis is away: nobody can take the lease meanwhile
    DOUBTFUL = "doubtful"  # led when it fell asleep: takes no new calls until it knows
    FOLLOWING = "following"
    CLAIMING = "claiming"
    CATCHING_UP = "catching_up"  # has the lease and renews it, reads what is left of the one before
    STEPPING_DOWN = "stepping_down"  # replaced: its calls end, then it follows
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class View:
    """What Redis says of the lease."""

    epoch: int = 0  # 0 = it knows of none: new, or emptied
    holder: str = ""
    held: bool = False  # somebody's lease has not run out


# What the node is told.


@dataclass(frozen=True, slots=True)
class Tick:
    """A beat of the node's own heart, several in each lease."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Redis' answer to Look; `able`: this node's state can be brought up to date."""

    view: View
    able: bool = True


@dataclass(frozen=True, slots=True)
class Granted:
    """The lease is ours, asked for at `asked_at` (seconds, monotonic)."""

    epoch: int
    asked_at: float


@dataclass(frozen=True, slots=True)
class Renewed:
    """The lease is ours for another while; or it is again, after Redis was emptied."""

    asked_at: float
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody else has, or had, the lease after us."""

    view: View


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Redis knows nothing of our epoch: it was emptied, or went back in time."""


@dataclass(frozen=True, slots=True)
class Away:
    """Redis did not answer a request made at `asked_at`."""

    asked_at: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """All that the leader before us wrote is in our state."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot be: a part of it is gone, or of a newer version."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The calls of our time as a leader are over."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The process ends."""


# What is to be done.


class Ask(Enum):
    """A request to Redis; one at a time, and its answer is the next thing told."""

    LOOK = "look"
    CLAIM = "claim"
    RENEW = "renew"
    RECLAIM = "reclaim"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Read the stream to its end."""


@dataclass(frozen=True, slots=True)
class Lead:
    """Write from now on."""


@dataclass(frozen=True, slots=True)
class Reseed:
    """Give Redis the snapshot and the journal behind it again."""


@dataclass(frozen=True, slots=True)
class StepDown:
    """Write no more; end the calls."""


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Follow, from what the others have."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell people."""

    text: str


Answer: TypeAlias = Looked | Granted | Renewed | Refused | Forgotten | Away
Event: TypeAlias = Answer | Tick | CaughtUp | Failed | Ended | Stop
Effect: TypeAlias = Ask | CatchUp | Lead | Reseed | StepDown | Rejoin | Report


@dataclass(frozen=True, slots=True)
class Lease:
    """One node. Times are seconds on its monotonic clock."""

    node: str
    seconds: float
    role: Role = Role.FOLLOWING
    epoch: int = 0  # ours if we lead or led, else the highest that we have heard of
    holder: str = ""  # who leads, as far as we know
    until: float = 0.0  # our lease holds at least until then
    heard: float = 0.0  # our last beat
    vacant_since: float | None = None  # since when Redis has known of no leader at all


Step: TypeAlias = tuple[Lease, list[Effect]]


def leads(lease: Lease, now: float) -> bool:
    """Whether a new call may be taken: asked for each, so it must hold at this very moment."""
    awake = now - lease.heard <= lease.seconds
    if lease.role is Role.ALONE:
        return awake
    return lease.role is Role.LEADING and awake and now <= lease.until


def step(lease: Lease, event: Event, now: float) -> Step:
    """One transition; what a role does not know changes nothing."""
    act = TABLE.get((lease.role, type(event)))
    return (lease, []) if act is None else act(lease, event, now)


def look(lease: Lease, event: Tick, now: float) -> Step:
    """Is there a leader?"""
    return replace(lease, heard=now), [Ask.LOOK]


def judge(lease: Lease, event: Looked, now: float) -> Step:
    """A lease that ran out is claimed at once; where all is forgotten, its holder comes first."""
    view = event.view
    known = replace(lease, holder=view.holder, epoch=max(lease.epoch, view.epoch))
    if view.held:
        return replace(known, vacant_since=None), []
    if view.epoch == 0 or view.epoch < lease.epoch:
        since = now if lease.vacant_since is None else lease.vacant_since
        known = replace(known, vacant_since=since, holder=lease.holder)
        if now - since < lease.seconds:
            return known, []
    if not event.able:
        return known, []
    return replace(known, role=Role.CLAIMING), [Ask.CLAIM]


def cannot_see(lease: Lease, event: Away, now: float) -> Step:
    """Nothing is known: nothing can be claimed."""
    return replace(lease, role=Role.FOLLOWING, vacant_since=None), []


def win(lease: Lease, event: Granted, now: float) -> Step:
    """Ours, once what was written before us is read."""
    mine = replace(lease, role=Role.CATCHING_UP, epoch=event.epoch, holder=lease.node)
    return replace(mine, until=event.asked_at + lease.seconds, vacant_since=None), [CatchUp()]


def lose(lease: Lease, event: Refused, now: float) -> Step:
    """Somebody was quicker."""
    epoch = max(lease.epoch, event.view.epoch)
    return replace(lease, role=Role.FOLLOWING, epoch=epoch, holder=event.view.holder), []


def give_up(lease: Lease, event: Event, now: float) -> Step:
    """Let another try."""
    return replace(lease, role=Role.FOLLOWING, vacant_since=None), [Ask.RELEASE]


def lead(lease: Lease, event: CaughtUp, now: float) -> Step:
    """From here on calls are taken; not by who read for so long that another may lead by now."""
    if now > lease.until:
        return give_up(lease, event, now)
    text = f"{lease.node} leads, epoch {lease.epoch}"
    return replace(lease, role=Role.LEADING, heard=now), [Lead(), Report(text)]


def renew(lease: Lease, event: Tick, now: float) -> Step:
    """A beat that comes later than a whole lease means that we slept."""
    asleep = lease.role in (Role.LEADING, Role.ALONE) and now - lease.heard > lease.seconds
    awake = replace(lease, heard=now)
    if not asleep:
        return awake, [Ask.RENEW]
    text = f"{lease.node} was paused for {now - lease.heard:.1f} s and asks whether it still leads"
    return replace(awake, role=Role.DOUBTFUL), [Ask.RENEW, Report(text)]


def keep(lease: Lease, event: Renewed, now: float) -> Step:
    """Still ours, or ours again."""
    until = event.asked_at + lease.seconds
    if lease.role is Role.CATCHING_UP:
        return replace(lease, until=until), []
    effects: list[Effect] = [Reseed()] if event.anew else []
    if lease.role is not Role.LEADING:
        effects.append(Report(f"{lease.node} goes on leading, epoch {lease.epoch}"))
    elif event.anew:
        effects.append(Report("Redis had forgotten the cluster and is told again"))
    return replace(lease, role=Role.LEADING, until=until), effects


def go_on_alone(lease: Lease, event: Away, now: float) -> Step:
    """While Redis is away nobody can claim; an answer missed while we slept proves nothing."""
    if now > lease.until or now - lease.heard > lease.seconds:
        return replace(lease, role=Role.DOUBTFUL), []
    text = f"{lease.node} goes on without Redis: {event.why}"
    return replace(lease, role=Role.ALONE), [Report(text)]


def find_nobody(lease: Lease, event: Away, now: float) -> Step:
    """Asked after we woke, and Redis is away: nobody else can have claimed by it now."""
    if event.asked_at < lease.heard or now - lease.heard > lease.seconds:
        return lease, []
    text = f"{lease.node} goes on without Redis: {event.why}"
    return replace(lease, role=Role.ALONE), [Report(text)]


def reclaim(lease: Lease, event: Forgotten, now: float) -> Step:
    """Emptied under a living leader."""
    return lease, [Ask.RECLAIM]


def forget(lease: Lease, event: Forgotten, now: float) -> Step:
    """Emptied before we led: begin again."""
    return replace(lease, role=Role.FOLLOWING, vacant_since=None), []


def step_down(lease: Lease, event: Refused, now: float) -> Step:
    """Another leads: not one more word of ours counts."""
    text = f"{lease.node} was replaced by {event.view.holder}, epoch {event.view.epoch}"
    gone = replace(lease, role=Role.STEPPING_DOWN, holder=event.view.holder)
    return gone, [StepDown(), Report(text)]


def rejoin(lease: Lease, event: Ended, now: float) -> Step:
    """As any other that follows."""
    return replace(lease, role=Role.FOLLOWING, heard=now, vacant_since=None), [Rejoin()]


def beat(lease: Lease, event: Tick, now: float) -> Step:
    """Alive, with nothing to ask."""
    return replace(lease, heard=now), []


def release(lease: Lease, event: Stop, now: float) -> Step:
    """So that the next need not wait."""
    return replace(lease, role=Role.STOPPED), [Ask.RELEASE]


def stop(lease: Lease, event: Stop, now: float) -> Step:
    """Nothing to give back."""
    return replace(lease, role=Role.STOPPED), []


TABLE: dict[tuple[Role, type], Callable[..., Step]] = {
    (Role.FOLLOWING, Tick): look,
    (Role.FOLLOWING, Looked): judge,
    (Role.FOLLOWING, Away): cannot_see,
    (Role.FOLLOWING, Stop): stop,
    (Role.CLAIMING, Granted): win,
    (Role.CLAIMING, Refused): lose,
    (Role.CLAIMING, Away): cannot_see,
    (Role.CLAIMING, Stop): stop,
    (Role.CATCHING_UP, Tick): renew,
    (Role.CATCHING_UP, Renewed): keep,
    (Role.CATCHING_UP, CaughtUp): lead,
    (Role.CATCHING_UP, Failed): give_up,
    (Role.CATCHING_UP, Refused): lose,
    (Role.CATCHING_UP, Forgotten): forget,
    (Role.CATCHING_UP, Away): cannot_see,
    (Role.CATCHING_UP, Stop): release,
    (Role.LEADING, Tick): renew,
    (Role.LEADING, Renewed): keep,
    (Role.LEADING, Refused): step_down,
    (Role.LEADING, Forgotten): reclaim,
    (Role.LEADING, Away): go_on_alone,
    (Role.LEADING, Stop): release,
    (Role.ALONE, Tick): renew,
    (Role.ALONE, Renewed): keep,
    (Role.ALONE, Refused): step_down,
    (Role.ALONE, Forgotten): reclaim,
    (Role.ALONE, Stop): release,
    (Role.DOUBTFUL, Tick): renew,
    (Role.DOUBTFUL, Renewed): keep,
    (Role.DOUBTFUL, Refused): step_down,
    (Role.DOUBTFUL, Forgotten): reclaim,
    (Role.DOUBTFUL, Away): find_nobody,
    (Role.DOUBTFUL, Stop): release,
    (Role.STEPPING_DOWN, Tick): beat,
    (Role.STEPPING_DOWN, Ended): rejoin,
    (Role.STEPPING_DOWN, Stop): stop,
}
