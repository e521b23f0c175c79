"""From a file to a `Config`, or to every mistake in it."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.checks import clashes
from config.echoes import clashes_beside, near_name, without_echoes
from config.lines import Lines
from config.mistake import ConfigError, Mistake
from config.profile import Profile
from config.schema import Config
from config.secret import SecretSource
from config.words import allowed, field_at, is_secret

__all__ = ["PROFILES", "ConfigError", "Mistake", "load", "loads", "profile_path"]

Key = tuple[str | int, ...]

PROFILES = Path(__file__).parent / "trunks"

HIDDEN = "(hidden)"
_SECRET_NAMES = re.compile(r"pass|secret|token|key|url", re.IGNORECASE)


def load(path: str | Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read the file; ConfigError names every mistake in it at once."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")  # editors may put a mark in front
    except OSError as error:
        why = f"a file that can be read ({error.strerror})"
        raise ConfigError([Mistake(str(path), "file", "", why)]) from None
    except UnicodeDecodeError as error:
        why = f"text in UTF-8 (byte {error.start} is not)"
        raise ConfigError([Mistake(str(path), "file", "", why)]) from None
    return loads(text, file=str(path), environ=environ)


def loads(text: str, *, file: str = "<text>", environ: Mapping[str, str] | None = None) -> Config:
    """The same for a text; `file` is the name that messages show."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_mistake(file, text, error)]) from None
    lines = Lines(text)
    source = SecretSource(os.environ if environ is None else environ)
    found = _with_profiles(file, lines, data)
    try:
        config = Config.model_validate(data, context=source)
        clashing = [] if found else clashes(config)
    except ValidationError as error:
        details = without_echoes(error.errors())
        found += [_mistake(file, lines, detail) for detail in details]
        clashing = clashes_beside(details, data, source)
    for clash in clashing:
        line = lines.find(clash.key)
        found.append(Mistake(file, _dotted(clash.key), _quoted(clash.value), clash.allowed, line))
    if found:
        raise ConfigError(sorted(found, key=lambda mistake: mistake.line))
    return config


def profile_path(name: str) -> Path:
    """A shipped profile by its name, or any file by its path."""
    return Path(name) if "/" in name or name.endswith(".toml") else PROFILES / f"{name}.toml"


def _with_profiles(file: str, lines: Lines, data: dict[str, Any]) -> list[Mistake]:
    """Put the keys of its profile under each trunk's own; what is wrong with the profiles."""
    trunks = data.get("trunks")
    found: list[Mistake] = []
    for index, trunk in enumerate(trunks if isinstance(trunks, list) else ()):
        name = trunk.get("profile") if isinstance(trunk, dict) else None
        if not isinstance(name, str) or not name:
            continue
        key: Key = ("trunks", index, "profile")
        path = profile_path(name)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            shipped = ", ".join(sorted(one.stem for one in PROFILES.glob("*.toml")))
            told = f"{shipped}, or the path of a profile that can be read"
            found.append(Mistake(file, _dotted(key), _shown(name, False), told, lines.find(key)))
            continue
        profile, wrong = _profile(str(path), text)
        found += [one for one in wrong if one not in found]
        trunks[index] = {**profile, **trunk}  # type: ignore[index]
    return found


def _profile(file: str, text: str) -> tuple[dict[str, Any], list[Mistake]]:
    """A profile's keys, none of them when there is a mistake."""
    try:
        data = tomllib.loads(text)
        Profile.model_validate(data)
    except tomllib.TOMLDecodeError as error:
        return {}, [_syntax_mistake(file, text, error)]
    except ValidationError as error:
        lines, found = Lines(text), []
        for detail in without_echoes(error.errors(), Profile):
            found.append(_mistake(file, lines, detail, Profile))
        return {}, found
    return data, []


def _syntax_mistake(file: str, text: str, error: tomllib.TOMLDecodeError) -> Mistake:
    told, _, place = str(error).removesuffix(")").rpartition(" (at ")
    at = re.fullmatch(r"line (\d+), column (\d+)", place)
    line = int(at[1]) if at else max(1, text.count("\n") + 1)
    return Mistake(file, "TOML" + (f", column {at[2]}" if at else ""), "", told, line)


def _mistake(
    file: str, lines: Lines, detail: ErrorDetails, root: type[BaseModel] = Config
) -> Mistake:
    key = detail["loc"]
    model, field = field_at(key, root)
    line = lines.find(key)
    if detail["type"] == "extra_forbidden":
        return Mistake(
            file, _dotted(key), _unknown_value(model, detail), _unknown(model, key), line
        )
    if detail["type"] == "missing":
        told = "missing: " + (allowed(field) if field else "a value")
        return Mistake(file, _dotted(key), "", told, line)
    told = allowed(field, item=isinstance(key[-1], int)) if field else "a table"
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, ValueError) and str(error):
        told = f"{told} ({error})"
    if field is not None and isinstance(detail["input"], dict) and told == "tables":
        told = f"write [[{_dotted(key)}]] in double brackets, once for each"
    hidden = field is not None and is_secret(field)
    return Mistake(file, _dotted(key), _shown(detail["input"], hidden), told, line)


def _quoted(value: str) -> str:
    """A clash's value as TOML writes it; lists are written so already."""
    return value if value.startswith("[") or value == HIDDEN else _shown(value, hidden=False)


def _dotted(key: Key) -> str:
    """("seats", 3, "password") as seats[3].password."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


# Keys of older versions, and where what they said is said now.
MOVED: dict[Key, str] = {
    ("recordings", "approvers"): "an [[accounts]] each, role custodian, with that password_hash",
    ("http", "unit_token"): "an [[accounts]] for each member unit, role unit, with a token",
}


def _unknown(model: type[BaseModel], key: Key) -> str:
    if key in MOVED:
        return f"no such key any more: write {MOVED[key]}"
    if near := near_name(model, str(key[-1])):
        return f"unknown key; did you mean {near}?"
    return "unknown key; known are " + ", ".join(model.model_fields)


def _unknown_value(model: type[BaseModel], detail: ErrorDetails) -> str:
    """A misspelt password is a password all the same."""
    name = str(detail["loc"][-1])
    near = near_name(model, name)
    hidden = bool(_SECRET_NAMES.search(name)) or (
        near is not None and is_secret(model.model_fields[near])
    )
    return _shown(detail["input"], hidden)


def _shown(value: Any, hidden: bool) -> str:
    """A value as TOML writes it, short; tables by their kind only, for they may hold secrets."""
    if isinstance(value, dict):
        return "(a table)"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "(tables)"
    if hidden:
        return HIDDEN
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:30]}...{text[-47:]}"
