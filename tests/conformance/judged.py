"""What we do with each of RFC 4475's messages, beside what verdicts.csv says."""

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from callcore.errors import RemoteProtocolError
from callcore.message import Message, Request, parse, validate

FOLDER = Path(
    os.environ.get("CALLCORE_RFC4475") or Path(__file__).parents[3] / "shared" / "data" / "rfc4475"
)
HINT = (
    "RFC 4475's messages are not here: unpack the archive of its Appendix A beside verdicts.csv "
    "and name the folder in CALLCORE_RFC4475"
)
FIELDS: dict[str, Callable[[Message], object]] = {
    "Via": lambda m: m.via,
    "From": lambda m: m.from_,
    "To": lambda m: m.to,
    "CSeq": lambda m: m.cseq,
    "Call-ID": lambda m: m.call_id,
    "Contact": lambda m: m.contacts,
    "Date": lambda m: m.date_ms,
    "Route": lambda m: m.routes,
    "Record-Route": lambda m: m.record_routes,
}
# What is wrong by RFC 4475 is answered so; every other refusal is a 400.
STATUS = {"505": 505}


def rows() -> list[dict[str, str]]:
    """The lines of verdicts.csv; none where the messages are not at hand."""
    path = FOLDER / "verdicts.csv"
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


@dataclass(frozen=True, slots=True)
class Judged:
    """Our verdict, where it was found, and the status that it would be answered with."""

    verdict: str
    where: str = ""
    status: int = 0


def judge(data: bytes) -> Judged:
    """Layer by layer: framing, each field that is there, then the message as a whole."""
    try:
        message = parse(data)
    except RemoteProtocolError as error:
        verdict = "header error" if error.where in FIELDS else "structural error"
        return Judged(verdict, error.where, error.status)
    for name, read in FIELDS.items():
        if message.get(name) is not None:
            try:
                read(message)
            except RemoteProtocolError as error:
                return Judged("header error", error.where, error.status)
    if isinstance(message, Request):
        try:
            validate(message)
        except RemoteProtocolError as error:
            return Judged("validation error", error.where, error.status)
    return Judged("parse")


def table() -> Iterator[tuple[dict[str, str], Judged, bool]]:
    """Each line, what we say to its message, and whether that agrees."""
    for row in rows():
        ours = judge((FOLDER / row["file"]).read_bytes())
        agrees = ours.verdict == row["verdict"]
        if ours.verdict in ("structural error", "header error"):
            agrees = agrees and ours.where == row["where"]
        if ours.status:
            agrees = agrees and ours.status == STATUS.get(row["where"], 400)
        yield row, ours, agrees
