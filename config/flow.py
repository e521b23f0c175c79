"""A queue's flow: what becomes of a call, in the order in which it comes about."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from config.fields import Seconds
from config.table import Table

Target = Literal["mobile", "supervisor", "city", "message", "callback"]
When = Literal["predicted", "waited", "closed"]
KEYS = ("announcement", "music", "overflow", "overflow_mobile_after_seconds", "survey")
SAYS: dict[str, tuple[str, ...]] = {  # each step in its place, and the keys that it has
    "announce": ("play",),
    "queue": ("music",),
    "overflow": ("target", "after_seconds", "when", "number"),
    "survey": (),
}


class OverflowStep(Table):
    """What is done for a caller who still waits after so long."""

    target: Target = Field(description="whom it goes to")
    after_seconds: Seconds = Field(description="the wait after which it is done")
    when: When = Field(
        default="waited",
        description="predicted: only while a late answer is predicted; "
        "closed: only for callers who come outside of the hours",
    )
    number: str = Field(
        default="", pattern=r"^(\+?[0-9]{2,20})?$", description="city: whom to dial"
    )

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if self.target == "city" and not self.number:
            raise ValueError("target city needs a number")
        return self


class FlowStep(Table):
    """One step; there is no menu before the answer."""

    step: Literal["announce", "queue", "overflow", "survey"] = Field(description="what is done")
    play: str = Field(default="", description="announce: the prompt that a caller hears first")
    music: str = Field(default="", description="queue: what is heard meanwhile; empty = silence")
    target: Target | None = Field(
        default=None,
        description="overflow: whom it goes to",
        json_schema_extra={"allowed": "mobile, supervisor, city, message or callback"},
    )
    after_seconds: Seconds = Field(default=0, description="overflow: the wait after which")
    when: When = Field(default="waited", description="overflow: see the table overflow")
    number: str = Field(
        default="", pattern=r"^(\+?[0-9]{2,20})?$", description="overflow to city: whom to dial"
    )

    @model_validator(mode="after")
    def _says_what_it_may(self) -> Self:
        more = [key for key in self.model_fields_set if key not in ("step", *SAYS[self.step])]
        if more:
            has = ", ".join(SAYS[self.step]) or "nothing else"
            raise ValueError(f"a step {self.step} with {has}")
        if self.step == "announce" and not self.play:
            raise ValueError("a step announce needs what it plays")
        if self.step == "overflow" and self.target is None:
            raise ValueError("a step overflow needs a target")
        if self.target == "city" and not self.number:
            raise ValueError("target city needs a number")
        return self


def ordered(flow: tuple[FlowStep, ...]) -> tuple[FlowStep, ...]:
    """At most one announcement, one queue, any overflows, at most one survey; ValueError."""
    names, order = [one.step for one in flow], list(SAYS)
    if names != sorted(names, key=order.index):
        raise ValueError("steps in the order announce, queue, overflow, survey")
    twice = [name for name in ("announce", "queue", "survey") if names.count(name) > 1]
    if twice:
        raise ValueError(f"a step {twice[0]} once at most")
    if names and "queue" not in names:
        raise ValueError("steps with a step queue among them")
    return flow


Flow = Annotated[tuple[FlowStep, ...], Field(strict=False), AfterValidator(ordered)]


def told(flow: Sequence[FlowStep]) -> dict[str, Any]:
    """The queue's keys that say the same."""
    return {
        "announcement": next((one.play for one in flow if one.step == "announce"), ""),
        "music": next((one.music for one in flow if one.step == "queue"), ""),
        "overflow": tuple(
            OverflowStep(
                target=one.target,
                after_seconds=one.after_seconds,
                when=one.when,
                number=one.number,
            )
            for one in flow
            if one.target is not None
        ),
        "overflow_mobile_after_seconds": 0.0,
        "survey": any(one.step == "survey" for one in flow),
    }
