"""Real worker processes, real sockets: who hears what."""

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from media import events
from media.errors import LocalProtocolError
from media.g711 import decode
from media.io.plane import Remote
from tests.media.phones import Exchange, Phone, exchange, power


async def test_two_parties_hear_each_other_and_not_themselves():
    async with exchange() as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        assert power(a.audio(20), 440) < 0.01


async def test_a_law_and_mu_law_are_bridged_by_table():
    async with exchange() as it:
        a, b = it.phone("a", 440, "PCMA"), it.phone("b", 1000, "PCMU")
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))


async def test_three_parties_hear_both_others_but_not_themselves():
    async with exchange() as it:
        tones = {"a": 440, "b": 1000, "c": 1700}
        phones = {leg: it.phone(leg, hertz) for leg, hertz in tones.items()}
        it.plane.bridge("room", ("a", "b", "c"))
        for leg, phone in phones.items():
            others = [hertz for name, hertz in tones.items() if name != leg]
            for hertz in others:
                await phone.hears(hertz, share=0.4)
            assert power(phone.audio(20), tones[leg]) < 0.01


async def test_prompts_then_music_are_heard_and_stop_for_the_bridge():
    async with exchange() as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.play("a", ("busy",))
        await it.wait(events.PromptsFinished)
        assert power(a.audio(35), 450) > 0.3
        it.plane.play("a", ("busy", "hold"), loop_last=True)
        await a.until(lambda: len(a.packets) > 120)
        assert np.abs(a.audio(20).astype(int)).mean() > 50
        it.plane.bridge("call", ("a", "b"))
        await b.hears(440)
        it.plane.stop_play("a")
        await a.hears(1000)


async def test_a_held_party_hears_music_and_is_not_heard():
    async with exchange() as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        it.plane.connect("a", a.remote(direction="sendonly"))
        it.plane.play("a", ("busy",), loop_last=True)
        await a.hears(450, share=0.3)
        await b.until(lambda: not b.audio(10).astype(bool)[np.abs(b.audio(10)) > 8].any())
        it.plane.connect("a", a.remote(direction="inactive"))
        count = len(b.packets)
        await b.until(lambda: len(b.packets) > count + 20)
        silent_since = len(a.packets)
        await b.until(lambda: len(b.packets) > count + 40)
        assert len(a.packets) == silent_since


async def test_a_recording_holds_each_tone_on_its_side_aligned(tmp_path: Path):
    async with exchange(sink_arguments={"folder": str(tmp_path)}) as it:
        a, b = it.phone("a", 440), it.phone("b", 1000, "PCMU")
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        it.plane.record("rec", "a", "b", {"call_id": "x"})
        count = len(a.packets)
        await a.until(lambda: len(a.packets) > count + 60)
        it.plane.stop_record("rec")
        await it.wait(events.RecordingClosed)
    files = sorted((tmp_path / "rec").glob("*.alaw"))
    assert (tmp_path / "rec" / "closed").exists()
    expected = 0
    for file in files:  # no frame is missing, none is there twice
        assert int(file.name.split(".")[0]) == expected
        expected += len(file.read_bytes()) // 320
    codes = np.frombuffer(b"".join(f.read_bytes() for f in files), np.uint8).reshape(-1, 2, 160)
    assert len(codes) >= 50
    left, right = (decode(codes[:, side].copy(), 0).ravel() for side in (0, 1))
    # A sender that this machine held up for a moment breaks its tone's phase, no more.
    assert power(left, 440) > 0.7
    assert power(left, 1000) < 0.01
    assert power(right, 1000) > 0.7
    assert power(right, 440) < 0.01


async def test_a_full_disk_is_told_once_and_the_call_goes_on(tmp_path: Path):
    changes = {"sink": "tests.media.sinks:FullSink", "sink_arguments": {"folder": str(tmp_path)}}
    async with exchange(**changes) as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.bridge("call", ("a", "b"))
        it.plane.record("rec", "a", "b", {})
        (failed,) = await it.wait(events.SinkFailed)
        assert "No space left" in failed.why
        await asyncio.gather(a.hears(1000), b.hears(440))
        it.plane.stop_record("rec")
        await it.wait(events.RecordingClosed)
        assert len(await it.wait(events.SinkFailed)) == 1


