"""Who calls, who is called and who forwarded the call, written and read as a trunk's profile says.

RFC 3323 (privacy), 3325 (asserted identity), 5806 (Diversion), 7044 and 4458 (History-Info),
7315 (P-Associated-URI, P-Called-Party-ID). Pure functions.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from callcore.call.events import DiversionReason, Diverted, Presented
from callcore.call.numbers import number_of, rewrite
from callcore.call.placement import Headers, Party
from callcore.call.profile import Profile, Shown
from callcore.call.settings import Trunk
from callcore.errors import RemoteProtocolError
from callcore.message import Message, NameAddr, Request, Uri, parse_name_addr, parse_uri
from callcore.message.grammar import quote
from config.headers import OWN_HEADERS

ANONYMOUS = "anonymous"
ANONYMOUS_FROM = '"Anonymous" <sip:anonymous@anonymous.invalid>'  # RFC 3323 §4.1.1.3
NAMELESS = frozenset({"anonymous", "restricted", "unavailable", "withheld", "private"})
HIDING = frozenset({"id", "header", "user"})
MAX_DIVERSIONS = 10

# RFC 4458 and RFC 7044 §10.2: what History-Info's cause says, and Diversion's reason.
CAUSES = {
    "unknown": 404,
    "unconditional": 302,
    "user-busy": 486,
    "no-answer": 408,
    "deflection": 480,
    "unavailable": 503,
}
REASONS = {str(cause): reason for reason, cause in CAUSES.items()}

# What is between us and an operator, and no seat's to know or to say (RFC 3325 §7).
_IDENTITIES = (
    "diversion history-info p-asserted-identity p-called-party-id p-preferred-identity privacy "
    "remote-party-id"
)
IDENTITIES = frozenset(_IDENTITIES.split())

# What the engine itself writes into an INVITE, whatever the allow-list of a trunk says.
_ENGINE = "alert-info min-se reason referred-by replaces require session-expires supported"
ENGINE_HEADERS = frozenset(_ENGINE.split())


@dataclass(frozen=True, slots=True)
class Ours:
    """What we are at a trunk: the domain of our numbers, and what the registrar knows us by."""

    domain: str
    impu: str = ""
    associated: tuple[str, ...] = ()


# Written -----------------------------------------------------------------------------------------


class Written(NamedTuple):
    """An INVITE's From (without tag), and its fields about identity."""

    from_: str
    headers: Headers


def write(trunk: Trunk, ours: Ours, caller: Party, diverted: tuple[Diverted, ...] = ()) -> Written:
    """What an INVITE over a trunk says about who calls (RFC 3325 §9, RFC 3323 §4.1)."""
    profile = trunk.profile
    shown = profile.forwarded_from if diverted else profile.from_identity
    headers: list[tuple[str, str]] = []
    if profile.asserted_identity != "none" and (profile.trusted or not caller.withheld):
        # RFC 3325 §7: who is not trusted is not told what was asked to be kept private.
        asserted = _own(trunk, ours, caller, profile.asserted_identity)
        headers.append(("P-Asserted-Identity", f"<{asserted}>"))
    if profile.preferred_identity != "none":
        preferred = _own(trunk, ours, caller, profile.preferred_identity)
        headers.append(("P-Preferred-Identity", f"<{preferred}>"))
    if caller.withheld and profile.privacy:
        headers.append(("Privacy", ";".join(profile.privacy)))
    if diverted:
        headers += _diversions(profile, ours, diverted)
    if caller.withheld and profile.anonymous_from:
        return Written(ANONYMOUS_FROM, tuple(headers))
    if caller.withheld and shown == "caller":
        shown = "trunk"  # who calls is withheld; whose trunk it is may be said
    display = "" if caller.withheld else caller.display
    return Written(_address(_own(trunk, ours, caller, shown), display), tuple(headers))


def write_number(profile: Profile, number: str, host: str) -> str:
    """The URI of a number at a host, which may have a port (RFC 3966 §5, RFC 3261 §19.1.6)."""
    written = rewrite(number, profile.numbers_out)
    is_number = written.removeprefix("+").isdecimal()
    if profile.number_form == "tel" and is_number:
        local = profile.phone_context and not written.startswith("+")
        return f"tel:{written}" + (f";phone-context={profile.phone_context}" if local else "")
    if profile.number_form != "sip" and is_number:
        if profile.phone_context and not written.startswith("+"):
            written += f";phone-context={profile.phone_context}"
        return f"sip:{written}@{host};user=phone"
    return f"sip:{escape(written)}@{host}"


