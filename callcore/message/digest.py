"""Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760; RFC 2617 for peers without qop)."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import field, replace
from typing import Literal

from callcore.errors import LocalProtocolError, RemoteProtocolError
from callcore.message.grammar import QUOTED, TOKEN, WS, legible, quote, unquote
from callcore.value import dataclass

ALGORITHMS = {"md5": hashlib.md5, "sha-256": hashlib.sha256}

_scheme = re.compile(rf"{WS}[dD][iI][gG][eE][sS][tT][ \t]++").match
_field = re.compile(rf'{WS}({TOKEN}++){WS}={WS}([^\x00-\x20",\x7f]++|{QUOTED}){WS}(,|\Z)').match
_nc = re.compile(r"[0-9A-Fa-f]{8}\Z").match
_MAX_FIELDS = 32

NonceVerdict = Literal["ok", "stale", "forged"]


@dataclass(frozen=True, slots=True)
class Challenge:
    """WWW-Authenticate or Proxy-Authenticate (RFC 7616 §3.3)."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: tuple[str, ...] = ("auth",)
    stale: bool = False
    opaque: str | None = None

    def __str__(self) -> str:
        parts = [f"realm={quote(self.realm)}", f"nonce={quote(self.nonce)}"]
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f'qop="{",".join(self.qop)}"')
        return "Digest " + ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Authorization or Proxy-Authorization (RFC 7616 §3.4); `nc` is a number, 0 without qop."""

    user: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = "MD5"
    qop: str | None = None
    cnonce: str | None = None
    nc: int = 0
    opaque: str | None = None
    nc_digits: str = field(default="", compare=False)  # as written: they are hashed, case and all

    def __str__(self) -> str:
        parts = [
            f"username={quote(self.user)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f"response={quote(self.response)}",
            f"algorithm={self.algorithm}",
        ]
        if self.qop is not None:
            parts += [f"qop={self.qop}", f"cnonce={quote(self.cnonce or '')}", f"nc={self.nc:08x}"]
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        return "Digest " + ", ".join(parts)


def parse_challenge(text: str) -> Challenge:
    """A challenge; RemoteProtocolError(400), also for an algorithm that we do not have.

    RFC 7616 §3.3: without algorithm it is MD5; unknown fields are ignored.
    """
    where = "WWW-Authenticate"
    fields = _fields(text, where)
    options = [option.strip().lower() for option in fields.get("qop", "").split(",")]
    return Challenge(
        realm=_need(fields, "realm", where),
        nonce=_need(fields, "nonce", where),
        algorithm=_algorithm(fields, where),
        qop=tuple(option for option in options if option),
        stale=fields.get("stale", "").lower() == "true",
        opaque=fields.get("opaque"),
    )


def parse_credentials(text: str) -> Credentials:
    """Credentials; RemoteProtocolError(400), also for an algorithm that we do not have."""
    where = "Authorization"
    fields = _fields(text, where)
    qop = fields["qop"].lower() if "qop" in fields else None
    nc = 0
    if qop is not None:
        # RFC 7616 §3.4: cnonce and nc must be there when qop is.
        if qop not in ("auth", "auth-int") or _nc(_need(fields, "nc", where)) is None:
            raise RemoteProtocolError("qop or nc is wrong", where=where)
        _need(fields, "cnonce", where)
        nc = int(fields["nc"], 16)
    return Credentials(
        user=_need(fields, "username", where),
        realm=_need(fields, "realm", where),
        nonce=_need(fields, "nonce", where),
        uri=_need(fields, "uri", where),
        response=_need(fields, "response", where).lower(),
        algorithm=_algorithm(fields, where),
        qop=qop,
        cnonce=fields.get("cnonce"),
        nc=nc,
        opaque=fields.get("opaque"),
        nc_digits=fields["nc"] if qop is not None else "",
    )


def best_challenge(texts: list[str]) -> Challenge | None:
    """The first challenge that we can answer (RFC 8760 §2.4: topmost is preferred)."""
    for text in texts:
        try:
            challenge = parse_challenge(text)
        except RemoteProtocolError:
            continue
        if not challenge.qop or "auth" in challenge.qop or "auth-int" in challenge.qop:
            return challenge
    return None


def answer(
    challenge: Challenge,
    *,
    method: str,
    uri: str,
    user: str,
    password: str,
    body: bytes = b"",
    cnonce: str = "",
    nc: int = 1,
) -> str:
    """The value of Authorization that answers a challenge (RFC 7616 §3.4).

    qop is auth if offered, auth-int if that alone is offered, none for a peer of RFC 2069.
    """
    qop = next((option for option in ("auth", "auth-int") if option in challenge.qop), None)
    if qop is not None and not cnonce:
        raise LocalProtocolError("qop needs a cnonce")
    credentials = Credentials(
        user=user,
        realm=challenge.realm,
        nonce=challenge.nonce,
        uri=uri,
        response="",
        algorithm=challenge.algorithm,
        qop=qop,
        cnonce=cnonce if qop is not None else None,
        nc=nc if qop is not None else 0,
        opaque=challenge.opaque,
    )
    ha1 = make_ha1(user, challenge.realm, password, challenge.algorithm)
    return str(replace(credentials, response=_response(credentials, ha1, method, body)))


def verify(
    credentials: Credentials,
    *,
    method: str,
    password: str | None = None,
    ha1: str | None = None,
    body: bytes = b"",
) -> bool:
    """Whether the response is right; the comparison takes the same time wherever they differ.

    The caller checks realm, URI, nonce and nc. Exactly one of `password` and `ha1` is given.
    """
    if (password is None) == (ha1 is None):
        raise LocalProtocolError("give a password or its hash")
    if ha1 is None:
        name, realm = credentials.user, credentials.realm
        ha1 = make_ha1(name, realm, password or "", credentials.algorithm)
    expected = _response(credentials, ha1, method, body)
    return hmac.compare_digest(expected.encode(), credentials.response.encode("utf-8", "replace"))


def make_ha1(user: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """H(user:realm:password), what a server may keep in place of the password."""
    return _hash(algorithm, f"{user}:{realm}:{password}")


def make_nonce(secret: bytes, now: float, salt: bytes) -> str:
    """A nonce that proves by itself who made it and when (RFC 7616 §3.3).

    `now` is in seconds; it goes in as milliseconds, so that two nodes with one secret agree.
    """
    stamp = f"{int(now * 1000):012x}"
    return f"{stamp}{salt.hex()}.{_seal(secret, stamp + salt.hex())}"


def check_nonce(secret: bytes, nonce: str, now: float, lifetime_seconds: float) -> NonceVerdict:
    """ok, stale (ours, but too old) or forged."""
    stamped, _, seal = nonce.partition(".")
    expected = _seal(secret, stamped)
    if not hmac.compare_digest(expected.encode(), seal.encode("utf-8", "replace")):
        return "forged"
    age_seconds = now - int(stamped[:12], 16) / 1000
    return "ok" if -1 <= age_seconds <= lifetime_seconds else "stale"


def _seal(secret: bytes, text: str) -> str:
    encoded = text.encode("utf-8", "surrogateescape")
    return hmac.digest(secret, encoded, "sha256").hex()[:32]  # hmac.new takes four times as long


def _response(credentials: Credentials, ha1: str, method: str, body: bytes) -> str:
    """RFC 7616 §3.4.1, and RFC 2069 where there is no qop."""
    algorithm, qop = credentials.algorithm, credentials.qop
    a2 = f"{method}:{credentials.uri}"
    if qop == "auth-int":
        a2 += ":" + ALGORITHMS[algorithm.lower()](body).hexdigest()
    ha2 = _hash(algorithm, a2)
    if qop is None:
        return _hash(algorithm, f"{ha1}:{credentials.nonce}:{ha2}")
    digits = credentials.nc_digits or f"{credentials.nc:08x}"
    middle = f"{credentials.nonce}:{digits}:{credentials.cnonce}:{qop}"
    return _hash(algorithm, f"{ha1}:{middle}:{ha2}")


def _hash(algorithm: str, text: str) -> str:
    return ALGORITHMS[algorithm.lower()](text.encode("utf-8", "surrogateescape")).hexdigest()


def _fields(text: str, where: str) -> dict[str, str]:
    found = _scheme(text)
    if found is None:
        raise RemoteProtocolError("not Digest", where=where)
    if legible(text) != text:
        raise RemoteProtocolError("not UTF-8", where=where)
    fields: dict[str, str] = {}
    position = found.end()
    for _ in range(_MAX_FIELDS):
        found = _field(text, position)
        if found is None:
            raise RemoteProtocolError("a field is wrong", where=where)
        name, value, comma = found.groups()
        name = name.lower()
        if name in fields:
            raise RemoteProtocolError("a field is given twice", where=where)
        fields[name] = unquote(value)
        if not comma:
            return fields
        position = found.end()
    raise RemoteProtocolError("too many fields", where=where)


def _need(fields: dict[str, str], name: str, where: str) -> str:
    if name not in fields:
        raise RemoteProtocolError(f"{name} is missing", where=where)
    return fields[name]


def _algorithm(fields: dict[str, str], where: str) -> str:
    name = fields.get("algorithm", "MD5")
    if name.lower() not in ALGORITHMS:
        raise RemoteProtocolError("an unknown algorithm", where=where)
    return name.upper()
