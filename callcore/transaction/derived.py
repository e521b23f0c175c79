"""Requests that the layer makes from other requests: with a Via, ACK of a failure, CANCEL."""

from callcore.message import Request, Response, request, with_field_on_top

COPIED = ("From", "Call-ID")
# RFC 3261 §22.1: what let the INVITE in must let its ACK in.
CREDENTIALS = ("Authorization", "Proxy-Authorization")


def with_via(original: Request, via: str) -> Request:
    """RFC 3261 §18.1.1: the request with our Via on top."""
    return with_field_on_top(original, f"Via: {via}")


def _of_same_branch(invite: Request, method: str, to: str) -> Request:
    headers = [("Via", invite.all("Via")[0]), ("Max-Forwards", "70")]
    headers += [("Route", value) for value in invite.all("Route")]
    headers += [(name, invite.get(name) or "") for name in COPIED]
    headers += [("To", to), ("CSeq", f"{invite.cseq.number} {method}")]
    return request(method, invite.uri, headers=_credentials(invite, headers))


def _credentials(invite: Request, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return headers + [(name, value) for name in CREDENTIALS for value in invite.all(name)]


def ack_of(invite: Request, response: Response) -> Request:
    """The ACK of a final response other than 2xx (RFC 3261 §17.1.1.3)."""
    return _of_same_branch(invite, "ACK", response.get("To") or "")


def cancel_of(invite: Request) -> Request:
    """The CANCEL of an INVITE (RFC 3261 §9.1)."""
    return _of_same_branch(invite, "CANCEL", invite.get("To") or "")