def escape(user: str) -> str:
    """RFC 3261 §25.1: what stands unescaped in the user part of a URI."""
    if not user or (user.isascii() and user.removeprefix("+").isalnum()):
        return user
    return str(Uri(scheme="sip", user=user, host="h"))[4:-2]


def _own(trunk: Trunk, ours: Ours, caller: Party, shown: Shown) -> str:
    """The URI of the identity that `shown` names; the next best where there is none."""
    profile = trunk.profile
    if caller.ours:
        return _given(trunk, ours, caller.ours) or _at_home(profile, caller.ours, ours)
    if shown == "caller" and caller.number:
        return _at_home(profile, caller.number, ours)
    if shown != "number" and ours.impu:
        return _registered(trunk, ours)
    number = trunk.outbound_number or caller.number
    if number:
        return _at_home(profile, number, ours)
    return ours.impu or f"sip:{ANONYMOUS}@{profile.from_domain or ours.domain}"


def _at_home(profile: Profile, number: str, ours: Ours) -> str:
    """A number of ours, or of whom we call for: never tel, which has no domain to be asked."""
    uri = write_number(profile, number, profile.from_domain or ours.domain)
    if uri.startswith("tel:"):
        subscriber = uri.removeprefix("tel:")
        return f"sip:{subscriber}@{profile.from_domain or ours.domain};user=phone"
    return uri


def _registered(trunk: Trunk, ours: Ours) -> str:
    """RFC 7315 §4.1: of the identities that the registrar gave us, that of outbound_number.

    Without one, what we registered; and where that is not among them (barred, in IMS), the
    first, which is the default identity (TS 24.229 §5.1.1.4).
    """
    given = [uri for uri in map(_uri_of, ours.associated) if uri is not None]
    found = trunk.outbound_number and _given(trunk, ours, trunk.outbound_number)
    if found:
        return found
    impu = parse_uri(ours.impu)
    sip = [uri for uri in given if uri.scheme != "tel"]
    if not sip or any(uri.same_as(impu) for uri in sip):
        return ours.impu
    return str(sip[0])


def _given(trunk: Trunk, ours: Ours, number: str) -> str:
    """Of the identities that the registrar gave us, the one of a number; "" when none is."""
    rules = trunk.profile.numbers_in
    wanted = rewrite(number, rules)
    for uri in map(_uri_of, ours.associated):
        if uri is not None and uri.scheme != "tel" and rewrite(number_of(uri), rules) == wanted:
            return str(uri)
    return ""


def _uri_of(value: str) -> Uri | None:
    try:
        return parse_name_addr(value, "P-Associated-URI").uri
    except RemoteProtocolError:
        return None


def _diversions(
    profile: Profile, ours: Ours, diverted: tuple[Diverted, ...]
) -> Iterator[tuple[str, str]]:
    """RFC 5806 §4: the latest first; RFC 7044 §10: the first first, with indices."""
    if profile.diversion in ("diversion", "both"):
        for one in reversed(diverted):
            uri = _at_home(profile, one.number, ours)
            yield "Diversion", f"<{uri}>;reason={one.reason};counter=1"
    if profile.diversion in ("history-info", "both"):
        yield "History-Info", ", ".join(_history(profile, ours, diverted))


def _history(profile: Profile, ours: Ours, diverted: tuple[Diverted, ...]) -> Iterator[str]:
    """Each entry but the first has the cause for which the one before was left (RFC 4458)."""
    index, cause = "1", ""
    for one in diverted:
        yield f"<{_at_home(profile, one.number, ours)}{cause}>;index={index}"
        index += ".1"
        cause = f";cause={CAUSES[one.reason]}"


def history_of(target: str, written: Headers, diverted: tuple[Diverted, ...]) -> Headers:
    """The same fields, History-Info with the target of the INVITE as its last entry (§10.3)."""
    if not diverted or target.startswith("tel:"):
        return written
    index = ".".join("1" * (len(diverted) + 1))
    last = f", <{target};cause={CAUSES[diverted[-1].reason]}>;index={index};mp={index[:-2]}"
    return tuple(
        (name, value + last if name == "History-Info" else value) for name, value in written
    )


def _address(uri: str, display: str = "") -> str:
    return f"{quote(display)} <{uri}>" if display else f"<{uri}>"


# Read --------------------------------------------------------------------------------------------


class Read(NamedTuple):
    """Who calls whom, in our way to write numbers."""

    caller: str
    called: str
    presented: Presented


