"""CPU seconds to seal and store an hour of stereo, beside libsndfile's FLAC encoder alone.

The hour goes the whole way: spool file, checks, A-law to linear, FLAC, samples read back, SHA-256,
upload in checked parts to an S3 server (moto, a process of its own: only our CPU counts), its word
for them, manifest, index, spool freed. The same into a directory store, which reads it back itself.
--quick takes six minutes of audio; all figures are scaled to an hour. Opus is told too.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.outcome import Outcome, parser, say
from benchmarks.s3_server import KEYS, s3_server
from recorder.alaw import LINEAR, stereo
from recorder.events import Stored
from recorder.io.encoding import FLAC_LEVEL
from recorder.io.keeper import KeeperSettings, open_vault
from recorder.io.segments import segments_of
from recorder.io.spool import SpoolSink

BUCKET = "hour"
CPU_BAR_SECONDS = 2.0
BLOCK_FRAMES = 25
LOOP_SECONDS = 60


def conversation() -> bytes:
    """A minute of two parties in turn: modulated, voice-like noise, and a quiet line between."""
    rng = np.random.default_rng(12345)
    samples = LOOP_SECONDS * 8000
    at = np.arange(samples) / 8000
    talks = np.sin(2 * np.pi * at / 7.3) > 0
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * 3.7 * at)
    sides = []
    for talking, pitch in ((talks, 120.0), (~talks, 210.0)):
        voice = sum(np.sin(2 * np.pi * pitch * n * at + n) / n for n in range(1, 16))
        voice = 2500 * syllables * voice + rng.normal(0, 300, samples)
        sides.append(np.where(talking, voice, rng.normal(0, 12, samples)))
    order = np.argsort(LINEAR)
    codes = [order[np.searchsorted(LINEAR[order], side).clip(0, 255)] for side in sides]
    frames = np.stack([np.asarray(code, np.uint8).reshape(-1, 160) for code in codes], axis=1)
    return frames.tobytes()


def spool(folder: str, audio: bytes, seconds: int) -> float:
    """Microseconds that the sink takes a block of half a second."""
    sink = SpoolSink(folder)
    header = {"call_id": "bench", "caller": "1", "started_ms": int(time.time() * 1000)}
    handle = sink.open("bench", header)
    size = BLOCK_FRAMES * 320
    blocks = [audio[at : at + size] for at in range(0, len(audio), size)]
    begun = time.perf_counter()
    count = seconds * 50 // BLOCK_FRAMES
    for number in range(count):
        sink.write(handle, number * BLOCK_FRAMES, blocks[number % len(blocks)])
    sink.close(handle)
    return (time.perf_counter() - begun) / count * 1e6


@dataclass(frozen=True)
class Way:
    """How a recording is kept: its form, and the port of an S3 server, or 0 for a directory."""

    form: str
    port: int = 0

    def settings(self, folder: str) -> KeeperSettings:
        store = {"store": f"file:{folder}/store"}
        if self.port:
            store = {"store": f"s3://{BUCKET}", "endpoint": f"http://127.0.0.1:{self.port}", **KEYS}
        index = f"sqlite:///{folder}/index.db"
        return KeeperSettings(
            f"{folder}/spool", database_url=index, low_free_bytes=0, format=self.form, **store
        )


def seal_and_store(folder: str, way: Way) -> tuple[float, float, Stored]:
    """Wall and CPU seconds."""
    settings = way.settings(folder)
    vault = open_vault(settings)
    locks = vault.spooled.lock()
    vault.index.prepare()
    vault.store.probe()  # a connection, and what boto3 reads about S3: once a process
    begun, cpu = time.perf_counter(), time.process_time()
    stored = vault.keep("bench", {"agent": "8001"})
    figures = time.perf_counter() - begun, time.process_time() - cpu
    vault.index.close()
    assert locks
    if not isinstance(stored, Stored) or segments_of(settings.spool, "bench"):
        sys.exit(f"the recording was not stored: {stored}")
    return *figures, stored


def bare_flac(folder: str, audio: bytes, seconds: int, **level: float) -> float:
    """CPU of libsndfile's encoder on the same samples, decoded beforehand: nothing else."""
    minute = stereo(audio)
    pieces = [minute[at : at + 80_000] for at in range(0, len(minute), 80_000)]
    cpu = time.process_time()
    path = f"{folder}/peer.flac"
    with soundfile.SoundFile(path, "w", 8000, 2, "PCM_16", format="FLAC", **level) as file:
        for number in range(seconds // 10):
            file.write(pieces[number % len(pieces)])
    return time.process_time() - cpu


def one_way(audio: bytes, seconds: int, way: Way) -> tuple[dict[str, Any], float]:
    """Figures of a way of storing, scaled to an hour, and its CPU seconds."""
    scale = 3600 / seconds
    with tempfile.TemporaryDirectory() as folder:
        say(f"spooling {seconds} s of stereo ...")
        sink_us = spool(f"{folder}/spool", audio, seconds)
        say(f"sealing and storing as {way.form} {'in S3' if way.port else 'in a directory'} ...")
        wall, cpu, stored = seal_and_store(folder, way)
    figures = {
        "cpu_seconds_an_hour": round(cpu * scale, 3),
        "wall_seconds_an_hour": round(wall * scale, 3),
        "stored_mib_an_hour": round(stored.size * scale / 2**20, 1),
        "sink_us_a_block": round(sink_us, 1),
    }
    return figures, cpu * scale


def main() -> None:
    given = parser("recorder", __doc__).parse_args()
    seconds = 360 if given.quick else 3600
    audio = conversation()
    with s3_server(BUCKET) as port:
        uploaded, cpu = one_way(audio, seconds, Way("flac", port))
    flac, _ = one_way(audio, seconds, Way("flac"))
    opus, _ = one_way(audio, 360, Way("opus"))
    say("libsndfile encodes the same ...")
    with tempfile.TemporaryDirectory() as folder:
        scale = 3600 / seconds
        bare = bare_flac(folder, audio, seconds) * scale
        same = bare_flac(folder, audio, seconds, compression_level=FLAC_LEVEL) * scale
    outcome = Outcome("recorder")
    outcome.figures = {
        "audio_seconds": seconds,
        "seal_store_cpu_seconds_per_hour": round(cpu, 3),
        "bare_flac_cpu_seconds_per_hour": round(bare, 3),
        "bare_flac_at_our_level_cpu_seconds_per_hour": round(same, 3),
        "times_bare_flac": round(cpu / bare, 2),
        "flac_in_s3": uploaded,
        "flac": flac,
        "opus": opus,
    }
    met = cpu <= CPU_BAR_SECONDS
    outcome.bar("seal_store_cpu_seconds_per_hour", CPU_BAR_SECONDS, met)
    outcome.finish()


if __name__ == "__main__":
    main()
