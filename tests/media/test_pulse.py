"""A process that is stuck is told from one that gets no processor."""

import os
import signal
import subprocess
import sys

import pytest

from media.io.pulse import PATIENCE_SECONDS, Pulse, Usage, usage_of

LIMIT = 1.2


def judged(*looks: tuple[float, str, int]) -> list[bool]:
    """Seconds of silence, state and ticks of each look."""
    seen: list[Usage] = []
    pulse = Pulse(lambda _: seen[-1])
    verdicts = []
    for silent, state, ticks in looks:
        seen.append(Usage(state, ticks))
        verdicts.append(pulse.is_stuck(1, silent, LIMIT))
    return verdicts


@pytest.mark.parametrize(
    ("what", "looks"),
    [
        ("turns in a loop", [(0.9, "R", 10), (1.2, "R", 40), (1.5, "R", 70)]),
        ("waits for something", [(0.9, "S", 10), (1.2, "S", 10), (1.5, "S", 10)]),
        ("was stopped", [(0.9, "T", 10), (1.2, "T", 10), (1.5, "T", 10)]),
    ],
)
def test_a_stuck_process_is_found_at_the_limit(what: str, looks: list[tuple[float, str, int]]):
    assert judged(*looks) == [False, False, True], what


def test_who_gets_no_processor_is_waited_for_and_not_for_ever():
    looks = [(0.9, "R", 10), (1.2, "R", 10), (1.5, "R", 10), (9, "R", 10)]
    assert judged(*looks, (PATIENCE_SECONDS + 1, "R", 10)) == [False] * 4 + [True]


def test_who_ran_since_the_last_look_and_said_nothing_is_stuck():
    assert judged((0.9, "R", 10), (1.2, "R", 10), (1.5, "R", 11)) == [False, False, True]


def test_a_sign_of_life_begins_it_anew():
    assert judged((0.9, "R", 10), (0.1, "R", 10), (1.5, "R", 10)) == [False, False, True]


def test_a_process_that_cannot_be_looked_at_is_judged_by_its_silence():
    pulse = Pulse(lambda _: None)
    assert [pulse.is_stuck(1, silent, LIMIT) for silent in (0.9, 1.2, 1.5)] == [False, False, True]


def test_what_the_system_tells_of_a_process():
    used = usage_of(os.getpid())
    assert used is not None
    assert used.state == "R"
    assert used.ticks > 0
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        stopped = usage_of(child.pid)
        assert stopped is not None
        assert stopped.state == "T"
        child.kill()
    assert usage_of(child.pid) is None
