"""Which leg an INVITE with Replaces takes the place of (RFC 3891 §3)."""

from callcore.call.state import Leg, LegState
from callcore.errors import RemoteProtocolError
from callcore.message import Request

OVER = (LegState.HANGING_UP, LegState.LEAVING, LegState.ABANDONING, LegState.CANCELLING)


def read_replaces(text: str) -> tuple[str, str, str, bool]:
    """Call-ID, our tag, their tag and early-only (RFC 3891 §6.1); RemoteProtocolError(400)."""
    call_id, *params = [part.strip() for part in text.split(";")]
    found: dict[str, str] = {}
    for param in params:
        name, _, value = param.partition("=")
        name = name.strip().lower()
        if name in found:
            raise RemoteProtocolError("Replaces is ambiguous", where="Replaces")
        found[name] = value.strip()
    if not call_id or not found.get("to-tag") or not found.get("from-tag"):
        raise RemoteProtocolError("Replaces is broken", where="Replaces")
    return call_id, found["to-tag"], found["from-tag"], "early-only" in found


def replaces_of(invite: Request) -> str | None:
    """The one Replaces of an INVITE; RemoteProtocolError(400) for two, or with Join (§3)."""
    values = invite.all("Replaces")
    if not values:
        return None
    if len(values) > 1 or "," in values[0]:
        raise RemoteProtocolError("two Replaces", where="Replaces")
    return values[0]


def judge(leg: Leg | None, their_tag: str, early_only: bool) -> None:
    """Whether a leg may be replaced; RemoteProtocolError 481, 486 or 603 (RFC 3891 §3)."""
    tags = (
        ()
        if leg is None
        else (
            [early.dialog.remote_tag for early in leg.early]
            if leg.dialog is None
            else [leg.dialog.remote_tag]
        )
    )
    if leg is None or their_tag not in tags:
        raise RemoteProtocolError("no such dialog", status=481, where="Replaces")
    if leg.state in OVER:
        raise RemoteProtocolError("that call is over", status=603, where="Replaces")
    if leg.state is LegState.INCOMING:  # early, and not begun by us
        raise RemoteProtocolError("not a call of ours", status=481, where="Replaces")
    if early_only and leg.state in (LegState.ANSWERED, LegState.CONFIRMED):
        raise RemoteProtocolError("it is answered", status=486, where="Replaces")