def read(request: Request, profile: Profile) -> Read:
    """An INVITE of a trunk's (RFC 3325 §9.1: only one that is trusted may assert)."""
    asserted = _first(request, "P-Asserted-Identity") if profile.trusted else None
    said = request.from_
    withheld = _is_withheld(request, said)
    known = asserted or (None if said.uri.user in NAMELESS else said)
    number = "" if known is None else rewrite(number_of(known.uri), profile.numbers_in)
    display = "" if known is None else (known.display or said.display)
    if withheld and (profile.withheld_callers == "hide" or not number):
        number, display = ANONYMOUS, ""
    presented = Presented(
        display=display,
        withheld=withheld,
        diverted=read_diversions(request, profile),
        headers=passed(request, profile.headers_in),
    )
    return Read(number, _called(request, profile), presented)


def _is_withheld(request: Request, said: NameAddr) -> bool:
    """RFC 3323 §4.2; and From by itself, which is all that some networks have."""
    asked = {
        value.strip().lower() for field in request.all("Privacy") for value in field.split(";")
    }
    if asked & HIDING:
        return True
    no_name = (said.uri.user or "").lower() in NAMELESS or said.uri.host == "anonymous.invalid"
    return no_name and not request.all("P-Asserted-Identity")


def _called(request: Request, profile: Profile) -> str:
    for source in profile.called_from:
        if source == "Request-URI":
            uri: Uri | None = request.request_uri
        elif source == "To":
            uri = request.to.uri
        else:
            found = _first(request, source)
            uri = None if found is None else found.uri
        if uri is not None and uri.user:
            return rewrite(number_of(uri), profile.numbers_in)
    return ""


def read_diversions(request: Request, profile: Profile) -> tuple[Diverted, ...]:
    """Who forwarded the call before it came to us, the first first."""
    found = []
    for entry in reversed(list(_addresses(request, "Diversion"))):
        reason = (entry.params.get("reason") or "unknown").lower()
        found.append(_diverted(entry.uri, reason, profile))
    if not found:
        before: NameAddr | None = None
        for entry in _addresses(request, "History-Info"):
            cause = entry.uri.params.get("cause")
            if before is not None and cause is not None:
                found.append(_diverted(before.uri, REASONS.get(cause, "unknown"), profile))
            before = entry
    return tuple(found[-MAX_DIVERSIONS:])


def _diverted(uri: Uri, reason: str, profile: Profile) -> Diverted:
    number = rewrite(number_of(uri), profile.numbers_in)
    return Diverted(number, REASON_OF.get(reason, "unknown"))


REASON_OF: dict[str, DiversionReason] = {
    "unconditional": "unconditional",
    "user-busy": "user-busy",
    "no-answer": "no-answer",
    "deflection": "deflection",
    "unavailable": "unavailable",
    "away": "unavailable",
    "out-of-service": "unavailable",
    "time-of-day": "unconditional",
    "follow-me": "unconditional",
    "do-not-disturb": "user-busy",
}


def passed(message: Message, listed: Iterable[str]) -> Headers:
    """The fields of a message that an allow-list names; a name may end in *."""
    return filtered(message.headers, listed)


def filtered(headers: Iterable[tuple[str, str]], listed: Iterable[str]) -> Headers:
    """The fields that an allow-list names, those of either side never (RFC 7092 §3)."""
    names = [name.lower() for name in listed]
    exact = frozenset(names)
    beginnings = tuple(name[:-1] for name in names if name.endswith("*"))
    return tuple(
        (name, value)
        for name, value in headers
        if (key := name.strip().lower()) not in OWN_HEADERS
        and (key in exact or (beginnings and key.startswith(beginnings)))
    )


def outward(headers: Headers, profile: Profile) -> Headers:
    """What of a call's fields goes to a trunk: the engine's own, and what its list passes."""
    own = tuple(field for field in headers if field[0].lower() in ENGINE_HEADERS)
    return own + tuple(
        field
        for field in filtered(headers, profile.headers_out)
        if field[0].lower() not in ENGINE_HEADERS
    )


def _first(request: Request, name: str) -> NameAddr | None:
    """The first identity of a field that has a user."""
    return next((found for found in _addresses(request, name) if found.uri.user), None)


def _addresses(request: Request, name: str) -> Iterator[NameAddr]:
    """Every value of a field that can be read; none where it cannot even be split."""
    try:
        values = request.values(name)
    except RemoteProtocolError:
        return
    for value in values:
        try:
            yield parse_name_addr(value, name)
        except RemoteProtocolError:
            continue
