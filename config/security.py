"""The tables that say who is kept out, and whom seats may call."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.table import Allowed, Table

PATTERN = r"^\+?([0-9x]|\[[0-9]-[0-9]\]|\[[0-9]+\])*\*?$"
NUMBER_CLASSES = Path(__file__).parent / "number_classes.toml"

Word = Annotated[
    str,
    Field(pattern=r"^[a-z0-9_-]{1,32}$"),
    Allowed("1 to 32 small letters, digits or any of _ -"),
]
Pattern = Annotated[
    str,
    Field(pattern=PATTERN, min_length=1, max_length=32),
    Allowed("digits, x for any digit, [3-9] or [357] for some, a trailing * for the rest"),
]


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("a name stands twice")
    return values


class Security(Table):
    """Who is not listened to; docs/sip.md says what counts as a failure."""

    digest_algorithms: Annotated[
        tuple[Literal["SHA-256", "MD5"], ...],
        Field(strict=False, min_length=1),
        AfterValidator(_each_once),
        Allowed('"SHA-256", "MD5" or both, each once'),
    ] = Field(
        default=("SHA-256", "MD5"),
        description="what seats may prove their passwords by, in order of preference",
    )
    ban_failures: int = Field(
        default=20,
        ge=0,
        le=100_000,
        description="failures in the window that ban a host; 0 = never",
    )
    ban_window_seconds: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=600, description="the window that failures are counted in"
    )
    ban_seconds: Annotated[float, Field(gt=0, le=2_592_000)] = Field(
        default=3600, description="how long a banned host is not listened to"
    )


Words = Annotated[
    tuple[Word, ...],
    Field(strict=False),
    AfterValidator(_each_once),
    Allowed("names of number classes, each once"),
]


class Outbound(Table):
    """What seats may dial on trunks, so that a stolen password costs little."""

    allowed: Words = Field(
        default=("emergency", "service", "local", "national", "mobile", "toll_free"),
        description="the number classes that seats may call",
    )
    country_code: str = Field(
        default="86",
        pattern=r"^[1-9][0-9]{0,2}$",
        description="numbers that begin with + or 00 and this are national ones",
        json_schema_extra={"allowed": "1 to 3 digits"},
    )
    seat_calls: int = Field(
        default=2, ge=0, le=1000, description="calls at once of one seat; 0 = no limit"
    )
    seat_calls_a_day: int = Field(
        default=300, ge=0, le=100_000, description="calls of one seat in 24 hours; 0 = no limit"
    )
    calls_a_day: int = Field(
        default=3000,
        ge=0,
        le=1_000_000,
        description="calls of all seats in 24 hours; 0 = no limit",
    )


class NumberClass(Table):
    """A kind of numbers; write [[number_classes]] once for each, the most special first.

    Those of config/number_classes.toml come after them.
    """

    name: Word = Field(description="its name in [outbound] allowed")
    patterns: Annotated[tuple[Pattern, ...], Field(strict=False, min_length=1)] = Field(
        description="the numbers, as a seat dials them or as +COUNTRY..."
    )


def number_classes(own: tuple[NumberClass, ...]) -> tuple[NumberClass, ...]:
    """The configuration's classes, then those that come with the product."""
    document = tomllib.loads(NUMBER_CLASSES.read_text(encoding="utf-8"))
    return own + tuple(NumberClass.model_validate(one) for one in document["number_classes"])
