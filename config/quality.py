"""Quality assurance (质检): which recordings are reviewed, and by which card."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from config.fields import Name
from config.table import Table

SCORE_CARD = Path(__file__).parent / "score_card.toml"

Key = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")]
Words = Annotated[str, Field(min_length=1, max_length=200)]


class SamplingRule(Table):
    """Recordings that are drawn for review; write [[sampling_rules]] once for each."""

    name: Name = Field(description="its name; part of the draw")
    percent: float = Field(ge=0, le=100, description="the share of each agent's recordings")
    queue: str = Field(default="", description="of this queue; empty = all")
    agent: str = Field(default="", description="of this seat; empty = all")
    result: str = Field(default="", description="of calls that ended so; empty = all")
    min_seconds: float = Field(default=10, ge=0, description="shorter ones are left out")
    max_seconds: float = Field(default=0, ge=0, description="longer ones are left out; 0 = none")
    least_per_agent: int = Field(
        default=0, ge=0, le=1000, description="so many of each agent's, whatever the share is"
    )
    most: int = Field(default=1000, ge=1, le=100_000, description="of one draw, by lot")
    card: str = Field(default="", description="the score card; empty = the first one")
    reviewers: int = Field(
        default=1,
        ge=1,
        le=20,
        description="2 and more: a calibration, each blind",
    )


class ScoreItem(Table):
    """One thing that is judged."""

    key: Key = Field(description="its name in the API")
    zh: Words = Field(description="what reviewers read")
    en: Words = Field(description="the same in English")
    points: int = Field(ge=1, le=1000, description="the most points")
    critical: bool = Field(default=False, description="0 points here make the whole review 0")


class ScoreCard(Table):
    """What a reviewer judges; write [[score_cards]] once for each, with [[score_cards.items]].

    Without any, there is the product's own, `hotline` (config/score_card.toml).
    """

    name: Name = Field(description="its name")
    zh: Words = Field(description="its title for reviewers")
    en: Words = Field(description="the same in English")
    passes: float = Field(default=80, ge=0, le=100, description="the least score that passes")
    version: int = Field(default=1, ge=1, description="raise it when items change: reviews keep it")
    items: Annotated[tuple[ScoreItem, ...], Field(strict=False, min_length=1)] = Field(
        description="what is judged: `key`, `zh`, `en`, `points`, `critical`"
    )

    @model_validator(mode="after")
    def _each_once(self) -> "ScoreCard":
        keys = [item.key for item in self.items]
        if len(set(keys)) != len(keys):
            raise ValueError("each item's key once")
        return self


class Transcription(Table):
    """Speech to text, by an adapter of yours. See [recordings](recordings.md)."""

    adapter: str = Field(
        default="",
        pattern=r"^([A-Za-z_][\w.]*:[A-Za-z_]\w*)?$",
        description="module:callable that makes the adapter; empty = off",
        json_schema_extra={"allowed": "as mypackage.speech:make, or empty"},
    )


def score_cards(own: tuple[ScoreCard, ...]) -> tuple[ScoreCard, ...]:
    """The configuration's cards, or the one that comes with the product."""
    if own:
        return own
    return (ScoreCard.model_validate(tomllib.loads(SCORE_CARD.read_text(encoding="utf-8"))),)
