"""The table of the engine's own life, its journal included."""

from typing import Annotated

from pydantic import Field

from config.table import Table


class Engine(Table):
    """The engine's own life."""

    drain_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=30,
        description="how long calls may go on after SIGTERM, while no new ones are taken",
    )
    journal: str = Field(
        default="journal", description="folder of the queue's journal; empty = none"
    )
    journal_file_mib: float = Field(
        default=4,
        ge=0.01,
        le=1024,
        description="a file of the journal that is so large is folded into a snapshot and packed; "
        "a start reads one such file at most",
    )
    journal_retention_days: int = Field(
        default=366, ge=1, le=36_500, description="how long packed files of the journal are kept"
    )
