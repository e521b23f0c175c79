"""What every table of the configuration is made of."""

from pydantic import BaseModel, ConfigDict


class Allowed(str):
    """What a field allows, said in words, where the type alone does not say it."""

    __slots__ = ()


class Table(BaseModel):
    """Strict, because TOML has types: "15" is no number; frozen, because nobody may change it."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )
