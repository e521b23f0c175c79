"""SIPp calls a tiny program of ours over UDP and TCP, and hangs up."""

import asyncio
import shutil
import socket
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLS = 20

pytestmark = pytest.mark.interop


def free_port() -> int:
    """A UDP and TCP port that nobody has bound now; SIPp wants to be told one."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        port: int = tcp.getsockname()[1]
        return port


async def run(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(40):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")


@pytest.fixture
async def answering():
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.interop.answering",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    ready = (await asyncio.wait_for(process.stdout.readline(), 10)).split()
    assert ready[0] == b"ready"
    yield {"udp": int(ready[1]), "tcp": int(ready[2])}
    process.stdin.close()
    report = (await asyncio.wait_for(process.stdout.read(), 10)).decode().split()
    assert await process.wait() == 0
    assert report == ["answered", str(CALLS), "ended", str(CALLS), "legs", "0"]


@pytest.mark.parametrize(("transport", "mode"), [("udp", "u1"), ("tcp", "t1"), ("tcp", "tn")])
async def test_sipp_calls_are_answered_and_hung_up(answering, tmp_path, transport, mode):
    sipp = shutil.which("sipp")
    assert sipp, "install SIPp: apt install sip-tester"
    code, output = await run(
        sipp,
        *("-sn", "uac", "-t", mode, "-i", "127.0.0.1", "-p", str(free_port())),
        *("-s", "12345", f"127.0.0.1:{answering[transport]}"),
        *("-r", "20", "-m", str(CALLS), "-d", "100", "-max_socket", "100"),
        *("-nostdin", "-timeout", "30s", "-timeout_error"),
    )
    assert code == 0, output[-3000:]
