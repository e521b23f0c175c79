"""The command line: what scripts rely on, and one line for everything that goes wrong."""

import json
import os
import sys
import tomllib
from pathlib import Path

import pytest

from acd import events as e
from acd.io.journal import Journal, JournalSettings
from acd.settings import AcdSettings, AgentSettings, QueueSettings
from recorder.io.index import Index
from service.cli import main

ROOT = Path(__file__).parents[2]

FORECAST = ["forecast", "--calls-per-hour", "360", "--aht", "120", "--patience", "60"]


class Done:
    """What a command left behind."""

    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


@pytest.fixture
def callcore(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)

    def call(*arguments: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return Done(ended.value.code, said.out, said.err)

    return call


def test_check_says_that_the_demo_is_sound(callcore):
    done = callcore("check", "--config", "config/demo.toml")
    assert (done.code, done.out, done.err) == (0, "configuration is sound\n", "")


def test_check_names_every_one_of_five_mistakes(callcore, tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(
        """
        [sip]
        domian = "example.org"
        [http]
        listen = "0.0.0.0:8080"
        [recordings]
        retention_days = 30
        [media]
        workers = "two"
        [[routes]]
        number = "12345"
        queue = "nowhere"
        """,
        encoding="utf-8",
    )
    done = callcore("check", "--config", str(path))
    assert (done.code, done.out) == (2, "")
    assert len(done.lines) == 5
    named = ("sip.domian", "http.token", "retention_days = 30", 'workers = "two"', '"nowhere"')
    for line, name in zip(done.lines, named, strict=True):
        assert line.startswith(f"callcore: {path}:")
        assert name in line


def test_run_does_not_start_on_an_unsound_configuration(callcore, tmp_path):
    path = tmp_path / "my.toml"
    path.write_text("[sip]\nlisten = []", encoding="utf-8")
    done = callcore("run", "--config", str(path))
    assert done.code == 2
    assert "sip.listen" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["check"],
        ["check", "--nope"],
        ["check", "--config", "/nowhere.toml"],
        ["forecast", "--calls-per-hour", "many", "--aht", "9", "--agents", "1"],
        ["forecast", "--calls-per-hour", "9", "--aht", "0", "--agents", "1"],
        ["recordings"],
        ["sip-trace", "--url", "somewhere"],
        ["sip-trace", "--url", "http://127.0.0.1:http"],
        ["forecast", "--calls-per-hour", "9", "--aht", "9"],
        [*FORECAST, "--agents", "3", "--target-ratio", "0.9"],
        [*FORECAST, "--target-ratio", "1.5"],
        [*FORECAST, "--agents", "-1"],
    ],
)
def test_a_mistake_of_the_user_is_one_line_and_exit_2(callcore, arguments):
    done = callcore(*arguments)
    assert (done.code, done.out) == (2, "")
    assert len(done.lines) == 1
    assert done.err.startswith("callcore: ")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["forecast", "--calls-per-hour", "many"], "'--calls-per-hour'"),
        (["roster"], "'--month'"),
        (["journal", "replay"], "'F'"),
    ],
)
def test_a_mistake_names_the_option(callcore, arguments, named):
    assert named in callcore(*arguments).err


@pytest.mark.parametrize(
    "arguments",
    [["journal", "replay", "/nowhere"], ["journal", "replay", "setup.cfg"]],
)
def test_a_failure_is_one_line_and_exit_1(callcore, arguments):
    done = callcore(*arguments)
    assert (done.code, done.out) == (1, "")
    assert len(done.lines) == 1


@pytest.mark.parametrize(
    "command",
    [[], ["run"], ["check"], ["forecast"], ["forecast", "history"], ["roster"],
     ["recordings"], ["recordings", "verify"], ["user", "add"], ["trunk", "test"],
     ["journal"], ["journal", "replay"]],
)  # fmt: skip
def test_every_command_has_help(callcore, command):
    done = callcore(*command, "--help")
    assert done.code == 0
    assert "Usage" in done.out


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["roster"], "or from [required] of"),
        (["sip-trace"], "[http]"),
        (["user", "add"], "[[accounts]]"),
    ],
)
def test_help_shows_the_words_in_square_brackets(callcore, command, says):
    assert says in callcore(*command, "--help").out


def test_the_version_is_the_package_s(callcore):
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    version = next(line.split("=")[1] for line in setup.splitlines() if line.startswith("version"))
    assert callcore("--version").out == f"callcore {version.strip()}\n"


