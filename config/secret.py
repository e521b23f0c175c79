"""Secrets: written out, taken from the environment or read from a file, and never printed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr, ValidationInfo


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where `{ env = "NAME" }` looks; passed to the models as their validation context."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


def _resolve(value: Any, info: ValidationInfo) -> Any:
    """A table of one key is a reference; everything else is for the field's own type to judge."""
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not isinstance(named := next(iter(value.values())), str):
        raise ValueError("a reference to a secret has one key, env or file")
    source = info.context if isinstance(info.context, SecretSource) else SecretSource()
    if "env" in value:
        if named not in source.environ:
            raise ValueError(f"the environment has no variable {named}")
        return source.environ[named]
    if "file" in value:
        return _read(named)
    raise ValueError("a reference to a secret has one key, env or file")


def _read(path: str) -> str:
    """The file's text without the newline that editors leave at its end."""
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(f"the file {path} cannot be read: {why}") from None


Secret = Annotated[SecretStr, BeforeValidator(_resolve)]
