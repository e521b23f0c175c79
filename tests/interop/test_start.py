"""What keeps the engine from starting is told in one line, and nothing is left behind."""

import socket
from pathlib import Path
from typing import Any

import pytest

from phones.engine import EngineError
from tests.interop.hotline import Hotline

pytestmark = pytest.mark.interop


async def why(hotline: Hotline, code: int = 1) -> str:
    """The one line of an engine that does not start; code 2: its configuration is wrong."""
    with pytest.raises(EngineError, match=f"ended with {code} before it was ready"):
        await hotline.start()
    lines = [line for line in hotline.log().splitlines() if not line.startswith("{")]
    assert len(lines) == 1, lines
    told = "cannot start: " if code == 1 else str(hotline.path)
    assert lines[0].startswith(f"callcore: {told}")
    return lines[0]


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [(None, 2, "a WAV file that can be read"), (b"RIFFnonsense", 1, "not a WAV file")],
)
async def test_a_prompt_that_cannot_be_played(
    tmp_path: Path, content: bytes | None, code: int, told: str
) -> None:
    prompt = tmp_path / "mine.wav"
    if content is not None:
        prompt.write_bytes(content)
    line = await why(Hotline(tmp_path, queues={"announcement": str(prompt)}), code)
    assert "mine.wav" in line
    assert told in line


@pytest.mark.parametrize("kind", ["udp", "tcp", "http"])
async def test_a_port_that_another_program_has(tmp_path: Path, kind: str) -> None:
    type_ = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, type_) as other:
        other.bind(("127.0.0.1", 0))
        if kind != "udp":
            other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        change: dict[str, Any] = {"http": {"listen": address}}
        if kind != "http":
            change = {"sip": {"listen": [f"{kind}://{address}"]}}
        line = await why(Hotline(tmp_path, **change))
    assert "already in use" in line
    assert address in line


async def test_a_spool_that_another_engine_keeps(tmp_path: Path) -> None:
    async with Hotline(tmp_path) as first:
        other = tmp_path / "other"
        other.mkdir()
        second = Hotline(other, recordings={"spool": f"{tmp_path}/spool"})
        assert "another process keeps the recordings" in await why(second)
        assert (await first.request("/healthz"))[0] == 200
