"""Ladders of SIP messages on a terminal: one column an end, one arrow a message."""

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text

WIDTH = 30
STATUS = re.compile(rb"SIP/2\.0 ([1-6][0-9][0-9]) ?([^\r\n]*)")
CSEQ = re.compile(rb"(?im)^CSeq[ \t]*:[ \t]*([0-9]+)[ \t]+(\S+)")
STYLES = {"1": "yellow", "2": "green", "3": "cyan"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One message as the engine's API tells it."""

    at_us: int
    direction: str
    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    sip_call_id: str
    call: str | None
    data: bytes

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Seen":
        """From JSON."""
        return cls(
            at_us=int(document["at_us"]),
            direction=str(document["direction"]),
            transport=str(document["transport"]),
            local=(str(document["local"][0]), int(document["local"][1])),
            remote=(str(document["remote"][0]), int(document["remote"][1])),
            sip_call_id=str(document["sip_call_id"]),
            call=document["call"],
            data=base64.b64decode(document["data"]),
        )

    @property
    def title(self) -> str:
        """`INVITE sip:...`, or `180 Ringing (INVITE)`."""
        found = STATUS.match(self.data)
        if found is None:
            words = self.data.split(b"\r\n", 1)[0].split(b" ")
            return _shown(b" ".join(words[:2]))
        cseq = CSEQ.search(self.data)
        method = f" ({_shown(cseq[2])})" if cseq else ""
        return f"{_shown(found[1])} {_shown(found[2])}".rstrip() + method

    @property
    def style(self) -> str:
        """The colour of its kind."""
        found = STATUS.match(self.data)
        return "bold" if found is None else STYLES.get(chr(found[1][0]), "red")


class Ladder:
    """Columns in the order of appearance, the engine's own first; lines as messages come."""

    def __init__(self) -> None:
        self._columns: list[str] = []

    def lines(self, seen: Seen) -> list[Text]:
        """The lines that a message adds: a new head where a new end appears, then its arrow."""
        found: list[Text] = []
        known = len(self._columns)
        here, there = self._column("callcore"), self._column(end(seen))
        if len(self._columns) != known:
            names = "".join(f"{name:^{WIDTH}}" for name in self._columns)
            found.append(Text(f"{'':16}{names}", style="dim", no_wrap=True))
        found.append(self._arrow(seen, here, there))
        return found

    def _column(self, name: str) -> int:
        if name not in self._columns:
            self._columns.append(name)
        return self._columns.index(name)

    def _arrow(self, seen: Seen, here: int, there: int) -> Text:
        at = datetime.fromtimestamp(seen.at_us / 1e6).astimezone()
        line = Text(f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}    ", no_wrap=True)
        cells = ["│".center(WIDTH) for _ in self._columns]
        row = "".join(cells)
        left, right = sorted((here, there))
        start, stop = left * WIDTH + WIDTH // 2 + 1, right * WIDTH + WIDTH // 2
        room = stop - start
        label = f" {seen.title} "[: max(0, room - 4)]
        shaft = label.center(room - 1, "─")
        to_right = (there > here) == (seen.direction == "out")
        arrow = f"{shaft}>" if to_right else f"<{shaft}"
        line.append(row[:start], style="dim")
        line.append(arrow, style=seen.style)
        line.append(row[stop:].rstrip(), style="dim")
        return line


def end(seen: Seen) -> str:
    """A peer's name: its address, with the transport where that is not UDP."""
    host, port = seen.remote
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return shown if seen.transport == "udp" else f"{seen.transport} {shown}"


def _shown(data: bytes) -> str:
    """Text for a terminal: nothing in it moves the cursor."""
    text = data.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
