"""What a start would stumble over: prompts that are not there, ports and keys that are taken."""

import os
from collections.abc import Iterator
from pathlib import Path

from config.clash import Clash, Key
from config.schema import Config
from config.sounds import BUILT_IN
from config.values import Address, Listen, is_wildcard

PROMPTS = Path(__file__).parents[1] / "media" / "prompts"
TCP = ("tcp", "tls", "ws", "wss")
# A number comes behind these, so they may begin as another code does: the longest fits.
WITH_NUMBER = (
    *("transfer", "consult", "add", "emergency"),
    *("monitor", "whisper", "barge", "take_over"),
)


def prompts(config: Config) -> Iterator[Clash]:
    """Each is a tone, a file of the customer's, or one of ours by its name."""
    tones = {*BUILT_IN, *(tone.name for tone in config.tones)}
    for key, prompt in _prompts(config):
        kind, _, name = prompt.partition(":")
        if kind == "tone":
            if name not in tones:
                yield Clash(key, prompt, "tone: and one of " + ", ".join(sorted(tones)))
        elif prompt and not any(os.access(at, os.R_OK) for at in (prompt, PROMPTS / prompt)):
            ours = ", ".join(sorted(path.name for path in PROMPTS.glob("*.wav")))
            told = f"a WAV file that can be read, tone:NAME, or one of ours: {ours}"
            yield Clash(key, prompt, told)


def _prompts(config: Config) -> Iterator[tuple[Key, str]]:
    yield ("calls", "confirm"), config.calls.confirm
    yield ("survey", "prompt"), config.survey.prompt
    yield ("survey", "thanks"), config.survey.thanks
    yield ("message", "prompt"), config.message.prompt
    for index, queue in enumerate(config.queues):
        for field in ("announcement", "music"):
            key = "flow" if queue.flow else field
            yield ("queues", index, key), getattr(queue, field)
        yield ("queues", index, "callback", "prompt"), queue.callback.prompt
    for index, entry in enumerate(config.calendar):
        yield ("calendar", index, "announcement"), entry.announcement


def listeners(config: Config) -> Iterator[Clash]:
    """HTTP, and SIP over TCP in its four ways, cannot listen at one port of one address."""
    http = config.http.listen
    streams = [
        (index, listen)
        for index, listen in enumerate(config.sip.listen)
        if listen.transport in TCP and listen.port
    ]
    for index, listen in streams:
        if _meet(listen, http):
            told = f"another port than that of {listen} in [sip] listen"
            yield Clash(("http", "listen"), str(http), told)
        for before, other in streams:
            if before < index and other.transport != listen.transport and _meet(listen, other):
                told = f"another port than that of {other}, which is TCP as well"
                yield Clash(("sip", "listen", index), str(listen), told)


def _meet(one: Listen | Address, other: Listen | Address) -> bool:
    same_host = one.host == other.host or is_wildcard(one.host) or is_wildcard(other.host)
    return one.port == other.port and same_host


def feature_codes(config: Config) -> Iterator[Clash]:
    """One code, one meaning; what is done at its last key must not begin another."""
    codes = [(verb, code) for verb, code in config.feature_codes if code]
    for at, (verb, code) in enumerate(codes):
        for other, taken in codes[:at]:
            if code == taken:
                told = f"a code of its own: {other} has {taken}"
                yield Clash(("feature_codes", verb), code, told)
                continue
            short, long = sorted((taken, code), key=len)
            hides = other if short == taken else verb
            if long.startswith(short) and hides not in WITH_NUMBER:
                told = f"a code that does not begin as another: {other} has {taken}"
                yield Clash(("feature_codes", verb), code, told)
