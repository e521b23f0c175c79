"""How outgoing minutes are counted against a trunk's package."""

from typing import Annotated, Literal

from pydantic import Field

from config.table import Table

Share = Annotated[float, Field(gt=0, le=2)]


class Minutes(Table):
    """Outgoing minutes of the trunks' packages (minutes_per_month). See [minutes](calls.md)."""

    unit_seconds: Literal[1, 6, 60] = Field(
        default=60, description="every started unit counts, as the operator bills"
    )
    alerts: Annotated[tuple[Share, ...], Field(strict=False)] = Field(
        default=(0.8, 0.95), description="the shares of a package that are told once a month"
    )
    hard_stop: bool = Field(
        default=False,
        description="no calls beyond the package, but to emergency numbers and citizens' own",
    )
    file: str = Field(
        default="minutes.json",
        description="where the accounts are kept; relative to the folder that the journal's is in",
    )
