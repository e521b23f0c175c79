"""Make the snippets of media/prompts/cmn: `python scripts/make_snippets.py`.

Needs espeak-ng with its Mandarin voice. They are placeholders: the customer records the real ones.
"""

import subprocess
import sys

import numpy as np

from media.prompts import RATE, decode_wav
from media.spoken import SNIPPETS
from scripts.make_prompts import FOLDER, save

PAUSE_SECONDS = 0.03  # after each, so that they do not run into each other
LOUD = 300
PEAK = 0.6


def main() -> None:
    """Speaks each, cuts the silence off, makes all equally loud."""
    (FOLDER / "cmn").mkdir(exist_ok=True)
    for name, text in SNIPPETS.items():
        command = ["espeak-ng", "-v", "cmn", "-s", "190", "--stdout", text]
        spoken = subprocess.run(command, capture_output=True, check=True).stdout
        samples = decode_wav(spoken).astype(np.float64)
        loud = np.flatnonzero(np.abs(samples) > LOUD)
        if not len(loud):
            sys.exit(f"espeak-ng said nothing for {text}: is its Mandarin voice installed?")
        samples = samples[max(0, loud[0] - RATE // 100) : loud[-1] + RATE // 50]
        pause = np.zeros(round(PAUSE_SECONDS * RATE))
        save(f"cmn/{name}", np.concatenate([samples / np.abs(samples).max() * PEAK, pause]))


if __name__ == "__main__":
    main()
