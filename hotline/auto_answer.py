"""The header that asks a seat's phone to answer by itself, as agents with headsets want it.

There is no one way: phones know Alert-Info with info=alert-autoanswer (Polycom, Yealink), Call-Info
with answer-after (Snom, Grandstream), or Answer-Mode (RFC 5373 §4).
"""

from typing import Literal

Kind = Literal["none", "alert-info", "call-info", "answer-mode"]


def headers_of(kind: Kind, domain: str) -> tuple[tuple[str, str], ...]:
    """What goes into the INVITE to the seat."""
    if kind == "alert-info":
        return (("Alert-Info", f"<http://{domain}>;info=alert-autoanswer;delay=0"),)
    if kind == "call-info":
        return (("Call-Info", f"<sip:{domain}>;answer-after=0"),)
    return (("Answer-Mode", "Auto"),) if kind == "answer-mode" else ()
