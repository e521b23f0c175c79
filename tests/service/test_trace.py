"""`callcore sip-trace` on a running engine: ladders, captures, masks, and no cost without it."""

import asyncio
import io
import json
import os
import shutil
import signal
import struct
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.console import Console

from callcore.io.trace import MOST_WAITING, Tracer
from phones.engine import ROOT, Engine
from phones.plan import EnginePlan
from phones.raw import RawEnd
from phones.sipp import free_port
from service.ladder import Ladder, Seen
from service.pcap import PcapWriter, checksum
from tests.callcore.stage import Peer, Stage

CALLER = "13800138000"


def seen(**changes) -> Seen:
    made = {
        "at_us": 1_700_000_000_000_001,
        "direction": "in",
        "transport": "udp",
        "local": ("127.0.0.1", 5060),
        "remote": ("192.0.2.1", 5080),
        "sip_call_id": "a@b",
        "call": None,
        "data": OPTIONS,
    }
    return Seen(**{**made, **changes})


OPTIONS = (
    b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1"
    b"\r\nTo: <sip:h>\r\nCall-ID: a@b\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def test_nobody_taps_until_somebody_traces_and_nobody_after():
    async def look() -> None:
        stage = Stage()
        tracer = Tracer(stage.engine)
        assert stage.engine.reception.tap is None
        woken = []
        one, other = tracer.open(lambda: woken.append(1)), tracer.open(lambda: None)
        Peer(stage, "10.0.0.1").send("OPTIONS")
        await asyncio.sleep(0)
        assert [packet.direction for packet in one.take()] == ["in", "out"]
        assert one.take() == []
        assert woken == [1, 1]
        one.close()
        assert stage.engine.reception.tap is not None
        for _ in range(MOST_WAITING):
            Peer(stage, "10.0.0.1").send("OPTIONS")
        assert len(other.take()) == MOST_WAITING
        assert other.dropped == MOST_WAITING + 2
        other.close()
        other.close()
        assert stage.engine.reception.tap is None

    asyncio.run(look())


def test_a_ladder_has_a_column_for_each_end():
    ladder = Ladder()
    first = ladder.lines(seen())
    assert "192.0.2.1:5080" in first[0].plain
    assert "OPTIONS sip:h" in first[1].plain
    assert "<" in first[1].plain
    again = ladder.lines(seen(direction="out", data=b"SIP/2.0 200 OK\r\nCSeq: 1 OPTIONS\r\n\r\n"))
    assert len(again) == 1
    assert "200 OK (OPTIONS)" in again[0].plain
    assert again[0].plain.rstrip().endswith(">│") or ">" in again[0].plain
    third = ladder.lines(seen(transport="tls", remote=("2001:db8::1", 5061)))
    assert "tls [2001:db8::1]:5061" in third[0].plain


def test_what_strangers_send_does_not_steer_the_terminal():
    out = io.StringIO()
    for line in Ladder().lines(seen(data=b"\x1b[2JFOO \x07sip:h[/red] SIP/2.0\r\n\r\n")):
        Console(file=out, width=200).print(line)
    assert "\x1b" not in out.getvalue()
    assert "\x07" not in out.getvalue()


def test_checksums_are_right():
    """RFC 1071: over data with its checksum the sum is zero."""
    data = b"\x45\x00\x00\x1c"
    assert checksum(data + struct.pack("!H", checksum(data))) == 0


async def tshark(path: Path, *fields: str) -> list[list[str]]:
    program = shutil.which("tshark")
    assert program, "install tshark: apt install tshark"
    process = await asyncio.create_subprocess_exec(
        program,
        *("-r", str(path), "-Y", "sip", "-T", "fields", "-o", "udp.check_checksum:TRUE"),
        *("-o", "tcp.check_checksum:TRUE"),
        *(part for field in fields for part in ("-e", field)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return [line.split("\t") for line in out.decode().splitlines()]


@pytest.mark.interop
async def test_wireshark_reads_every_transport_and_both_families(tmp_path: Path) -> None:
    path = tmp_path / "all.pcap"
    with path.open("wb") as file:
        writer = PcapWriter(file)
        for transport in ("udp", "tcp", "tls", "wss"):
            writer.write(seen(transport=transport))
            writer.write(seen(transport=transport, direction="out"))
        six = {"local": ("::1", 5060), "remote": ("2001:db8::1", 5060)}
        writer.write(seen(**six))
        writer.write(seen(transport="tcp", **six))
    read = await tshark(path, "sip.Method", "sip.Call-ID", "udp.checksum.status")
    assert len(read) == 10
    assert {tuple(line[:2]) for line in read} == {("OPTIONS", "a@b")}
    assert {line[2] for line in read} == {"1", ""}  # good, or TCP


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[tuple[Engine, EnginePlan]]:
    plan = EnginePlan(tmp_path, free_port(), free_port("tcp"), seats=1, media_ports=(22000, 22998))
    config = plan.write()
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[http]\n", '[http]\ntoken = "secret-token"\n'), "utf-8")
    with (tmp_path / "engine.log").open("wb") as log:
        async with Engine(config, log, tmp_path) as engine:
            yield engine, plan


async def begin(folder: Path, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service.cli", "sip-trace", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300"},
    )


class Trace:
    """`callcore sip-trace` in a process: what it has drawn so far, ended by Ctrl-C."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options, self.drawn = folder, options, ""

    async def __aenter__(self) -> "Trace":
        self.process = await begin(self.folder, *self.options)
        await self.shows("tracing")
        return self

    async def shows(self, text: str, times: int = 1) -> None:
        """Until it has drawn this so often."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while self.drawn.count(text) < times:
                line = await self.process.stdout.readline()
                assert line, f"it ended without {text!r}: {self.drawn}"
                self.drawn += line.decode()

    async def __aexit__(self, kind: object, *_: object) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT if kind is None else signal.SIGKILL)
        rest, _ = await asyncio.wait_for(self.process.communicate(), 30)
        self.drawn += rest.decode()
        assert kind is not None or self.process.returncode == 0, self.drawn


async def refused(folder: Path, *options: str) -> str:
    """What it says when it fails at once."""
    process = await begin(folder, *options)
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    return said.decode()


@pytest.mark.interop
async def test_a_call_is_drawn_masked_and_captured(engine, tmp_path: Path) -> None:
    running, plan = engine
    where = ("127.0.0.1", plan.sip_port)
    capture = tmp_path / "call.pcap"
    wrong = ("--url", running.http, "--token", "wrong")
    assert "a token is needed" in await refused(tmp_path, *wrong)
    config = ("-c", str(running.config))
    seat, caller = RawEnd("8001", 1900, 1150), RawEnd(CALLER, 1150, 1900)
    async with (
        Trace(tmp_path, *config, "--write", str(capture)) as masked,
        Trace(tmp_path, *config, "--reveal", "--full") as revealed,
    ):
        await seat.open("127.0.0.3")
        await caller.open("127.0.0.2")
        assert await seat.register(where, "hotline.local", "secret-8001") == 200
        accepting = asyncio.create_task(seat.accept())
        call = await caller.place(where, "12345", CALLER)
        await accepting
        await caller.hang_up(call)
        await masked.shows("200 OK (BYE)", 2)
        await revealed.shows("200 OK (BYE)", 2)
    seat.close()
    caller.close()
    drawn, shown = masked.drawn, revealed.drawn
    for part in ("REGISTER sip:hotline.loc", "401 Unauthorized (REG", "INVITE sip:12345"):
        assert part in drawn, drawn
    for part in ("180 Ringing", "200 OK (INVITE)", "ACK", "BYE", "127.0.0.2:", "127.0.0.3:"):
        assert part in drawn, drawn
    assert CALLER not in drawn
    assert CALLER in shown
    read = await tshark(capture, "sip.Method", "sip.Status-Code", "sip.from.user")
    assert {"REGISTER", "INVITE", "ACK", "BYE"} <= {line[0] for line in read}
    assert {"401", "200", "180"} <= {line[1] for line in read}
    assert CALLER not in capture.read_bytes().decode("latin-1")
    log = [json.loads(line) for line in (tmp_path / "engine.log").read_bytes().splitlines()]
    assert [line["by"] for line in log if line["event"] == "sip trace revealed"] == [
        "operator at 127.0.0.1"
    ]


def latest_call(url: str) -> str:
    """The id of the newest call."""
    headers = {"Authorization": "Bearer secret-token"}
    request = urllib.request.Request(f"{url}/api/v1/calls", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return str(json.load(answer)[0]["call_id"])


@pytest.mark.interop
async def test_one_call_is_followed_over_both_its_legs(engine, tmp_path: Path) -> None:
    running, plan = engine
    where = ("127.0.0.1", plan.sip_port)
    seat, caller = RawEnd("8001", 1900, 1150), RawEnd(CALLER, 1150, 1900)
    await seat.open("127.0.0.3")
    await caller.open("127.0.0.2")
    assert await seat.register(where, "hotline.local", "secret-8001") == 200
    accepting = asyncio.create_task(seat.accept())
    call = await caller.place(where, "12345", CALLER)
    await accepting
    ours = await asyncio.to_thread(latest_call, running.http)
    async with Trace(tmp_path, "-c", str(running.config), "--call", ours) as one:
        assert await seat.register(where, "hotline.local", "secret-8001") == 200
        await caller.hang_up(call)
        await one.shows("200 OK (BYE)", 2)
    seat.close()
    caller.close()
    drawn = one.drawn
    assert "127.0.0.2:" in drawn
    assert "127.0.0.3:" in drawn
    assert "REGISTER" not in drawn


async def test_without_an_engine_it_is_one_line(tmp_path: Path) -> None:
    said = await refused(tmp_path, "--url", f"http://127.0.0.1:{free_port('tcp')}")
    assert said.count("\n") == 1
    assert "cannot be asked" in said
