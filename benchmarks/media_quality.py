"""Speech through loss and jitter: PESQ of what our plane hands on, beside pjsua2's own receiver.

Every datagram goes to both at the same moment: to a leg of a media worker, whose other party's
packets are kept, and to a call of a pjsua2 softphone, which writes what it would play. PESQ
(ITU-T P.862, narrow band) compares both with what was sent. The speech is a recorded voice
(Debian's asterisk-core-sounds-en-wav) where it is installed, else espeak-ng's.
"""

import asyncio
import contextlib
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.outcome import Outcome, parser, say
from media.g711 import PCMA, decode, encode
from media.io.plane import MediaPlane, MediaSettings, Remote
from media.prompts import decode_wav

ADDRESS = "127.76.0.1"
LOSSES, JITTERS = (0, 1, 3, 10), (0, 20, 60)  # per cent, ms
SURE = 2.0  # standard errors of the mean difference: what runs of one point differ by is measured
FEWEST = 3  # runs that a standard error can be told from
ASSUMED = 0.1  # MOS, where there are fewer
LEAD_SECONDS, TAIL_SECONDS = 1.5, 1.0
SPEECH_SECONDS = 9.0
CALLS_A_PHONE = 4
VOICES = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
RECORDED = ("demo-congrats.wav", "demo-instruct.wav")
TEXT = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "It is easy to tell the depth of a well. These days a chicken leg is a rare dish. "
    "Rice is often served in round bowls. The juice of lemons makes fine punch."
)
IMAGE = Path(__file__).parent.parent / "docs" / "images" / "media_quality.png"
FRAME = 160


def speech(which: int) -> tuple[np.ndarray, str]:
    """Nine seconds at 8 kHz, and whose voice it is."""
    path = VOICES / RECORDED[which % len(RECORDED)]
    if path.exists():
        samples, voice = decode_wav(path.read_bytes()), path.name
    else:
        command = ["espeak-ng", "-v", "en", "-s", "150", "--stdout", TEXT]
        spoken = subprocess.run(command, capture_output=True, check=True).stdout
        samples, voice = decode_wav(spoken), "espeak-ng"
    loud = samples[np.flatnonzero(np.abs(samples) > 300)[0] :][: round(SPEECH_SECONDS * 8000)]
    return (loud / np.abs(loud).max() * 20000).astype(np.int16), voice


