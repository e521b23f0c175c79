"""What agents type on phones that cannot do it otherwise."""

from typing import Annotated

from pydantic import Field

from config.table import Allowed, Table

Code = Annotated[
    str,
    Field(pattern=r"^([*#]?[0-9*]{1,5})?$"),
    Allowed("an optional * or #, then 1 to 5 of 0-9 and *; or empty"),
]


class FeatureCodes(Table):
    """Keys pressed in a talk; a number behind a code ends with #; empty = no such code.

    The supervisors' four are dialled too, with the agent's seat behind them: *81 8001.
    """

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
    police: Code = Field(default="#110", description="one key of a phone: 110 into the talk")
    fire: Code = Field(default="#119", description="one key of a phone: 119 into the talk")
    ambulance: Code = Field(default="#120", description="one key of a phone: 120 into the talk")
    monitor: Code = Field(default="*81", description="a supervisor listens")
    whisper: Code = Field(default="*82", description="a supervisor speaks to the agent alone")
    barge: Code = Field(default="*83", description="a supervisor speaks to everybody")
    take_over: Code = Field(default="*84", description="a supervisor in the agent's place")
