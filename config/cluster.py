"""The table of several engines that stand in for one another."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from config.secret import Secret
from config.table import Allowed, Table


def _url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text and not text.startswith(("redis://", "rediss://")):
        raise ValueError("not a Redis URL")
    return value


class Cluster(Table):
    """Several engines that stand in for one another. See [cluster](cluster.md)."""

    url: Annotated[
        Secret, AfterValidator(_url), Allowed("redis://... or rediss://..., or empty")
    ] = Field(
        default=SecretStr(""), description="the Redis that they share; empty = this process alone"
    )
    node: Annotated[
        str,
        Field(pattern=r"^[\w.+-]{1,64}$"),
        Allowed("1 to 64 letters, digits or any of _ . + -"),
    ] = Field(default="node-1", description="this engine's name among them")
    name: Annotated[
        str,
        Field(pattern=r"^[\w.+-]{1,64}$"),
        Allowed("1 to 64 letters, digits or any of _ . + -"),
    ] = Field(default="hotline", description="what they are together; part of every key in Redis")
    lease_seconds: float = Field(
        default=2,
        ge=0.5,
        le=60,
        description="a leader that has not been heard of for so long is replaced",
    )
    stream_events: int = Field(
        default=200_000,
        ge=1_000,
        le=10_000_000,
        description="about so many events are kept in Redis for nodes that were away; "
        "who was away longer starts from the snapshot",
    )
