"""The pages have a word in each language for all that the engine may say."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from desk.app import ERRORS
from hotline.commands import CallResult
from hotline.visit_state import Phase

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "desk" / "static"


def words(file: str, language: str) -> set[str]:
    """The keys of a page's table in one language."""
    zh, en = (STATIC / file).read_text(encoding="utf-8").split("\n  en: {")
    found = re.findall(r'[{,\s]"?(\w[\w ]*)"?: ["({]', zh if language == "zh" else en)
    return set(found)


def calls_of(name: str, *places: str) -> list[ast.Call]:
    """Each call of a name in the sources."""
    trees = (ast.parse(path.read_text("utf-8")) for at in places for path in ROOT.glob(at))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return [
        one for one in nodes if isinstance(one, ast.Call) and getattr(one.func, "id", "") == name
    ]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_state_of_a_call_and_of_an_agent_has_a_word(language: str) -> None:
    states = {"offline", "ready", "ringing", "talking", "held", "wrap_up", "not_ready", "waiting"}
    states |= {"transferring", *(str(one.value) for one in Phase), *get_args(CallResult)}
    assert states - {"queued"} <= words("strings.js", language)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_alert_has_a_name(language: str) -> None:
    made = calls_of("Alert", "hotline/*.py", "service/*.py")
    names = {one.args[0].value for one in made if isinstance(one.args[0], ast.Constant)}
    assert len(names) > 8
    assert names <= words("strings.js", language)


def test_every_reason_of_readiness_is_said_in_chinese() -> None:
    made = calls_of("Trouble", "hotline/readiness.py")
    codes = {one.args[1].value for one in made if isinstance(one.args[1], ast.Constant)}
    kept = "".join(path.read_text("utf-8") for path in (ROOT / "recorder" / "io").glob("*.py"))
    codes |= {f"recordings_{name}" for name in re.findall(r'whys\["(\w+)"\] = ', kept)}
    assert len(codes) > 12
    assert codes <= words("strings.js", "zh")


def test_every_refusal_is_said_in_chinese() -> None:
    text = (STATIC / "trouble.js").read_text(encoding="utf-8")
    said = set(re.findall(r'(\w+): "', text))
    assert {code for _, code in ERRORS.values()} | {"token_needed", "another_site"} <= said
