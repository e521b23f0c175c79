"""The mistakes of a configuration, as tests look at them."""

import pytest

from config.loader import ConfigError, Mistake, loads


def mistakes(text: str, **environ: str) -> list[Mistake]:
    with pytest.raises(ConfigError) as raised:
        loads(text, file="my.toml", environ=environ)
    return raised.value.mistakes


def keys(text: str, **environ: str) -> list[str]:
    return [mistake.key for mistake in mistakes(text, **environ)]


def told_of(text: str) -> list[str]:
    """All mistakes, as they are printed."""
    try:
        loads(text)
    except ConfigError as error:
        return [str(one) for one in error.mistakes]
    return []
