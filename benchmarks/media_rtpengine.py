"""rtpengine (Debian's, in userspace) relaying the same packets: the media benchmarks' peer."""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from typing import Any

from media_load import ADDRESS, TICKS_A_SECOND, WORKER_CORE, Shape, generator
from outcome import cpu_seconds

CONTROL = ("127.0.0.1", 22222)


def encode(value: Any) -> bytes:
    """Bencoding, which rtpengine's control protocol is written in."""
    if isinstance(value, dict):
        return b"d" + b"".join(encode(k) + encode(v) for k, v in sorted(value.items())) + b"e"
    text = value.encode() if isinstance(value, str) else value
    return str(len(text)).encode() + b":" + text


class Control:
    """One question and its answer at a time."""

    def __init__(self) -> None:
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.settimeout(1)

    def ask(self, **words: str) -> bytes:
        cookie = f"{time.monotonic_ns()} ".encode()  # a repeated one gets the old answer
        self.socket.sendto(cookie + encode(words), CONTROL)
        while True:
            answer = self.socket.recv(65536)
            if answer.startswith(cookie):
                return answer[len(cookie) :]

    def relay(self, call: int, ports: tuple[int, int]) -> tuple[int, int]:
        """One call between two parties: where each of them is to send."""
        common = {"call-id": f"call-{call}", "from-tag": "a", "ICE": "remove"}
        offered = self.ask(command="offer", sdp=sdp(ports[0]), **common)
        answered = self.ask(command="answer", sdp=sdp(ports[1]), **{"to-tag": "b"}, **common)
        # Each answer is for the other party: b sends where the offer's stands.
        return port_of(answered), port_of(offered)


def sdp(port: int) -> str:
    lines = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0")
    return "\r\n".join((*lines, f"m=audio {port} RTP/AVP 8", "")) + "\r\n"


def port_of(answer: bytes) -> int:
    return int(answer.split(b"m=audio ", 1)[1].split(b" ", 1)[0])


async def drive(process: subprocess.Popen[bytes], legs: int, seconds: float) -> dict[str, Any]:
    party = await generator(legs, seconds, Shape())
    assert party.stdin is not None
    assert party.stdout is not None
    remotes = json.loads(await party.stdout.readline())
    control = Control()
    ports: list[int] = []
    for call in range(legs // 2):
        ports += control.relay(call, (remotes[2 * call], remotes[2 * call + 1]))
    party.stdin.write(json.dumps([ADDRESS, ports]).encode() + b"\n")
    await party.stdin.drain()
    warm = max(1.5, seconds / 3)
    await asyncio.sleep(warm)
    start, before = time.monotonic(), cpu_seconds(process.pid)
    await asyncio.sleep(seconds - warm - 0.6)
    cpu, wall = cpu_seconds(process.pid) - before, time.monotonic() - start
    report = json.loads(await party.stdout.readline())
    await party.wait()
    return {
        "legs": legs,
        "us_per_leg_tick": round(cpu / wall / TICKS_A_SECOND / legs * 1e6, 2),
        "ms_a_second_and_call": round(cpu / wall / legs * 2 * 1e3, 3),
        "packets": report["sent"],
        "packets_lost": report["missing"],
        "delay_ms": report["delay_ms"],
    }


def relay(legs: int, seconds: float) -> dict[str, Any]:
    """rtpengine's cost, or why there is none."""
    program = shutil.which("rtpengine")
    if program is None:
        return {"left_out": "rtpengine is not installed: apt-get install rtpengine-daemon"}
    print(f"rtpengine, {legs} legs for {seconds:g} s", file=sys.stderr, flush=True)
    command = [
        *(program, "--foreground", "--log-stderr", "--log-level=3", "--table=-1"),
        *(f"--interface={ADDRESS}", "--listen-ng=127.0.0.1:22222", "--num-threads=2"),
        *("--port-min=30000", "--port-max=59999", "--config-file=none"),
    ]
    with subprocess.Popen(
        ["taskset", "-c", str(WORKER_CORE), *command], stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait()
            return asyncio.run(drive(process, legs, seconds))
        finally:
            process.terminate()


def wait() -> None:
    """Until it answers."""
    control = Control()
    for _ in range(20):
        with contextlib.suppress(TimeoutError, ConnectionRefusedError):
            if b"pong" in control.ask(command="ping"):
                return
        time.sleep(0.2)
    raise SystemExit("rtpengine does not answer")
