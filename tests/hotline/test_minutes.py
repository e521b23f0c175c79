"""Minutes of the package: exact, by month, by reason."""

import json
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hotline.accounts import Accounts
from hotline.events import LiveHub
from hotline.minutes import HOUR_MS, Meter, Package, billed_seconds
from tests.hotline.house import CONFIG


def ms(text: str) -> int:
    """Local time of Hefei, UTC+8."""
    return round(datetime.fromisoformat(text + "+08:00").astimezone(UTC).timestamp() * 1000)


NOON = ms("2026-11-15T12:00:00")
IMS = Package("ims", minutes=100, unit_seconds=60)


def test_a_call_costs_started_units():
    assert [billed_seconds(x, 60) for x in (0, 1, 60_000, 60_001)] == [60, 60, 60, 120]
    assert [billed_seconds(x, 6) for x in (1, 6_000, 6_001, 61_000)] == [6, 6, 12, 66]


def test_a_call_is_booked_under_its_reason():
    meter = Meter((IMS,))
    meter.begin("a", "ims", "transfer", NOON)
    meter.begin("b", "ims", "three-way", NOON)
    charge, alerts = meter.end("a", NOON + 61_000) or (None, None)
    assert charge is not None
    assert (charge.milliseconds, charge.billed_seconds, alerts) == (61_000, 120, [])
    assert meter.used_seconds("ims", NOON + 61_000) == 120 + 120  # b is under way
    meter.end("b", NOON + 61_000)
    assert meter.usage("ims", "2026-11").seconds == {"transfer": 120, "three-way": 120}
    assert meter.end("b", NOON) is None
    assert meter.running == 0


def test_a_month_begins_at_local_midnight():
    meter = Meter((IMS,))
    meter.begin("a", "ims", "callback", ms("2026-11-30T23:59:50"))
    meter.end("a", ms("2026-12-01T00:00:20"))
    meter.begin("b", "ims", "callback", ms("2026-12-01T00:00:00"))
    meter.end("b", ms("2026-12-01T00:00:20"))
    assert meter.usage("ims", "2026-11").total_seconds == 60
    assert meter.usage("ims", "2026-12").total_seconds == 60


def test_alerts_are_given_once_each():
    meter = Meter((IMS,))
    told = []
    for minute in range(100):
        meter.begin("a", "ims", "callback", NOON)
        _, alerts = meter.end("a", NOON + 60_000) or (None, [])
        told += [(minute + 1, alert.share) for alert in alerts]
    assert told == [(80, 0.8), (95, 0.95)]
    again = Meter((IMS,), usages=meter.usages())
    again.begin("a", "ims", "callback", NOON)
    assert (again.end("a", NOON + 60_000) or (None, None))[1] == []


def test_a_hard_stop_ends_with_the_month():
    meter = Meter((Package("ims", 1, 60, hard_stop=True), Package("soft", 1)))
    for trunk in ("ims", "soft"):
        meter.begin(trunk, trunk, "callback", NOON)
        meter.end(trunk, NOON + 60_000)
    assert not meter.may_call("ims", NOON)
    assert meter.may_call("soft", NOON)
    assert meter.may_call("ims", ms("2026-12-01T00:00:00"))


def test_the_forecast_goes_straight_on():
    meter = Meter((IMS,))
    assert meter.forecast("ims", ms("2026-11-01T00:30:00")).expected_minutes is None
    meter.begin("a", "ims", "callback", NOON)
    meter.end("a", NOON + 60 * 60_000)
    forecast = meter.forecast("ims", ms("2026-11-16T00:00:00"))
    assert (forecast.used_minutes, forecast.expected_minutes) == (60, 120)
    assert forecast.exhausted_on == "2026-11-26"


@given(st.lists(st.tuples(st.integers(0, 400_000), st.sampled_from("abc")), max_size=50))
def test_no_second_is_lost_or_counted_twice(calls: list[tuple[int, str]]):
    meter = Meter((Package("ims", unit_seconds=6),))
    for number, (length, uses) in enumerate(calls):
        meter.begin(str(number), "ims", uses, NOON)
        meter.end(str(number), NOON + length)
    expected = sum(-(-max(1, length) // 6_000) * 6 for length, _ in calls)
    assert meter.usage("ims", "2026-11").total_seconds == expected
    assert meter.usage("ims", "2026-11").calls == len(calls)


class Wall:
    """A clock that a test sets."""

    now_ms = NOON

    def wall_ms(self) -> int:
        return self.now_ms

    def utc_offset_minutes(self) -> int:
        return 480

    def iso_now(self) -> str:
        return "now"


def accounts(wall: Wall, folder: Path) -> Accounts:
    return Accounts(CONFIG, wall, LiveHub(), folder)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400_000)), max_size=20))
