"""What citizens are asked after a talk, what they may leave when nobody can answer."""

from typing import Annotated

from pydantic import Field

from config.table import Table

Time = Annotated[float, Field(gt=0, le=600)]


class Survey(Table):
    """The survey (满意度调查) of queues with `survey = true`. See [calls](calls.md)."""

    rate: float = Field(default=1.0, ge=0, le=1, description="the share of citizens who are asked")
    keys: str = Field(
        default="12345",
        pattern=r"^[0-9]{1,10}$",
        description="the keys that are an answer",
        json_schema_extra={"allowed": "1 to 10 digits"},
    )
    seconds: Time = Field(
        default=20, description="how long a key is waited for, prompt included; asked twice"
    )
    prompt: str = Field(default="survey.wav", description="the question")
    thanks: str = Field(default="thanks.wav", description="what is said to an answer")


class Message(Table):
    """A message in place of an answer, for the overflow step `message` and the longest wait."""

    after_longest_wait: bool = Field(
        default=False, description="take a message when max_wait_seconds are over"
    )
    prompt: str = Field(default="message.wav", description="what is said before the tone")
    seconds: Time = Field(default=120, description="the longest message")
    callback: bool = Field(
        default=True, description="the citizen is called back, as after an offered callback"
    )
