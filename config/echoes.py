"""Many mistakes at once without the ones that only follow from another.

A key of the wrong type must not hide a route to an unknown queue further down: the unsound keys
are replaced, and what is left is checked. A replacement must not make mistakes of its own.
"""

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.checks import Clash, Key, clashes
from config.schema import Config
from config.secret import SecretSource
from config.words import field_at

# Stands for a required key that is missing or unsound; allowed as a user, a name and a number.
STAND_IN = "stand-in.callcore."

# A clash at the first says nothing once one of the second is unsound.
DEPENDS: dict[tuple[str, str], frozenset[str]] = {
    ("queues", "skills"): frozenset({"skills", "role"}),
    ("trunks", "peers"): frozenset({"mode", "profile"}),
    ("trunks", "user"): frozenset({"mode", "profile"}),
    ("trunks", "password"): frozenset({"mode", "profile"}),
    ("trunks", "registrar"): frozenset({"mode", "profile"}),
    ("http", "token"): frozenset({"token"}),
}


def near_name(model: type[BaseModel], name: str) -> str | None:
    """The key that was probably meant."""
    found = difflib.get_close_matches(name, list(model.model_fields), n=1, cutoff=0.6)
    return found[0] if found else None


def _meant(details: Iterable[ErrorDetails], root: type[BaseModel] = Config) -> set[Key]:
    """The keys that were probably meant by unknown ones."""
    meant: set[Key] = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            model, _ = field_at(detail["loc"], root)
            if near := near_name(model, str(detail["loc"][-1])):
                meant.add((*detail["loc"][:-1], near))
    return meant


def without_echoes(
    details: list[ErrorDetails], root: type[BaseModel] = Config
) -> list[ErrorDetails]:
    """Leave out a list whose item is named already, and the key that was only misspelt."""
    keys = [detail["loc"] for detail in details]
    meant = _meant(details, root)
    return [
        detail
        for detail in details
        if not any(detail["loc"] == key[: len(detail["loc"])] != key for key in keys)
        and not (detail["type"] == "missing" and detail["loc"] in meant)
    ]


def clashes_beside(
    details: list[ErrorDetails], data: dict[str, Any], source: SecretSource
) -> list[Clash]:
    """The clashes among the keys that are sound; `data` is changed."""
    suspects = {_field_key(detail["loc"]) for detail in details} | _meant(details)
    config = _mended(data, source)
    if config is None:
        return []
    return [clash for clash in clashes(config) if not _is_echo(clash, suspects)]


def _mended(data: dict[str, Any], source: SecretSource) -> Config | None:
    """The configuration with stand-ins for what is unsound."""
    for _ in range(3):  # a key left out may be a required one, missing the next time
        try:
            return Config.model_validate(data, context=source)
        except ValidationError as error:
            for number, detail in enumerate(error.errors()):
                _mend(data, detail, number)
    return None


def _mend(data: Any, detail: ErrorDetails, number: int) -> None:
    """Put a stand-in where a key is missing; take an unsound one out, with the list it is in."""
    *way, last = _field_key(detail["loc"])
    try:
        for step in way:
            data = data[step]
        if detail["type"] == "missing":
            data[last] = f"{STAND_IN}{number}"
        else:
            data.pop(last, None)
    except (KeyError, IndexError, TypeError, AttributeError):
        return  # went with an earlier one


def _field_key(key: Key) -> Key:
    """Up to the last name: an item of a list stands for the list."""
    while key and isinstance(key[-1], int):
        key = key[:-1]
    return key


def _is_echo(clash: Clash, suspects: set[Key]) -> bool:
    key = _field_key(clash.key)
    if key in suspects or STAND_IN in clash.value or STAND_IN in clash.allowed:
        return True
    reasons = DEPENDS.get((str(key[0]), str(key[-1])), frozenset())
    return any(suspect[-1] in reasons for suspect in suspects)
