"""A SIP message without what is private in it; each byte stays in its place.

Lengths do not change, so that Content-Length and captures stay right.
"""

import re

# Users of addresses, display names, and the user of a description's origin.
ADDRESS = re.compile(rb"(?i)((?:sips?|tel):\+?)([0-9]{7,})")
DISPLAY = re.compile(rb'"[^"\r\n]{0,200}"')
DIGITS = re.compile(rb"[0-9]{7,}")
ORIGIN = re.compile(rb"(?m)^(o=)([0-9]{7,})(?= )")
NAMED = re.compile(
    rb"(?im)^(?:from|f|to|t|contact|m|p-asserted-identity|p-preferred-identity|p-called-party-id|"
    rb"remote-party-id|diversion|history-info|refer-to|r|referred-by|b):[^\r\n]*"
)
# What could be used to guess a password is for nobody's eyes.
PROOF = re.compile(rb'(?im)^((?:proxy-)?authorization:[^\r\n]*?\bresponse=")([0-9a-f]+)')


# RFC 4568: the key of somebody's voice.
KEY = re.compile(rb"(?im)^(a=crypto:[^\r\n]*?\binline:)([A-Za-z0-9+/=]+)")


def _stars(digits: bytes) -> bytes:
    return digits[:3] + b"*" * (len(digits) - 5) + digits[-2:]


def without_proofs(data: bytes) -> bytes:
    """Without the answers to challenges, and without keys."""
    data = KEY.sub(lambda found: found[1] + b"0" * len(found[2]), data)
    return PROOF.sub(lambda found: found[1] + b"0" * len(found[2]), data)


def without_numbers(data: bytes) -> bytes:
    """Without proofs and numbers: their first three and last two digits remain."""
    data = without_proofs(data)
    data = ADDRESS.sub(lambda found: found[1] + _stars(found[2]), data)
    data = ORIGIN.sub(lambda found: found[1] + _stars(found[2]), data)
    return NAMED.sub(_without_names, data)


def _without_names(line: re.Match[bytes]) -> bytes:
    return DISPLAY.sub(lambda name: DIGITS.sub(lambda d: _stars(d[0]), name[0]), line[0])
