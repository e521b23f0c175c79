"""What to say to a request that cannot be parsed (RFC 3261 §16.3 step 1, RFC 4475 §3.1.2)."""

import re

from callcore.message import REASONS

_FIELD = re.compile(
    rb"(?im)^(via|v|from|f|to|t|call-id|i|cseq)[ \t]*:[ \t]*([^\r\n]+)\r?$",
)
_NAMES = {b"v": b"via", b"f": b"from", b"t": b"to", b"i": b"call-id"}
_TITLES = {b"via": b"Via", b"from": b"From", b"to": b"To", b"call-id": b"Call-ID", b"cseq": b"CSeq"}
_REQUEST = re.compile(rb"([A-Za-z0-9\-.!%*_+`'~]{1,32}) [^\r\n]{1,2048}$", re.MULTILINE)
_RECEIVED = re.compile(rb"(?i)(;[ \t]*rport)(?![ \t]*=|[a-z0-9])")
HEAD_BYTES = 8192


def refusal(data: bytes, status: int, remote: tuple[str, int], to_tag: str) -> bytes | None:
    """The response, or None where there is none: no request, an ACK, or a head unreadable.

    Only the five fields that a response must repeat are searched for; they are copied as bytes,
    so that nothing needs to be understood.
    """
    head = data.lstrip(b"\r\n")[:HEAD_BYTES].partition(b"\r\n\r\n")[0]
    start = _REQUEST.match(head)
    if start is None or start[1] == b"ACK" or head[:4].upper() == b"SIP/":
        return None
    found: dict[bytes, list[bytes]] = {}
    for name, value in _FIELD.findall(head):
        key = name.lower()
        found.setdefault(_NAMES.get(key, key), []).append(value)
    if any(len(found.get(key, ())) != 1 for key in _TITLES if key != b"via") or b"via" not in found:
        return None
    host, port = remote
    vias = found[b"via"]
    vias[0] = _RECEIVED.sub(b";rport=%d;received=%s" % (port, host.encode()), vias[0], count=1)
    if b"tag=" not in found[b"to"][0].lower():
        found[b"to"][0] += b";tag=" + to_tag.encode()
    lines = [b"SIP/2.0 %d %s" % (status, REASONS.get(status, "Bad Request").encode())]
    lines += [_TITLES[key] + b": " + value for key in _TITLES for value in found[key]]
    return b"\r\n".join([*lines, b"Content-Length: 0", b"", b""])
