"""The import law and the size of things; docs/architecture.md says the same in words."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("config", "callcore", "acd", "media", "recorder", "hotline", "desk", "service")

# Who may import whom, besides itself.
LAW: dict[str, tuple[str, ...]] = {
    "config": (),
    "callcore": ("config",),
    "acd": ("config",),
    "media": ("config",),
    "recorder": ("config",),
    "hotline": ("config", "callcore", "acd", "media", "recorder"),
    "desk": ("config", "hotline.events", "hotline.commands", "hotline.recording_commands"),
    "service": ("config", "callcore", "acd", "media", "recorder", "hotline", "desk"),
}

# Pure: bytes, facts and time in, effects out. Everything outside io/ of these.
PURE = ("callcore", "acd", "media", "recorder")
WORLD = frozenset(
    ("asyncio", "socket", "time", "random", "threading", "logging", "secrets", "uuid", "select")
)
CLOCKS = frozenset(("now", "utcnow", "today"))

# Inside callcore only downward.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("io",),
    ("engine",),
    ("call",),
    ("dialog",),
    ("transaction",),
    ("message", "sdp"),
    ("effects", "identifiers", "flow", "errors", "value"),
)
# sdp stands beside message: it takes a body, never a header.
APART = {("sdp", "message"), ("message", "sdp")}

MOST_LINES = 450
MOST_FUNCTION_LINES = 60


def modules() -> list[Path]:
    """Every module of the product, as a path from the root."""
    return sorted(
        path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")
    )


def tree_of(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported; `from a import b` gives a.b."""
    package = path.parent.parts
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def is_pure(path: Path) -> bool:
    return path.parts[0] in PURE and "io" not in path.parts[1:-1]


def breaches_of_the_law(path: Path) -> Iterator[str]:
    """Imports of packages of ours that this module may not know."""
    home = path.parts[0]
    for line, name in imports(path):
        first = name.split(".")[0]
        if first not in PACKAGES or first == home:
            continue
        if not any(name == one or name.startswith(f"{one}.") for one in LAW[home]):
            yield f"{path}:{line}: {home} may not import {name}"


def touches_of_the_world(path: Path) -> Iterator[str]:
    """What a pure module does with clocks, sockets, chance or threads."""
    for line, name in imports(path):
        if name.split(".")[0] in WORLD:
            yield f"{path}:{line}: a pure module may not import {name}"
        if name.startswith(tuple(f"{package}.io" for package in PURE)):
            yield f"{path}:{line}: a pure module may not import {name}"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.AsyncFunctionDef):
            yield f"{path}:{node.lineno}: a pure module has no async functions"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        named = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
        if node.func.attr in CLOCKS and named in ("datetime", "date"):
            yield f"{path}:{node.lineno}: time is an argument, not {named}.{node.func.attr}()"


def layer_of(name: str) -> tuple[str, int] | None:
    """("call", 2) of callcore.call.leg; None for the package itself."""
    parts = name.split(".")
    if len(parts) < 2:
        return None
    for depth, names in enumerate(LAYERS):
        if parts[1] in names:
            return parts[1], depth
    return None


def climbs(path: Path) -> Iterator[str]:
    """Imports inside callcore that go upward, or across between message and sdp."""
    home = layer_of(".".join(path.with_suffix("").parts))
    if home is None:
        return
    for line, name in imports(path):
        target = layer_of(name) if name.startswith("callcore.") else None
        if target is None:
            continue
        if target[1] < home[1] or (home[0], target[0]) in APART:
            yield f"{path}:{line}: {home[0]} may not import {target[0]}, which is not below it"


def sizes(path: Path) -> Iterator[str]:
    """What has grown too large to be read at once."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if (lines := text.count("\n")) > MOST_LINES:
        yield f"{path}: {lines} lines; split it (at most {MOST_LINES}, better 400)"
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MOST_FUNCTION_LINES:
            yield f"{path}:{node.lineno}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_module_imports_only_what_it_may(path):
    assert list(breaches_of_the_law(path)) == []


@pytest.mark.parametrize("path", [path for path in modules() if is_pure(path)], ids=str)
def test_a_pure_module_knows_neither_clock_nor_socket_nor_chance(path):
    assert list(touches_of_the_world(path)) == []


@pytest.mark.parametrize(
    "path", [path for path in modules() if path.parts[0] == "callcore"], ids=str
)
def test_inside_the_sip_core_imports_go_downward(path):
    assert list(climbs(path)) == []


def test_every_module_of_the_sip_core_has_its_layer():
    """A new folder or file at the top of callcore/ must be given a place among the layers."""
    for path in modules():
        if path.parts[0] == "callcore" and path.name != "__init__.py":
            assert layer_of(".".join(path.with_suffix("").parts)), path


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_file_and_its_functions_can_be_read_at_once(path):
    assert list(sizes(path)) == []


def test_nothing_imports_the_wiring():
    for folder in PACKAGES[:-1]:
        assert "service" not in LAW[folder]


def _probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> Path:
    """A module that breaks the law, at a place of its own."""
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path.relative_to(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "find"),
    [
        ("acd/core.py", "from callcore.errors import LocalProtocolError", breaches_of_the_law),
        ("acd/core.py", "def late():\n    import callcore", breaches_of_the_law),
        ("desk/api.py", "from hotline import conductor", breaches_of_the_law),
        ("config/schema.py", "import service.cli", breaches_of_the_law),
        ("media/mixer.py", "import time", touches_of_the_world),
        ("media/mixer.py", "from asyncio import Queue", touches_of_the_world),
        ("media/mixer.py", "from .io import plane", touches_of_the_world),
        ("acd/core.py", "import datetime\ndatetime.datetime.now()", touches_of_the_world),
        ("acd/core.py", "async def step(): ...", touches_of_the_world),
        ("callcore/message/uri.py", "from callcore.sdp import Codec", climbs),
        ("callcore/dialog/state.py", "from ..call import leg", climbs),
        ("callcore/transaction/layer.py", "import callcore.dialog", climbs),
    ],
)
def test_the_law_finds_a_breach(tmp_path, monkeypatch, name, text, find):
    path = _probe(tmp_path, monkeypatch, name, text)
    assert len(list(find(path))) == 1
