"""Writes docs/trunks.md's tables from the schema: python scripts/make_trunk_docs.py [--check]"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from config.loader import PROFILES  # noqa: E402
from config.profile import NumberRule, Profile  # noqa: E402
from config.words import allowed  # noqa: E402
from scripts.make_config_docs import _toml, default_of  # noqa: E402

PAGE = ROOT / "docs" / "trunks.md"
SHIPPED = ("ims", "ibcf", "plain")


def fields_table() -> str:
    """Every key of a profile."""
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for key, field in Profile.model_fields.items():
        rows.append(f"| `{key}` | {default_of(field)} | {allowed(field)} | {field.description} |")
    return "\n".join(rows)


def rules_table() -> str:
    """Every key of a rule for numbers."""
    rows = ["| key | meaning |", "|---|---|"]
    rows += [f"| `{key}` | {one.description} |" for key, one in NumberRule.model_fields.items()]
    return "\n".join(rows)


def shipped_table() -> str:
    """What the shipped profiles say."""
    data = {
        name: tomllib.loads((PROFILES / f"{name}.toml").read_text(encoding="utf-8"))
        for name in SHIPPED
    }
    rows = ["| key | " + " | ".join(SHIPPED) + " |", "|---|" + "---|" * len(SHIPPED)]
    for key in Profile.model_fields:
        cells = [_cell(data[name][key]) for name in SHIPPED]
        rows.append(f"| `{key}` | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _cell(value: object) -> str:
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            return f"{len(value)} rules"
        value = tuple(value)
    return f"`{_toml(value)}`"


def page(text: str) -> str:
    """The page with its tables as they are now."""
    tables = {"fields": fields_table(), "rules": rules_table(), "shipped": shipped_table()}
    for name, table in tables.items():
        begin, end = f"<!-- {name}: written by scripts/make_trunk_docs.py -->", f"<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        assert found, name
        assert closed, name
        text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


def main() -> int:
    """Write the tables, or with --check only say whether they are current."""
    text = PAGE.read_text(encoding="utf-8")
    current = page(text)
    if sys.argv[1:] == ["--check"]:
        if text == current:
            return 0
        print("docs/trunks.md is old; run scripts/make_trunk_docs.py", file=sys.stderr)
        return 1
    PAGE.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