async def test_a_stranger_is_not_heard_and_is_counted():
    async with exchange() as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        stranger = Phone(2000)
        it.phones.append(stranger)
        stranger.talk(a.target[1])
        count = len(b.packets)
        await b.until(lambda: len(b.packets) > count + 40)
        assert power(b.audio(40), 2000) < 0.01
        assert not stranger.packets
        it.plane.close("a")
        (closed,) = await it.wait(events.LegClosed)
        assert closed.stats.strangers > 20
        assert closed.stats.lost == 0


async def test_silence_is_told_once_and_only_where_somebody_should_speak():
    async with exchange(rtp_timeout_seconds=0.6) as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.connect("b", b.remote(direction="sendonly"))
        await it.wait(events.RtpStarted)
        await asyncio.gather(a.hush(), b.hush())
        await it.wait(events.RtpTimeout)
        count = len(b.packets)
        await b.until(lambda: len(b.packets) > count + 50)
        assert await it.wait(events.RtpTimeout) == [events.RtpTimeout("a")]


async def test_a_key_press_is_told_once_and_relayed():
    async with exchange() as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.connect("b", b.remote(dtmf_payload_type=96))
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        await a.hush()
        for number in range(8):
            end = 0x80 if number >= 5 else 0
            duration = min(800, 160 * (number + 1))
            payload = bytes([5, end | 10]) + duration.to_bytes(2, "big")
            await b.tick()
            a.send(a.packet(payload, 101, marker=number == 0))
            a.sequence = (a.sequence + 1) & 0xFFFF
        assert await it.wait(events.Dtmf) == [events.Dtmf("a", "5", 100)]

        def relayed() -> list[bytes]:
            return [data for _, data in b.packets if data[1] & 0x7F == 96]

        await b.until(lambda: len(relayed()) == 8)
        assert [data[1] >= 0x80 for data in relayed()] == [True] + [False] * 7
        assert len({data[4:8] for data in relayed()}) == 1
        a.timestamp = (a.timestamp + 1600) & 0xFFFFFFFF
        a.talk(a.target[1])
        await b.hears(440)
        numbers = [int.from_bytes(data[2:4], "big") for _, data in b.packets]
        steps = np.diff(np.array(numbers)) % 65536
        assert (steps == 1).all()
        assert len(await it.wait(events.Dtmf)) == 1


async def test_bad_input_costs_nobody_anything():
    async with exchange() as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        count = len(b.packets)
        good = a.packet(a.frame())
        bad = [
            b"",
            b"\x80",
            good[:11],
            b"\x40" + good[1:],
            b"\x8f" + good[1:40],
            b"\x90" + good[1:12] + b"\xbe\xde\xff\xff",
            b"\xa0" + good[1:-1] + b"\xff",
            good + b"x" * 1200,
            good[:12],
        ]
        for data in [*bad, a.packet(a.frame(), kind=18)]:
            await b.tick()
            a.send(data)
        await b.until(lambda: len(b.packets) > count + 25)
        await b.hears(440)
        it.plane.close("a")
        (closed,) = await it.wait(events.LegClosed)
        assert (closed.stats.malformed, closed.stats.unnegotiated) == (len(bad), 1)


