"""The lite side of ICE: it answers connectivity checks and never sends any (RFC 8445 §2.5)."""

from typing import NamedTuple

from aioice import stun

from media.gateway.messages import Address

ROLE_CONFLICT = (487, "Role Conflict")


class Check(NamedTuple):
    """A binding request; `ufrag` is ours as its sender knows it, `remote` the sender's own."""

    message: stun.Message
    ufrag: str
    remote: str


def read_check(data: bytes) -> Check | None:
    """A connectivity check; None for everything else, whatever is in it (RFC 8445 §7.3)."""
    try:
        message = stun.parse_message(data)
    except Exception:  # what aioice raises for strangers' bytes is not written down anywhere
        return None
    if (message.message_method, message.message_class) != (
        stun.Method.BINDING,
        stun.Class.REQUEST,
    ):
        return None
    ufrag, separator, remote = str(message.attributes.get("USERNAME", "")).partition(":")
    return Check(message, ufrag, remote) if separator else None


def is_proven(check: Check, password: str) -> bool:
    """Whether its sender knows our password (RFC 8489 §9.1.3)."""
    return check.message.check_message_integrity(password.encode())


def nominates(check: Check) -> bool:
    """RFC 8445 §8.2: the pair that the controlling side chose."""
    return "USE-CANDIDATE" in check.message.attributes


def answer(check: Check, source: Address, password: str) -> bytes:
    """RFC 8445 §7.3.1.2; to who thinks that we control, 487: a lite side never does (§7.3.1.1)."""
    conflict = "ICE-CONTROLLED" in check.message.attributes
    response = stun.Message(
        message_method=stun.Method.BINDING,
        message_class=stun.Class.ERROR if conflict else stun.Class.RESPONSE,
        transaction_id=check.message.transaction_id,
        attributes={"ERROR-CODE": ROLE_CONFLICT} if conflict else {"XOR-MAPPED-ADDRESS": source},
    )
    response.add_message_integrity(password.encode())
    response.add_fingerprint()  # RFC 8489 §14.7: told apart from voice on the same port
    return bytes(response)
