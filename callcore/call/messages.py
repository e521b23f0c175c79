"""The messages of a leg: responses, the INVITE, ACK and BYE, digest credentials."""

from callcore.call.cause import CLEARED, Reason
from callcore.call.placement import Headers, Login, Placement
from callcore.call.state import Abilities, Farewell, Identity, Leg
from callcore.call.terms import Terms
from callcore.dialog import Dialog, in_dialog_request
from callcore.dialog.timer import request_headers
from callcore.errors import RemoteProtocolError
from callcore.message import Message, Request, Response, request, response, with_headers
from callcore.message.digest import answer, best_challenge
from callcore.sdp import SessionDescription, parse_sdp

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE"
TRANSFERS = "norefersub, replaces"
SDP = "application/sdp"
# Methods that we know and do not serve within a call get 405, all others 501.
KNOWN = frozenset({"MESSAGE", "NOTIFY", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE"})
MAX_RETRY_AFTER_SECONDS = 10

# By whether we do reliable provisional responses, and take transfers: Allow and Supported.
ABILITIES: dict[tuple[bool, bool], Headers] = {
    (reliable, transfers): (
        ("Allow", ALLOW + ", REFER" * transfers),
        ("Supported", "100rel, " * reliable + "timer" + f", {TRANSFERS}" * transfers),
    )
    for reliable in (False, True)
    for transfers in (False, True)
}


def abilities(terms: Terms) -> Headers:
    """Allow and Supported, as far as a peer is granted them."""
    return ABILITIES[terms.reliable != "never", terms.transfers]


def read_abilities(message: Message, known: Abilities) -> Abilities:
    """What a peer can do, by its last message that said so."""
    allow, supported = message.get("Allow"), message.get("Supported")
    if allow is None and supported is None:
        return known
    return Abilities(
        known.allow if allow is None else ",".join(message.all("Allow")),
        known.supported if supported is None else ",".join(message.all("Supported")),
    )


def reply(
    who: Identity, to: Request, status: int, headers: Headers = (), body: bytes = b""
) -> Response:
    """A response with our tag, and the body's type if there is a body."""
    if body:
        headers = (*headers, ("Content-Type", SDP))
    return response(to, status, headers=(*headers, *who.banner), body=body, to_tag=who.local_tag)


def target_headers(who: Identity) -> Headers:
    """What requests and responses that set the target carry (RFC 3261 table 2)."""
    return ("Contact", who.contact), *abilities(who.terms)


def read_body(message: Message) -> SessionDescription | None:
    """The description in a message, None when there is none.

    RemoteProtocolError: 415 for another type of body, 400 for a broken description.
    """
    if not message.body:
        return None
    if message.content_type != SDP:
        raise RemoteProtocolError("the body is no SDP", status=415, where="Content-Type")
    return parse_sdp(message.body)


def build_invite(who: Identity, placement: Placement) -> Request:
    """The INVITE that places a call (RFC 3261 §13.2.1), without its Via."""
    return request(
        "INVITE",
        placement.request_uri,
        headers=(
            ("Max-Forwards", str(placement.max_forwards)),
            *[("Route", route) for route in placement.route_set],
            ("From", f"{placement.from_};tag={who.local_tag}"),
            ("To", placement.to),
            ("Call-ID", who.call_id),
            ("CSeq", "1 INVITE"),
            *target_headers(who),
            *request_headers(who.terms.session),
            *((("Require", "100rel"),) if who.terms.reliable == "required" else ()),
            *placement.headers,
            *who.banner,
            ("Content-Type", SDP),
        ),
        body=placement.offer,
    )


def build_ack(leg: Leg, dialog: Dialog, answer: Response) -> Request:
    """The ACK of a 2xx: the INVITE's number and credentials (RFC 3261 §13.2.2.4)."""
    return in_dialog_request(dialog, "ACK", leg.authorization, cseq=answer.cseq.number)[1]


def build_bye(leg: Leg, dialog: Dialog, farewell: Farewell) -> tuple[Dialog, Request]:
    """BYE (RFC 3261 §15.1.1) with its Reason (RFC 3326)."""
    headers = farewell_headers(farewell) or (CLEARED,)
    return in_dialog_request(dialog, "BYE", (*leg.who.banner, *headers))


def farewell_headers(farewell: Farewell) -> Headers:
    """The Reason that a command gave: in a header, or in words."""
    if farewell.headers or not farewell.reason:
        return farewell.headers
    return (("Reason", str(Reason("SIP", 200, farewell.reason))),)


def authorise(made: Request, refusal: Response, login: Login | None, cnonce: str) -> Headers | None:
    """The credentials that a 401 or 407 asks for; None when it cannot be answered (§22)."""
    if login is None:
        return None
    proxy = refusal.status == 407
    challenge = best_challenge(refusal.all("Proxy-Authenticate" if proxy else "WWW-Authenticate"))
    if challenge is None:
        return None
    value = answer(
        challenge,
        method=made.method,
        uri=made.uri,
        user=login.user,
        password=login.password,
        body=made.body,
        cnonce=cnonce,
    )
    return (("Proxy-Authorization" if proxy else "Authorization", value),)


def repeat_with(
    made: Request, number: int, added: Headers, without: tuple[str, ...] = ()
) -> Request:
    """The same request under a new CSeq, with credentials (RFC 3261 §22.2) and other changes."""
    headers = [
        (name, f"{number} {made.method}" if name == "CSeq" else value)
        for name, value in made.headers
        if name not in without
    ]
    repeated = with_headers(made, [*headers, *added])
    assert isinstance(repeated, Request)
    return repeated


def turn_down(who: Identity, to: Request) -> Response:
    """What a method that we do not serve gets (RFC 3261 §8.2.1, §21.5.2)."""
    return reply(who, to, 405 if to.method in KNOWN else 501, abilities(who.terms)[:1])


def unsupported(to: Request, terms: Terms) -> list[str]:
    """Option tags that a request needs and we lack (RFC 3261 §8.2.2.3)."""
    if to.get("Require") is None:
        return []
    granted = abilities(terms)[1][1].split(", ")
    return [tag for tag in to.values("Require") if tag.lower() not in granted]


def retry_after(chance: float) -> Headers:
    """RFC 3261 §14.2: between 0 and 10 seconds, by chance."""
    return (("Retry-After", str(int(chance * (MAX_RETRY_AFTER_SECONDS + 1)))),)
