"""`make bench`: every benchmark is run, its line is kept, and a miss is a failure."""

import json
import runpy
import sys

import pytest

from scripts import bench

GOOD = """
import json, sys
if __name__ == "__main__":
    print("progress", file=sys.stderr)
    print("chatter")
    print(json.dumps({"name": "good", "figures": {"x": 1.5}, "bars": {"x": 2}, "ok": True}))
"""
MISSED = """
import json, sys
if __name__ == "__main__":
    print(json.dumps({"name": "missed", "figures": {"x": 3}, "bars": {"x": 2}, "ok": False}))
    sys.exit(1)
"""
BROKEN = 'if __name__ == "__main__":\n    raise SystemExit("no such program")\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "BENCHMARKS", tmp_path)
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "results")
    (tmp_path / "shared.py").write_text("X = 1\n", encoding="utf-8")
    return tmp_path


def run(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    return bench.main()


def test_figures_are_written_with_the_machine_they_ran_on(folder, monkeypatch, capsys):
    (folder / "good.py").write_text(GOOD, encoding="utf-8")
    assert run(monkeypatch, "--quick") == 0
    written = json.loads((folder / "results" / "good.json").read_text(encoding="utf-8"))
    assert written["figures"] == {"x": 1.5}
    assert written["quick"] is True
    assert {"processor", "cores", "python"} <= set(written["machine"])
    assert "good" in capsys.readouterr().out


@pytest.mark.parametrize("text", [MISSED, BROKEN], ids=["missed", "broken"])
def test_a_miss_fails_and_does_not_stop_the_others(folder, monkeypatch, capsys, text):
    (folder / "a.py").write_text(text, encoding="utf-8")
    (folder / "b.py").write_text(GOOD, encoding="utf-8")
    assert run(monkeypatch) == 1
    assert (folder / "results" / "b.json").exists()
    assert "no: exit 1" in capsys.readouterr().out


def test_a_benchmark_can_be_chosen(folder, monkeypatch):
    (folder / "a.py").write_text(BROKEN, encoding="utf-8")
    (folder / "b.py").write_text(GOOD, encoding="utf-8")
    assert run(monkeypatch, "b") == 0
    with pytest.raises(SystemExit):
        run(monkeypatch, "c")


def test_what_others_start_is_no_benchmark(folder):
    (folder / "good.py").write_text(GOOD, encoding="utf-8")
    (folder / "server.py").write_text(f"{bench.PART}\n{GOOD}", encoding="utf-8")
    assert list(bench.benchmarks()) == ["good"]


@pytest.mark.parametrize("name", bench.benchmarks())
def test_every_benchmark_takes_quick(name, monkeypatch, capsys):
    """As `make bench` starts each, but in this process, which has its imports already."""
    path = bench.BENCHMARKS / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(path), "--quick", "--help"])
    monkeypatch.syspath_prepend(bench.BENCHMARKS)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0
    assert "--quick" in capsys.readouterr().out
