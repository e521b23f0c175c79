"""The throttle on wrong passwords."""

from callcore.call.settings import AuthSettings
from callcore.call.throttle import Throttle

SETTINGS = AuthSettings(failures=3, window_seconds=60, block_seconds=30, max_block_seconds=100)
HERE, ELSEWHERE = ("10.0.0.1", 5060), ("10.0.0.2", 5060)


def fail(throttle, times, *, user="8001", remote=HERE, now=0.0):
    for _ in range(times):
        throttle.failed(user, remote, now)


def test_failures_in_a_window_block_source_and_user():
    throttle = Throttle(SETTINGS)
    fail(throttle, 2)
    assert throttle.blocked_seconds("8001", HERE, 0.0) == 0
    fail(throttle, 1)
    assert throttle.blocked_seconds("8001", ELSEWHERE, 0.0) == 30
    assert throttle.blocked_seconds("8002", HERE, 10.0) == 20
    assert throttle.blocked_seconds("8002", ELSEWHERE, 0.0) == 0


def test_blocks_expire_and_grow_and_are_forgiven_after_quiet():
    throttle = Throttle(SETTINGS)
    now, lengths = 0.0, []
    for _ in range(4):
        fail(throttle, 3, now=now)
        length = throttle.blocked_seconds("8001", HERE, now)
        lengths.append(length)
        now += length
        assert throttle.blocked_seconds("8001", HERE, now) == 0
    assert lengths == [30, 60, 100, 100]
    now += 601
    fail(throttle, 3, now=now)
    assert throttle.blocked_seconds("8001", HERE, now) == 30


def test_failures_spread_wider_than_the_window_do_not_block():
    throttle = Throttle(SETTINGS)
    for n in range(20):
        throttle.failed("8001", HERE, n * 61.0)
        assert throttle.blocked_seconds("8001", HERE, n * 61.0) == 0


def test_the_owner_is_not_locked_out_by_somebody_elses_guesses():
    throttle = Throttle(SETTINGS)
    throttle.succeeded("8001", HERE)
    fail(throttle, 3, remote=ELSEWHERE)
    fail(throttle, 3, remote=(HERE[0], 40000))
    assert throttle.blocked_seconds("8001", HERE, 0.0) == 0
    assert throttle.blocked_seconds("8001", ELSEWHERE, 0.0) > 0
    throttle.failed("8001", HERE, 1.0)
    assert throttle.blocked_seconds("8001", HERE, 1.0) > 0


def test_memory_is_bounded_under_a_flood_of_names():
    throttle = Throttle(AuthSettings(remembered=100))
    for n in range(5000):
        throttle.failed(f"u{n}", (f"10.0.{n >> 8}.{n & 255}", 5060), 0.0)
        throttle.succeeded(f"u{n}", HERE)
    assert len(throttle) <= 200
