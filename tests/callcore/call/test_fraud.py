"""Toll fraud: classes of numbers, who may dial them and how often."""

import pytest

from callcore.call.events import Ended, Refused
from callcore.call.fraud import DAY_SECONDS, TollGuard
from callcore.call.placement import Party, TrunkTarget
from callcore.call.settings import NumberClass, OutboundSettings
from config.schema import Config
from config.security import number_classes
from service.wiring import outbound_settings
from tests.callcore.stage import SDP, Peer, Stage

CLASSES = tuple(NumberClass(one.name, one.patterns) for one in number_classes(()))
ALLOWED = frozenset({"emergency", "local", "mobile", "national", "service", "toll_free"})
TIGHT = OutboundSettings(CLASSES, ALLOWED, seat_calls=2, seat_calls_a_day=3, calls_a_day=4)


def guard(settings=TIGHT, seats=("8001", "8002"), registered=("8001", "8002")):
    return TollGuard(settings, seats, lambda seat: seat in registered)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("110", "emergency"),
        ("12345", "service"),
        ("10086", "service"),
        ("95588", "service"),
        ("13800138000", "mobile"),
        ("+8613800138000", "mobile"),
        ("008613800138000", "mobile"),
        ("013800138000", "mobile"),
        ("65551234", "local"),
        ("0551-65551234", "national"),
        ("+86 551 65551234", "national"),
        ("010 12345678", "national"),
        ("4008123456", "toll_free"),
        ("16812345", "premium"),
        ("0085212345678", "international"),
        ("+882 13 1234567", "international"),
        ("1900", None),
        ("", None),
        ("sip:13800138000@evil.example", None),
        ("13800138000;phone-context=+1", None),
        ("١٣٨٠٠١٣٨٠٠٠", None),
        ("13800138000\n", None),
        ("1" * 40, None),
    ],
)
def test_the_class_of_a_number(number, kind):
    assert guard().kind(number) == kind


@pytest.mark.parametrize(
    ("seat", "number", "why"),
    [
        ("8001", "13800138000", None),
        ("8001", "0085212345678", "number not allowed"),
        ("8001", "16812345", "number not allowed"),
        ("8001", "whatever", "number not allowed"),
        ("8003", "13800138000", "seat not registered"),
        ("", "13800138000", "seat not registered"),
    ],
)
def test_who_may_dial_what(seat, number, why):
    assert guard().judge(seat, number, 0.0) == why
    assert guard(registered=()).judge("8001", "110", 0.0) == "seat not registered"


def test_so_many_calls_at_once_then_so_many_a_day_then_so_many_of_all():
    toll = guard()
    toll.began("a", "8001", 0.0)
    toll.began("b", "8001", 1.0)
    assert toll.judge("8001", "13800138000", 2.0) == "seat's calls at once"
    assert toll.judge("8001", "110", 2.0) is None
    assert toll.judge("8002", "13800138000", 2.0) is None
    toll.ended("a")
    assert toll.judge("8001", "13800138000", 3.0) is None
    toll.began("c", "8001", 3.0)
    toll.ended("b")
    toll.ended("c")
    assert toll.judge("8001", "13800138000", 4.0) == "seat's calls a day"
    toll.began("d", "8002", 5.0)
    assert toll.judge("8002", "13800138000", 6.0) == "calls a day"
    assert toll.judge("8002", "13800138000", DAY_SECONDS) is None


def test_zero_is_no_limit():
    settings = OutboundSettings(CLASSES, ALLOWED, seat_calls=0, seat_calls_a_day=0, calls_a_day=0)
    toll = guard(settings)
    for n in range(1000):
        assert toll.judge("8001", "13800138000", 0.0) is None
        toll.began(str(n), "8001", 0.0)


def test_the_configuration_s_defaults_let_no_premium_and_no_foreign_number_out():
    settings = outbound_settings(Config())
    assert {one.name for one in settings.classes} - settings.allowed == {"premium", "international"}


def test_the_engine_asks_the_guard_for_a_seat_s_call_and_not_for_our_own():
    stage = Stage(outbound=TIGHT)
    stage.told()
    for number, seat in (("13800138000", "8001"), ("0085212345678", "8001")):
        stage.do("place", "L", TrunkTarget("ims", number, seat=seat), Party("12345"), SDP)
        assert stage.told()[-1] == Ended("L", 403, "seat not registered", "local")
    assert stage.taken() == []
    Peer(stage, "10.0.7.1").register()
    stage.told()
    stage.do("place", "L", TrunkTarget("ims", "0085212345678", seat="8001"), Party("12345"), SDP)
    assert stage.told() == [
        Refused("8001", "INVITE", 403, "number not allowed"),
        Ended("L", 403, "number not allowed", "local"),
    ]
    for leg in "ab":
        stage.do("place", leg, TrunkTarget("ims", "13800138000", seat="8001"), Party("12345"), SDP)
        assert [m.method for _, m in stage.taken()] == ["INVITE"]
    stage.do("place", "c", TrunkTarget("ims", "13800138000", seat="8001"), Party("12345"), SDP)
    assert stage.told(Ended)[-1].reason == "seat's calls at once"
    stage.do("place", "d", TrunkTarget("ims", "0085212345678"), Party("12345"), SDP)
    assert [m.method for _, m in stage.taken()] == ["INVITE"]
