"""Dialogs: what both ends remember between requests (RFC 3261 §12). Pure functions only."""

from enum import StrEnum
from typing import NamedTuple

from callcore.errors import RemoteProtocolError
from callcore.message import Message, Request, Response, Uri, parse_name_addr, parse_uri, request

MAX_FORWARDS = ("Max-Forwards", "70")

Headers = tuple[tuple[str, str], ...]


class DialogState(StrEnum):
    """RFC 3261 §12."""

    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Dialog(NamedTuple):
    """`local` and `remote` are From and To of our requests, tags included."""

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    remote_target: str
    route_set: tuple[str, ...]
    local_cseq: int
    remote_cseq: int | None
    state: DialogState = DialogState.EARLY
    secure: bool = False

    @property
    def local_uri(self) -> Uri:
        """Our own address."""
        return parse_name_addr(self.local, "From").uri

    @property
    def remote_uri(self) -> Uri:
        """The peer's address."""
        return parse_name_addr(self.remote, "To").uri


def target_of(message: Message, otherwise: str | None = None) -> str:
    """The URI of the one Contact that forms or refreshes a dialog (RFC 3261 §12.1.1)."""
    contacts = message.contacts
    if contacts:
        return str(contacts[0].uri)
    if otherwise is None:
        raise RemoteProtocolError("Contact is missing", where="Contact")
    return otherwise


def _routes(message: Message) -> tuple[str, ...]:
    """Record-Route, each value of which is an address; RemoteProtocolError otherwise."""
    routes = message.values("Record-Route")
    for route in routes:
        _ = parse_name_addr(route, "Record-Route").uri
    return tuple(routes)


def from_response(answer: Response, *, secure: bool = False) -> Dialog:
    """The dialog that a 1xx or 2xx with a To tag makes at the caller (RFC 3261 §12.1.2).

    A missing Contact is forgiven: requests then go to the URI of To.
    """
    return Dialog(
        call_id=answer.call_id,
        local_tag=answer.from_.tag or "",
        remote_tag=answer.to.tag or "",
        local=answer.get("From") or "",
        remote=answer.get("To") or "",
        remote_target=target_of(answer, str(answer.to.uri)),
        route_set=_routes(answer)[::-1],
        local_cseq=answer.cseq.number,
        remote_cseq=None,
        state=DialogState.CONFIRMED if answer.status >= 200 else DialogState.EARLY,
        secure=secure,
    )


def from_request(invite: Request, local_tag: str) -> Dialog:
    """The early dialog at the called side (RFC 3261 §12.1.1).

    RemoteProtocolError(400) without a Contact; a missing From tag is RFC 2543's and empty.
    """
    return Dialog(
        call_id=invite.call_id,
        local_tag=local_tag,
        remote_tag=invite.from_.tag or "",
        local=f"{invite.get('To')};tag={local_tag}",
        remote=invite.get("From") or "",
        remote_target=target_of(invite),
        route_set=_routes(invite),
        local_cseq=0,
        remote_cseq=invite.cseq.number,
        secure=invite.uri[:5].lower() == "sips:",
    )


def confirm(dialog: Dialog, answer: Response | None = None) -> Dialog:
    """A 2xx: at the caller the route set is computed again (RFC 3261 §13.2.2.4)."""
    if answer is None:
        return dialog._replace(state=DialogState.CONFIRMED)
    return dialog._replace(
        state=DialogState.CONFIRMED,
        remote_target=target_of(answer, dialog.remote_target),
        route_set=_routes(answer)[::-1],
    )


def terminate(dialog: Dialog) -> Dialog:
    """After BYE, or a failure of the INVITE (RFC 3261 §12.3)."""
    return dialog._replace(state=DialogState.TERMINATED)


def refresh(dialog: Dialog, message: Message) -> Dialog:
    """A target refresh: re-INVITE or UPDATE, or a 2xx to one (RFC 3261 §12.2)."""
    target = target_of(message, dialog.remote_target)
    return dialog if target == dialog.remote_target else dialog._replace(remote_target=target)


def receive_request(dialog: Dialog, incoming: Request) -> Dialog:
    """RFC 3261 §12.2.2: RemoteProtocolError(500) for a CSeq that is out of order."""
    number = incoming.cseq.number
    if dialog.remote_cseq is not None and number <= dialog.remote_cseq:
        raise RemoteProtocolError("CSeq is out of order", status=500, where="CSeq")
    return dialog._replace(remote_cseq=number)


def next_hop(dialog: Dialog) -> Uri:
    """Where requests go first: the topmost route, or the target (RFC 3261 §12.2.1.1)."""
    if dialog.route_set:
        return parse_name_addr(dialog.route_set[0], "Route").uri
    return parse_uri(dialog.remote_target, "Contact")


def in_dialog_request(
    dialog: Dialog,
    method: str,
    headers: Headers = (),
    body: bytes = b"",
    cseq: int | None = None,
) -> tuple[Dialog, Request]:
    """A request within the dialog, without its Via (RFC 3261 §12.2.1.1).

    `cseq` is given for an ACK, whose number is its INVITE's (§13.2.2.4).
    """
    number = dialog.local_cseq + 1 if cseq is None else cseq
    uri, routes = _route(dialog)
    fields = [
        MAX_FORWARDS,
        *[("Route", route) for route in routes],
        ("From", dialog.local),
        ("To", dialog.remote),
        ("Call-ID", dialog.call_id),
        ("CSeq", f"{number} {method}"),
        *headers,
    ]
    made = request(method, uri, headers=fields, body=body)
    return (dialog if cseq is not None else dialog._replace(local_cseq=number)), made


def _route(dialog: Dialog) -> tuple[str, tuple[str, ...]]:
    """Request-URI and Route: loose routers are listed, a strict one is asked by name."""
    routes = dialog.route_set
    if not routes:
        return dialog.remote_target, routes
    first = parse_name_addr(routes[0], "Route").uri
    if "lr" in first.params:
        return dialog.remote_target, routes
    # §12.2.1.1 for strict routers: parameters that a Request-URI may not have are stripped.
    params = {name: value for name, value in first.params.items() if name != "method"}
    strict = Uri(first.scheme, first.user, first.host, first.port, params, password=first.password)
    return str(strict), (*routes[1:], f"<{dialog.remote_target}>")
