"""`callcore forecast`: one number beside another, mobiles, skills, history; and its mistakes."""

import csv
import gzip
import json
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from acd import events as e
from acd.forecast import Load, forecast
from acd.io.journal import Journal, JournalSettings
from acd.settings import AcdSettings, AgentSettings, QueueSettings
from service.history import Source, read_history
from tests.service.test_cli import callcore as callcore

LOAD = ["forecast", "--calls-per-hour", "208", "--aht", "180", "--patience", "120"]
SMALL = ["--runs", "3", "--calls", "300"]


def history_csv(path, days=35, *, until=""):
    """Counts by the hour, the same each weekday."""
    rng = np.random.default_rng(5)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["start", "calls"])
        for index in range(days):
            day = datetime(2026, 10, 12) + timedelta(index)  # noqa: DTZ001 (local, as people write)
            for hour in range(24):
                mean = (2 if hour < 8 else 30) * (0.6 if day.weekday() >= 5 else 1)
                rows.writerow([day.replace(hour=hour).isoformat(), rng.poisson(mean)])
    return path


def test_eleven_instead_of_thirteen(callcore):
    done = callcore(*LOAD, "--agents", "13", "--versus", "11", "--json")
    found = json.loads(done.out)
    assert found["service_level"] == pytest.approx(0.845849, abs=1e-6)
    assert found["versus"][0]["agents"] == 11
    assert found["versus"][0]["service_level"] < found["service_level"]
    table = callcore(*LOAD, "--agents", "13", "--versus", "11").out
    assert "11 instead of 13 agents" in table
    assert "84.58%" in table


def test_mobiles_are_simulated_on_the_real_core_beside_the_same_without(callcore):
    done = callcore(*LOAD, "--agents", "13", "--mobiles", "2", *SMALL, "--json")
    variants = json.loads(done.out)["variants"]
    assert list(variants) == ["fifo", "answer_in_time", "answer_in_time, 2 mobiles"]
    plain, helped = list(variants.values())[1:]
    assert helped["service_level"] > plain["service_level"] + 0.02
    assert helped["p_abandon"] < plain["p_abandon"]
    again = callcore(*LOAD, "--agents", "13", "--mobiles", "2", *SMALL, "--json")
    assert again.out == done.out  # a seed is a seed


def test_fifo_by_simulation_is_erlang_a(callcore):
    done = callcore(*LOAD, "--agents", "13", "--policy", "fifo", "--runs", "8", "--json",
                    "--calls", "1500")  # fmt: skip
    found = json.loads(done.out)
    exact = forecast(Load(208, 180, 120, 15), 13).service_level
    assert abs(found["service_level"] - exact) < 2 * found["service_level_half_width"] + 0.01


def test_skills_divide_the_agents(callcore):
    wide = ["--group", "13:a,b", "--ask", "a=0.5", "--ask", "b=0.5"]
    narrow = ["--group", "7:a", "--group", "6:b", "--ask", "a=0.5", "--ask", "b=0.5"]
    levels = []
    for groups in (wide, narrow):
        done = callcore(*LOAD, *groups, "--policy", "skills", *SMALL, "--json")
        levels.append(json.loads(done.out)["service_level"])
    assert levels[0] > levels[1] + 0.03  # pooling


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--agents", "13", "--mobiles", "2", "--policy", "luck"], "unknown policy"),
        (["--group", "13"], "--group"),
        (["--group", "2:a", "--ask", "b=0.5"], "skill b"),
        (["--group", "2:a", "--ask", "a=1.5"], "--ask"),
        (["--group", "2:a", "--agents", "3"], "--agents"),
        (["--agents", "0", "--mobiles", "1"], "at least one agent"),
        (["--agents", "13", "--plot", "x.gif"], ".png"),
    ],
)
def test_a_simulation_without_a_meaning_is_one_line_and_exit_2(callcore, arguments, says):
    done = callcore(*LOAD, *arguments)
    assert (done.code, done.out) == (2, "")
    assert len(done.lines) == 1
    assert says in done.err


def test_history_is_forecast_with_its_error_and_the_agents(callcore, tmp_path):
    path = history_csv(tmp_path / "calls.csv")
    arguments = ["forecast", "history", str(path), "--aht", "180", "--interval", "60"]
    found = json.loads(callcore(*arguments, "--days", "3", "--json").out)
    assert [day["date"] for day in found["days"]] == ["2026-11-16", "2026-11-17", "2026-11-18"]
    assert found["error"]["ours"]["wape"] < found["error"]["naive"]["wape"]
    noon = found["days"][0]["agents"][12]
    calls = found["days"][0]["calls"][12]
    assert forecast(Load(calls, 180), noon).service_level >= 0.899
    said = callcore(*arguments).out
    assert "WAPE" in said
    assert "naive" in said


