"""What every benchmark shares: its command line, its last line, and CPU times from /proc."""

import argparse
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Outcome:
    """Figures, the bars that they must clear, and whether they do."""

    name: str
    figures: dict[str, Any] = field(default_factory=dict)
    bars: dict[str, Any] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def bar(self, name: str, limit: Any, met: bool) -> None:
        """Notes a bar and whether it is met."""
        self.bars[name] = limit
        if not met:
            self.missed.append(name)

    def finish(self) -> NoReturn:
        """The last line on standard output; exit 1 when a bar is missed."""
        line = {
            "name": self.name,
            "figures": self.figures,
            "bars": self.bars,
            "missed": self.missed,
            "ok": not self.missed,
        }
        print(json.dumps(line), flush=True)
        sys.exit(0 if not self.missed else 1)


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def parser(name: str, document: str | None) -> argparse.ArgumentParser:
    """A command line with --quick."""
    made = argparse.ArgumentParser(prog=name, description=(document or "").split("\n")[0])
    made.add_argument("--quick", action="store_true", help="a short run, to see that it works")
    return made


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads (proc(5), /proc/PID/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def percentile(values: list[float], share: float) -> float:
    """The value that a share of all does not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, min(len(ranked) - 1, round(share * len(ranked) + 0.5) - 1))]


def two_cores() -> tuple[int, int]:
    """The core for the subject and the one for the load; the same when there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]
