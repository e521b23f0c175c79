"""What a request must be before anything acts on it (RFC 3261 §8.2; RFC 4475 §3.1.2, §3.3)."""

from __future__ import annotations

from callcore.errors import RemoteProtocolError
from callcore.message.message import Request
from callcore.message.names import SINGLE

# RFC 3261 §8.1.1, without Max-Forwards, which RFC 2543 did not know (RFC 4475 §3.4.1).
REQUIRED = (("via", "Via"), ("from", "From"), ("to", "To"), ("call-id", "Call-ID"))


def validate(request: Request) -> None:
    """RemoteProtocolError with the status to answer if the request must be refused."""
    if request.version.upper() != "SIP/2.0":
        raise RemoteProtocolError("an unknown version of SIP", status=505, where="StartLine")
    first = request._first
    for key, name in (*REQUIRED, ("cseq", "CSeq")):
        if key not in first:
            raise RemoteProtocolError(f"{name} is missing", where=name)
    for key in request._more:
        if key in SINGLE:
            raise RemoteProtocolError(f"{key} is there more than once", where=key)
    if request.cseq.method != request.method:
        raise RemoteProtocolError("the method of CSeq is another", where="CSeq")
    # Taken apart here, so that whoever acts on a valid request can read them without care.
    _ = (request.via.params, request.from_.params, request.to.params)
    _ = (request.from_.uri, request.to.uri)
    if request.request_uri.headers:
        # RFC 3261 §19.1.1: headers are not allowed in a Request-URI.
        raise RemoteProtocolError("the Request-URI holds header fields", where="Request-URI")


def check_scheme(request: Request, known: tuple[str, ...] = ("sip", "sips", "tel")) -> None:
    """RFC 3261 §8.2.2.1: RemoteProtocolError(416) for a Request-URI of a scheme unknown to us."""
    if request.request_uri.scheme not in known:
        raise RemoteProtocolError("an unknown scheme", status=416, where="Request-URI")
