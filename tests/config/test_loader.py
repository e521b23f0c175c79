"""A configuration is sound, or every mistake in it is named at once."""

from pathlib import Path

import pytest

from config.loader import ConfigError, load, loads
from config.schema import Config
from config.values import Listen
from tests.config.mistakes import keys, mistakes, told_of

ROOT = Path(__file__).parents[2]

FIVE_MISTAKES = """\
[sip]
lisen = ["udp://127.0.0.1:5060"]

[recordings]
retention_days = 30

[[seats]]
user = "8001"
password = "hunter2-1"

[[seats]]
user = "8001"
password = "hunter2-2"

[[queues]]
name = "12345"
target_ratio = "ninety"

[[routes]]
number = "12345"
queue = "54321"
"""


TOKEN = 'token = "a-token-of-16-and-more"'
HASH = 'password_hash = "scrypt:AA:AA"'
CUSTODIAN = 'role = "custodian"'


def account(name: str, *lines: str) -> str:
    return "\n".join(["[[accounts]]", f'name = "{name}"', *lines, ""])


def test_five_mistakes_of_five_kinds_are_named_at_once():
    found = mistakes(FIVE_MISTAKES)
    assert [(one.line, one.key, one.value) for one in found] == [
        (2, "sip.lisen", '["udp://127.0.0.1:5060"]'),
        (5, "recordings.retention_days", "30"),
        (12, "seats[1].user", '"8001"'),
        (17, "queues[0].target_ratio", '"ninety"'),
        (21, "routes[0].queue", '"54321"'),
    ]
    allowed = [one.allowed for one in found]
    assert allowed[0] == "unknown key; did you mean listen?"
    assert "at least 365" in allowed[1]
    assert "number 1 has it already" in allowed[2]
    assert "at most 1" in allowed[3]
    assert "12345" in allowed[4]
    assert {one.file for one in found} == {"my.toml"}


def test_no_mistake_shows_a_secret():
    text = """
    [http]
    tokn = "hunter2"
    [recordings]
    secret_key = ["hunter2"]
    key = "hunter2"
    [database]
    url = "mysql://root:hunter2@db/x"
    [[seats]]
    user = "8001"
    passwrd = "hunter2"
    [seats.password]
    env = 3
    text = "hunter2"
    """
    found = mistakes(text)
    assert len(found) >= 5
    assert "hunter2" not in "".join(map(str, found))


def test_a_syntax_error_is_named_with_its_line():
    for text in ('[sip]\ndomain = "a"\nlisten = [', '[sip]\n\ndomain = a\nkey = ""'):
        [found] = mistakes(text)
        assert found.line == 3
        assert "TOML" in found.key