def test_a_year_whose_holidays_are_not_known_is_said_until_the_table_has_it(callcore, tmp_path):
    path = history_csv(tmp_path / "calls.csv")
    table = tmp_path / "holidays.csv"
    table.write_text("2050-01-24,holiday\n", encoding="utf-8")
    arguments = [
        "forecast",
        "history",
        str(path),
        "--aht",
        "180",
        "--start",
        "2050-01-24",
        "--json",
    ]
    plain = json.loads(callcore(*arguments, "--days", "1").out)
    assert plain["years_without_holidays"] == [2050]
    assert plain["days"][0]["kind"] == "workday"
    known = json.loads(callcore(*arguments, "--days", "1", "--holidays", str(table)).out)
    assert known["years_without_holidays"] == []
    assert known["days"][0]["kind"] == "holiday"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the first line names the columns"),
        ("a,b\n1,2\n", "the first line names the columns"),
        ("start,calls\n2026-11-01,many\n", "line 2"),
        ("start,calls\n2026-11-01,-1\n", "line 2"),
        ("queued\nyesterday\n", "line 2"),
        ("[1]", "call records"),
        ("[", "JSON"),
        ("queued\n2026-11-01T09:00:00\n", "no whole day"),
        ("start,calls\n2026-11-01,5\n", "days of history"),
    ],
)
def test_a_history_that_is_none_is_one_line(callcore, tmp_path, text, says):
    path = tmp_path / "calls.csv"
    path.write_text(text, encoding="utf-8")
    done = callcore("forecast", "history", str(path), "--aht", "180")
    assert (done.code, done.out) == (2, "")
    assert len(done.lines) == 1
    assert says in done.err


def test_a_history_that_is_not_there_is_exit_1(callcore):
    assert callcore("forecast", "history", "/nowhere.csv", "--aht", "9").code == 1


@pytest.mark.parametrize("name", ["p.png", "p.svg", "p.html"])
def test_a_picture_is_drawn(callcore, tmp_path, name):
    path = tmp_path / name
    assert callcore(*LOAD, "--agents", "13", "--plot", str(path)).code == 0
    data = path.read_bytes()
    assert data.startswith({"p.png": b"\x89PNG", "p.svg": b"<?xml", "p.html": b"<!doctype"}[name])
    assert len(data) > 5000


def records(days: int):
    """(queued, answered, ended) of two calls a day: one answered, one given up."""
    for day in range(days):
        at = 1_790_000_000_000 + day * 86_400_000
        yield at, at + 10_000, at + 110_000
        yield at + 1_000, None, at + 31_000


def test_a_journal_and_the_call_records_of_the_same_calls_are_the_same_history(tmp_path):
    settings = AcdSettings(queues=(QueueSettings("12345"),), agents=(AgentSettings("8001"),))
    journal = Journal(JournalSettings(tmp_path / "journal"), on_error=lambda error: None)
    told, rows = [e.Configured(0, settings)], []
    for number, (queued, answered, ended) in enumerate(records(4)):
        name = f"c{number}"
        told.append(e.Arrived(queued, name, "12345"))
        if answered:
            told.append(e.AgentReady(answered, "8001"))
            told += [e.Accepted(answered, f"offer/{number // 2 + 1}"), e.Bridged(answered, name)]
            told += [e.AgentNotReady(answered + 1, "8001"), e.CallEnded(ended, name)]
        else:
            told.append(e.HungUp(ended, name))
        rows.append({"queue": "12345", "queued": queued, "answered": answered, "ended": ended})
    for event in sorted(told, key=lambda one: one.at_ms):
        journal.append(event)
    journal.close()
    (log,) = (tmp_path / "journal").glob("*.log")
    (tmp_path / "packed.log.gz").write_bytes(gzip.compress(log.read_bytes()))
    (tmp_path / "calls.json").write_text(json.dumps(rows), encoding="utf-8")
    lines = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "calls.jsonl").write_text(lines, encoding="utf-8")
    found = [
        read_history(Source(tmp_path / name, 60, queue="12345"))
        for name in ("journal", "packed.log.gz", "calls.json", "calls.jsonl")
    ]
    for arrivals, handling in found:
        assert arrivals.first == found[0][0].first
        assert arrivals.counts.tolist() == found[1][0].counts.tolist()
        assert handling.talk_seconds == pytest.approx(100)
        assert handling.patience_seconds == pytest.approx(40)  # 4 x (10 + 30) s, 4 gave up
    assert found[0][0].counts.sum() == 4  # of two whole days
    assert found[0][0].first > date(2026, 1, 1)
    with pytest.raises(ValueError, match="no calls"):
        read_history(Source(tmp_path / "calls.json", 60, queue="other"))
