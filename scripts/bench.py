"""Runs every benchmark, one after the other, and prints their figures beside their bars.

python scripts/bench.py [--quick] [NAME ...]
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
RESULTS = BENCHMARKS / "results"
LIMIT_SECONDS = 3600
PART = "# benchmarks: a part of others"  # a line of a script that others start


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one benchmark."""

    name: str
    line: dict[str, Any]
    code: int

    @property
    def ok(self) -> bool:
        """Whether it ran to its end and cleared its bars."""
        return self.code == 0 and bool(self.line.get("ok"))


def benchmarks() -> dict[str, Path]:
    """Scripts that can be run; what they share has no `__main__`, or is marked as a part."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(BENCHMARKS.glob("*.py"))}
    return {
        path.stem: path
        for path, text in texts.items()
        if '__name__ == "__main__"' in text and PART not in text.splitlines()
    }


def run(name: str, path: Path, quick: bool) -> Result:
    """Runs one; its progress goes through, its last line is kept."""
    print(f"bench: {name}", file=sys.stderr, flush=True)
    command = [sys.executable, str(path), *(["--quick"] if quick else [])]
    # A session of its own, so that what it started can be ended with it.
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=LIMIT_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            if isinstance(error, KeyboardInterrupt):
                raise
            return Result(name, {"error": f"not done after {LIMIT_SECONDS} s"}, 1)
    lines = said.strip().splitlines()
    try:
        line = json.loads(lines[-1]) if lines else {"error": "said nothing"}
    except ValueError:
        line = {"error": "its last line is no JSON"}
    return Result(name, line, process.returncode)


def machine() -> dict[str, Any]:
    """What a figure means nothing without."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def write(result: Result, quick: bool) -> None:
    """benchmarks/results/NAME.json: the line, when, and where it ran."""
    RESULTS.mkdir(exist_ok=True)
    document = {
        **result.line,
        "exit_code": result.code,
        "quick": quick,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (RESULTS / f"{result.name}.json").write_text(text, encoding="utf-8")


def _cell(value: Any) -> str:
    """Figures short, tables of figures on lines of their own."""
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, dict):
        return "\n".join(f"{name} {_cell(inner)}" for name, inner in value.items())
    return str(value)


def show(results: list[Result]) -> None:
    """All figures in one table."""
    table = Table(title="benchmarks", show_lines=True)
    for heading in ("benchmark", "figures", "bars", "met"):
        table.add_column(heading, overflow="fold")
    for result in results:
        figures = result.line.get("figures") or {"": result.line.get("error", "no figures")}
        missed = ", ".join(result.line.get("missed", [])) or f"exit {result.code}"
        table.add_row(
            result.name,
            _cell(figures),
            _cell(result.line.get("bars", {})),
            "yes" if result.ok else f"no: {missed}",
        )
    Console().print(table)


def main() -> int:
    """The command line."""
    known = benchmarks()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short runs, to see that they work")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known) or "none yet")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in known]:
        parser.error(f"no benchmark {unknown[0]}; there are {', '.join(known)}")
    results = []
    for name in given.names or known:
        result = run(name, known[name], given.quick)
        write(result, given.quick)
        results.append(result)
    show(results)
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
