"""URIs: sip, sips and tel in their parts, every other scheme opaque.

RFC 3261 §19.1 and §25.1, RFC 3966 (tel), RFC 5118 (IPv6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote, unquote_to_bytes

from callcore.errors import RemoteProtocolError
from callcore.message.grammar import HOST, PORT, Params

_PART = r"A-Za-z0-9\-_.!~*'()\[\]/:&+$%"
_USER = r"[A-Za-z0-9\-_.!~*'()%&=+$,;?/#]++"
_PASSWORD = r"[A-Za-z0-9\-_.!~*'()%&=+$,]*+"
_PARAMS = rf"(?>(?:;[{_PART}]++(?:=[{_PART}=]*+)?)*)"
_HEADERS = r'[^\x00-\x20<>"\x7f]++'

SIP = (
    rf"[sS][iI][pP][sS]?:(?:{_USER}(?::{_PASSWORD})?@)?{HOST}(?::{PORT})?{_PARAMS}"
    rf"(?:\?{_HEADERS})?"
)
TEL = rf"[tT][eE][lL]:[0-9A-Fa-f*#+().\-]++{_PARAMS}"
OTHER = r'(?!(?:[sS][iI][pP][sS]?|[tT][eE][lL]):)[A-Za-z][A-Za-z0-9+.\-]*+:[^\x00-\x20<>"\x7f]++'
URI = rf"(?:{SIP}|{TEL}|{OTHER})"

_sip = re.compile(
    rf"([sS][iI][pP][sS]?):(?:({_USER})(?::({_PASSWORD}))?@)?({HOST})(?::({PORT}))?"
    rf"({_PARAMS})(?:\?({_HEADERS}))?\Z"
).match
_tel = re.compile(rf"([tT][eE][lL]):([0-9A-Fa-f*#+().\-]++)({_PARAMS})\Z").match
_other = re.compile(rf"{OTHER}\Z").match

# RFC 3261 §19.1.1: what may stand unescaped in a user, a password and a parameter.
USER_SAFE = "-_.!~*'()&=+$,;?/"
PASSWORD_SAFE = "-_.!~*'()&=+$,"
PARAM_SAFE = "-_.!~*'()[]/:&+$"
NONE: Mapping[str, str | None] = MappingProxyType({})
# RFC 3261 §19.1.4: parameters that must match when either URI has them.
DECIDING = ("user", "ttl", "method", "maddr", "transport")


class Uri:
    """One URI; treat as immutable.

    `host` is lower-case and without the brackets of IPv6; for tel the number is `user`; for an
    unknown scheme everything behind the colon is `opaque`. Escapes are resolved in user,
    password and parameters, except those of control characters and of bytes that are not UTF-8.
    `str()` of a URI that was parsed is the text that came.
    """

    __slots__ = (
        "_text",
        "headers",
        "host",
        "opaque",
        "params",
        "password",
        "port",
        "scheme",
        "user",
    )

    def __init__(
        self,
        scheme: str = "sip",
        user: str | None = None,
        host: str = "",
        port: int | None = None,
        params: Mapping[str, str | None] | None = None,
        *,
        password: str | None = None,
        headers: str = "",
        opaque: str = "",
    ) -> None:
        self.scheme = scheme.lower()
        self.user = user
        self.password = password
        self.host = host.lower().strip("[]")
        self.port = port
        self.params: Mapping[str, str | None] = params if params is not None else {}
        self.headers = headers
        self.opaque = opaque
        self._text: str | None = None

    def __str__(self) -> str:
        if self._text is None:
            self._text = self._write()
        return self._text

    def _write(self) -> str:
        params = "".join(
            f";{quote(name, PARAM_SAFE)}"
            + ("" if value is None else f"={quote(value, PARAM_SAFE)}")
            for name, value in self.params.items()
        )
        if self.scheme == "tel":
            return f"tel:{self.user}{params}"
        if self.scheme not in ("sip", "sips"):
            return f"{self.scheme}:{self.opaque}"
        user = ""
        if self.user is not None:
            user = quote(self.user, USER_SAFE)
            if self.password is not None:
                user += ":" + quote(self.password, PASSWORD_SAFE)
            user += "@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{host}{port}{params}{headers}"

    def __repr__(self) -> str:
        return f"Uri({str(self)!r})"

    def _parts(self) -> tuple[object, ...]:
        return (
            self.scheme,
            self.user,
            self.password,
            self.host,
            self.port,
            self.params,
            self.headers,
            self.opaque,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Uri) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((self.scheme, self.user, self.host, self.port, self.opaque))

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case (RFC 3261 §19.1.1)."""
        value = self.params.get("transport")
        return None if value is None else value.lower()

    def same_as(self, other: Uri) -> bool:
        """Equality by RFC 3261 §19.1.4, which decides whether two contacts are one binding."""
        if (self.scheme, self.user, self.password, self.host, self.port, self.opaque) != (
            other.scheme,
            other.user,
            other.password,
            other.host,
            other.port,
            other.opaque,
        ):
            return False
        if sorted(self.headers.lower().split("&")) != sorted(other.headers.lower().split("&")):
            return False
        for name in {*self.params, *other.params}:
            both = name in self.params and name in other.params
            if not both and name in DECIDING:
                return False
            if both and (self.params[name] or "").lower() != (other.params[name] or "").lower():
                return False
        return True


def parse_uri(text: str, where: str = "URI") -> Uri:
    """A URI from its text; RemoteProtocolError naming the field `where` it stood.

    400, or 414 for one that is too long to be meant (RFC 3261 §21.4.12).
    """
    if len(text) > LONGEST:
        raise RemoteProtocolError("the URI is too long", status=414, where=where)
    uri = _read(text) if len(text) <= LONGEST_KEPT else _read.__wrapped__(text)
    if uri is None:
        raise RemoteProtocolError("not a URI", where=where)
    return uri


# A short text is kept because the same few hundred URIs come again and again; the bound on both
# length and number keeps a flood from growing the cache (1,024 x 200 characters).
LONGEST = 4096
LONGEST_KEPT = 200


@lru_cache(maxsize=1024)
def _read(text: str) -> Uri | None:
    found = _sip(text)
    if found is not None:
        scheme, user, password, host, port, params, headers = found.groups()
        uri = Uri.__new__(Uri)
        uri.scheme = scheme.lower()
        uri.user = None if user is None else _unescape(user)
        uri.password = None if password is None else _unescape(password)
        uri.host = host.lower().strip("[]")
        uri.port = None if port is None else int(port)
        uri.headers = headers or ""
        uri.opaque = ""
    else:
        tel = _tel(text)
        params = tel[3] if tel is not None else ""
        if tel is not None:
            uri = Uri("tel", tel[2])
        elif _other(text) is not None:
            scheme, _, opaque = text.partition(":")
            uri = Uri(scheme, opaque=opaque)
        else:
            return None
    if params:
        found_params = _read_params(params)
        if found_params is None:
            return None
        uri.params = MappingProxyType(found_params)  # what is kept is shared
    else:
        uri.params = NONE
    uri._text = text
    return uri


def _read_params(text: str) -> Params | None:
    pairs = [piece.partition("=") for piece in text.split(";")[1:]]
    params: Params = {
        _unescape(name).lower(): (_unescape(value) if equals else None)
        for name, equals, value in pairs
    }
    # RFC 3261 §19.1.1: any given name must not appear more than once.
    return params if len(params) == len(pairs) or len(params) == len(set(pairs)) else None


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    try:
        plain = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return text
    return plain if plain.isprintable() else text
