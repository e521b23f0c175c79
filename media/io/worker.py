"""A media worker: `python -m media.io.worker FD SETUP`, one process, one tick each 20 ms.

FD is its end of the control socket, SETUP a JSON of `messages.Setup`. It ends when the other end
closes, after it has given the sink what it holds.
"""

import bisect
import contextlib
import gc
import importlib
import os
import resource
import secrets
import select
import signal
import socket
import sys
import time
from collections import deque
from pathlib import Path

import msgspec

from media import messages as m
from media.errors import LocalProtocolError
from media.io.channel import Channel
from media.io.sockets import UdpWire
from media.io.uring_wire import UringWire
from media.io.writer import SinkWriter
from media.prompts import Bank, decode_wav
from media.switch import Switch
from media.tones import Tone, built_in
from media.types import TICK_SECONDS

CATCH_UP_TICKS = 5  # late by more than these, the rest is skipped
BEAT_TICKS = 10  # 0.2 s: a stuck worker is found out in little more than its time-out
COMMAND_SECONDS = 0.002  # for commands at a time: a tick must not wait for a thousand of them
COLLECT_TICKS = 3000
STOP_SECONDS = 5.0
STAND_BY_SECONDS = 0.2  # between a spare's signs of life


class Worker:
    """The loop around the switch: clock, control channel, writer, life signs."""

    def __init__(self, sock: socket.socket, setup: m.Setup) -> None:
        self.sock = sock
        self.channel = Channel(sock)
        module, _, name = setup.sink.partition(":")
        sink = getattr(importlib.import_module(module), name)(**setup.sink_arguments)
        prompts = {
            name: decode_wav(Path(path).read_bytes()) for name, path in setup.prompts.items()
        }
        self.writer = SinkWriter(sink)
        self.sockets, self.wire = wire_of(setup.sockets, setup.capacity)
        made = built_in({name: Tone(t.hertz, t.cadence, t.dbm0) for name, t in setup.tones.items()})
        bank = Bank(made | prompts)
        self.switch = Switch(setup, bank, self.wire, self.writer, self.channel.send)
        self.decoder = msgspec.msgpack.Decoder(m.AnyCommand)
        self.commands: deque[bytes] = deque()
        self.spare = setup.spare
        self.stopping = False
        self.skipped = 0
        self.late = [0] * (len(m.LATE_BUCKETS_MS) + 1)
        self.late_seconds = self.busy_seconds = 0.0
        self._buckets = [limit / 1000 for limit in m.LATE_BUCKETS_MS]

    def run(self) -> None:
        """Ticks on absolute deadlines, so that no lateness ever adds up."""
        while self.spare and not self.stopping and not self.channel.closed:
            self._stand_by()
        deadline = time.monotonic() + TICK_SECONDS
        while not self.stopping and not self.channel.closed:
            now = self._wait(deadline)
            self._measure(now - deadline)
            self._tick()
            self.busy_seconds += time.monotonic() - now
            deadline += TICK_SECONDS
            behind = int((time.monotonic() - deadline) / TICK_SECONDS)
            if behind > CATCH_UP_TICKS:
                self.switch.skip(behind)
                self.skipped += behind
                deadline += behind * TICK_SECONDS
        self._finish()

    def _stand_by(self) -> None:
        """A spare shows that it lives, and does nothing else until it is to serve."""
        select.select([self.sock], [], [], STAND_BY_SECONDS)
        self.commands.extend(self.channel.receive())
        if self.commands:
            command = self.decoder.decode(self.commands.popleft())
            self.stopping = isinstance(command, m.Stop)
            if isinstance(command, m.Serve):
                self.spare = False
                bind(command.cpus)
        if not self.channel.backlog:
            self.channel.send(self.beat())
        self.channel.flush()

    def _wait(self, deadline: float) -> float:
        """Obey commands until the tick is due; at least one look, however late it is."""
        while True:
            self._obey(min(deadline, time.monotonic() + COMMAND_SECONDS))
            now = time.monotonic()
            if now >= deadline or self.stopping or self.channel.closed:
                return now
            timeout = 0.0 if self.commands else deadline - now
            select.select([self.sock], [], [], timeout)

    def _obey(self, until: float) -> None:
        self.commands.extend(self.channel.receive())
        first = True
        while self.commands and (first or time.monotonic() < until):
            first = False
            command = self.decoder.decode(self.commands.popleft())
            if isinstance(command, m.Stop):
                self.stopping = True
                return
            # Of a new leg alone: for each command they were a twentieth of all that is spent here.
            numbers = fresh() if isinstance(command, m.Open) else ()
            try:
                self.switch.obey(command, numbers)
            except LocalProtocolError as error:
                # The parent checks first; what slips through must not cost the other calls.
                # By its kind alone: a command may hold a key.
                print(f"media worker: {type(command).__name__}: {error}", file=sys.stderr)
        self.writer.flush()

    def _measure(self, late: float) -> None:
        self.late[bisect.bisect_left(self._buckets, late)] += 1
        self.late_seconds += max(0.0, late)

    def _tick(self) -> None:
        self.switch.step()
        self.writer.flush()
        for event in self.writer.take():
            self.channel.send(event)
        number = self.switch.tick.number
        if number % BEAT_TICKS == 0 and not self.channel.backlog:
            self.channel.send(self.beat())
        self.channel.flush()
        if number % COLLECT_TICKS == 0:
            gc.collect(1)

    def beat(self) -> m.Heartbeat:
        """The counters since the start."""
        legs = self.switch.legs
        return m.Heartbeat(
            ticks=self.switch.tick.number,
            skipped_ticks=self.skipped,
            late=tuple(self.late),
            late_seconds=self.late_seconds,
            busy_seconds=self.busy_seconds,
            cpu_seconds=time.process_time(),
            legs=len(legs),
            packets_in=legs.total("packets_in"),
            packets_out=legs.total("packets_out"),
            lost=legs.lost() + legs.gone["lost"],
            counts={name: legs.total(name) for name in legs.counts},
            send_errors=self.wire.errors,
            blocks_dropped=self.writer.dropped,
        )

    def _finish(self) -> None:
        """Give the sink all that is left, tell the parent, end."""
        self.switch.stop()
        self.writer.stop(STOP_SECONDS)
        for event in self.writer.take():
            self.channel.send(event)
        self.channel.send(self.beat())
        self.sock.settimeout(STOP_SECONDS)
        self.channel.flush()


