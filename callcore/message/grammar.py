"""The pieces of SIP's grammar that several fields share (RFC 3261 §25.1).

All patterns are anchored and never go back: the work is linear in the length of the text, whatever
a peer writes. A group in which something is repeated is itself repeated as `(?>(?:...)*)`, not as
`(?:...)*+`: that keeps in Python 3.11.2, Debian 12's, what its last, failing turn began with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from callcore.errors import RemoteProtocolError

Params = dict[str, str | None]

MAX_VALUES = 256  # in one field line
# Of Via and the addresses. Linear work on 64 kB of parameters still took 18 ms.
MAX_LENGTH = 8192

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]"
# Possessive all the same, a quarter faster: behind the last backslash of a text no quote follows.
QUOTED = r'"(?:[^"\\]++|\\.)*+"'
HOST = r"(?:[A-Za-z0-9_.\-]++|\[[0-9A-Fa-f:.]++\])"
WS = r"[ \t]*+"
PORT = (
    r"(?:0{0,4}+(?:[1-5][0-9]{4}|6(?:553[0-5]|55[0-2][0-9]|5[0-4][0-9]{2}|[0-4][0-9]{3})"
    r"|[1-9][0-9]{0,3}+))"
)

# A parameter's value may be a token, a host or a quoted string; peers also write '=', '/' and '@'.
VALUE = r"[!#-+\--:=@-~]++"
PARAM = rf"{WS};{WS}({TOKEN}++){WS}(?:={WS}({VALUE}|{QUOTED}))?"
PARAMS = rf"(?>(?:{WS};{WS}{TOKEN}++{WS}(?:={WS}(?:{VALUE}|{QUOTED}))?)*)"

is_token = re.compile(rf"{TOKEN}++\Z").match
_is_value = re.compile(rf"{VALUE}\Z").match
_find_params = re.compile(PARAM, re.DOTALL).findall
_item = re.compile(rf'((?>(?:[^,"<]++|{QUOTED}|<[^>]*+>)*))(,|\Z)', re.DOTALL).match
_pair = re.compile(r"\\(.)", re.DOTALL)


def read_params(text: str, where: str) -> Params:
    """Parameters of a text that PARAMS has matched: lower-case names, values without quotes.

    RFC 3261 §7.3.1: no name may appear twice; a repetition of the very same pair is forgiven.
    """
    params: Params = {}
    if '"' in text or " " in text or "\t" in text:
        for name, value in _find_params(text):
            _add(params, name.lower(), unquote(value) if value else None, where)
        return params
    for piece in text.split(";")[1:]:
        name, _, value = piece.partition("=")
        name = name.lower()
        if params.setdefault(name, value or None) != (value or None):
            raise RemoteProtocolError("a parameter is given twice", where=where)
    return params


def _add(params: Params, name: str, value: str | None, where: str) -> None:
    if params.setdefault(name, value) != value:
        raise RemoteProtocolError("a parameter is given twice", where=where)


def write_params(params: Mapping[str, str | None]) -> str:
    """Parameters with their semicolons, values quoted where they must be."""
    return "".join(
        f";{name}" if value is None else f";{name}={value if _is_value(value) else quote(value)}"
        for name, value in params.items()
    )


def quote(text: str) -> str:
    """A quoted string (RFC 3261 §25.1)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(text: str) -> str:
    """What a quoted string says; any other text is returned as it is."""
    if text[:1] != '"':
        return text
    inner = text[1:-1]
    return _pair.sub(r"\1", inner) if "\\" in inner else inner


def legible(text: str) -> str:
    """Text for people: bytes that were not UTF-8 are read as GB 18030, or replaced.

    Headers keep such bytes as lone surrogates so that they are sent on unchanged; a name that
    goes into records must hold none. RFC 3261 §7 demands UTF-8; older gateways send GBK.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogateescape")
        try:
            return raw.decode("gb18030")
        except UnicodeDecodeError:
            return raw.decode("utf-8", "replace")
    return text


def split_list(text: str, where: str) -> list[str]:
    """The comma-separated values of a field, commas in quotes and in <> respected.

    RFC 3261 §7.3.1; RemoteProtocolError when a quote or a bracket is left open, or when there
    are more values than any peer has a use for.
    """
    if "," not in text:
        return [text.strip(" \t")]
    items: list[str] = []
    position = 0
    while True:
        found = _item(text, position)
        if found is None:
            raise RemoteProtocolError("a quote or bracket is left open", where=where)
        items.append(found[1].strip(" \t"))
        if len(items) > MAX_VALUES:
            raise RemoteProtocolError("too many values", where=where)
        if not found[2]:
            return items
        position = found.end()
