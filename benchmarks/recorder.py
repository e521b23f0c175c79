#!/usr/bin/env python3
"""CPU seconds to seal and store an hour of stereo, beside soundfile writing it as plain WAV.

The hour goes the whole way: spool file, checks, A-law to linear, FLAC, samples read back, SHA-256,
directory store with its own reading back, manifest, index, spool freed. --quick takes six minutes
of audio; all figures are scaled to an hour.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recorder.alaw import LINEAR, stereo
from recorder.events import Stored
from recorder.io.keeper import KeeperSettings, open_vault
from recorder.io.segments import segments_of
from recorder.io.spool import SpoolSink

BAR_CPU_SECONDS = 2.0
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
    """Microseconds that the sink takes a block of half a second, its syncing included."""
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


def seal_and_store(folder: str) -> tuple[float, float, Stored]:
    settings = KeeperSettings(
        f"{folder}/spool", f"file:{folder}/store", f"sqlite:///{folder}/index.db", low_free_bytes=0
    )
    vault = open_vault(settings)
    vault.spooled.lock()
    vault.index.prepare()
    begun, cpu = time.perf_counter(), time.process_time()
    stored = vault.keep("bench", {"agent": "8001"})
    figures = time.perf_counter() - begun, time.process_time() - cpu
    vault.index.close()
    if not isinstance(stored, Stored) or segments_of(settings.spool, "bench"):
        sys.exit(f"the recording was not stored: {stored}")
    return *figures, stored


def plain_wav(folder: str, audio: bytes, seconds: int) -> float:
    """The same A-law audio, decoded and written by soundfile: no proof, no hash, no store."""
    cpu = time.process_time()
    with soundfile.SoundFile(f"{folder}/peer.wav", "w", 8000, 2, "PCM_16") as file:
        piece = 10 * 50 * 320
        for at in range(0, seconds * 50 * 320, piece):
            begin = at % len(audio)
            file.write(stereo(audio[begin : begin + piece]))
    return time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="six minutes instead of an hour")
    seconds = 360 if parser.parse_args().quick else 3600
    scale = 3600 / seconds
    audio = conversation()
    with tempfile.TemporaryDirectory() as folder:
        print(f"spooling {seconds} s of stereo ...", file=sys.stderr)
        sink_us = spool(f"{folder}/spool", audio, seconds)
        print("sealing and storing ...", file=sys.stderr)
        wall, cpu, stored = seal_and_store(folder)
        print("soundfile writes the same as WAV ...", file=sys.stderr)
        wav_cpu = plain_wav(folder, audio, seconds)
    figures = {
        "audio_seconds": seconds,
        "seal_store_cpu_seconds_per_hour": round(cpu * scale, 3),
        "seal_store_wall_seconds_per_hour": round(wall * scale, 3),
        "soundfile_wav_cpu_seconds_per_hour": round(wav_cpu * scale, 3),
        "times_soundfile_wav": round(cpu / wav_cpu, 1),
        "stored_mib_per_hour": round(stored.size * scale / 2**20, 1),
        "sink_us_per_half_second_block": round(sink_us, 1),
    }
    bars = {"seal_store_cpu_seconds_per_hour": {"at_most": BAR_CPU_SECONDS}}
    ok = cpu * scale <= BAR_CPU_SECONDS
    print(json.dumps({"name": "recorder", "figures": figures, "bars": bars, "ok": ok}))
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