def fresh() -> tuple[int, ...]:
    """Sequence number, timestamp, SSRC and name that nobody can guess (RFC 3550 §5.1)."""
    return tuple(secrets.randbits(bits) for bits in (16, 32, 32, 96))


def wire_of(kind: str, capacity: int) -> tuple[str, UdpWire]:
    """The sockets that were asked for, and their name; OSError where the kernel has none such."""
    if kind != "plain":
        try:
            return "io_uring", UringWire(capacity)
        except OSError as error:
            if kind == "io_uring":
                raise
            print(f"media worker: plain sockets, without io_uring: {error}", file=sys.stderr)
    return "plain", UdpWire(capacity)


def settle(realtime: bool, cpus: tuple[int, ...] = ()) -> None:
    """What the operating system allows for punctual ticks; where it refuses, go on without."""
    for name in (signal.SIGINT, signal.SIGTERM):  # the parent drains calls and then closes us
        signal.signal(name, signal.SIG_IGN)
    bind(cpus)
    if realtime:
        with contextlib.suppress(OSError):
            os.nice(-10)  # the whole process, so that the writer never holds the lock for long
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))  # this thread only


def bind(cpus: tuple[int, ...]) -> None:
    """All our threads to these cores; none, or no such core: anywhere."""
    if cpus:
        with contextlib.suppress(OSError):
            for thread in os.listdir("/proc/self/task"):
                os.sched_setaffinity(int(thread), cpus)


def allow_files() -> None:
    """As many as the system lets us have: two sockets a leg, and io_uring has a slot for each."""
    with contextlib.suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(arguments: list[str]) -> None:
    """Build everything, freeze it out of the garbage collector's sight, tick."""
    allow_files()
    descriptor = int(arguments[0])
    sock = socket.socket(fileno=os.dup(descriptor))  # a low number, as select wants
    os.close(descriptor)
    setup = msgspec.json.decode(arguments[1], type=m.Setup)
    try:
        worker = Worker(sock, setup)  # starts the writer's thread, which stays unprivileged
    except OSError as error:
        sys.exit(f"media worker: {error}")
    settle(setup.realtime, setup.cpus)
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    gc.disable()
    worker.channel.send(m.Ready(os.getpid(), worker.sockets))
    worker.channel.flush()
    worker.run()


if __name__ == "__main__":
    main(sys.argv[1:])
