"""The table of tones."""

from typing import Annotated

from pydantic import Field

from config.table import Allowed, Table

BUILT_IN = (
    "dial",
    "special_dial",
    "ringback",
    "busy",
    "congestion",
    "unobtainable",
    "waiting",
    "beep",
    "recording",
)
Hertz = Annotated[float, Field(gt=0, lt=4000)]
Lasting = Annotated[float, Field(gt=0, le=30)]


class Tone(Table):
    """A tone of your own, or another cadence for one of ours; write [[tones]] once for each.

    Prompts and music may be any tone by the name `tone:NAME`. Ours are 450 Hz as in China: dial,
    special_dial, ringback, busy, congestion, unobtainable, waiting; and beep, recording.
    """

    name: Annotated[
        str, Field(pattern=r"^[\w.+-]{1,64}$"), Allowed("1 to 64 letters, digits or any of _ . + -")
    ] = Field(description="tone:NAME plays it")
    hertz: Annotated[tuple[Hertz, ...], Field(strict=False, min_length=1, max_length=4)] = Field(
        description="its frequencies, all at once"
    )
    cadence: Annotated[tuple[Lasting, ...], Field(strict=False, max_length=16)] = Field(
        default=(), description="seconds on, off, on, off ...; empty = without a pause"
    )
    dbm0: float = Field(
        default=-10, ge=-60, le=3, description="its level, all frequencies together"
    )
