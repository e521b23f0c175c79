"""10,000 short recordings from the spool to a directory store, and each proved by its hash.

All of them go through sealing, store, manifest and index by the keeper's own two threads' work;
then `recordings verify` reads every one. Beside it: what hashing alone takes for the same bytes.
--quick takes 500.
"""

import asyncio
import hashlib
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from outcome import Outcome, parser, say

from recorder.alaw import stereo
from recorder.events import Stored
from recorder.io.keeper import Keeper, KeeperSettings, open_vault
from recorder.io.spool import SpoolSink

RECORDINGS, QUICK_RECORDINGS = 10_000, 500
FRAMES = 50
BATCH = 500
STARTED_MS = 1_760_000_000_000


def said(number: int) -> bytes:
    """One second of stereo A-law that no other recording has."""
    rng = np.random.default_rng(number)
    return rng.integers(0, 256, (FRAMES, 2, 160), np.uint8).tobytes()


def spool(folder: str, numbers: range) -> None:
    sink = SpoolSink(folder, sync_seconds=0)
    for number in numbers:
        header = {"call_id": f"call-{number}", "started_ms": STARTED_MS + number * 1000}
        handle = sink.open(f"r{number}", header)
        sink.write(handle, 0, said(number))
        sink.close(handle)


def hashing_seconds(store: Path) -> float:
    """What SHA-256 alone takes for all that lies in the store."""
    begun = time.perf_counter()
    for path in store.rglob("*.flac"):
        hashlib.sha256(path.read_bytes()).hexdigest()
    return time.perf_counter() - begun


def main() -> None:
    given = parser("recorder_hashes", __doc__).parse_args()
    count = QUICK_RECORDINGS if given.quick else RECORDINGS
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        settings = KeeperSettings(
            f"{folder}/spool", f"file:{folder}/store", f"sqlite:///{folder}/index.db"
        )
        vault = open_vault(settings)
        vault.spooled.lock()
        vault.index.prepare()
        begun = time.perf_counter()
        stored: list[object] = []
        with ThreadPoolExecutor(settings.workers) as pool:
            for first in range(0, count, BATCH):
                numbers = range(first, min(count, first + BATCH))
                spool(f"{folder}/spool", numbers)
                stored += pool.map(lambda number: vault.keep(f"r{number}", {}), numbers)
                say(f"{len(stored)} of {count} stored")
        seconds = time.perf_counter() - begun
        vault.index.close()
        wrong = count - sum(isinstance(one, Stored) for one in stored)
        for number in range(0, count, 97):
            one = stored[number]
            assert isinstance(one, Stored)
            heard = soundfile.read(f"{folder}/store/{one.key}", dtype="int16")[0]
            wrong += not np.array_equal(heard, stereo(said(number)))
        say("verifying ...")
        begun = time.perf_counter()
        verification = asyncio.run(Keeper(settings, lambda event: None).verify())
        verify_seconds = time.perf_counter() - begun
        hashing = hashing_seconds(Path(folder) / "store")
    outcome = Outcome("recorder_hashes")
    outcome.figures = {
        "recordings": count,
        "checked": verification.checked,
        "problems": len(verification.problems) + wrong,
        "stored_a_second": round(count / seconds, 1),
        "verified_a_second": round(count / verify_seconds, 1),
        "verify_times_hashing": round(verify_seconds / hashing, 1),
    }
    outcome.bar("checked", count, verification.checked == count)
    outcome.bar("problems", 0, verification.ok and not wrong)
    outcome.finish()


if __name__ == "__main__":
    main()
