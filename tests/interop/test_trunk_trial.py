"""`callcore trunk test` against a real IMS, peers that are away, and every kind of refusal."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.interop.test_ims import free_ports, telephone
from tests.peers.ims import Ims, Ports

ROOT = Path(__file__).resolve().parents[2]
HEAD = '[sip]\nlisten = ["udp://127.0.0.1:5060"]\n[media]\nports = "{0}-{1}"\n'

pytestmark = pytest.mark.interop


@pytest.fixture
async def ims(tmp_path):
    edge, core, world = free_ports(3)
    async with Ims(Ports(edge, core, world), tmp_path / "ims") as found:
        yield found


def registering(proxy: str, more: str = "") -> str:
    """A trunk that registers with the IMS of the tests."""
    text = '[[trunks]]\nname = "city"\nprofile = "ims"\nuser = "hotline@ims.example"\n'
    text += 'password = "wide-open-sea"\nimpu = "sip:pilot@ims.example"\n'
    text += f'registrar = "ims.example"\nproxy = "{proxy}"\nanswer_seconds = 1\n'
    return text + 'outbound_number = "055165551234"\narea = "551"\n' + more


class Tried:
    """What the command printed, and its exit code."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code, self.out, self.err = code, out.decode(), err.decode()

    @property
    def steps(self) -> list[dict]:
        return json.loads(self.out)["steps"]

    @property
    def told(self) -> list[tuple[str, bool, str]]:
        """(method, ok, what came) of each step."""
        return [(one["step"].split(" ")[0], one["ok"], one["says"]) for one in self.steps]


async def trunk_test(folder: Path, text: str, *arguments: str) -> Tried:
    path = folder / "my.toml"
    media = free_ports(1)[0]
    path.write_text(HEAD.format(max(1024, media - 20), min(65535, media + 20)) + text)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "service.cli", "trunk", "test", "city", "--config", str(path), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Tried(process.returncode, out, err)


async def test_a_trunk_that_works_shows_each_step_with_its_time(ims, tmp_path):
    async with telephone(tmp_path, ims.ports.world, echo=True):
        arguments = ("--call", "13911111111", "--seconds", "0.3", "--json")
        tried = await trunk_test(tmp_path, registering(ims.edge), *arguments)
    assert [step[:2] for step in tried.told] == [
        ("REGISTER", True),
        ("REGISTER", True),
        ("registered", True),
        ("INVITE", True),
        ("INVITE", True),
        ("voice", True),
        ("BYE", True),
    ]
    said = [step["says"] for step in tried.steps]
    assert said[0].startswith("401")
    assert said[1].startswith("200")
    assert "sip:pilot@ims.example" in said[2]
    assert said[3].startswith("100")
    assert "407" in said[3]
    assert "180" in said[4]
    assert said[4].endswith("200 OK")
    assert all(step["ms"] >= 0 for step in tried.steps if step["step"][:3] in ("REG", "INV"))
    assert said[5].startswith("PCMA with 127.0.0.1:")
    assert tried.code == 0


async def test_a_call_without_a_voice_does_not_work(ims, tmp_path):
    async with telephone(tmp_path, ims.ports.world):
        arguments = ("--call", "13911111111", "--seconds", "0.3", "--json")
        tried = await trunk_test(tmp_path, registering(ims.edge), *arguments)
    assert tried.code == 1
    voice, bye = tried.steps[-2:]
    assert (voice["ok"], bye["ok"]) == (False, True)
    assert voice["says"].endswith(", 0 packets heard")
    assert any("firewall drops RTP" in cause for cause in voice["causes"])


async def test_without_a_call_it_is_enough_to_be_registered(ims, tmp_path):
    tried = await trunk_test(tmp_path, registering(ims.edge))
    assert (tried.code, tried.err) == (0, "")
    assert tried.out.endswith("trunk city works\n")
    assert f"ok     REGISTER to {ims.edge}: 200 OK (" in tried.out


@pytest.mark.parametrize(
    ("more", "status", "cause"),
    [
        (("wide-open-sea", "narrow-pond"), "401", "password is wrong"),
        (("hotline@ims.example", "hotline"), "401", "user is not the IMPI"),
        (("sip:pilot@", "sip:admiral@"), "403", "impu is not provisioned"),
        (('area = "551"', 'realm = "other.example"'), "401", "realm is 'other.example'"),
    ],
)
async def test_a_registration_that_is_refused_has_its_causes(ims, tmp_path, more, status, cause):
    tried = await trunk_test(tmp_path, registering(ims.edge).replace(*more), "--json")
    assert tried.code == 1
    last = tried.steps[-1]
    assert last["says"].startswith(status)
    assert not last["ok"]
    assert any(cause in one for one in last["causes"]), last
    assert tried.err == "callcore: trunk city does not work; see the steps above\n"


async def test_a_call_that_is_refused_has_its_causes(ims, tmp_path):
    tried = await trunk_test(tmp_path, registering(ims.edge), "--call", "8001", "--json")
    assert tried.code == 1
    assert tried.told[-1][:2] == ("INVITE", False)
    assert tried.told[-1][2].startswith("484") or ", 484" in tried.told[-1][2]
    assert any("numbers_out" in one for one in tried.steps[-1]["causes"])


async def test_nobody_there_is_a_firewall_or_a_wrong_port(tmp_path):
    (nobody,) = free_ports(1)
    tried = await trunk_test(tmp_path, registering(f"127.0.0.1:{nobody}"))
    assert tried.code == 1
    assert tried.out.startswith(f"FAILED REGISTER to 127.0.0.1:{nobody}: no answer\n")
    assert "perhaps: a firewall" in tried.out


async def test_a_proxy_that_is_away_is_told_of_and_the_other_used(ims, tmp_path):
    (nobody,) = free_ports(1)
    text = registering(f"127.0.0.1:{nobody}", f'peers = ["{ims.edge}"]\n')
    tried = await trunk_test(tmp_path, text, "--json")
    assert tried.code == 0
    assert [step[:2] for step in tried.told] == [
        ("REGISTER", False),
        ("REGISTER", True),
        ("REGISTER", True),
        ("registered", True),
    ]


async def test_static_peers_are_asked_by_options_and_called(ims, tmp_path):
    """The core answers OPTIONS; as a static peer it knows no number of the world's."""
    (nobody,) = free_ports(1)
    peers = f'peers = ["127.0.0.1:{nobody}", "127.0.0.1:{ims.ports.core}"]\n'
    text = f'[[trunks]]\nname = "city"\nprofile = "ibcf"\n{peers}answer_seconds = 1\n'
    tried = await trunk_test(tmp_path, text, "--json")
    assert tried.code == 0
    assert sorted(tried.told) == [
        ("OPTIONS", False, "no answer"),
        ("OPTIONS", True, "200 OK"),
    ]
    tried = await trunk_test(tmp_path, text, "--json", "--call", "13911111111")
    assert tried.code == 1
    assert tried.told[-1][:2] == ("INVITE", False)
    assert "404" in tried.told[-1][2]


async def test_a_trunk_that_there_is_not_is_a_mistake_in_the_arguments(tmp_path):
    text = registering("127.0.0.1:9").replace('"city"', '"town"')
    tried = await trunk_test(tmp_path, text)
    assert (tried.code, tried.out) == (2, "")
    assert tried.err == "callcore: no trunk 'city'; there are: town\n"
