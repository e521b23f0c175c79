"""Logs: numbers masked, secrets hidden, ids readable, floods dammed."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from config.schema import Logging
from service.logging import Cleaner, FloodGate, mask, mask_number, mask_text, set_up


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def logged(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def clean(**values: object) -> dict[str, object]:
    return dict(Cleaner(mask_numbers=True)(None, "info", dict(values)))


def test_an_auditor_misses_no_line():
    stream = io.StringIO()
    set_up(Logging(level="error", format="json"), stream)
    for number in range(30):
        structlog.get_logger("audit").info("call", verb="hold", number=number)
        structlog.get_logger("other").error("flood", number=number)
    lines = logged(stream)
    assert len([line for line in lines if line["event"] == "call"]) == 30
    assert len([line for line in lines if line["event"] == "flood"]) == 20


def test_a_mask_keeps_the_first_three_and_the_last_two():
    assert mask("13800138001") == "138******01"
    assert mask_number("sip:055112345678@192.0.2.1:5060") == "sip:055*******78@192.0.2.1:5060"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call from 13800138001 ended", "call from 138******01 ended"),
        ("来电13800138001已接听", "来电138******01已接听"),
        ("INVITE sip:055162345678@h SIP/2.0", "INVITE sip:055*******78@h SIP/2.0"),
        ("+8613800138001", "+861********01"),
        ("caller:13800138001.", "caller:138******01."),
        ("x_13800138001.wav", "x_138******01.wav"),
        ("tel:+8655112345", "tel:+865*****45"),
        ("sip:8001@hotline.local", "sip:8001@hotline.local"),
        ("1763950000123 ms", "1763950000123 ms"),
        ("sha256 00138001380013800138a0f3", "sha256 00138001380013800138a0f3"),
        ("2025-11-24T03:10:00.123456789Z", "2025-11-24T03:10:00.123456789Z"),
        ("0.0123456789 s", "0.0123456789 s"),
        ("port 50600 of 192.0.2.1", "port 50600 of 192.0.2.1"),
    ],
)
def test_free_text_loses_its_numbers_and_nothing_else(text, shown):
    assert mask_text(text) == shown


def test_keys_of_numbers_are_masked_whatever_they_look_like():
    found = clean(caller="5551234567", to='"A" <sip:5551234567@h>', called="12345", number=5551234)
    assert found == {
        "caller": "555*****67",
        "to": '"A" <sip:555*****67@h>',
        "called": "12345",
        "number": "555**34",
    }


def test_ids_and_times_are_left_alone():
    plain = {"call": "13800138001", "at_ms": 1763950000123, "leg": "0138001380", "status": 200}
    assert clean(**plain) == plain


def test_what_is_in_lists_and_tables_is_cleaned_too():
    found = clean(
        event="x", parties=["13800138001"], seat={"password": "hunter2", "mobile": "13800138001"}
    )
    assert found["parties"] == ["138******01"]
    assert found["seat"] == {"password": "(hidden)", "mobile": "138******01"}


@pytest.mark.parametrize(
    "values",
    [
        {"password": "hunter2"},
        {"http_token": 1, "token": "hunter2"},
        {"secret_key": "hunter2"},
        {"Authorization": "x", "authorization": 'Digest response="hunter2"'},
        {"event": 'REGISTER\r\nAuthorization: Digest username="a", response="hunter2"\r\nTo: b'},
        {"url": "postgresql://callcore:hunter2@db/x"},
        {"data": b"Proxy-Authorization: hunter2"},
    ],
)
def test_secrets_are_hidden_with_masking_on_and_off(values):
    for masked in (True, False):
        assert "hunter2" not in str(Cleaner(masked)(None, "info", dict(values)))


def test_masking_can_be_switched_off():
    assert Cleaner(mask_numbers=False)(None, "info", {"caller": "13800138001"}) == {
        "caller": "13800138001"
    }


def test_a_line_is_json_with_its_context():
    stream = io.StringIO()
    set_up(Logging(), stream)
    structlog.contextvars.bind_contextvars(call="c-1")
    structlog.get_logger("hotline").info("call arrived", caller="13800138001")
    [line] = logged(stream)
    assert line["event"] == "call arrived"
    assert line["caller"] == "138******01"
    assert line["call"] == "c-1"
    assert (line["level"], line["logger"]) == ("info", "hotline")
    assert "timestamp" in line


def test_what_a_library_logs_is_cleaned_as_well():
    stream = io.StringIO()
    set_up(Logging(), stream)
    logging.getLogger("library").warning("lost %s", "13800138001")
    assert logged(stream)[0]["event"] == "lost 138******01"


def test_a_traceback_is_cleaned_as_well():
    stream = io.StringIO()
    set_up(Logging(), stream)
    try:
        raise ValueError("13800138001 is busy")
    except ValueError:
        structlog.get_logger().exception("call failed")
    [line] = logged(stream)
    assert "ValueError" in str(line["exception"])
    assert "13800138001" not in stream.getvalue()


def test_the_level_is_kept():
    stream = io.StringIO()
    set_up(Logging(level="warning"), stream)
    structlog.get_logger("a").info("quiet")
    logging.getLogger("b").info("quiet")
    structlog.get_logger("a").warning("loud")
    assert [line["event"] for line in logged(stream)] == ["loud"]


def test_a_console_s_line_is_masked():
    stream = io.StringIO()
    set_up(Logging(format="console"), stream)
    structlog.get_logger("a").info("call", caller="13800138001")
    assert "138******01" in stream.getvalue()


def record(event: object, name: str = "a", level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, event, None, None)


def test_a_flood_is_dammed_and_counted():
    now = 0.0
    gate = FloodGate(burst=3, window_seconds=10, clock=lambda: now)
    passed = [gate.filter(record({"event": "stranger", "source": n})) for n in range(50)]
    assert passed == [True] * 3 + [False] * 47
    now = 10.0
    after = record({"event": "stranger"})
    assert gate.filter(after)
    assert after.msg == {"event": "stranger", "left_out": 47}


def test_a_flood_of_a_library_is_dammed_too():
    now = 0.0
    gate = FloodGate(burst=1, window_seconds=10, clock=lambda: now)
    assert [gate.filter(record("lost %s")) for _ in range(3)] == [True, False, False]
    now = 11.0
    after = record("lost %s")
    assert gate.filter(after)
    assert after.msg == "lost %s (2 like it left out)"


def test_one_flood_does_not_hide_other_messages():
    gate = FloodGate(burst=1, clock=lambda: 0.0)
    assert gate.filter(record("a"))
    assert gate.filter(record("b"))
    assert gate.filter(record("a", level=logging.ERROR))
    assert not gate.filter(record("a"))


def test_the_gate_forgets_old_messages():
    gate = FloodGate(burst=1, clock=lambda: 0.0, remembered=2)
    for number in range(100):
        assert gate.filter(record(f"message {number}"))
    assert len(gate._seen) == 2
