"""The keys of [recordings] that say where the sound lies until it is stored, and in what form."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from config.table import Allowed, Table


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Folder = Annotated[str, Field(min_length=1)]
Folders = Annotated[
    tuple[Folder, ...],
    BeforeValidator(_one_or_more),
    Field(strict=False, min_length=1, max_length=8),
    Allowed("a folder, or a list of up to 8 folders"),
]


class Spooling(Table):
    """Where the sound lies until it is stored."""

    spool: Folders = Field(
        default=("spool",),
        description="folder of the recordings that are not stored yet, or a list of folders on "
        "several disks: the next one is used while one is full or broken",
    )
    sync_seconds: float = Field(
        default=1.0,
        ge=0.1,
        le=10.0,
        description="what a power failure may cost of a call that is going on, beside the half "
        "second that is being said: the spool is synced to the disk that often",
    )
    spool_low_mib: int = Field(
        default=2048,
        ge=1,
        description="an alert when less is free in the spool's folders together",
    )
    keep_hours: float = Field(
        default=0.0,
        ge=0.0,
        le=720.0,
        description="so long what is stored stays on this disk as well, as a second copy that is "
        "played without the store; the oldest goes first when room is needed; 0 = none",
    )
    format: Literal["flac", "opus"] = Field(
        default="flac",
        description="what recordings are stored as: flac is bit by bit what was heard (42 MB an "
        "hour), opus a quarter of that for nine times the work",
    )
