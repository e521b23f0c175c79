"""Which transaction a message belongs to, and where its response goes."""

from collections.abc import Callable

from callcore.flow import Flow
from callcore.message import Request, Response, with_top_via
from callcore.transaction.effects import TransactionKey

MAGIC_COOKIE = "z9hG4bK"
INVITE_FAMILY = ("ACK", "CANCEL")

SentBy = Callable[[Flow], str]


def server_key(request: Request) -> TransactionKey:
    """RFC 3261 §17.2.3; ACK and CANCEL give the key of the INVITE that they are about."""
    method = request.method
    if method in INVITE_FAMILY:
        method = "INVITE"
    via = request.via
    branch = via.branch
    if branch is not None and branch.startswith(MAGIC_COOKIE):
        return branch, via.host, via.port, method
    # RFC 2543: the request as a whole. The To tag is compared later, it may not be set yet.
    return (
        request.uri,
        request.from_.tag,
        request.call_id,
        request.cseq.number,
        str(via),
        method,
    )


def client_key(response: Response) -> TransactionKey:
    """RFC 3261 §17.1.3: the branch of the top Via and the method of CSeq."""
    return response.via.branch, response.cseq.method


def stamp(request: Request, flow: Flow) -> Request:
    """The request with received and rport in its top Via (RFC 3261 §18.2.1, RFC 3581 §4)."""
    via = request.via
    host, port = flow.remote
    if via.wants_rport:
        via = via.with_params(received=host, rport=str(port))
    elif via.host != host:
        via = via.with_params(received=host)
    else:
        return request
    _, comma, rest = (request.get("via") or "").partition(",")
    stamped = with_top_via(request, f"{via},{rest}" if comma else str(via))
    # What has been read is read: only the top Via differs.
    stamped.via = via
    stamped.from_, stamped.to = request.from_, request.to
    stamped.call_id, stamped.cseq = request.call_id, request.cseq
    return stamped


def reply_flow(request: Request, flow: Flow) -> Flow:
    """RFC 3261 §18.2.2: back the way it came; without rport, to the port that Via names."""
    if flow.transport != "udp" or request.via.wants_rport:
        return flow
    port = request.via.port or 5060
    return flow if port == flow.remote[1] else flow._replace(remote=(flow.remote[0], port))


def local_sent_by(flow: Flow) -> str:
    """The sent-by of a flow whose local address is the one that peers see."""
    host, port = flow.local
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
