"""`callcore recordings ...` from a key to a hold, on one small store."""

from __future__ import annotations

import io
import re

import pytest

from recorder.alaw import LINEAR
from recorder.io.keeper import open_vault
from recorder.io.spool import SpoolSink
from service.cli import main
from service.wiring import keeper_settings


@pytest.fixture
def callcore(capsys, monkeypatch):
    def call(*arguments: str, given: str = "") -> tuple[object, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        with pytest.raises(SystemExit) as ended:
            main(["recordings", *arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return call


@pytest.fixture
def house(tmp_path, callcore):
    """A configuration with a key and two approvers, and one stored recording."""
    key = callcore("key", "new")[1].strip()
    people = [
        callcore("approver", name, given=f"{name} is my password\n")[1].strip()
        for name in ("li", "wang")
    ]
    text = f"""
        [recordings]
        store = "file:{tmp_path}/store"
        spool = "{tmp_path}/spool"
        key = "KEY"
        [database]
        url = "sqlite:///{tmp_path}/index.db"
    """ + "\n".join(people)
    path = tmp_path / "my.toml"
    path.write_text(text.replace("KEY", key))
    from config.loader import load

    vault = open_vault(keeper_settings(load(path)))
    (tmp_path / "spool").mkdir()
    vault.spooled.lock()
    sink = SpoolSink(str(tmp_path / "spool"))
    handle = sink.open("r1", {"call_id": "c1", "caller": "139", "started_ms": 1_750_000_000_000})
    sink.write(handle, 0, bytes([int(LINEAR.argmin())]) * 320 * 50)
    sink.close(handle)
    vault.keep("r1", {})
    vault.index.close()
    return path, key, text


def test_a_store_is_set_up_proved_counted_and_indexed_again(callcore, house, tmp_path):
    path, key, _ = house
    config = ("--config", str(path))
    assert "our own ledger keeps recordings 366 days" in callcore("init", *config)[1]
    for command, says in [
        (["verify"], "1 recordings are in the store, whole, and kept long enough"),
        (["verify", "--sample", "5"], "1 recordings are in the store"),
        (["prove"], "r1: plays as it was sealed"),
        (["expire"], "0 recordings were past their date"),
        (["inventory"], "2 objects of 1 recordings, and nothing else"),
        (["reindex"], "1 recordings and 0 custodies"),
        (["rotate"], "0 recordings have a newly wrapped key"),
        (["key", "list"], ": 1 (wraps what is new)"),
    ]:
        code, out, err = callcore(*command, *config)
        assert (code, err) == (0, ""), command
        assert says in out
        assert key not in out
    (tmp_path / "store/2025/06/15/r1.json").unlink()
    code, out, err = callcore("verify", *config)
    assert (code, "its manifest is not in the store" in out) == (1, True)
    assert callcore("inventory", *config)[0] == 1


def test_a_key_is_exchanged_and_its_loss_is_said(callcore, house, tmp_path):
    path, key, text = house
    new = callcore("key", "new")[1].strip()
    path.write_text(text.replace('key = "KEY"', f'key = "{new}"\nold_keys = ["{key}"]'))
    assert "1 recordings have a newly wrapped key" in callcore("rotate", "--config", str(path))[1]
    path.write_text(text.replace("KEY", key))
    code, out, err = callcore("key", "list", "--config", str(path))
    assert (code, "(LOST)" in out) == (1, True)
    assert "recordings.old_keys" in err
    path.write_text(text.replace('key = "KEY"', ""))
    code, _, err = callcore("rotate", "--config", str(path))
    assert (code, "recordings.key is empty" in err) == (1, True)


def test_a_hold_has_who_and_why_and_deletion_waits_for_the_date(callcore, house):
    config = ("--config", str(house[0]))
    mine = "li is my password\n"
    code, out, err = callcore("hold", "r1", *config, "--by", "li", "--reason", "court", given="no")
    assert (code, out) == (1, "")
    assert "no approver with that password" in err
    code, out, _ = callcore("hold", "r1", *config, "--by", "li", "--reason", "court", given=mine)
    assert code == 0
    assert re.search(r"r1: held\n  20\S+Z hold by li: court\n", out)
    assert "r1: by li" in callcore("held", *config)[1]
    asked = ("delete", "r1", *config, "--by", "li", "--reason", "old")
    assert "is held (by li" in callcore(*asked, given=mine)[2]
    callcore("lift", "r1", *config, "--by", "li", "--reason", "closed", given=mine)
    code, _, err = callcore(*asked, given=mine)
    assert code == 1
    assert re.search(r"is kept until 20\S+Z: nobody may delete it before", err)
    assert "hold by li: court" in callcore("custody", "r1", *config)[1]
    assert callcore("custody", "r9", *config)[2] == "callcore: no recording 'r9'\n"


def test_a_short_password_is_refused(callcore):
    code, out, err = callcore("approver", "li", given="short\n")
    assert (code, out) == (2, "")
    assert "at least 10 characters" in err
