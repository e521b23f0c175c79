"""`callcore user add`: an account in the configuration, and its password known by nobody."""

import io
import os

import pytest

from config.loader import load
from config.passwords import fits
from service.cli import main

PASSWORD = "correct horse battery"


@pytest.fixture
def add(capsys, monkeypatch, tmp_path):
    path = tmp_path / "callcore.toml"
    path.write_text('[http]\ntoken = "the-operator-s-token"\n', encoding="utf-8")
    path.chmod(0o640)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, given: str = PASSWORD) -> tuple[object, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{given}\n"))
        with pytest.raises(SystemExit) as ended:
            main(["user", "add", *arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    call.path = path
    return call


def test_an_account_is_appended_with_the_hash_of_its_password(add):
    code, out, err = add("li", "--role", "supervisor")
    assert (code, err) == (0, "")
    assert "account li (supervisor) is added; restart the engine" in out
    text = add.path.read_text(encoding="utf-8")
    assert PASSWORD not in text + out
    assert text.startswith('[http]\ntoken = "the-operator-s-token"\n')
    assert add.path.stat().st_mode & 0o777 == 0o640
    assert add("wang", "--role", "agent", "--seat", "8001")[0] == 0
    li, wang = load(add.path).accounts
    assert (li.name, li.role, wang.seat) == ("li", "supervisor", "8001")
    assert fits(PASSWORD, li.password_hash)
    assert not fits("another password", li.password_hash)
    assert li.password_hash != wang.password_hash


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (["li", "--role", "boss"], PASSWORD, "--role boss: one of agent, supervisor"),
        (["li", "--role", "agent"], "short", "at least 10 characters"),
        (["l i", "--role", "agent"], PASSWORD, "1 to 64 letters"),
        (["li"], PASSWORD, "role"),
    ],
)
def test_what_cannot_be_is_one_line_and_the_file_stays(add, arguments, given, says):
    before = add.path.read_text(encoding="utf-8")
    code, out, err = add(*arguments, given=given)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err
    assert add.path.read_text(encoding="utf-8") == before


def test_a_name_is_taken_once(add):
    add("li", "--role", "agent")
    assert "has an account 'li' already" in add("li", "--role", "admin")[2]


def test_a_table_can_be_printed_alone(add):
    before = add.path.read_text(encoding="utf-8")
    code, out, _ = add("li", "--role", "auditor", "--print")
    assert code == 0
    assert out.startswith('[[accounts]]\nname = "li"\npassword_hash = "scrypt:')
    assert add.path.read_text(encoding="utf-8") == before


def test_the_file_stays_its_owner_s_when_root_adds_an_account(add):
    """Else the engine's user could not read it any more."""
    if os.geteuid():
        pytest.skip("only root gives files away")
    os.chown(add.path, 12345, 54321)
    assert add("li", "--role", "supervisor")[0] == 0
    found = add.path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 54321, 0o640)
    assert [one.name for one in add.path.parent.iterdir()] == [add.path.name]
