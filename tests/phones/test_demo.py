"""What the demo reads of its configuration, and how it fails before it starts."""

import argparse
import asyncio
import socket
import sys
from pathlib import Path

import pytest

from config.loader import load, loads
from phones.engine import EngineError
from phones.tones import dominant, read_wav
from scripts.demo import BROWSER_SEAT, ROOT, Voices, busy_ports, registrar_of, seats_of, sources_of

DEMO = ROOT / "config" / "demo.toml"


def test_each_seat_of_the_demo_gets_a_phone_and_the_trunk_its_callers(tmp_path: Path) -> None:
    config = load(DEMO)
    given = argparse.Namespace(answer_after="2,0.4", talk=20.0, seed=1)
    phones = seats_of(config, given, Voices(tmp_path))
    users = [seat.user for seat in config.seats]
    assert [phone.user for phone in phones] == users[:-1]
    assert users[-1] == BROWSER_SEAT
    assert len(phones) == 14
    assert {phone.registrar for phone in phones} == {registrar_of(config)}
    assert len(sources_of(config)) >= 3


def test_a_network_of_peers_gives_four_sources_on_any_port() -> None:
    config = loads('[[trunks]]\nname = "ims"\npeers = ["127.0.0.2"]\n')
    assert sources_of(config) == (("127.0.0.2", 0),) * 4


def test_a_demo_without_a_trunk_says_so() -> None:
    with pytest.raises(EngineError, match="a trunk with peers"):
        sources_of(loads(""))


def test_ports_in_use_are_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        config = loads(
            f'[sip]\nlisten = ["udp://127.0.0.1:{port}"]\n[http]\nlisten = "127.0.0.1:0"'
        )
        assert [text.split(" (")[0] for text in busy_ports(config)] == [f"udp 127.0.0.1:{port}"]


def test_a_voice_is_spoken_or_a_tone(tmp_path: Path) -> None:
    voices = Voices(tmp_path)
    spoken, toned = voices.agent(0), voices.agent(1)
    assert toned == {"tone": 425}
    if "play" in spoken:
        samples, rate = read_wav(spoken["play"])
        assert rate == 8000
        assert len(samples) > rate
        assert dominant(spoken["play"]) > 0


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [("[sip]\ndomian = 1\n", 2, "did you mean domain"), ("{taken}", 1, "already in use")],
)
async def test_the_demo_fails_in_one_line_before_it_starts(
    tmp_path: Path, text: str, code: int, told: str
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        taken = f'[sip]\nlisten = ["udp://127.0.0.1:{other.getsockname()[1]}"]\n'
        path = tmp_path / "demo.toml"
        path.write_text(text.replace("{taken}", taken), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, str(ROOT / "scripts" / "demo.py"), "--config", str(path)],
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    assert process.returncode == code
    assert told in out.decode().replace("\n", " ")
