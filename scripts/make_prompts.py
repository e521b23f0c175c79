"""Make the placeholder prompts of media/prompts: `python scripts/make_prompts.py`.

The announcement needs espeak-ng with a Mandarin voice; the music and tones need only numpy.
"""

import io
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.prompts import RATE, decode_wav

FOLDER = Path(__file__).parent.parent / "media" / "prompts"
WELCOME = "您好，这里是一二三四五政务服务便民热线，正在为您转接话务员，本次通话将被录音。"
SPOKEN = {
    "confirm": "您有一个热线来电，接听请按一。",
    "survey": "请对本次服务进行评价，非常满意请按一，满意请按二，基本满意请按三，"
    "不满意请按四，非常不满意请按五。",
    "thanks": "感谢您的评价，再见。",
    "callback": "话务员正忙。请按一，我们保留您的位置并尽快给您回电，通话随即结束。"
    "否则请继续等待。",
    "message": "现在话务员全忙，请在提示音后留言，我们会尽快给您回电。",
}
BEAT_SECONDS = 0.5
CHORDS = ((57, 64, 72, 76), (53, 60, 69, 72), (48, 55, 64, 67), (55, 62, 71, 74))  # MIDI notes

Signal = NDArray[np.float64]


def spoken(text: str) -> Signal:
    """Words, spoken by a machine until the customer records them."""
    command = ["espeak-ng", "-v", "cmn", "-s", "200", "--stdout", text]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    samples = decode_wav(said).astype(np.float64)
    loud = np.flatnonzero(np.abs(samples) > 300)
    samples = samples[loud[0] : loud[-1] + RATE // 5]
    return samples / np.abs(samples).max() * 0.6


def note(midi: int, seconds: float) -> Signal:
    """A soft bell: two sines, quick rise, slow fall."""
    at = np.arange(round(seconds * RATE)) / RATE
    hertz = 440 * 2 ** ((midi - 69) / 12)
    sound = np.sin(2 * np.pi * hertz * at) + 0.25 * np.sin(4 * np.pi * hertz * at)
    return sound * np.minimum(at / 0.02, 1) * np.exp(-2.2 * at)


def hold() -> Signal:
    """Eight seconds of broken chords; notes that ring past the end go on at the start."""
    steps = [chord[i] for chord in CHORDS for i in (0, 1, 3, 2)]
    music = np.zeros(round(len(steps) * BEAT_SECONDS * RATE))
    for number, midi in enumerate(steps):
        sound = note(midi, 1.6)
        place = round(number * BEAT_SECONDS * RATE) + np.arange(len(sound))
        music[place % len(music)] += sound
    return music / np.abs(music).max() * 0.25


def tone(on_seconds: float, off_seconds: float) -> Signal:
    """China's 450 Hz call progress tone (YDN 065), one period."""
    at = np.arange(round(on_seconds * RATE)) / RATE
    sound = 0.1 * np.sin(2 * np.pi * 450 * at)
    return np.concatenate([sound, np.zeros(round(off_seconds * RATE))])


def beep() -> Signal:
    """The tone after which a message is recorded."""
    at = np.arange(round(0.4 * RATE)) / RATE
    return 0.3 * np.sin(2 * np.pi * 1000 * at)


def save(name: str, signal: Signal) -> None:
    """8 kHz, 16 bits, mono."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.rint(signal * 32767).astype("<i2").tobytes())
    (FOLDER / f"{name}.wav").write_bytes(target.getvalue())
    print(
        f"{name}.wav: {len(signal) / RATE:.1f} s, {len(target.getvalue())} bytes", file=sys.stderr
    )


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    save("welcome", spoken(WELCOME))
    for name, text in SPOKEN.items():
        tail = np.concatenate([np.zeros(RATE // 4), beep()]) if name == "message" else []
        save(name, np.concatenate([spoken(text), tail]))
    save("hold", hold())
    save("ringback", tone(1.0, 4.0))
    save("busy", tone(0.35, 0.35))


if __name__ == "__main__":
    main()
