"""`callcore recordings search | export | accesses`, in this process."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from recorder.io import playback
from recorder.io.access_log import ACCESSES
from recorder.io.index import Entry, Index
from recorder.io.sealing import SealError
from service.cli import main

DATA = b"fLaC and so on"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(
        f'[recordings]\nstore = "file:{tmp_path}/store"\nspool = "{tmp_path}/spool"\n'
        f'[database]\nurl = "sqlite:///{tmp_path}/index.db"\n'
        "[recording_access]\nreason_required = true\n",
        encoding="utf-8",
    )
    index = Index(f"sqlite:///{tmp_path}/index.db")
    sha256 = hashlib.sha256(DATA).hexdigest()
    for number in range(3):
        key = f"2026/01/0{number + 1}/c{number}.flac"
        file = tmp_path / "store" / key
        file.parent.mkdir(parents=True)
        file.write_bytes(DATA)
        file.with_name(file.name + ".sha256").write_text(f"{sha256}  {file.name}\n")
        index.put(
            Entry(
                f"c{number}",
                caller=f"1380000000{number}",
                agent=f"800{number}",
                started_ms=1_767_225_600_000 + number * 86_400_000,
                duration_ms=5000 * (number + 1),
                key=key,
                sha256=sha256,
                size=len(DATA),
                state="stored",
                result="answered",
            )
        )
    index.close()
    return path


def callcore(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["recordings", *arguments])
    return int(ended.value.code or 0)


def test_a_search_prints_a_line_each_and_masks_numbers(config, capsys):
    assert callcore("search", "-c", str(config), "--min-seconds", "8") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["recording"], one["caller"]) for one in found] == [
        ("c2", "138****02"),
        ("c1", "138****01"),
    ]
    assert callcore("search", "-c", str(config), "--reveal") == 2
    assert "reason" in capsys.readouterr().err
    assert (
        callcore("search", "-c", str(config), "--agent", "8001", "--reveal", "--reason", "x") == 0
    )
    assert json.loads(capsys.readouterr().out)["caller"] == "13800000001"


def test_an_export_is_a_zip_and_stands_in_the_log(config, capsys, tmp_path):
    out = tmp_path / "all.zip"
    command = ("export", "-c", str(config), "--out", str(out))
    assert callcore(*command) == 2
    assert callcore(*command, "--reason", "验收") == 0
    archive = zipfile.ZipFile(out)
    assert sorted(archive.namelist()) == [
        "SHA256SUMS",
        "c0.flac",
        "c1.flac",
        "c2.flac",
        "manifest.json",
    ]
    assert archive.read("c1.flac") == DATA
    capsys.readouterr()
    assert callcore("accesses", "-c", str(config)) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(line["action"], line["reason"], line["source"]) for line in lines} == {
        ("exported", "验收", "shell")
    }
    assert len(lines) == 3
    (tmp_path / "store/2026/01/02/c1.flac").write_bytes(b"other")
    assert callcore(*command, "--reason", "again") == 1
    assert "c1" in capsys.readouterr().err


def test_an_export_goes_on_past_what_cannot_be_read_and_leaves_no_half_of_itself(
    config, capsys, tmp_path, monkeypatch
):
    played = playback.play

    def play(vault, recording, form):
        if recording == "c1":
            raise SealError("its segment is damaged")
        if recording == "c0" and broken:
            raise ValueError("a defect of ours")
        return played(vault, recording, form)

    broken = False
    monkeypatch.setattr(playback, "play", play)
    out = tmp_path / "all.zip"
    command = ("export", "-c", str(config), "--out", str(out), "--reason", "r")
    assert callcore(*command) == 1
    manifest = json.loads(zipfile.ZipFile(out).read("manifest.json"))
    problems = {one["recording"]: one["problem"] for one in manifest["recordings"]}
    assert problems == {"c0": None, "c1": "its segment is damaged", "c2": None}
    out.unlink()
    broken = True
    with pytest.raises(ValueError, match="a defect"):
        main(["recordings", *command])
    assert not list(tmp_path.glob("all.zip*"))


def test_a_changed_log_is_exit_1(config, capsys, tmp_path):
    for reason in "abc":
        callcore("search", "-c", str(config), "--reveal", "--reason", reason, "--limit", "1")
    capsys.readouterr()
    assert callcore("accesses", "-c", str(config), "--check") == 0
    head = capsys.readouterr().out.rsplit(" ", 1)[1].strip()
    index = Index(f"sqlite:///{tmp_path}/index.db")
    with index.database.begin(ACCESSES) as connection:
        connection.exec_driver_sql("DROP TRIGGER recording_accesses_no_DELETE")
        connection.exec_driver_sql("DELETE FROM recording_accesses WHERE sequence = 3")
    index.close()
    assert callcore("accesses", "-c", str(config), "--check") == 0  # a cut end shows nothing ...
    assert callcore("accesses", "-c", str(config), "--check", "--head", head) == 1  # ... alone
    assert "cut off" in capsys.readouterr().err
