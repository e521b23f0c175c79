"""Dialogs (RFC 3261 §12)."""

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

__all__ = [
    "Dialog",
    "DialogState",
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
