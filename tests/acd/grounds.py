"""Where a walk through the core takes place: two queues, five people, settings by number."""

from acd.settings import (
    AcdSettings,
    AffinitySettings,
    AgentSettings,
    CallbackSettings,
    OverflowStep,
    QueueSettings,
    Rule,
    StateLimits,
    Widening,
)

AGENTS = (
    AgentSettings("8001", ("a",), mobile="13900000001"),
    AgentSettings("8002", ("a", "b"), (5, 7)),
    AgentSettings("8003", ("b",), mobile="13900000003"),
    AgentSettings("8004", ()),
    AgentSettings("8014", (), supervisor=True),
)
USERS = tuple(one.user for one in AGENTS)
QUEUES = ("one", "two")
CAP = {"one": 120_000, "two": 40_000}
STOPS = ("bridged", "accepted", "greeted")
POLICIES = ("fifo", "priority", "answer_in_time", "skills")
MOST = 12  # calls at once: enough for every kind of crowd
WAITS = (0, 0, 200, 500, 500, 1000, 1000, 1000, 3000, 3000, 5000, 14_000, 15_001, 20_000, 60_000,
         125_000)  # fmt: skip


def made(code):
    """Settings by number: every combination that matters is some walk's."""
    one = QueueSettings(
        "one",
        policy=POLICIES[code % 4],
        skills=("a",),
        wrap_up_seconds=(0, 10)[code // 4 % 2],
        max_wait_seconds=(300, 30)[code // 8 % 2],
        rule=Rule(stop=STOPS[code // 16 % 3]),
        reserve_agents=code // 48 % 2,
        overflow=(
            OverflowStep("mobile", 3, "predicted"),
            OverflowStep("supervisor", 8, "predicted"),
            OverflowStep("callback", 10),
            OverflowStep("city", 20, address="055112345"),
            OverflowStep("message", 90, address="busy.wav"),
        )[: 2 + code // 96 % 4],
        callback=CallbackSettings(
            1 + code % 2, 2, 60, ("agent_first", "citizen_first")[code % 2], 30, 480, 1200
        ),
        affinity=AffinitySettings(3600, 20, 3, 600),
        announce_seconds=20,
    )
    two = QueueSettings(
        "two",
        policy="fifo",
        promotion_seconds=40,
        max_wait_seconds=0,
        wrap_up_seconds=3,
        widening=(Widening(30, ()),),
        overflow=(OverflowStep("callback", 5), OverflowStep("mobile", 6)),
        callback=CallbackSettings(),
    )
    limits = StateLimits(ready_seconds=600, reasons=(("lunch", 0),))
    return AcdSettings((one, two), AGENTS, limits=limits, kept_calls=1_000_000)
