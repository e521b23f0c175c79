"""The table of recordings."""

from pydantic import Field

from config.storing import Storing


class Recordings(Storing):
    """Where recordings go and how long they stay. See [recordings](recordings.md)."""

    spool: str = Field(
        default="spool",
        min_length=1,
        description="folder of the recordings that are not stored yet",
    )
    retention_days: int = Field(
        default=366,
        ge=365,
        le=36_500,
        description="how long a recording is kept; the law wants a year",
    )