def test_what_a_command_writes_is_not_for_everybody(callcore, tmp_path):
    """The index holds citizens' numbers, and the spool their voices."""
    before = os.umask(0o022)
    try:
        assert callcore("--version").code == 0
        (tmp_path / "made").touch()
        assert (tmp_path / "made").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_a_forecast_has_the_contract_s_keys(callcore):
    done = callcore(*FORECAST, "--agents", "13", "--json")
    figures = json.loads(done.out)
    assert done.code == 0
    assert {"service_level", "service_level_answered", "asa_seconds", "p_wait", "p_abandon",
            "occupancy"} <= set(figures)  # fmt: skip
    assert figures["service_level"] == pytest.approx(0.786, abs=0.001)


def test_a_target_ratio_finds_the_fewest_agents(callcore):
    enough = json.loads(callcore(*FORECAST, "--target-ratio", "0.9", "--json").out)
    fewer = str(enough["agents"] - 1)
    assert enough["service_level"] >= 0.9
    assert json.loads(callcore(*FORECAST, "--agents", fewer, "--json").out)["service_level"] < 0.9


def test_without_patience_a_queue_that_grows_for_ever_has_no_mean(callcore):
    arguments = ["forecast", "--calls-per-hour", "3600", "--aht", "60", "--agents", "3"]
    assert json.loads(callcore(*arguments, "--json").out)["asa_seconds"] is None
    assert "grows without end" in callcore(*arguments).out


def test_a_journal_is_replayed(callcore, tmp_path):
    settings = AcdSettings(queues=(QueueSettings("12345"),), agents=(AgentSettings("8001"),))
    journal = Journal(JournalSettings(tmp_path), on_error=lambda error: None)
    for event in (
        e.Configured(0, settings),
        e.Arrived(1000, "c-1", "12345"),
        e.HungUp(21_000, "c-1"),
        e.Arrived(30_000, "c-2", "12345"),
        e.AgentReady(32_000, "8001"),
    ):
        journal.append(event)
    assert journal.close()
    for place in (tmp_path, next(tmp_path.glob("*.log"))):
        document = json.loads(callcore("journal", "replay", str(place)).out)
        [queue] = document["queues"]
        [agent] = document["agents"]
        assert document["events"] == 5
        assert (queue["offered"], queue["abandoned"], queue["service_level"]["A"]) == (2, 1, 0.0)
        assert queue["longest_wait_seconds"] == 2.0
        assert (agent["user"], agent["state"]) == ("8001", "ringing")


def test_what_is_no_journal_is_named_as_it_was_typed(callcore, tmp_path):
    done = callcore("journal", "replay", "nofile")
    assert (done.code, done.err) == (1, "callcore: No such file or directory nofile\n")
    empty = tmp_path / "empty.log"
    empty.touch()
    done = callcore("journal", "replay", str(empty))
    assert (done.code, done.out) == (1, "")
    assert f"{empty} is no journal: it holds no event" in done.err


def test_recordings_are_verified(callcore, tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(
        f"""
        [recordings]
        store = "file:{tmp_path}/store"
        spool = "{tmp_path}/spool"
        [database]
        url = "sqlite:///{tmp_path}/index.db"
        """,
        encoding="utf-8",
    )
    done = callcore("recordings", "verify", "--config", str(path))
    assert (done.code, done.out) == (1, "")
    assert f"no index at {tmp_path}/index.db; run in the engine's folder" in done.err
    assert not (tmp_path / "index.db").exists(), "an empty index would prove nothing"
    Index(f"sqlite:///{tmp_path}/index.db").prepare()
    done = callcore("recordings", "verify", "--config", str(path))
    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first == f"index {tmp_path}/index.db, store file:{tmp_path}/store"
    assert second.startswith("0 recordings")


def test_an_index_of_a_relative_address_is_never_made_in_another_folder(
    callcore, tmp_path, monkeypatch
):
    (tmp_path / "callcore.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for command in (["verify"], ["search"], ["accesses"], ["held"], ["inventory"]):
        done = callcore("recordings", *command)
        assert (done.code, done.out) == (1, "")
        assert f"no index at {tmp_path}/callcore.db" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["callcore.toml"]


def test_without_a_configuration_a_command_says_where_it_looked(callcore, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = callcore("recordings", "verify")
    assert done.code == 2
    assert f"no callcore.toml in {tmp_path}: give --config FILE" in done.err


def test_the_entry_point_is_the_packaging_s():
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    assert "callcore = service.cli:main" in setup
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    assert "service.cli" in sys.modules
