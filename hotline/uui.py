"""What the city's platform and we tell each other of a call: User-to-User (RFC 7433).

`User-to-User: 63616c6c...;encoding=hex` with the octets of `call=ID;order=NUMBER`, in UTF-8.
"""

from dataclasses import dataclass
from urllib.parse import quote, unquote

HEADER = "User-to-User"
MOST_BYTES = 128  # ISDN's limit (RFC 7433 §3.1), which gateways keep to


@dataclass(frozen=True, slots=True)
class Told:
    """The other side's id of the call, and the number of the work order it is about."""

    call: str = ""
    order: str = ""


def write(told: Told) -> str:
    """The field's value; an order number that does not fit is left out."""
    text = f"call={quote(told.call)}"
    whole = f"{text};order={quote(told.order)}" if told.order else text
    octets = (whole if len(whole.encode()) <= MOST_BYTES else text).encode()[:MOST_BYTES]
    return f"{octets.hex()};encoding=hex"


def read(value: str) -> Told:
    """What a field says: the first of its values (RFC 7433 §4.1) that is ours."""
    return next((told for one in value.split(",") if (told := _read_one(one)) != Told()), Told())


def _read_one(value: str) -> Told:
    """What one value says; nothing where it is another's content or no hex."""
    content, *params = (part.strip() for part in value.split(";"))
    content = content.strip('"')  # a token, or a quoted string
    encodings = [p.partition("=")[2] for p in params if p.lower().startswith("encoding=")]
    if any(encoding.strip('"').lower() != "hex" for encoding in encodings):
        return Told()
    try:
        text = bytes.fromhex(content[: 2 * MOST_BYTES]).decode()
    except ValueError:
        return Told()
    found = {}
    for part in text.split(";"):
        name, _, given = part.partition("=")
        found[name] = unquote(given)
    shown = {name: one for name, one in found.items() if one.isprintable()}
    return Told(shown.get("call", ""), shown.get("order", ""))


def read_all(headers: tuple[tuple[str, str], ...]) -> Told:
    """The first of several that says something (RFC 7433 §4)."""
    for name, value in headers:
        if name.lower() == HEADER.lower():
            told = read(value)
            if told != Told():
                return told
    return Told()
