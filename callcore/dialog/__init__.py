"""Dialogs (RFC 3261 §12), reliable provisional responses (3262), session timers (4028)."""

from callcore.dialog.dialog import (
    Dialog,
    DialogState,
    confirm,
    from_request,
    from_response,
    in_dialog_request,
    next_hop,
    receive_request,
    refresh,
    target_of,
    terminate,
)
from callcore.dialog.reliable import RAck, Sender
from callcore.dialog.timer import SessionTerms, SessionTimer

__all__ = [
    "Dialog",
    "DialogState",
    "RAck",
    "Sender",
    "SessionTerms",
    "SessionTimer",
    "confirm",
    "from_request",
    "from_response",
    "in_dialog_request",
    "next_hop",
    "receive_request",
    "refresh",
    "target_of",
    "terminate",
]
