"""Softphones in processes of their own, calling each other by address."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from phones.driver import Event, PhoneError, Softphone, SoftphoneOptions
from phones.tones import dominant

pytestmark = pytest.mark.interop


async def both(first: Softphone, second: Softphone, event: str, **match: object) -> list[Event]:
    return list(await asyncio.gather(first.wait(event, **match), second.wait(event, **match)))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_two_phones_hear_each_others_tone(tmp_path: Path, transport: str) -> None:
    low, high = tmp_path / "low.wav", tmp_path / "high.wav"
    caller = SoftphoneOptions(user="a", tone=440, record=high, transport=transport)
    callee = SoftphoneOptions(
        user="b", tone=660, record=low, transport=transport, auto_answer="0.05"
    )
    async with Softphone(caller) as a, Softphone(callee) as b:
        a.call(b.uri)
        incoming = await b.wait("incoming")
        assert incoming["live"] == 0
        await both(a, b, "media", status="active")
        await heard(a, packets=25)
        await heard(b, packets=25)
        a.send("hangup")
        ended = await both(a, b, "ended")
        assert [e["by"] for e in ended] == ["local", "remote"]
        assert all(e["received"] >= 25 for e in ended)
        await both(a, b, "recorded")
    assert abs(dominant(high) - 660) < 5
    assert abs(dominant(low) - 440) < 5


async def heard(phone: Softphone, packets: int) -> None:
    """Until the phone has received so many RTP packets."""
    while True:
        phone.send("stats")
        if (await phone.wait("stats"))["received"] >= packets:
            return


async def test_hold_resume_and_digits_reach_the_other_side() -> None:
    async with (
        Softphone(SoftphoneOptions(user="a", tone=440)) as a,
        Softphone(SoftphoneOptions(user="b", tone=660, auto_answer="0")) as b,
    ):
        a.call(b.uri)
        await both(a, b, "media", status="active")
        await a.wait("state", state="CONFIRMED")
        a.send("hold")
        await b.wait("media", status="remote_hold")
        await a.wait("media", status="local_hold")
        a.send("resume")
        await both(a, b, "media", status="active")
        a.send("dtmf", digits="7")
        assert (await b.wait("dtmf"))["digit"] == "7"


async def test_a_phone_that_is_told_to_refuses() -> None:
    async with (
        Softphone(SoftphoneOptions(user="a")) as a,
        Softphone(SoftphoneOptions(user="b", refuse=603)) as b,
    ):
        a.call(b.uri)
        ended = await a.wait("ended")
        assert (ended["code"], ended["by"]) == (603, "remote")


async def test_a_second_call_finds_the_phone_busy_and_is_told_as_live() -> None:
    async with (
        Softphone(SoftphoneOptions(user="a")) as a,
        Softphone(SoftphoneOptions(user="b", no_answer=True)) as b,
    ):
        a.call(b.uri, name="first")
        await a.wait("state", call="first", state="EARLY")
        a.call(b.uri, name="second")
        assert (await a.wait("ended", call="second"))["code"] == 486
        assert [e["live"] for e in b.events if e.name == "incoming"] == [0, 1]
        a.send("hangup", call="first")
        assert (await b.wait("ended", party=b.events[1]["from"]))["code"] == 486
        assert (await a.wait("ended", call="first"))["code"] == 487


async def test_each_call_can_show_a_number_of_its_own() -> None:
    async with (
        Softphone(SoftphoneOptions(user="trunk", address="127.0.0.2")) as a,
        Softphone(SoftphoneOptions(user="b", no_answer=True)) as b,
    ):
        number = "sip:13900000001@127.0.0.2"
        a.call(b.uri, **{"from": number, "asserted": number})
        incoming = await b.wait("incoming")
        assert incoming["from"] == incoming["asserted"] == f"<{number}>"


async def test_a_phone_talks_as_long_as_its_law_says() -> None:
    async with (
        Softphone(SoftphoneOptions(user="a")) as a,
        Softphone(SoftphoneOptions(user="b", auto_answer="0", talk="0.3")) as b,
    ):
        a.call(b.uri)
        ended = await a.wait("ended")
        assert ended["by"] == "remote"
        assert 0.2 < ended["talk_seconds"] < 0.6


async def test_a_phone_that_crashes_says_nothing_more() -> None:
    async with (
        Softphone(SoftphoneOptions(user="a")) as a,
        Softphone(SoftphoneOptions(user="b", auto_answer="0")) as b,
    ):
        a.call(b.uri)
        await a.wait("state", state="CONFIRMED")
        b.send("crash")
        assert await b.process.wait() == -9
        assert not any(e.name == "ended" for e in a.events)


async def test_sigterm_and_the_end_of_input_end_a_phone_in_order() -> None:
    by_signal, by_end = Softphone(SoftphoneOptions(user="a")), Softphone(SoftphoneOptions(user="b"))
    async with by_signal, by_end:
        by_signal.terminate()
        await by_signal.wait("bye")
        assert by_end.process.stdin is not None
        by_end.process.stdin.close()
        await by_end.wait("bye")
        assert [await p.process.wait() for p in (by_signal, by_end)] == [0, 0]


async def test_a_wrong_command_is_told_and_harms_nothing() -> None:
    async with Softphone(SoftphoneOptions(user="a")) as a:
        a.send("dance")
        assert "unknown command" in (await a.wait("error", do="dance"))["why"]
        a.send("hangup", call="nobody")
        assert "no call nobody" in (await a.wait("error", do="hangup"))["why"]


async def test_a_wait_in_vain_tells_what_the_phone_did() -> None:
    async with Softphone(SoftphoneOptions(user="a")) as a:
        with pytest.raises(PhoneError, match=r"no 'registered'.*within 0\.1 s") as told:
            await a.wait("registered", 0.1)
        assert "started" in str(told.value)


async def test_a_script_calls_and_hangs_up(tmp_path: Path) -> None:
    async with Softphone(SoftphoneOptions(user="b", auto_answer="0")) as b:
        steps = [{"do": "call", "to": b.uri}, {"wait": "media"}, {"sleep": 0.1}, {"do": "hangup"}]
        script = tmp_path / "steps"
        script.write_text("\n".join(map(json.dumps, steps)), encoding="utf-8")
        async with Softphone(SoftphoneOptions(user="a", script=script)) as a:
            assert (await a.wait("ended"))["by"] == "local"


async def test_an_idle_phone_does_not_turn_in_circles() -> None:
    """Fourteen of them and the callers run on one core; a busy loop would cost all of it."""
    async with Softphone(SoftphoneOptions(user="a")) as a:
        before, waited = ticks(a.pid), 1.0
        with pytest.raises(PhoneError):
            await a.wait("registered", waited)
        assert (ticks(a.pid) - before) / os.sysconf("SC_CLK_TCK") / waited < 0.3


def ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
