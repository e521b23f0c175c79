"""What the transaction layer asks for and reports."""

from collections.abc import Hashable
from typing import Literal, NamedTuple

from callcore.flow import Flow
from callcore.message import Message, Request, Response

TransactionKey = tuple[object, ...]


class Transmit(NamedTuple):
    """Send these bytes; the message they were rendered from is there for counters and logs."""

    flow: Flow
    data: bytes
    message: Message


class Incoming(NamedTuple):
    """A new request, to be answered with `TransactionLayer.respond(key, ...)`."""

    key: TransactionKey
    request: Request
    flow: Flow


class Ack(NamedTuple):
    """The ACK of a 2xx: it belongs to a dialog (RFC 3261 §13.2.2.4)."""

    request: Request
    flow: Flow


class Answered(NamedTuple):
    """A response to a request of ours; every 2xx to an INVITE comes, repeated ones too."""

    owner: Hashable
    response: Response
    flow: Flow


class Failed(NamedTuple):
    """A request of ours came to nothing."""

    owner: Hashable
    why: Literal["timeout", "transport"]


class Cancelled(NamedTuple):
    """A CANCEL matched the INVITE `key`, still without a final response; it got its 200."""

    key: TransactionKey
    cancel: Request


Effect = Transmit | Incoming | Ack | Answered | Failed | Cancelled
