"""Keys for SRTP in a description: the crypto attribute (RFC 4568 §9)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from callcore.sdp.description import Media

SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
KEY_BYTES = 30  # §6.2: 128 bits of master key, 112 of salt

# §9.2: tag, suite, one or more key parameters, session parameters.
_crypto = re.compile(
    r"([0-9]{1,9}) +([A-Za-z0-9_]+) +inline:([^ ;|]+)((?:\|[^ ;]+)?) *(.*)\Z"
).match
# A lifetime may be said; a master key identifier would have to be in every packet.
_lifetime = re.compile(r"(?:\|(?:2\^)?[0-9]{1,15})?\Z").match


@dataclass(frozen=True, slots=True)
class Crypto:
    """One crypto attribute; its key is never printed."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def attribute(self) -> tuple[str, str]:
        """As it stands behind a=."""
        return "crypto", f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


def offered(key: bytes) -> tuple[Crypto, ...]:
    """Our suites in order of preference, all with one key: only one of them is ever used."""
    return tuple(Crypto(tag, suite, key) for tag, suite in enumerate(SUITES, 1))


def read(media: Media) -> tuple[Crypto, ...]:
    """The attributes that we can use, in order.

    §6.3: one with a session parameter that we do not know is not used, unless it says that it may
    be ignored ("-"); §6.1: nor is one with several keys or a master key identifier.
    """
    found = []
    for name, value in media.attributes:
        match = _crypto(value or "") if name == "crypto" else None
        if match is None or match[2] not in SUITES or not _lifetime(match[4]):
            continue
        key = _decoded(match[3])
        if key is not None and all(word.startswith("-") for word in match[5].split()):
            found.append(Crypto(int(match[1]), match[2], key))
    return tuple(found)


def _decoded(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None