def test_the_nodes_of_a_cluster_count_one_month(calls: list[tuple[bool, int]]):
    """Each counts the calls that it carried; whichever leads, the package is the same."""
    nodes = Meter((IMS,)), Meter((IMS,))
    alone = Meter((IMS,))
    told: list[float] = []
    wanted: list[float] = []
    for number, (second, length_ms) in enumerate(calls):
        for meter, into in ((nodes[second], told), (alone, wanted)):
            meter.begin(str(number), "ims", "callback", NOON)
            _, alerts = meter.end(str(number), NOON + length_ms) or (None, [])
            into += [alert.share for alert in alerts]
        for one, other in (nodes, nodes[::-1]):
            one.hear(other.told(NOON))
        for one in nodes:
            assert one.usage("ims", "2026-11").seconds == alone.usage("ims", "2026-11").seconds
            assert one.usage("ims", "2026-11").calls == number + 1
    assert told == wanted


def test_what_another_node_carries_just_now_is_used_already():
    carries, leads = Meter((IMS,)), Meter((Package("ims", minutes=3, hard_stop=True),))
    carries.begin("a", "ims", "transfer", NOON)
    leads.hear(carries.told(NOON + 170_000))
    assert leads.used_seconds("ims", NOON + 170_000) == 180
    assert not leads.may_call("ims", NOON + 170_000)
    carries.end("a", NOON + 61_000)
    leads.hear(carries.told(NOON + 170_000))
    assert leads.may_call("ims", NOON + 170_000)
    assert leads.usages() == ()  # none of it is our own


def test_the_month_before_is_told_for_as_long_as_its_calls_may_last():
    meter = Meter((IMS,))
    for month in ("2026-09", "2026-10", "2026-11"):
        meter.begin(month, "ims", "callback", ms(f"{month}-28T12:00:00"))
        meter.end(month, ms(f"{month}-28T12:01:00"))
    told = [one.month for one in meter.told(ms("2026-11-02T12:00:00"))]
    assert told == ["2026-10", "2026-11"]
    assert [one.month for one in meter.told(ms("2026-11-29T12:00:00"))] == ["2026-11"]


def test_what_another_version_tells_of_its_minutes_is_left_out(tmp_path: Path):
    first, second = accounts(Wall(), tmp_path / "1"), accounts(Wall(), tmp_path / "2")
    first.begin("a", "ims", "transfer", NOON)
    first.end("a", NOON + 1)
    second.hear(
        [
            b"{",
            b'[{"trunk": "ims"}]',
            b'"words"',
            b'[{"trunk": "ims", "month": "2026-11", "seconds": 3}]',
            first.told(),
        ]
    )
    assert second.used_minutes("ims") == 1
    assert second.status()[0].by_use == {"transfer": 1.0}
    second.hear([])
    assert second.used_minutes("ims") == 0


def test_a_crash_makes_no_call_free(tmp_path: Path):
    """A call was under way for 90 s when the node died; it is back 30 s later."""
    wall = Wall()
    before = accounts(wall, tmp_path)
    before.begin("a", "ims", "transfer", NOON)
    before.begin("b", "ims", "transfer", NOON)
    wall.now_ms += 90_000
    before.end("b", wall.now_ms)
    wall.now_ms += 30_000
    after = accounts(wall, tmp_path)
    assert after.used_minutes("ims") == 2 + 2
    assert after.meter.running == 0
    assert accounts(wall, tmp_path).used_minutes("ims") == 4  # and once


def test_a_node_that_was_off_for_a_day_charges_no_day(tmp_path: Path):
    wall = Wall()
    accounts(wall, tmp_path).begin("a", "ims", "transfer", NOON)
    wall.now_ms += 24 * HOUR_MS
    assert accounts(wall, tmp_path).meter.usage("ims", "2026-11").total_seconds == 3600


def test_accounts_of_an_older_version_are_read(tmp_path: Path):
    row = {"trunk": "ims", "month": "2026-11", "seconds": {"transfer": 60}}
    kept = json.dumps([{**row, "calls": 1, "alerted": [0.8]}])
    (tmp_path / "minutes.json").write_text(kept, encoding="utf-8")
    assert accounts(Wall(), tmp_path).used_minutes("ims") == 1
    (tmp_path / "minutes.json").write_text('{"usages": 3}', encoding="utf-8")
    assert accounts(Wall(), tmp_path).used_minutes("ims") == 0
    assert (tmp_path / "minutes.unreadable").exists()
