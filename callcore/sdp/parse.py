"""From bytes to a session description (RFC 8866 §5, §9)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from callcore.errors import RemoteProtocolError
from callcore.sdp.description import (
    DIRECTIONS,
    STATIC,
    Codec,
    Media,
    Origin,
    SessionDescription,
)

MAX_BYTES = 65536
MAX_LINES = 2000
MAX_MEDIA = 64
MAX_FORMATS = 256
RTP = ("RTP/", "UDP/TLS/RTP/")

Attribute = tuple[str, str | None]

_media = re.compile(
    r"([A-Za-z0-9\-]+) ([0-9]{1,5})(?:/([0-9]{1,5}))? ([A-Za-z0-9/.\-]+)((?: [^ ]+)+)\Z"
).match
_origin = re.compile(r"([^ ]+) ([0-9]{1,20}) ([0-9]{1,20}) IN (IP[46]) ([^ ]+)\Z").match
_connection = re.compile(r"IN (IP4|IP6) ([0-9A-Za-z.:\-]{1,255})(?:/[0-9/]{1,12})?\Z").match
_rtpmap = re.compile(r"([0-9]{1,3}) +([^ /]+)/([0-9]{1,6})(?:/([0-9]{1,2}))? *\Z").match
_fmtp = re.compile(r"([0-9]{1,3}) +(.*)\Z", re.DOTALL).match
_attribute = re.compile(r"([^\x00-\x20:\x7f]+)(?::(.*))?\Z", re.DOTALL).match
# Two that phones write with a fraction, which no voice codec needs (RFC 8866 §6.4).
_ptime = re.compile(r" *([0-9]{1,4})(?:\.[0-9]{1,6})? *\Z").match


@dataclass(slots=True)
class _Section:
    """What has been read of the session or of one m= section."""

    head: str = ""
    connection: str = ""
    attributes: list[str] = field(default_factory=list)


class _Facts(NamedTuple):
    """What the a= lines of a section say."""

    codecs: tuple[Codec, ...]
    attributes: tuple[Attribute, ...]
    direction: str | None
    ptime_ms: int | None


def parse_sdp(data: bytes) -> SessionDescription:
    """A description from its bytes; RemoteProtocolError(400).

    RFC 8866 §5: lines end in CRLF, a bare LF is accepted; unknown types are ignored, but the
    ones that must be there must be right.
    """
    lines = _lines(data)
    session = _Section()
    sections: list[_Section] = []
    origin: Origin | None = None
    name = "-"
    times: list[str] = []
    current = session
    for kind, value in lines[1:]:
        if kind == "m":
            if len(sections) == MAX_MEDIA:
                raise _wrong("too many media sections")
            current = _Section(head=value)
            sections.append(current)
        elif kind == "a":
            current.attributes.append(value)
        elif kind == "c":
            current.connection = current.connection or _read_connection(value)
        elif current is session and kind == "o":
            origin = _read_origin(value)
        elif current is session and kind == "s":
            name = value
        elif current is session and kind == "t":
            times.append(value)
    if origin is None:
        raise _wrong("o= is missing")
    facts = _facts(tuple(session.attributes), "", "", ())
    return SessionDescription(
        origin=origin,
        media=tuple([_read_media(section, session, facts) for section in sections]),
        connection=session.connection,
        name=name,
        direction=facts.direction,
        attributes=facts.attributes,
        times=tuple(times),
    )


def _wrong(why: str) -> RemoteProtocolError:
    return RemoteProtocolError(why, status=400, where="SDP")


def _lines(data: bytes) -> list[tuple[str, str]]:
    if len(data) > MAX_BYTES:
        raise _wrong("the description is too large")
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\r")
    found = text.rstrip().split("\n")
    if len(found) > MAX_LINES:
        raise _wrong("too many lines")
    if "\r" in text or "\x00" in text:
        raise _wrong("a line is not type=value")
    pairs: list[tuple[str, str]] = []
    for line in found:
        if line[1:2] != "=" or not line[0].isalpha():
            raise _wrong("a line is not type=value")
        pairs.append((line[0], line[2:].rstrip(" ")))
    if not pairs or pairs[0] != ("v", "0"):
        raise _wrong("v=0 does not come first")
    return pairs


def _read_origin(value: str) -> Origin:
    found = _origin(value)
    if found is None:
        raise _wrong("o= is wrong")
    return Origin(found[1], int(found[2]), int(found[3]), found[5])


def _read_connection(value: str) -> str:
    """RFC 8866 §5.7; a multicast suffix is cut off."""
    found = _connection(value)
    if found is None or (found[1] == "IP4" and ":" in found[2]):
        raise _wrong("c= is wrong")
    return found[2].lower()


# A gateway or a phone writes the same a= lines in call after call: kept, 30 us become 1. Both
# length and number are bounded, so that a flood cannot grow it.
LONGEST_KEPT = 1024


def _facts(lines: tuple[str, ...], kind: str, proto: str, formats: tuple[str, ...]) -> _Facts:
    short = sum(map(len, lines)) + sum(map(len, formats)) + len(proto) <= LONGEST_KEPT
    read = _read_facts if short else _read_facts.__wrapped__
    return read(lines, kind, proto, formats)


@lru_cache(maxsize=512)
def _read_facts(lines: tuple[str, ...], kind: str, proto: str, formats: tuple[str, ...]) -> _Facts:
    rtpmaps: dict[int, tuple[str, int, int]] = {}
    fmtps: dict[int, str] = {}
    attributes: list[Attribute] = []
    direction: str | None = None
    ptime_ms: int | None = None
    for line in lines:
        found = _attribute(line)
        if found is None:
            raise _wrong("a= is wrong")
        name, value = found.groups()
        if name in DIRECTIONS and value is None:
            direction = direction or name
        elif name == "rtpmap":
            _read_rtpmap(rtpmaps, value or "")
        elif name == "fmtp":
            _read_fmtp(fmtps, value or "")
        elif name == "ptime":
            ptime_ms = _read_ptime(value or "")
        else:
            attributes.append((name, value))
    codecs = _codecs(rtpmaps, fmtps, kind, formats) if proto.upper().startswith(RTP) else ()
    return _Facts(codecs, tuple(attributes), direction, ptime_ms)


def _read_fmtp(fmtps: dict[int, str], value: str) -> None:
    found = _fmtp(value)
    if found is None:
        raise _wrong("a=fmtp is wrong")
    fmtps[int(found[1])] = found[2]


def _read_ptime(value: str) -> int | None:
    found = _ptime(value)
    if found is None:
        raise _wrong("a=ptime is wrong")
    return int(found[1]) or None


def _read_rtpmap(rtpmaps: dict[int, tuple[str, int, int]], value: str) -> None:
    found = _rtpmap(value)
    if found is None or int(found[1]) > 127 or int(found[3]) == 0:
        raise _wrong("a=rtpmap is wrong")
    rtpmaps[int(found[1])] = (found[2], int(found[3]), int(found[4] or 1) or 1)


def _read_media(section: _Section, session: _Section, of_all: _Facts) -> Media:
    found = _media(section.head)
    if found is None:
        raise _wrong("m= is wrong")
    kind, port, ports, proto, rest = found.groups()
    formats = tuple(rest.split())
    if int(port) > 65535 or len(formats) > MAX_FORMATS:
        raise _wrong("m= is wrong")
    facts = _facts(tuple(section.attributes), kind.lower(), proto, formats)
    return Media(
        kind=kind.lower(),
        port=int(port),
        proto=proto,
        formats=formats,
        connection=section.connection or session.connection,
        attributes=facts.attributes,
        direction=facts.direction or of_all.direction or "sendrecv",
        ptime=facts.ptime_ms or of_all.ptime_ms,
        codecs=facts.codecs,
        ports=int(ports or 1),
    )


def _codecs(
    rtpmaps: dict[int, tuple[str, int, int]],
    fmtps: dict[int, str],
    kind: str,
    formats: tuple[str, ...],
) -> tuple[Codec, ...]:
    """The payload types that have a meaning, in order; a dynamic one without rtpmap has none."""
    codecs: list[Codec] = []
    for text in dict.fromkeys(formats):
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) < 128):
            raise _wrong("a payload type is wrong")
        number = int(text)
        fmtp = fmtps.get(number, "")
        if number in rtpmaps:
            codecs.append(Codec(number, *rtpmaps[number], fmtp))
        elif number in STATIC and kind == "audio":
            static = STATIC[number]
            codecs.append(Codec(number, static.name, static.rate, static.channels, fmtp))
    return tuple(codecs)
