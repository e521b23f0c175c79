"""What the nodes of a cluster share in Redis: lease, stream, snapshot, seats. Bytes in and out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from acd.io.scripts import SCRIPTS
from acd.lease import View

ENTRIES_AT_ONCE = 64


class SharedAway(Exception):
    """Redis did not do it: not there, too slow, loading, full."""


class Fenced(Exception):
    """Another leads; `view` says who."""

    def __init__(self, view: View) -> None:
        super().__init__(f"epoch {view.epoch} is {view.holder}'s")
        self.view = view


class SharedForgotten(Exception):
    """Redis knows nothing of our epoch."""


class SharedGap(Exception):
    """What was appended does not follow on what is there: `last` is."""

    def __init__(self, last: int) -> None:
        super().__init__(f"the stream ends with {last}")
        self.last = last


@dataclass(frozen=True, slots=True)
class Stand:
    """The lease, and how far the epoch's holder has come."""

    view: View
    base: int  # number of the epoch's first event
    last: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A lease that was granted."""

    epoch: int
    last: int  # the last event in the stream
    anew: bool  # the stream was begun again: Redis had been emptied, or was older than we


@dataclass(frozen=True, slots=True)
class Batch:
    """Some events as one entry of the stream holds them."""

    epoch: int
    first: int
    last: int
    frames: bytes


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and under which epoch."""

    node: str
    epoch: int


class Shared:
    """One cluster's keys in one Redis; each request takes `timeout_seconds` at most."""

    def __init__(self, url: str, name: str, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._redis = Redis.from_url(
            url,
            # Ours is around each request: redis-py's own is a wait_for, in which Python 3.11 loses
            # a cancellation that comes as the request is sent, and a task then never ends.
            socket_timeout=None,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
        )
        prefix = f"callcore:{{{name}}}:"  # one hash slot: scripts touch several keys
        self._keys = [prefix + one for one in ("lease", "meta", "stream", "snapshot", "epochs")]
        self._seat, self._minutes = prefix + "seat:", prefix + "minutes"
        self._scripts = {name: self._redis.register_script(text) for name, text in SCRIPTS.items()}

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()

    async def look(self) -> Stand:
        """Who leads."""
        held, epoch, holder, base, last = await self._run("look")
        return Stand(View(epoch, holder.decode(), bool(held)), base, last)

    async def claim(self, node: str, lease_ms: int, known: int, own: tuple[int, int]) -> Claimed:
        """Take a lease that nobody has; `own` is the own journal's epoch and last event. Fenced."""
        answer = await self._run("claim", [node, lease_ms, known, *own])
        _, epoch, last, anew = answer
        return Claimed(epoch, last, bool(anew))

    async def renew(self, writer: Writer, lease_ms: int) -> None:
        """Hold the lease on. Fenced, SharedForgotten."""
        await self._run("renew", [writer.node, lease_ms, writer.epoch])

    async def reclaim(self, writer: Writer, lease_ms: int, base: int) -> None:
        """Hold it again after Redis was emptied. Fenced."""
        await self._run("reclaim", [writer.node, lease_ms, writer.epoch, base])

    async def release(self, writer: Writer) -> None:
        """Give it back."""
        await self._run("release", [writer.node, writer.epoch])

    async def append(self, writer: Writer, first: int, frames: list[bytes], keep: int) -> int:
        """Events `first` and on; the last one's number. Fenced, SharedForgotten, SharedGap."""
        last = first + len(frames) - 1
        await self._run("append", [writer.node, writer.epoch, first, last, b"".join(frames), keep])
        return last

    async def put_snapshot(
        self, writer: Writer, sequence: int, snapshot: bytes, *, anew: bool
    ) -> None:
        """The state after event `sequence`; `anew`: the stream begins behind it."""
        arguments = [writer.node, writer.epoch, sequence, snapshot, "1" if anew else ""]
        await self._run("snapshot", arguments)

    async def snapshot(self) -> bytes:
        """The newest, or nothing."""
        found: bytes | None = await self._ask(self._redis.get(self._keys[3]))
        return found or b""

    async def read(self, after: int) -> list[Batch]:
        """Some of what was appended after event `after`, without waiting."""
        answer = await self._ask(
            self._redis.xread({self._keys[2]: f"{after}-0"}, count=ENTRIES_AT_ONCE)
        )
        entries = answer[0][1] if answer else []
        return [_batch(name, fields) for name, fields in entries]

    async def first_after(self, epoch: int) -> int | None:
        """The first event of the next leadership after `epoch`, if there was one."""
        found = await self._ask(self._redis.hgetall(self._keys[4]))
        later = {int(one): int(first) for one, first in found.items() if int(one) > epoch}
        return later[min(later)] if later else None

    async def exchange(self, node: str, minutes: bytes) -> list[bytes]:
        """Tells what this node has counted of the month; what each of the others has."""
        await self._ask(self._redis.hset(self._minutes, node, minutes))
        found = await self._ask(self._redis.hgetall(self._minutes))
        return [one for other, one in sorted(found.items()) if other != node.encode()]

    async def put_seats(self, writer: Writer, seats: Mapping[str, bytes], expiry_ms: int) -> None:
        """Where seats are and what they do. Fenced, SharedForgotten."""
        keys = [self._seat + user for user in seats]
        await self._run("seats", [writer.node, writer.epoch, expiry_ms, *seats.values()], keys)

    async def seats(self, users: Iterable[str]) -> dict[str, bytes]:
        """What is known of them and has not expired."""
        names = list(users)
        if not names:
            return {}
        found = await self._ask(self._redis.mget([self._seat + user for user in names]))
        return {user: one for user, one in zip(names, found, strict=True) if one is not None}

    async def _run(self, name: str, arguments: list[Any] | None = None, keys: Any = ()) -> Any:
        answer = await self._ask(self._scripts[name]([*self._keys, *keys], arguments or []))
        match answer[0]:
            case b"refused":
                raise Fenced(View(answer[1], answer[2].decode(), held=True))
            case b"forgotten":
                raise SharedForgotten
            case b"gap":
                raise SharedGap(answer[1])
        return answer

    async def _ask(self, request: Any) -> Any:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await request
        except (RedisError, OSError, TimeoutError) as error:
            raise SharedAway(str(error) or type(error).__name__) from None


def _batch(name: bytes, fields: Mapping[bytes, bytes]) -> Batch:
    last = int(name.partition(b"-")[0])
    return Batch(int(fields[b"epoch"]), int(fields[b"first"]), last, fields[b"frames"])
