"""What agents type on phones that cannot do it otherwise."""

from typing import Annotated

from pydantic import Field

from config.table import Allowed, Table

Code = Annotated[
    str, Field(pattern=r"^([*#]?[0-9*]{1,5})?$"), Allowed("1 to 6 of 0-9 and *, or empty")
]


class FeatureCodes(Table):
    """Keys pressed in a talk; a number behind a code ends with #; empty = no such code."""

    transfer: Code = Field(default="*1", description="*1 8002 #: blind transfer")
    consult: Code = Field(default="*2", description="*2 8002 #: call somebody beside the talk")
    complete: Code = Field(default="*3", description="the attended transfer")
    join: Code = Field(default="*4", description="three-way with who is consulted")
    toggle: Code = Field(default="*5", description="hold and back; in a consultation to and fro")
    mute: Code = Field(default="", description="nobody hears the agent")
    unmute: Code = Field(default="", description="the agent is heard again")
    add: Code = Field(default="*6", description="*6 8002 #: a third party into the talk")
    survey: Code = Field(default="*7", description="the agent is done: the citizen is asked")
    emergency: Code = Field(default="*9", description="*9 119 #: an emergency service comes in")
