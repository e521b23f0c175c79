"""`python -m tests.conformance`: RFC 4475's 49 messages and what we say to each; exit code 1
unless all agree with verdicts.csv."""

import sys

from rich.console import Console
from rich.table import Table

from tests.conformance.judged import HINT, table


def main() -> int:
    """Print the table."""
    judged = list(table())
    if not judged:
        print(HINT, file=sys.stderr)
        return 1
    shown = Table("message", "verdict", "at", "answer", "agrees")
    for row, ours, agrees in judged:
        status = str(ours.status or "")
        shown.add_row(row["file"], ours.verdict, ours.where, status, "yes" if agrees else "NO")
    Console(highlight=False).print(shown)
    good = sum(agrees for _, _, agrees in judged)
    print(f"RFC 4475: {good} of {len(judged)}")
    return 0 if good == len(judged) else 1


if __name__ == "__main__":
    sys.exit(main())