@dataclass
class Point:
    """One loss and jitter: its packets' times, its sockets, what both receivers made of it."""

    loss: int
    jitter: int
    seed: int
    sent: np.ndarray
    sock: socket.socket = field(init=False)
    ears: socket.socket = field(init=False)
    peer: tuple[str, int] = ("", 0)
    ours: tuple[str, int] = ("", 0)
    got: list[bytes] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("sock", "ears"):
            sock = socket.socket(type=socket.SOCK_DGRAM)
            sock.bind((ADDRESS, 0))
            sock.setblocking(False)
            setattr(self, name, sock)

    def plan(self) -> list[tuple[float, bytes]]:
        """(second, packet); what comes before the speech is neither lost nor late."""
        rng = np.random.default_rng(1000 * self.seed + 10 * self.loss + self.jitter)
        lead = np.zeros(round(LEAD_SECONDS * 8000), np.int16)
        tail = np.zeros(round(TAIL_SECONDS * 8000), np.int16)
        codes = encode(np.concatenate([lead, self.sent, tail]), PCMA).tobytes()
        plan = []
        for number in range(len(codes) // FRAME):
            head = bytes([0x80, 8]) + number.to_bytes(2, "big")
            head += (number * FRAME).to_bytes(4, "big") + (77 + self.seed).to_bytes(4, "big")
            payload = codes[number * FRAME : (number + 1) * FRAME]
            lost, delay = rng.random() * 100 < self.loss, rng.uniform(0, self.jitter) / 1000
            if number < 25:  # both latch and know what comes
                lost, delay = False, 0.0
            if not lost:
                plan.append((number * 0.02 + delay, head + payload))
        return plan


class Phones:
    """pjsua2 softphones that answer and record; called by a few lines of SIP of our own."""

    def __init__(self, folder: str, calls: int) -> None:
        self.folder = folder
        self.phones = []
        self.sip = socket.socket(type=socket.SOCK_DGRAM)
        self.sip.bind((ADDRESS, 0))
        self.sip.settimeout(10)
        self.dialogs: list[tuple[tuple[str, int], str, str]] = []
        for number in range(-(-calls // CALLS_A_PHONE)):
            port = 15060 + number
            command = [sys.executable, "-m", "phones.softphone", "--user", f"p{number}"]
            command += ["--address", ADDRESS, "--local-port", str(port), "--codec", "PCMA"]
            command += ["--auto-answer", "0", "--calls", str(CALLS_A_PHONE), "--log-level", "1"]
            command += ["--record", f"{folder}/{number}-{{call}}.wav"]
            phone = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=Path(__file__).parent.parent,
            )
            assert phone.stdout is not None
            phone.stdout.readline()  # it is up
            self.phones.append((phone, (ADDRESS, port)))

    def call(self, number: int, rtp: tuple[str, int]) -> tuple[str, int]:
        """INVITE, 200, ACK; where the phone wants its audio."""
        target = self.phones[number // CALLS_A_PHONE][1]
        host, port = self.sip.getsockname()
        uri = f"sip:p{number // CALLS_A_PHONE}@{target[0]}:{target[1]}"
        sdp = f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        sdp += f"m=audio {rtp[1]} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        shared = f"From: <sip:b@{host}>;tag=b{number}\r\nCall-ID: quality-{number}\r\n"
        shared += f"Max-Forwards: 70\r\nContact: <sip:b@{host}:{port}>\r\n"

        def request(method: str, to: str, body: str = "") -> bytes:
            via = f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method}{number}\r\n"
            number_line = f"CSeq: {2 if method == 'BYE' else 1} {method}\r\n"
            kind = "Content-Type: application/sdp\r\n" if body else ""
            head = f"{method} {uri} SIP/2.0\r\n{via}{shared}To: {to}\r\n{number_line}{kind}"
            return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

        self.sip.sendto(request("INVITE", f"<{uri}>", sdp), target)
        while True:
            answer = self.sip.recv(4096).decode()
            if answer.startswith("SIP/2.0 200") and f"quality-{number}\r" in answer:
                break
        to = re.search(r"^To: (.*)\r$", answer, re.MULTILINE)
        wanted = re.search(r"^m=audio (\d+)", answer, re.MULTILINE)
        assert to is not None
        assert wanted is not None
        self.sip.sendto(request("ACK", to.group(1)), target)
        self.dialogs.append((target, to.group(1), request("BYE", to.group(1)).decode()))
        return target[0], int(wanted.group(1))

    def hang_up(self) -> list[dict[str, Any]]:
        """BYE to each until it is answered; each phone's events."""
        left, until = dict(enumerate(self.dialogs)), time.monotonic() + 15
        self.sip.settimeout(0.5)
        while left and time.monotonic() < until:
            for target, _, bye in left.values():
                self.sip.sendto(bye.encode(), target)
            with contextlib.suppress(TimeoutError):
                while left:
                    answer = self.sip.recv(4096).decode()
                    found = re.search(r"quality-(\d+)\r.*CSeq: 2 BYE", answer, re.DOTALL)
                    found = found or re.search(r"CSeq: 2 BYE.*quality-(\d+)\r", answer, re.DOTALL)
                    if found is not None:
                        left.pop(int(found.group(1)), None)
        events = []
        for number, (phone, _) in enumerate(self.phones):
            assert phone.stdout is not None
            open_ = sum(target == self.phones[number][1] for target, _, _ in self.dialogs)
            while open_:  # its recordings are whole once it says so
                event = json.loads(phone.stdout.readline())
                events.append({"phone": number, **event})
                open_ -= event.get("event") == "recorded"
            phone.terminate()
            phone.communicate(timeout=15)
        return events


def talk(points: list[Point]) -> float:
    """Send everything to both at its time and keep what our plane sends on; the worst lateness."""
    plan = sorted(
        ((at, number, packet) for number, p in enumerate(points) for at, packet in p.plan()),
        key=lambda one: one[0],
    )
    poll = select.epoll()
    ears = {point.ears.fileno(): point for point in points}
    for descriptor in ears:
        poll.register(descriptor, select.EPOLLIN)
    start, worst = time.monotonic() + 0.2, 0.0

    def listen(seconds: float) -> None:
        for descriptor, _ in poll.poll(max(0.0, seconds)):
            with contextlib.suppress(BlockingIOError):
                while True:
                    ears[descriptor].got.append(ears[descriptor].ears.recv(2048))

    for at, number, packet in plan:
        while (left := start + at - time.monotonic()) > 0:
            listen(left)
        worst = max(worst, -left)
        point = points[number]
        for target in (point.peer, point.ours):
            point.sock.sendto(packet, target)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        listen(0.1)
    return worst


def score(reference: np.ndarray, heard: np.ndarray) -> float:
    """PESQ of the part of what was heard that the speech is in, found by its envelope."""
    try:
        from pesq import pesq
    except ImportError:  # it is source only: setup does not install it, for it wants a compiler
        raise SystemExit("pesq is not installed: pip install 'callcore[quality]'") from None

    def envelope(signal: np.ndarray) -> np.ndarray:
        return np.abs(signal.astype(float))[: len(signal) // 40 * 40].reshape(-1, 40).mean(axis=1)

    match = np.correlate(envelope(heard), envelope(reference), "valid")
    start = max(0, int(match.argmax()) * 40 - 800)
    part = heard[start : start + len(reference) + 2400]
    return float(pesq(8000, reference, part, "nb"))


async def through(points: list[Point], folder: str) -> float:
    """All points at once; scores are left in them."""
    settings = MediaSettings(
        address=ADDRESS,
        first_port=20000,
        last_port=21999,
        workers=1,
        prompts={},
        sink="media_sink:FileSink",
        sink_arguments={"folder": folder},
    )
    plane = MediaPlane(settings, lambda event: None)
    await plane.start()
    phones = await asyncio.to_thread(Phones, folder, len(points))
    try:
        for number, point in enumerate(points):
            a, b = f"a{number}", f"b{number}"
            point.ours = tuple(plane.open(a, None))
            plane.open(b, a)
            host, port = point.sock.getsockname()
            plane.connect(a, Remote(host, port, "PCMA", 8))
            plane.connect(b, Remote(*point.ears.getsockname(), "PCMA", 8))
            plane.bridge(f"bridge-{number}", (a, b))
            point.peer = await asyncio.to_thread(phones.call, number, (host, port))
        worst = await asyncio.to_thread(talk, points)
    finally:
        await plane.stop()
        events = await asyncio.to_thread(phones.hang_up)
    recordings = {}
    for number in range(len(phones.phones)):
        mine = [e["path"] for e in events if e["phone"] == number and e.get("event") == "recorded"]
        for place, path in enumerate(sorted(mine, key=_serial)):
            recordings[number * CALLS_A_PHONE + place] = path
    for number, point in enumerate(points):
        codes = np.frombuffer(b"".join(data[12:] for data in point.got), np.uint8)
        point.scores["callcore"] = score(point.sent, decode(codes, PCMA))
        with wave.open(recordings[number], "rb") as file:
            heard = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        point.scores["pjsua2"] = score(point.sent, heard)
    return worst


def _serial(path: str) -> int:
    numbers = re.findall(r"\d+", Path(path).stem.partition("-")[2])
    return int(numbers[-1]) if numbers else 0


def plot(table: dict[str, dict[str, float]]) -> None:
    """Bars of both receivers at each point, into docs/images."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(JITTERS), figsize=(10, 3.4), sharey=True)
    for axis, jitter in zip(axes, JITTERS, strict=True):
        for offset, name in ((-0.2, "callcore"), (0.2, "pjsua2")):
            heights = [table[f"{loss}%/{jitter}ms"][name] for loss in LOSSES]
            axis.bar(np.arange(len(LOSSES)) + offset, heights, 0.38, label=name)
        axis.set_xticks(range(len(LOSSES)), [f"{loss} %" for loss in LOSSES])
        axis.set(title=f"jitter {jitter} ms", xlabel="packets lost", ylim=(1, 4.6))
    axes[0].set_ylabel("PESQ, MOS")
    axes[-1].legend()
    figure.tight_layout()
    figure.savefig(IMAGE, dpi=100)


def main() -> None:
    options = parser("media_quality", __doc__).parse_args()
    runs = 1 if options.quick else 5
    gathered: dict[str, dict[str, list[float]]] = {}
    late, voices = 0.0, set()
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    sys.path.insert(0, str(Path(__file__).parent))
    for seed in range(runs):
        sent, voice = speech(seed)
        voices.add(voice)
        points = [Point(loss, jitter, seed, sent) for loss in LOSSES for jitter in JITTERS]
        with tempfile.TemporaryDirectory() as folder:
            late = max(late, asyncio.run(through(points, folder)))
        for point in points:
            row = gathered.setdefault(f"{point.loss}%/{point.jitter}ms", {})
            for name, value in point.scores.items():
                row.setdefault(name, []).append(value)
            say(f"run {seed}: {point.loss} %, {point.jitter} ms: {point.scores}")
    report(gathered, late, sorted(voices), options.quick)


def doubt(row: dict[str, list[float]]) -> float:
    """How far the mean difference of both receivers at a point may be off, by its runs."""
    differences = np.subtract(row["callcore"], row["pjsua2"])
    if len(differences) < FEWEST:
        return ASSUMED
    return round(float(SURE * differences.std(ddof=1) / np.sqrt(len(differences))), 3)


def report(
    gathered: dict[str, dict[str, list[float]]], late: float, voices: list[str], quick: bool
) -> None:
    table = {
        point: {name: round(float(np.mean(values)), 3) for name, values in row.items()}
        for point, row in gathered.items()
    }
    outcome = Outcome("media_quality")
    outcome.figures = {"pesq": table, "voices": voices, "sender_late_ms": round(late * 1000, 1)}
    noise = {point: doubt(row) for point, row in gathered.items()}
    behind = [p for p, row in table.items() if row["callcore"] < row["pjsua2"] - noise[p]]
    outcome.figures["noise"] = noise
    lossy = [p for p in table if int(p.partition("%")[0]) >= 3]
    not_ahead = [p for p in lossy if table[p]["callcore"] <= table[p]["pjsua2"]]
    outcome.figures |= {"behind": behind, "not_ahead_at_3_percent": not_ahead}
    outcome.bar("points_behind_by_more_than_noise", 0, not behind)
    outcome.bar("lossy_points_not_ahead", 0, not not_ahead)
    if not quick:
        plot(table)
    outcome.finish()


if __name__ == "__main__":
    main()
