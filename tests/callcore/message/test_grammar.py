"""The patterns themselves: linear, and read alike by every Python that we run on."""

import re
from collections.abc import Iterator
from importlib import import_module
from re import _constants, _parser
from types import ModuleType

import pytest

from callcore.message.grammar import QUOTED

MODULES = (
    *("message.digest", "message.fields", "message.framing", "message.grammar", "message.headers"),
    *("message.parse", "message.uri", "sdp.crypto", "sdp.parse", "sdp.webrtc"),
    *("call.cause", "call.fraud", "call.numbers"),
)


def patterns(module: ModuleType) -> Iterator[re.Pattern]:
    for value in vars(module).values():
        value = getattr(value, "__self__", value)  # what is kept is the bound `match`
        if isinstance(value, re.Pattern):
            yield value


REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


def operations(parsed) -> Iterator[tuple]:
    """Every operation of a pattern with its argument, those within others too."""
    for operation, argument in parsed:
        yield operation, argument
        for part in argument if isinstance(argument, list | tuple) else [argument]:
            for inner in part if isinstance(part, list) else [part]:
                if isinstance(inner, _parser.SubPattern):
                    yield from operations(inner)


def possessive_groups(parsed) -> Iterator[object]:
    """Possessive repeats of what holds a repeat."""
    for operation, argument in operations(parsed):
        if operation is _constants.POSSESSIVE_REPEAT and any(
            inner in REPEATS for inner, _ in operations(argument[2])
        ):
            yield argument[2]


@pytest.mark.parametrize("name", MODULES)
def test_no_group_with_a_repeat_is_repeated_possessively(name):
    """Python 3.11.2 keeps what the last, failing turn of such a repeat began with."""
    found = list(patterns(import_module(f"callcore.{name}")))
    assert found
    for pattern in found:
        text = pattern.pattern
        if isinstance(text, str):
            text = text.replace(QUOTED, '""')  # its turns fail at the end of a text only
        assert not list(possessive_groups(_parser.parse(text, pattern.flags))), pattern


def test_a_possessive_group_is_found_wherever_it_stands():
    for text in (
        r"(?:ab+)*+",
        r"(?:x|(a(?:ab?)++))?",
        r"(?=(?:a|b*c)?+)",
        r"(?>(?:a(?:(?:bc*))*+)*)",
    ):
        assert len(list(possessive_groups(_parser.parse(text)))) == 1, text
    for text in (r"a*+[bc]++\d?+", r"(?>(?:ab[c]*+)*)", r"(?:ab|c)*+"):
        assert not list(possessive_groups(_parser.parse(text))), text
