"""What differs from operator to operator: the part of a trunk that a profile can say.

config/trunks/*.toml are profiles; `profile = "ims"` in [[trunks]] takes all keys of
config/trunks/ims.toml, and each key written beside it replaces that one. docs/trunks.md is
written from this file.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from config.headers import OWN_HEADERS
from config.table import Allowed, Table

Identity = Literal["none", "trunk", "number", "caller"]


def _pattern(value: str | None) -> str | None:
    if value is not None:
        _compiled(value)
    return value


def _compiled(value: str) -> re.Pattern[str]:
    try:
        return re.compile(value.replace("%country%", "86").replace("%area%", "551"))
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None


def _header(value: str) -> str:
    if value.lower() in OWN_HEADERS:
        raise ValueError("each side of a call has its own of it")
    return value


class NumberRule(Table):
    """A rule for numbers: the first whose prefix or pattern fits writes the number anew."""

    prefix: Annotated[str | None, Allowed("how the number begins")] = Field(
        default=None, description="how the number begins; `to` takes the place of that"
    )
    pattern: Annotated[
        str | None, AfterValidator(_pattern), Allowed("a regular expression for the whole number")
    ] = Field(default=None, description=r"the whole number; `to` may use its groups: \1, \g<0>")
    to: str = Field(description="what is written instead")

    @model_validator(mode="after")
    def _one_way(self) -> "NumberRule":
        if (self.prefix is None) is (self.pattern is None):
            raise ValueError("either prefix or pattern")
        if self.pattern is not None:
            _check_template(self.pattern, self.to)
        return self


def _check_template(pattern: str, to: str) -> None:
    """A group that the pattern lacks would be found out only when a call comes."""
    groups = _compiled(pattern).groups
    for number, named in re.findall(r"\\(?:(\d+)|g<(\d+)>)", to):
        if int(number or named) > groups:
            raise ValueError(f"to names group {number or named}, and pattern has {groups}")


NumberRules = Annotated[tuple[NumberRule, ...], Field(strict=False)]
HeaderName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}\*?$"),
    AfterValidator(_header),
    Allowed("names of header fields, with a trailing * beginnings of names"),
]
HeaderNames = Annotated[tuple[HeaderName, ...], Field(strict=False)]
DomainOrNone = Annotated[
    str,
    Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)?$"),
    Allowed("a domain name or an IPv4 address, or empty"),
]
Digits = Annotated[str, Field(pattern=r"^[0-9]{0,6}$"), Allowed("digits, or empty")]
PrivacyValue = Literal["id", "header", "user", "session", "critical"]
CodecName = Literal["PCMA", "PCMU", "telephone-event"]
NumberSource = Literal["P-Called-Party-ID", "Request-URI", "To"]

PASSED = ("Call-Info", "Organization", "Priority", "Subject", "User-to-User")


class Profile(Table):
    """What a profile can say, and a trunk beside it."""

    mode: Literal["static", "register"] = Field(
        default="static", description="fixed peers, or a registration with an operator"
    )
    transport: Literal["udp", "tcp", "tls"] = Field(
        default="udp", description="register mode: how the registrar is reached"
    )
    expires_seconds: int = Field(
        default=3600, ge=10, le=604_800, description="register mode: the expiry asked for"
    )
    proxy_route: bool = Field(
        default=True,
        description="register mode: the proxy stands before the Service-Route in Route, as "
        "TS 24.229 wants it",
    )
    probe_seconds: float = Field(
        default=30,
        ge=0,
        le=3600,
        description="OPTIONS to each static peer, or to the proxy used, so often; 0 = never",
    )
    answer_seconds: float = Field(
        default=6,
        gt=0,
        le=32,
        description="no answer at all for so long: the next peer or proxy is tried",
    )
    number_form: Literal["sip", "sip-phone", "tel"] = Field(
        default="sip",
        description="how a number is written: sip:N@DOMAIN, the same with ;user=phone, or tel:N",
    )
    phone_context: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9.+-]*$"), Allowed("a domain or a prefix as +86551")
    ] = Field(default="", description="phone-context of numbers that do not begin with +")
    to_domain: DomainOrNone = Field(
        default="",
        description="DOMAIN of called numbers; empty = the registrar, or the peer's address",
    )
    from_domain: DomainOrNone = Field(
        default="",
        description="DOMAIN of our own numbers; empty = that of the identity registered, "
        "or [sip] domain",
    )
    country: Digits = Field(default="86", description="%country% in the rules for numbers")
    area: Digits = Field(
        default="",
        description="%area% in the rules for numbers, without 0; empty: those rules are left out",
    )
    numbers_in: NumberRules = Field(
        default=(), description="from the operator's way to write numbers to ours"
    )
    numbers_out: NumberRules = Field(
        default=(), description="from our way to write numbers to the operator's"
    )
    called_from: Annotated[tuple[NumberSource, ...], Field(strict=False, min_length=1)] = Field(
        default=("Request-URI", "To"), description="where the called number stands: the first found"
    )
    trusted: bool = Field(
        default=True,
        description="the operator belongs to our trust domain (RFC 3325): its "
        "P-Asserted-Identity is believed, and it may know who withholds the number",
    )
    withheld_callers: Literal["hide", "show"] = Field(
        default="hide", description="callers who withhold their number: anonymous to us, or not"
    )
    from_identity: Literal["trunk", "number", "caller"] = Field(
        default="trunk",
        description="From: what is registered (else outbound_number), outbound_number, or "
        "the caller's own number",
    )
    forwarded_from: Literal["trunk", "number", "caller"] = Field(
        default="trunk", description="the same, for calls that are forwarded to a mobile"
    )
    asserted_identity: Identity = Field(
        default="none", description="P-Asserted-Identity, from peers that trust us"
    )
    preferred_identity: Identity = Field(
        default="none", description="P-Preferred-Identity, to a proxy that asserts for us"
    )
    privacy: Annotated[tuple[PrivacyValue, ...], Field(strict=False)] = Field(
        default=("id",), description="Privacy (RFC 3323) of calls whose number is withheld"
    )
    anonymous_from: bool = Field(
        default=True, description="their From is sip:anonymous@anonymous.invalid too"
    )
    diversion: Literal["none", "diversion", "history-info", "both"] = Field(
        default="none", description="how a forwarded call says by whom it was forwarded"
    )
    codecs: Annotated[tuple[CodecName, ...], Field(strict=False, min_length=1)] = Field(
        default=("PCMA", "PCMU", "telephone-event"),
        description="codecs that pass, those of our offers in this order",
    )
    session_timer: Literal["off", "ours", "theirs", "either"] = Field(
        default="either", description="who refreshes the session (RFC 4028)"
    )
    session_seconds: int = Field(
        default=1800, ge=90, le=86_400, description="Session-Expires that we ask for"
    )
    min_session_seconds: int = Field(
        default=90, ge=90, le=86_400, description="the least Session-Expires that we take (Min-SE)"
    )
    prack: Literal["off", "supported", "required"] = Field(
        default="supported", description="reliable provisional responses (RFC 3262)"
    )
    headers_in: HeaderNames = Field(
        default=PASSED, description="header fields that pass from the trunk to the other side"
    )
    headers_out: HeaderNames = Field(
        default=PASSED, description="header fields that pass from the other side to the trunk"
    )
