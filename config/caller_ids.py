"""Which number of ours a call over a trunk shows."""

from typing import Annotated, Literal

from pydantic import Field

from config.fields import PhoneOrNone
from config.table import Allowed, Table

Use = Literal[
    "transfer", "three-way", "emergency", "overflow", "remote seat", "outbound", "callback"
]
USES = Allowed(
    'a list; each of it "transfer", "three-way", "emergency", "overflow", "remote seat", '
    '"outbound" or "callback"'
)
Names = Annotated[tuple[str, ...], Field(strict=False)]


class CallerId(Table):
    """A rule for the number that a call of ours shows; write [[caller_ids]] once for each.

    The first rule that fits wins; an empty list fits all. Without one the trunk's profile decides.
    """

    classes: Names = Field(default=(), description="number classes that are called")
    reasons: Annotated[tuple[Use, ...], Field(strict=False), USES] = Field(
        default=(), description="what the call is for, as its minutes are booked"
    )
    queues: Names = Field(default=(), description="queues that the citizen came by")
    trunks: Names = Field(default=(), description="trunks that are called by")
    number: PhoneOrNone = Field(default="", description="the number shown; empty = the profile's")
    withheld: bool = Field(default=False, description="the network is asked to show no number")
