"""How one operator wants calls and identities written: a trunk's data, no code.

docs/trunks.md says what each field means; config/profile.py has the same ones for TOML.
"""

from dataclasses import dataclass
from typing import Literal

from callcore.call.numbers import Rules

Shown = Literal["trunk", "number", "caller"]
Written = Literal["none", "trunk", "number", "caller"]
PASSED = ("Call-Info", "Organization", "Priority", "Subject", "User-to-User")


@dataclass(frozen=True, slots=True)
class Profile:
    """The defaults suit a peer of our own."""

    proxy_route: bool = True
    number_form: Literal["sip", "sip-phone", "tel"] = "sip"
    phone_context: str = ""
    to_domain: str = ""
    from_domain: str = ""
    numbers_in: Rules = ()
    numbers_out: Rules = ()
    called_from: tuple[str, ...] = ("Request-URI", "To")
    trusted: bool = True
    withheld_callers: Literal["hide", "show"] = "hide"
    from_identity: Shown = "trunk"
    forwarded_from: Shown = "trunk"
    asserted_identity: Written = "none"
    preferred_identity: Written = "none"
    privacy: tuple[str, ...] = ("id",)
    anonymous_from: bool = True
    diversion: Literal["none", "diversion", "history-info", "both"] = "none"
    codecs: tuple[str, ...] = ("PCMA", "PCMU", "telephone-event")
    session_timer: Literal["off", "ours", "theirs", "either"] = "either"
    session_seconds: int = 1800
    min_session_seconds: int = 90
    prack: Literal["off", "supported", "required"] = "supported"
    headers_in: tuple[str, ...] = PASSED
    headers_out: tuple[str, ...] = PASSED


ORDINARY = Profile()
