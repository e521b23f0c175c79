"""Who hears whom in each mode, by the audio of real workers: every party is a tone of its own."""

from pathlib import Path

import numpy as np

from media import events
from media.g711 import decode
from media.matrix import Party, Role, matrix, sides
from tests.media.phones import Exchange, exchange, power

TONES = {"caller": 440, "agent": 1000, "boss": 1700, "third": 2300}
SILENT = 8  # the largest sample of G.711's silence
WINDOW = 20  # packets

CALLER, AGENT = Party("caller", Role.CALLER), Party("agent", Role.AGENT)
THIRD = Party("third", Role.THIRD)


def boss(role: Role) -> Party:
    return Party("boss", role)


def heard_by(it: Exchange, leg: str) -> set[str]:
    """The parties whose tones are in the last packets that came; by correlation with each."""
    audio = it.phones[list(TONES).index(leg)].audio(WINDOW)
    if np.abs(audio.astype(int)).max() <= SILENT:
        return set()
    shares = {name: power(audio, hertz) for name, hertz in TONES.items()}
    return {name for name, share in shares.items() if share > 0.05}


async def until_heard(it: Exchange, expected: dict[str, str]) -> None:
    """Each party hears exactly these others; "" is silence."""
    for leg, names in expected.items():
        phone = it.phones[list(TONES).index(leg)]
        others = set(names.split())
        await phone.until(
            lambda phone=phone, leg=leg, others=others: (
                len(phone.packets) > WINDOW and heard_by(it, leg) == others
            )
        )


def callers(it: Exchange, *legs: str) -> None:
    for leg in legs:
        it.phone(leg, TONES[leg])


async def test_each_mode_is_heard_by_whom_it_should_be_and_by_nobody_else():
    async with exchange() as it:
        callers(it, *TONES)
        modes = [
            ([CALLER, AGENT], {"caller": "agent", "agent": "caller", "boss": "", "third": ""}),
            (
                [CALLER, AGENT, boss(Role.MONITOR)],
                {"caller": "agent", "agent": "caller", "boss": "caller agent"},
            ),
            (
                [CALLER, AGENT, boss(Role.WHISPER)],
                {"caller": "agent", "agent": "caller boss", "boss": "caller agent"},
            ),
            (
                [CALLER, AGENT, boss(Role.BARGE)],
                {"caller": "agent boss", "agent": "caller boss", "boss": "caller agent"},
            ),
            (
                [CALLER, AGENT, THIRD, boss(Role.WHISPER)],
                {
                    "caller": "agent third",
                    "agent": "caller third boss",
                    "third": "caller agent",
                    "boss": "caller agent third",
                },
            ),
            (
                [CALLER, Party("agent", Role.AGENT, muted=True), THIRD],
                {"caller": "third", "agent": "caller third", "third": "caller", "boss": ""},
            ),
        ]
        for parties, expected in modes:
            it.plane.confer("call", parties)
            await until_heard(it, expected)


async def test_the_conversation_has_no_gap_while_modes_are_switched():
    """The agent's ear, over twelve switches: one unbroken tone in packets without a hole."""
    async with exchange() as it:
        callers(it, "caller", "agent", "boss")
        it.plane.confer("call", [CALLER, AGENT])
        await until_heard(it, {"caller": "agent", "agent": "caller"})
        caller, agent = it.phones[:2]
        start = len(caller.packets)
        for role in (Role.MONITOR, Role.WHISPER, Role.MONITOR, Role.WHISPER) * 3:
            it.plane.confer("call", [CALLER, AGENT, boss(role)])
            count = len(caller.packets)
            await caller.until(lambda count=count: len(caller.packets) >= count + 4)
        audio = caller.audio(len(caller.packets) - start).astype(int)
        frames = np.abs(audio.reshape(-1, 160)).max(axis=1)
        assert frames.min() > 7000, frames  # not one frame without the agent's voice
        assert heard_by(it, "caller") == {"agent"}
        numbers = [int.from_bytes(data[2:4], "big") for _, data in agent.packets]
        assert set(np.diff(numbers) % 65536) == {1}


async def test_one_party_hears_music_while_the_others_talk():
    async with exchange() as it:
        callers(it, "caller", "agent", "boss", "third")
        held = Party("caller", Role.CALLER, held=True)
        it.plane.confer("call", [held, AGENT, THIRD], music="busy")
        caller = it.phones[0]
        await until_heard(it, {"agent": "third", "third": "agent"})
        await caller.until(lambda: power(caller.audio(10), 450) > 0.9)
        it.plane.confer("call", [CALLER, AGENT, THIRD], music="busy")
        expected = {"caller": "agent third", "agent": "caller third", "third": "caller agent"}
        await until_heard(it, expected)


