"""What agents do with calls: transfer, consult, confer."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.table import Allowed, Table

Ways = Annotated[
    tuple[Literal["agent", "queue"], ...],
    Field(strict=False, max_length=2),
    AfterValidator(lambda ways: tuple(dict.fromkeys(ways))),
    Allowed('"agent", "queue", both or none'),
]
Patience = Annotated[float, Field(gt=0, le=300)]


class Calls(Table):
    """What agents do with calls: transfer, consult, confer. See [calls](calls.md)."""

    trunk: str = Field(
        default="", description="the trunk that calls of ours go out by; empty = the first"
    )
    ring_seconds: Patience = Field(
        default=25, description="how long whoever a call is transferred to may ring"
    )
    return_seconds: Patience = Field(
        default=15, description="how long it then rings at the agent who transferred it"
    )
    transfer_fails_to: Ways = Field(
        default=("agent", "queue"),
        description="where a citizen goes whom nobody took, in this order; then the call ends",
    )
    agent_leaves: Literal["stay", "end"] = Field(
        default="stay", description="what the others of a conference do when the last agent leaves"
    )
    most_parties: int = Field(default=8, ge=3, le=8, description="parties of one call")
    tones: bool = Field(
        default=True,
        description="a busy or another tone of failure before the answer ends a call of ours",
    )
    confirm_seconds: Patience = Field(
        default=10, description="how long whoever answers a mobile has to press 1"
    )
    confirm: str = Field(default="confirm.wav", description="what asks for that key")
    platform_trunk: str = Field(
        default="", description="the trunk of the city's platform; empty = `trunk`"
    )
    platform_number: str = Field(
        default="",
        pattern=r"^[0-9]{0,20}$",
        description="its number; empty = there is none",
        json_schema_extra={"allowed": "a number, or empty"},
    )
    supervision_visible: bool = Field(
        default=False, description="the desk of an agent shows who listens"
    )