async def test_a_flood_is_cut_and_the_others_do_not_notice():
    async with exchange() as it:
        a, b, c = it.phone("a", 440), it.phone("b", 1000), it.phone("c", 1700)
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        for _ in range(50):
            for _ in range(10):
                c.send()
            count = len(a.packets)
            await a.until(lambda count=count: len(a.packets) > count)
        await a.hears(1000)
        it.plane.close("c")
        (closed,) = await it.wait(events.LegClosed)
        assert closed.stats.flooded > 10


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_worker_that_dies_or_hangs_is_replaced(death: signal.Signals):
    async with exchange(heartbeat_timeout_seconds=1.2) as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        (pid,) = it.plane.stats().pids
        os.kill(pid, death)
        (lost,) = await it.wait(events.WorkerLost)
        assert sorted(lost.legs) == ["a", "b"]
        c, d = it.phone("c", 600), it.phone("d", 1300)
        it.plane.bridge("again", ("c", "d"))
        await asyncio.gather(c.hears(1300), d.hears(600))
        assert it.plane.stats().pids != (pid,)


async def test_a_bridge_across_workers_is_our_mistake():
    async with exchange(workers=2) as it:
        it.phone("a", 440)
        it.phone("b", 1000)
        it.phone("c", 1000, near="a")
        with pytest.raises(LocalProtocolError, match="one worker"):
            it.plane.bridge("call", ("a", "b"))
        it.plane.bridge("call", ("a", "c"))


async def test_a_burst_of_commands_is_obeyed_in_order():
    """More than a socket buffer takes at once: none is lost, none overtakes another."""
    async with exchange() as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        for _ in range(3000):
            it.plane.bridge("call", ("a", "b"))
            it.plane.play("a", ("welcome", "hold"), loop_last=True)
            it.plane.unbridge("call")
            it.plane.stop_play("a")
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))


async def test_ports_rest_before_they_serve_again():
    async with exchange(port_quarantine_seconds=60) as it:
        before = it.plane.stats().free_ports
        first = it.plane.open("a")
        it.plane.close("a")
        await it.wait(events.LegClosed)
        assert it.plane.open("a") != first
        for number in range(before - 2):
            it.plane.open(f"leg-{number}")
        with pytest.raises(LocalProtocolError, match="no RTP port"):
            it.plane.open("one too many")


async def test_sound_flows_both_ways_60_ms_after_the_bridge():
    async with exchange() as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        loop = asyncio.get_running_loop()
        await it.wait(events.RtpStarted, 2)
        delays = []
        for _ in range(9):
            for phone in (a, b):
                await phone.until(lambda phone=phone: quiet(phone))
            since = loop.time()
            it.plane.bridge("call", ("a", "b"))
            await asyncio.gather(*(phone.until(lambda p=phone: not quiet(p)) for phone in (a, b)))
            delays.append(loop.time() - since)
            it.plane.unbridge("call")
        assert sorted(delays)[4] < 0.06, delays  # the median: the machine may be busy for once


def quiet(phone: Phone) -> bool:
    return len(phone.packets) > 2 and np.abs(phone.audio(1).astype(int)).max() <= 8


async def test_a_worker_ends_with_its_parent_and_saves_what_it_holds(tmp_path: Path):
    async with exchange(sink_arguments={"folder": str(tmp_path)}) as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        it.plane.record("rec", "a", "b", {"call_id": "x"})
        count = len(a.packets)
        await a.until(lambda: len(a.packets) > count + 20)
    assert (tmp_path / "rec" / "closed").exists()
    assert sum(len(f.read_bytes()) for f in (tmp_path / "rec").glob("*.alaw")) >= 15 * 320


async def test_a_plane_whose_worker_cannot_start_says_so():
    it = Exchange(sink="tests.media.sinks:Missing")
    with pytest.raises(RuntimeError, match="does not start"):
        await it.plane.start()


async def test_a_leg_with_a_name_for_an_address_is_our_mistake():
    async with exchange() as it:
        it.plane.open("a")
        with pytest.raises(LocalProtocolError, match="not an IP address"):
            it.plane.connect("a", Remote("example.org", 4000, "PCMA", 8))


async def test_a_moved_party_is_heard_from_its_new_address():
    async with exchange() as it:
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        moved = Phone(1700)
        it.phones.append(moved)
        it.plane.connect("a", moved.remote())
        moved.talk(a.target[1])
        await asyncio.gather(moved.hears(1000), b.hears(1700))
