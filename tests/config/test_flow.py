"""A queue's flow in one list: what it stands for, and what it may not say."""

import pytest

from config.loader import ConfigError, loads
from config.queues import OverflowStep, Queue

SEAT = '[[seats]]\nuser = "8001"\npassword = "secret-8001"\n'
FLOW = """
[[queues]]
name = "12345"
flow = [
  { step = "announce", play = "welcome.wav" },
  { step = "queue", music = "hold.wav" },
  { step = "overflow", target = "mobile", after_seconds = 3, when = "predicted" },
  { step = "overflow", target = "city", after_seconds = 60, number = "055112345" },
  { step = "survey" },
]
"""


def queue(text: str) -> Queue:
    return loads(SEAT + text).queues[0]


def test_a_flow_is_the_keys_that_it_stands_for():
    said = queue(FLOW)
    assert (said.announcement, said.music, said.survey) == ("welcome.wav", "hold.wav", True)
    assert said.overflow_mobile_after_seconds == 0
    assert said.overflow == (
        OverflowStep(target="mobile", after_seconds=3, when="predicted"),
        OverflowStep(target="city", after_seconds=60, number="055112345"),
    )


def test_the_shortest_flow_is_a_queue_in_silence_that_asks_nothing():
    said = queue('[[queues]]\nname = "12345"\nflow = [{ step = "queue" }]')
    assert (said.announcement, said.music, said.survey, said.overflow) == ("", "", False, ())


def test_without_a_flow_the_keys_hold():
    said = queue('[[queues]]\nname = "12345"\nsurvey = false')
    assert (said.announcement, said.survey) == ("welcome.wav", False)
    assert said.overflow_mobile_after_seconds == 3


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ('flow = [{ step = "survey" }, { step = "queue" }]', "in the order announce, queue"),
        ('flow = [{ step = "queue" }, { step = "queue" }]', "a step queue once at most"),
        ('flow = [{ step = "announce", play = "a.wav" }]', "with a step queue among them"),
        ('flow = [{ step = "menu" }, { step = "queue" }]', "announce"),
        ('flow = [{ step = "queue", play = "a.wav" }]', "a step queue with music"),
        ('flow = [{ step = "queue" }]\nsurvey = true', "leave survey out"),
        (
            'flow = [{ step = "queue" }, { step = "overflow", target = "city" }]',
            "target city needs a number",
        ),
    ],
)
def test_what_a_flow_may_not_say(lines, why):
    with pytest.raises(ConfigError) as caught:
        loads(f'{SEAT}[[queues]]\nname = "12345"\n{lines}')
    assert len(caught.value.mistakes) == 1
    assert why in str(caught.value.mistakes[0])