def test_a_file_that_is_not_there_is_a_mistake_too(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_not_utf_8_is_a_mistake_too(tmp_path):
    path = tmp_path / "gb.toml"
    path.write_bytes("[[seats]]\nname = '张'".encode("gb18030"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load(path)


def test_a_misspelt_key_is_not_called_missing_as_well():
    text = '[[seats]]\nuser = "8001"\npaswsord = "x"'
    assert keys(text) == ["seats[0].paswsord"]


def test_an_unsound_key_hides_no_clash_elsewhere():
    text = """
    [[seats]]
    user = 8001
    password = "a"
    [[seats]]
    user = "8002"
    [[seats]]
    user = "8002"
    password = "c"
    [[routes]]
    number = "1"
    queue = "nowhere"
    """
    assert keys(text) == [
        "seats[0].user",
        "seats[1].password",
        "seats[2].user",
        "routes[0].queue",
    ]


def test_a_clash_that_only_follows_from_another_mistake_is_not_told():
    text = """
    [[trunks]]
    name = "ims"
    mode = "registering"
    [[seats]]
    user = "8001"
    password = "x"
    skills = [7]
    [[queues]]
    skills = ["water"]
    [[routes]]
    number = "1"
    queue = "water"
    """
    assert keys(text) == ["trunks[0].mode", "seats[0].skills[0]", "queues[0].name"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("media = 3", "media"),
        ("seats = 3", "seats"),
        ("seats = [3]", "seats[0]"),
        ("nothing = 3", "nothing"),
        ('[sip]\nlisten = "udp://127.0.0.1:5060"', "sip.listen"),
        ("[sip]\nlisten = []", "sip.listen"),
        ('[sip]\nlisten = ["127.0.0.1:5060"]', "sip.listen[0]"),
        ('[sip]\nlisten = ["udp://example.org:5060"]', "sip.listen[0]"),
        ('[sip]\nlisten = ["udp://127.0.0.1:66000"]', "sip.listen[0]"),
        (f'[recordings]\nkms = "aws:x"\nkey = "{"A" * 43}="', "recordings.kms"),
        (account("li", CUSTODIAN, HASH) * 2, "accounts[1].name"),
        (account("li", CUSTODIAN), "accounts[0].token"),
        (account("li", CUSTODIAN, TOKEN, 'password_hash = "x"'), "accounts[0].password_hash"),
        (account("u", 'role = "unit"', TOKEN, 'rights = ["reveal"]'), "accounts[0].rights"),
        (account("li", CUSTODIAN, TOKEN) + account("l", CUSTODIAN, TOKEN), "accounts[1].token"),
        ('[recordings]\napprovers = [{ name = "li" }]', "recordings.approvers"),
        ('[http]\nunit_token = "x"', "http.unit_token"),
        ('[cluster]\nurl = "redis://127.0.0.1"\n[engine]\njournal = ""', "engine.journal"),
        ('[sip]\ncertificate = "nowhere.pem"', "sip.certificate"),
        (
            '[sip]\nlisten = ["udp://127.0.0.1:5060", "udp://127.0.0.1:5060"]',
            "sip.listen[1]",
        ),
        ('[sip]\nlisten = ["udp://127.0.0.1:20010"]', "sip.listen[0]"),
        ('[sip]\nlisten = ["udp://0.0.0.0:5060"]', "media.public_address"),
        ('[media]\nports = "29999-20000"', "media.ports"),
        ('[media]\naddress = "me"', "media.address"),
        ("[media]\nworkers = -1", "media.workers"),
        ("[media]\nworkers = true", "media.workers"),
        ("[media]\nworkers = 1.5", "media.workers"),
        ('[http]\nlisten = "0.0.0.0:8080"', "http.token"),
        ('[http]\nlisten = "8080"', "http.listen"),
        ('[http]\nlisten = "127.0.0.1:5060"', "http.listen"),
        ('[feature_codes]\ntransfer = "*3"', "feature_codes.complete"),
        ('[feature_codes]\nfire = "*31"', "feature_codes.fire"),
        ('[survey]\nprompt = "nowhere.wav"', "survey.prompt"),
        ('[survey]\nthanks = "tone:nothing"', "survey.thanks"),
        ('[message]\nprompt = "nowhere.wav"', "message.prompt"),
        ('[calls]\nconfirm = "nowhere.wav"', "calls.confirm"),
        ("[recordings]\nretention_days = 364", "recordings.retention_days"),
        ('[recordings]\nstore = "/var/x"', "recordings.store"),
        ('[recordings]\nspool = "recordings"', "recordings.spool"),
        ('[recordings]\nspool = ["a", "b", "a"]', "recordings.spool[2]"),
        ("[recordings]\nspool = []", "recordings.spool"),
        ('[recordings]\nformat = "mp3"', "recordings.format"),
        ('[recordings]\naccess_key = "a"', "recordings.secret_key"),
        ('[recordings]\nkey = "c2hvcnQ="', "recordings.key"),
        ('[database]\nurl = "callcore.db"', "database.url"),
        ('[cluster]\nurl = "http://x"', "cluster.url"),
        ("[engine]\ndrain_seconds = inf", "engine.drain_seconds"),
        ('[logging]\nlevel = "loud"', "logging.level"),
        ('[[trunks]]\nname = "a"', "trunks[0].peers"),
        ('[[trunks]]\nname = "a"\npeers = ["192.0.2.1/24"]', "trunks[0].peers[0]"),
        (
            '[[routes]]\nnumber = "12*45"\nqueue = "x"\n[[queues]]\nname = "x"\n'
            '[[seats]]\nuser = "1"\npassword = "x"',
            "routes[0].number",
        ),
        (
            '[[queues]]\nname = "x"\nskills = ["water"]\n'
            '[[seats]]\nuser = "1"\npassword = "x"\nskills = ["gas"]',
            "queues[0].skills",
        ),
        (
            '[[queues]]\nname = "x"\n[[seats]]\nuser = "1"\npassword = "x"\nrole = "supervisor"',
            "queues[0].skills",
        ),
        ('[[seats]]\nuser = "1"\npassword = "x"\nmobile = "call me"', "seats[0].mobile"),
        ('[[seats]]\nuser = "1"\npassword = ""', "seats[0].password"),
    ],
)
def test_a_mistake_is_named_by_its_key(text, key):
    assert keys(text) == [key]


def test_secrets_come_from_the_environment_and_from_files(tmp_path):
    path = tmp_path / "token"
    path.write_text("from-file\n", encoding="utf-8")
    text = f"""
    [http]
    token = {{ file = "{path}" }}
    [[seats]]
    user = "8001"
    password = {{ env = "SEAT" }}
    """
    config = loads(text, environ={"SEAT": "from-env"})
    assert config.http.token.get_secret_value() == "from-file"
    assert config.seats[0].password.get_secret_value() == "from-env"
    assert "from-" not in repr(config) + str(config) + config.model_dump_json(warnings=False)


@pytest.mark.parametrize(
    "reference",
    ['{ env = "NOPE" }', '{ file = "/nowhere" }', '{ vault = "x" }', "{ env = 3 }", "{}"],
)
def test_a_secret_that_is_not_to_be_had_is_a_mistake(reference):
    assert keys(f"[http]\ntoken = {reference}") == ["http.token"]


def test_an_empty_file_is_all_defaults():
    assert loads("") == Config()


def test_the_demo_has_thirteen_agents_a_supervisor_and_a_seat_for_a_browser(monkeypatch):
    monkeypatch.chdir(ROOT)
    config = load("config/demo.toml")
    assert [seat.user for seat in config.seats] == [str(8001 + n) for n in range(15)]
    assert [seat.role for seat in config.seats] == ["agent"] * 13 + ["supervisor", "agent"]
    assert len({seat.password.get_secret_value() for seat in config.seats}) == 15
    assert config.sip.listen[0] == Listen("udp", "127.0.0.1", 15060)
    assert [route.queue for route in config.routes] == ["12345"]


def test_messages_say_what_to_write():
    told = told_of('[[seats]]\nuser = "8001"\npassword = ""\n[queues]\nname = "12345"')
    assert "not empty: a string, or" in told[0]
    assert "write [[queues]] in double brackets, once for each" in told[1]
    [told] = told_of('[[accounts]]\nname = "li"\nrole = "admin"\ntoken = "short"')
    assert "at least 16 characters: a string, or" in told


def test_a_mark_of_the_byte_order_is_no_mistake(tmp_path):
    path = tmp_path / "my.toml"
    path.write_bytes(b'\xef\xbb\xbf[sip]\ndomain = "example.org"\n')
    assert load(path).sip.domain == "example.org"
