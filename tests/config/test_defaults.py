"""The defaults of the schema, of config/default.toml and of the contract are the same ones."""

import re
import tomllib
from pathlib import Path

import pytest

from config.loader import load, loads
from config.schema import Config, Queue, Route, Seat
from config.sip import Trunk
from config.values import Listen, Ports
from config.words import model_of

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "config" / "default.toml"


def with_examples() -> str:
    return re.sub(r"^#: ?", "", DEFAULT.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_file_of_defaults_says_what_the_schema_says():
    assert load(DEFAULT) == Config()


def test_the_file_of_defaults_names_every_key():
    written = tomllib.loads(with_examples())
    for table, field in Config.model_fields.items():
        model = model_of(field)
        assert model is not None
        keys = written[table][0] if isinstance(written[table], list) else written[table]
        assert list(keys) == list(model.model_fields), table


def test_the_examples_in_the_file_of_defaults_are_sound():
    config = loads(with_examples(), environ={"SEAT_8001_PASSWORD": "x"})
    assert config.queues == (Queue(name="12345"),)
    assert config.trunks[0].outbound_number == "055112345"


def test_defaults_are_the_contract_s():
    config = Config()
    assert config.sip.domain == "hotline.local"
    assert config.sip.listen == (
        Listen("udp", "127.0.0.1", 5060),
        Listen("tcp", "127.0.0.1", 5060),
    )
    assert (config.media.address, config.media.workers) == ("127.0.0.1", 1)
    assert config.media.ports == Ports(20000, 29999)
    assert str(config.recordings.store) == "file:recordings"
    assert config.recordings.retention_days == 366
    assert str(config.http.listen) == "127.0.0.1:8080"
    assert config.database.url.get_secret_value() == "sqlite:///callcore.db"
    assert config.cluster.node == "node-1"
    assert (config.engine.drain_seconds, config.engine.journal) == (30, "journal")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            Queue(name="x"),
            {
                "target_seconds": 15,
                "target_ratio": 0.9,
                "policy": "answer_in_time",
                "promotion_seconds": 120,
                "ring_seconds": 12,
                "wrap_up_seconds": 10,
                "skills": ("general",),
                "overflow_mobile_after_seconds": 3,
                "max_wait_seconds": 600,
                "short_abandon_seconds": 5,
                "announcement": "welcome.wav",
                "music": "hold.wav",
                "survey": True,
            },
        ),
        (
            Trunk(name="x"),
            {
                "mode": "static",
                "max_calls": 60,
                "calls_per_second": 20,
                "minutes_per_month": 20_000,
            },
        ),
        (
            Seat(user="x", password="x"),
            {"role": "agent", "skills": ("general",), "mobile": "", "auto_ready": True},
        ),
        (Route(number="1", queue="x"), {"number": "1", "queue": "x"}),
    ],
)
def test_defaults_of_tables_are_the_contract_s(table, expected):
    assert {key: getattr(table, key) for key in expected} == expected
