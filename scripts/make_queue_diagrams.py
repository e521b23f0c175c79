"""Writes the diagrams of docs/queue.md from the state tables: scripts/make_queue_diagrams.py

Where a cue leads is found by asking the machine itself, for every kind of agent, offer and
callback that makes a difference; so a diagram cannot say what the code does not do.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from msgspec.structs import replace  # noqa: E402

from acd import agents, callbacks, offers  # noqa: E402
from acd.paces import pace_of  # noqa: E402
from acd.settings import AcdSettings, CallbackSettings  # noqa: E402

PAGE = ROOT / "docs" / "queue.md"
BEGIN, END = "<!-- diagram {} -->\n", "<!-- end -->\n"
OVER = "[*]"
Arrow = tuple[str, str, str]  # from, cue, to

NOON_MS = 4 * 3_600_000  # in China
PACE = pace_of(AcdSettings())


def agent_arrows() -> Iterator[Arrow]:
    """The agent's machine; what only lengthens a state, or changes a later aim, is no arrow."""
    moves = [
        agents.Move(NOON_MS, PACE, 1, "c1", "offer/1", "tea", wrap_up_ms, by)
        for wrap_up_ms, by in product((0, 10_000), ("", "8014"))
    ]
    kinds = [
        {"aim": aim, "mobile": mobile, "misses": misses, "reason": reason}
        for aim, mobile, misses, reason in product(
            ("ready", "not_ready", "offline"), (False, True), (0, 2), ("", agents.REST)
        )
    ]
    for state, cue in agents.TABLE:
        for kind, move in product(kinds, moves):
            if kind["mobile"] and state not in ("ringing", "talking", "held"):
                continue
            before = agents.Agent("8001", state, **kind)
            yield state, cue, agents.step(before, cue, move)[0].state


def offer_arrows() -> Iterator[Arrow]:
    """The offer's machine."""
    for state, cue in offers.TABLE:
        before = offers.Reserve("offer/1", "c1", "8001", NOON_MS, state)
        after = offers.step(before, cue, offers.Move(NOON_MS))[0]
        yield state, cue, OVER if after is None else after.state


def callback_arrows() -> Iterator[Arrow]:
    """The callback's machine, in its hours and outside of them, at its first and last attempt."""
    settings = CallbackSettings(attempts=2, from_minute=480, to_minute=1200)
    made = callbacks.Callback("callback-1", "138", "12345", "c1", 0, 0)
    for state, cue in callbacks.TABLE:
        for attempts, hours in product((0, 1), (0, 12)):
            before = replace(made, state=state, attempts=attempts)
            move = callbacks.Move(NOON_MS + hours * 3_600_000, settings, 480)
            yield state, cue, callbacks.step(before, cue, move)[0].state


def diagram(first: str, order: Iterable[Any], arrows: Iterable[Arrow]) -> str:
    """Mermaid's state diagram: one arrow from a state to another, with all cues that lead there."""
    cues: dict[tuple[str, str], list[str]] = defaultdict(list)
    for here, cue, there in arrows:
        if here != there and cue not in cues[here, there]:
            cues[here, there].append(cue)
    states = [*order, OVER]
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    for here, there in sorted(cues, key=lambda one: tuple(map(states.index, one))):
        lines.append(f"    {here} --> {there}: {', '.join(cues[here, there])}")
    return "\n".join([*lines, "```", ""])


def states_of(table: Iterable[tuple[Any, Any]]) -> list[Any]:
    """In the table's order."""
    return list(dict.fromkeys(state for state, _ in table))


def diagrams() -> dict[str, str]:
    """By the name in the page's markers."""
    return {
        "agent": diagram("offline", states_of(agents.TABLE), agent_arrows()),
        "offer": diagram("ringing", states_of(offers.TABLE), offer_arrows()),
        "callback": diagram("resting", [*states_of(callbacks.TABLE), "over"], callback_arrows()),
    }


def page(text: str) -> str:
    """The page with its diagrams as the tables have them now; ValueError without their places."""
    for name, drawn in diagrams().items():
        head, begin, rest = text.partition(BEGIN.format(name))
        _, end, tail = rest.partition(END)
        if not begin or not end:
            raise ValueError(f"no place for the diagram {name}")
        text = head + begin + drawn + end + tail
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
