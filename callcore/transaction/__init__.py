"""Transactions: four machines, four tables, one layer (RFC 3261 §17, RFC 6026)."""

from callcore.transaction.effects import (
    Ack,
    Answered,
    Cancelled,
    Effect,
    Failed,
    Incoming,
    TransactionKey,
    Transmit,
)
from callcore.transaction.layer import RETRY_AFTER_SECONDS, TransactionLayer
from callcore.transaction.timers import T1, T2, T4, Timer

__all__ = [
    "RETRY_AFTER_SECONDS",
    "T1",
    "T2",
    "T4",
    "Ack",
    "Answered",
    "Cancelled",
    "Effect",
    "Failed",
    "Incoming",
    "Timer",
    "TransactionKey",
    "TransactionLayer",
    "Transmit",
]