async def test_a_prompt_for_one_leg_leaves_the_others_talking():
    async with exchange() as it:
        callers(it, "caller", "agent", "boss")
        it.plane.confer("call", [CALLER, AGENT, boss(Role.BARGE)])
        await until_heard(it, {"caller": "agent boss", "agent": "caller boss"})
        it.plane.play("agent", ("busy",))
        agent = it.phones[1]
        await agent.until(lambda: power(agent.audio(10), 450) > 0.9)
        assert heard_by(it, "caller") == {"agent", "boss"}
        assert heard_by(it, "boss") == {"caller", "agent"}
        await it.wait(events.PromptsFinished)
        await until_heard(it, {"agent": "caller boss"})


async def test_a_louder_party_is_louder_by_so_many_decibels():
    async with exchange() as it:
        callers(it, "caller", "agent")
        it.plane.confer("call", [CALLER, Party("agent", Role.AGENT, gain_db=-12)])
        caller, agent = it.phones
        await caller.until(lambda: len(caller.packets) > 60)
        levels = [float(np.std(phone.audio(WINDOW).astype(float))) for phone in (caller, agent)]
        assert 11.5 < 20 * np.log10(levels[1] / levels[0]) < 12.5


async def test_a_recording_of_three_has_the_caller_left_and_all_others_right(tmp_path: Path):
    async with exchange(sink_arguments={"folder": str(tmp_path)}) as it:
        callers(it, "caller", "agent", "boss", "third")
        parties = [CALLER, AGENT]
        it.plane.confer("call", parties)
        await until_heard(it, {"caller": "agent", "agent": "caller"})
        it.plane.record("rec", *sides(parties), header={})
        for more in (THIRD, boss(Role.MONITOR)):
            parties.append(more)
            it.plane.confer("call", parties)
            it.plane.tap("rec", *sides(parties))
        await until_heard(it, {"caller": "agent third"})
        third = it.phones[3]
        count = len(third.packets)
        await third.until(lambda: len(third.packets) > count + 60)
        it.plane.stop_record("rec")
        await it.wait(events.RecordingClosed)
    left, right = recorded(tmp_path / "rec")
    assert power(left[-8000:], 440) > 0.9
    shares = [power(right[-8000:], hertz) for hertz in TONES.values()]
    assert shares[0] < 0.01
    assert shares[1] > 0.3
    assert shares[2] < 0.01
    assert shares[3] > 0.3


async def test_what_is_said_in_private_is_not_on_the_recording(tmp_path: Path):
    async with exchange(sink_arguments={"folder": str(tmp_path)}) as it:
        callers(it, "caller", "agent")
        caller = it.phones[0]
        it.plane.confer("call", [CALLER, AGENT])
        await until_heard(it, {"caller": "agent", "agent": "caller"})
        it.plane.record("rec", "caller", "agent", {})
        for act in (
            lambda: None,
            lambda: it.plane.pause_record("rec"),
            lambda: it.plane.resume_record("rec"),
        ):
            act()
            count = len(caller.packets)
            await caller.until(lambda count=count: len(caller.packets) >= count + 30)
        assert heard_by(it, "caller") == {"agent"}
        it.plane.stop_record("rec")
        await it.wait(events.RecordingClosed)
    for side in recorded(tmp_path / "rec"):
        loud = np.abs(side.astype(int).reshape(-1, 160)).max(axis=1) > SILENT
        changes = np.flatnonzero(np.diff(loud))
        assert len(changes) == 2, loud
        assert 25 <= changes[1] - changes[0] <= 40
    private = [int(path.suffixes[0][2:]) for path in blocks(tmp_path / "rec")]
    assert private[0] == 0
    assert 3 in private
    assert private[-1] == 0


def blocks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.alaw"))


def recorded(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    data = b"".join(path.read_bytes() for path in blocks(folder))
    frames = np.frombuffer(data, np.uint8).reshape(-1, 2, 160)
    return decode(frames[:, 0].ravel(), 0), decode(frames[:, 1].ravel(), 0)


async def test_gains_may_be_given_as_they_are():
    """One ear that hears another and is not heard back."""
    async with exchange() as it:
        callers(it, "caller", "agent")
        it.plane.bridge("call", ("caller", "agent"), ((0, 1), (0, 0)))
        await until_heard(it, {"caller": "agent", "agent": ""})
        it.plane.bridge("call", ("caller", "agent"), matrix([CALLER, AGENT]))
        await until_heard(it, {"caller": "agent", "agent": "caller"})
