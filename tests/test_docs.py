"""What the documentation says is what the code does."""

import re
from pathlib import Path

import pytest
import typer.main

from acd.policies import POLICIES
from desk.app import create_app
from scripts import bench, make_policy_tables, make_queue_diagrams, make_trunk_docs
from scripts.make_config_docs import PAGE, page
from service.cli import app

ROOT = Path(__file__).parents[1]
DOCS = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
# Ours to check are relative links; the rest is the world's.
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def test_the_configuration_s_reference_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run scripts/make_config_docs.py"


def test_the_figures_of_the_policies_have_their_place():
    one = {"A": 0.9, "A_half_width": 0.0011, "abandoned": 0.042, "longest_s": 150}
    one |= {"over_120_s": 0.0012, "passed_over": 0, "calls": 1_000_002}
    curves = [*make_policy_tables.ROWS, "three_mobiles", "fifo_mobiles"]
    found = {f"{curve}_{rho}": one for curve in curves for rho in make_policy_tables.RHOS}
    found |= {f"closed_{rho}": 0.39 for rho in make_policy_tables.RHOS}
    for page_ in make_policy_tables.PAGES:
        written = make_policy_tables.page(page_.read_text(encoding="utf-8"), found)
        assert "| `fifo` | .900 / .900 / .900 / .900 | .042 / .042 / .042 / .042 | 150" in written
        assert "1,000,002 calls a point and 3 seeds" in written


def test_the_diagrams_are_those_of_the_tables():
    text = make_queue_diagrams.PAGE.read_text(encoding="utf-8")
    assert make_queue_diagrams.page(text) == text, "run scripts/make_queue_diagrams.py"


def test_every_key_of_a_trunk_s_profile_is_documented():
    text = make_trunk_docs.PAGE.read_text(encoding="utf-8")
    assert text == make_trunk_docs.page(text), "run scripts/make_trunk_docs.py"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    text = path.read_text(encoding="utf-8")
    dead = [link for link in LINK.findall(text) if not (path.parent / link).exists()]
    assert dead == []


def test_the_navigation_and_the_index_name_each_page_once():
    listed = re.findall(r"([\w/.-]+\.md)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(
        str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")
    )
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d{4})\]\((\d{4})(-[\w-]+\.md)\)", index, re.MULTILINE)
    assert [shown + rest for shown, number, rest in rows if shown == number] == sorted(
        path.name for path in folder.glob("0*.md")
    )


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readmes_lead_to_every_page_and_name_every_policy(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    pages = sorted((ROOT / "docs").glob("*.md"))
    unlinked = [one.name for one in pages if f"](docs/{one.name})" not in text]
    assert unlinked in ([], ["index.md"])
    assert [one for one in POLICIES if f"`{one}`" not in text] == []


def test_every_benchmark_is_in_the_table_once():
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)\.py` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(bench.benchmarks())


def anchors(path: Path) -> set[str]:
    """Of the headings, where MkDocs and GitHub agree on them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        plain = re.sub(r"[^\w\s-]", "", heading).strip().lower()
        if re.sub(r"[-\s]+", "-", plain) == plain.replace(" ", "-"):
            found.add(plain.replace(" ", "-"))
    return found


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_anchor_of_a_link_is_a_heading(path):
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)]+)\)", path.read_text(encoding="utf-8"))
    dead = [
        f"{file}#{anchor}"
        for file, anchor in links
        if anchor not in anchors(path.parent / file if file else path)
    ]
    assert dead == []


def test_every_path_of_the_api_is_in_the_page():
    app = create_app(None, None)  # type: ignore[arg-type]
    text = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"(/[\w/.{}-]*)", text))
    assert sorted(set(app.openapi()["paths"]) - documented) == []
    for path in ("/api/v1/live", "/api/v1/trace", "/phone/", "/api/docs", "/api/openapi.json"):
        assert path in documented


def test_every_metric_is_in_the_page_and_every_one_of_the_page_exists():
    sources = [*(ROOT / "hotline").glob("*.py"), *(ROOT / "service").glob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    made = set(re.findall(r'"callcore_(\w+)"', text)) | set(re.findall(r'gauge\(\s*"(\w+)"', text))
    page_ = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`[^|]+`) \|", page_, re.MULTILINE)
    listed = {
        name.removesuffix("_total") for cell in cells for name in re.findall(r"`(\w+)`", cell)
    }
    assert sorted(made - listed) == []
    looped = {f"queue_{name}" for name in re.findall(r'^            "(\w+)",$', text, re.MULTILINE)}
    assert sorted(listed - made - looped - {"gateway_lost", "gateway_failed"}) == []


def test_every_target_of_make_in_the_docs_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in DOCS:
        for target in re.findall(r"`make ([a-z]+)", path.read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), (path, target)


def test_every_command_is_in_the_page_and_every_one_of_the_docs_exists():
    root = typer.main.get_command(app)
    tree = {name: set(getattr(one, "commands", ())) for name, one in root.commands.items()}  # type: ignore[attr-defined]
    page_ = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for name, below in tree.items():
        for word in below or {name}:
            assert re.search(rf"`[^`]*\b{word}\b[^`]*`", page_), (name, word)
    told = re.compile(r"(?:^|`|/bin/)callcore ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", re.MULTILINE)
    for path in DOCS:
        for name, word in told.findall(path.read_text(encoding="utf-8")):
            assert name in tree, (path, name)
            assert not word or not tree[name] or word in tree[name] or name == "forecast", (
                path,
                word,
            )
