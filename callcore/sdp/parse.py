"""From bytes to a session description (RFC 8866 §5, §9)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

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
    attributes: list[Attribute] = field(default_factory=list)
    direction: str | None = None
    ptime_ms: int | None = None
    rtpmaps: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    fmtps: dict[int, str] = field(default_factory=dict)


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
            _read_attribute(current, value)
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
    return SessionDescription(
        origin=origin,
        media=tuple(_read_media(section, session) for section in sections),
        connection=session.connection,
        name=name,
        direction=session.direction,
        attributes=tuple(session.attributes),
        times=tuple(times),
    )


def _wrong(why: str) -> RemoteProtocolError:
    return RemoteProtocolError(why, status=400, where="SDP")


def _lines(data: bytes) -> list[tuple[str, str]]:
    if len(data) > MAX_BYTES:
        raise _wrong("the description is too large")
    text = data.decode("utf-8", "replace")
    found = [line.removesuffix("\r") for line in text.split("\n")]
    while found and not found[-1].strip():
        found.pop()
    if len(found) > MAX_LINES:
        raise _wrong("too many lines")
    pairs: list[tuple[str, str]] = []
    for line in found:
        if line[1:2] != "=" or not line[0].isalpha() or "\r" in line or "\x00" in line:
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


def _read_attribute(section: _Section, line: str) -> None:
    found = _attribute(line)
    if found is None:
        raise _wrong("a= is wrong")
    name, value = found.groups()
    if name in DIRECTIONS and value is None:
        section.direction = section.direction or name
    elif name == "rtpmap":
        _read_rtpmap(section, value or "")
    elif name == "fmtp":
        fmtp = _fmtp(value or "")
        if fmtp is None:
            raise _wrong("a=fmtp is wrong")
        section.fmtps[int(fmtp[1])] = fmtp[2]
    elif name == "ptime":
        ptime = _ptime(value or "")
        if ptime is None:
            raise _wrong("a=ptime is wrong")
        section.ptime_ms = int(ptime[1]) or None
    else:
        section.attributes.append((name, value))


def _read_rtpmap(section: _Section, value: str) -> None:
    found = _rtpmap(value)
    if found is None or int(found[1]) > 127 or int(found[3]) == 0:
        raise _wrong("a=rtpmap is wrong")
    section.rtpmaps[int(found[1])] = (found[2], int(found[3]), int(found[4] or 1) or 1)


def _read_media(section: _Section, session: _Section) -> Media:
    found = _media(section.head)
    if found is None:
        raise _wrong("m= is wrong")
    kind, port, ports, proto, rest = found.groups()
    formats = tuple(rest.split())
    if int(port) > 65535 or len(formats) > MAX_FORMATS:
        raise _wrong("m= is wrong")
    return Media(
        kind=kind.lower(),
        port=int(port),
        proto=proto,
        formats=formats,
        connection=section.connection or session.connection,
        attributes=tuple(section.attributes),
        direction=section.direction or session.direction or "sendrecv",
        ptime=section.ptime_ms or session.ptime_ms,
        codecs=_codecs(section, kind.lower(), proto, formats),
        ports=int(ports or 1),
    )


def _codecs(
    section: _Section, kind: str, proto: str, formats: tuple[str, ...]
) -> tuple[Codec, ...]:
    """The payload types that have a meaning, in order; a dynamic one without rtpmap has none."""
    if not proto.upper().startswith(("RTP/", "UDP/TLS/RTP/")):
        return ()
    codecs: list[Codec] = []
    for text in dict.fromkeys(formats):
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) < 128):
            raise _wrong("a payload type is wrong")
        number = int(text)
        fmtp = section.fmtps.get(number, "")
        if number in section.rtpmaps:
            codecs.append(Codec(number, *section.rtpmaps[number], fmtp))
        elif number in STATIC and kind == "audio":
            static = STATIC[number]
            codecs.append(Codec(number, static.name, static.rate, static.channels, fmtp))
    return tuple(codecs)
