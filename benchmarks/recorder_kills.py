"""kill -9 at random moments under 30 recorded calls: how much of what was said is not sealed.

Each cycle is a process that taps 30 calls in real time (media's taps and writer, the spool sink),
fed with another sound in each frame; it is killed between 0.6 and 1.6 s after its first tick. What
lies in the spool is sealed and stored as at an engine's start, and compared bit by bit with what
was said until the kill. --quick kills 10 times.
"""

import mmap
import multiprocessing
import os
import random
import signal
import struct
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from outcome import Outcome, parser, percentile, say

from media.g711 import PCMA
from media.io.writer import SinkWriter
from media.legs import Legs
from media.taps import Taps
from recorder.alaw import stereo
from recorder.events import Stored
from recorder.io.keeper import KeeperSettings, open_vault
from recorder.io.objects import sha256_of_file
from recorder.io.spool import SpoolSink
from recorder.io.vault import Vault

CALLS = 30
KILLS, QUICK_KILLS = 200, 10
TICK = 0.02
TICKS = struct.Struct("q")
LOST_BAR_MS = 1000
FIRST_SECONDS, LAST_SECONDS = 0.6, 1.6


def said(tick: int) -> np.ndarray:
    """(2 x CALLS, 160) A-law codes of one frame: a code of its own for each leg and tick."""
    codes = (np.arange(2 * CALLS) * 13 + tick * 7 + tick // 256) % 256
    return np.repeat(codes.astype(np.uint8)[:, None], 160, axis=1)


def record(folder: str, progress: mmap.mmap) -> None:
    """The process that is killed; notes after each tick how many there were."""
    legs = Legs(2 * CALLS)
    legs.codec[:] = PCMA
    heard = np.zeros((2 * CALLS, 160), np.uint8)
    taps, writer = Taps(legs, heard), SinkWriter(SpoolSink(folder))
    for call in range(CALLS):
        name = f"call-{call}"
        taps.start(name, (2 * call,), (2 * call + 1,))
        writer.open(name, {"call_id": name, "started_ms": time.time_ns() // 1_000_000})
    deadline = time.monotonic()
    tick = 0
    while True:
        heard[:] = said(tick)
        for block in taps.step():
            writer.write(block)
        writer.flush()
        tick += 1
        TICKS.pack_into(progress, 0, tick)
        deadline += TICK
        time.sleep(max(0.0, deadline - time.monotonic()))


def kill_one(folder: str, rng: random.Random) -> int:
    """Runs the process for a random while; ticks that it had done when it was killed."""
    progress = mmap.mmap(-1, TICKS.size)
    process = multiprocessing.get_context("fork").Process(target=record, args=(folder, progress))
    process.start()
    while not TICKS.unpack_from(progress)[0]:
        time.sleep(0.001)
    time.sleep(rng.uniform(FIRST_SECONDS, LAST_SECONDS))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    ticks: int = TICKS.unpack_from(progress)[0]
    return ticks


def opened(folder: str) -> Vault:
    settings = KeeperSettings(
        f"{folder}/spool", f"file:{folder}/store", f"sqlite:///{folder}/index.db"
    )
    vault = open_vault(settings)
    vault.spooled.lock()
    vault.index.prepare()
    return vault


def seal(vault: Vault, folder: str, call: int, ticks: int) -> tuple[int, bool]:
    """Milliseconds lost, and whether what is stored is what was said, under the right hash."""
    stored = vault.keep(f"call-{call}", None)
    if not isinstance(stored, Stored):
        return ticks * 20, False
    path = f"{folder}/store/{stored.key}"
    audio = soundfile.read(path, dtype="int16")[0]
    frames = len(audio) // 160
    spoken = np.stack([said(tick)[2 * call : 2 * call + 2] for tick in range(frames)])
    same = np.array_equal(audio, stereo(spoken.tobytes()))
    return (ticks - frames) * 20, same and sha256_of_file(path) == stored.sha256


def cycle(number: int, rng: random.Random) -> tuple[list[int], int]:
    """One kill: milliseconds lost of each recording, and how many are not what was said."""
    with tempfile.TemporaryDirectory() as folder:
        ticks = kill_one(f"{folder}/spool", rng)
        vault = opened(folder)
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda call: seal(vault, folder, call, ticks), range(CALLS)))
        vault.index.close()
    lost = [ms for ms, _ in outcomes]
    wrong = sum(not right for _, right in outcomes)
    say(f"kill {number + 1}: after {ticks * 20} ms, {max(lost)} ms lost at most, {wrong} wrong")
    return lost, wrong


def main() -> None:
    options = parser("recorder_kills", __doc__)
    options.add_argument("--kills", type=int, help="so many")
    options.add_argument("--seed", type=int, default=12345, help="of the random moments")
    given = options.parse_args()
    kills = given.kills or (QUICK_KILLS if given.quick else KILLS)
    rng = random.Random(given.seed)
    lost: list[int] = []
    wrong = 0
    for number in range(kills):
        found, bad = cycle(number, rng)
        lost += found
        wrong += bad
    outcome = Outcome("recorder_kills")
    outcome.figures = {
        "kills": kills,
        "calls": CALLS,
        "recordings": len(lost),
        "lost_ms_at_most": max(lost),
        "lost_ms_median": percentile([float(ms) for ms in lost], 0.5),
        "recordings_wrong": wrong,
    }
    outcome.bar("lost_ms_at_most", LOST_BAR_MS, max(lost) <= LOST_BAR_MS)
    outcome.bar("recordings_wrong", 0, wrong == 0)
    outcome.finish()


if __name__ == "__main__":
    main()
