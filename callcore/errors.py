"""The two errors of the SIP core.

LocalProtocolError   we broke the protocol or our own rules: a bug, never caught
RemoteProtocolError  they did: answered with `status` where an answer is due, and counted
"""


class LocalProtocolError(Exception):
    """A misuse of the core by our own code."""


class RemoteProtocolError(Exception):
    """Bytes from the network that break the protocol.

    `status` is the SIP response that RFC 3261 or RFC 4475 recommends where one can be sent;
    `where` names the element at fault ("Framing", "StartLine", a header's name, "SDP").
    """

    def __init__(self, message: str, *, status: int = 400, where: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.where = where
