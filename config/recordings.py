"""The table of recordings."""

from pydantic import Field

from config.spooling import Spooling
from config.storing import Storing


class Recordings(Spooling, Storing):
    """Where recordings go and how long they stay. See [recordings](recordings.md)."""

    retention_days: int = Field(
        default=366,
        ge=365,
        le=36_500,
        description="how long a recording is kept; the law wants a year",
    )
