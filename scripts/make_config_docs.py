"""Writes docs/configuration.md from the schema: python scripts/make_config_docs.py [--check]"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from config.schema import Config  # noqa: E402
from config.table import Table  # noqa: E402
from config.words import allowed, model_of  # noqa: E402

PAGE = ROOT / "docs" / "configuration.md"

HEAD = """\
<!-- Written by scripts/make_config_docs.py from config/schema.py: change those, not this page. -->
# Configuration

One TOML file says everything. `config/default.toml` holds every key with its default;
`config/demo.toml` is a small installation that runs as it stands. A key that is left out has its
default; an unknown key is an error.

```sh
callcore check --config my.toml
```

names every mistake at once, each with file, line, key, value and what is allowed, and exits
with 2. `callcore run` does the same before it starts anything.

**Secrets** (their type says so below) may be given by reference, so that the file can be shown to
anybody: `password = { env = "SEAT_8001_PASSWORD" }` takes the environment's variable,
`password = { file = "/run/secrets/seat-8001" }` the file's text without its last newline. A
secret never appears in messages and logs.

**Paths** that are relative are relative to the folder in which the engine is started, not to the
configuration file.

**Times** are in seconds and may have fractions.
"""


def default_of(field: FieldInfo) -> str:
    """The default as TOML writes it; a dash where a value must be given."""
    if field.is_required():
        return "*required*"
    return f"`{_toml(field.default)}`"


def _toml(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, Table):
        return _toml(value.model_dump(exclude_none=True))
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(str(value), ensure_ascii=False)


def section(name: str, field: FieldInfo, model: type[BaseModel]) -> str:
    """A table's keys."""
    heading = f"[[{name}]]" if isinstance(field.default, tuple) else f"[{name}]"
    rows = [
        f"| `{key}` | {default_of(one)} | {allowed(one)} | {one.description} |"
        for key, one in model.model_fields.items()
    ]
    says = inspect.cleandoc(model.__doc__ or "")
    head = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## `{heading}`", "", says, "", *head, *rows, ""])


def page() -> str:
    """The whole page."""
    sections = []
    for name, field in Config.model_fields.items():
        model = model_of(field)
        assert model is not None, name
        sections.append(section(name, field, model))
    return HEAD + "\n" + "\n".join(sections)


def main() -> int:
    """Write the page, or with --check only say whether it is current."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print("docs/configuration.md is old; run scripts/make_config_docs.py", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
