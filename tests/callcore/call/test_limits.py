"""Limits: buckets, strangers, trunks."""

from callcore.call.limits import Admission, Bucket, TrunkLimit, Verdict
from callcore.call.settings import LimitSettings


def test_a_bucket_refills_at_its_rate_and_never_beyond_its_size():
    bucket = Bucket.full(2.0, 3.0, now=0.0)
    for _ in range(3):
        bucket, taken = bucket.take(0.0)
        assert taken
    bucket, taken = bucket.take(0.25)
    assert not taken
    assert bucket.wait_seconds(0.25) == 1
    bucket, taken = bucket.take(0.5)
    assert taken
    for expected in (True, True, True, False):
        bucket, taken = bucket.take(1000.0)
        assert taken is expected


def test_one_source_is_refused_then_dropped_while_another_is_served():
    settings = LimitSettings(per_source=1, source_burst=3, strangers=20, strangers_burst=100)
    admission = Admission(settings, now=0.0)
    verdicts = [admission.admit("10.0.0.1", 0.0) for _ in range(10)]
    assert verdicts == [Verdict.SERVE] * 3 + [Verdict.REFUSE] * 2 + [Verdict.DROP] * 5
    assert admission.admit("10.0.0.2", 0.0) is Verdict.SERVE
    assert admission.admit("10.0.0.1", 1.0) is Verdict.SERVE


def test_a_flood_from_forged_sources_meets_the_common_bucket_and_bounded_memory():
    settings = LimitSettings(strangers=100, strangers_burst=200, remembered=50)
    admission = Admission(settings, now=0.0)
    served = sum(
        admission.admit(f"10.0.{n >> 8}.{n & 255}", 0.0) is Verdict.SERVE for n in range(5000)
    )
    assert served == 200
    assert len(admission) == 50


def test_calls_per_second_says_when_to_come_back():
    limit = TrunkLimit(calls_per_second=2, max_calls=0, now=0.0)
    assert limit.admit(0.0) is None
    assert limit.admit(0.0) is None
    assert limit.admit(0.0) == ("calls_per_second", 1)
    assert limit.admit(0.5) is None


def test_max_calls_counts_both_directions_until_they_end():
    limit = TrunkLimit(calls_per_second=0, max_calls=2, now=0.0)
    limit.add("in")
    limit.add("out")
    assert limit.is_full
    assert limit.admit(0.0) == ("max_calls", 10)
    limit.remove("in")
    limit.remove("in")
    assert limit.calls == 1
    assert limit.admit(0.0) is None


def test_no_limits_limit_nothing():
    limit = TrunkLimit(calls_per_second=0, max_calls=0, now=0.0)
    for n in range(1000):
        assert limit.admit(0.0) is None
        limit.add(str(n))
