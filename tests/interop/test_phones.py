"""Phones of three makes at the engine's every transport: registered, called, calling, heard."""

import asyncio
from pathlib import Path

import pytest

from phones.driver import Softphone
from tests.interop.ears import heard, packets_heard
from tests.interop.hotline import AGENT_HZ, CALLER_HZ, NUMBER, Hotline, eventually

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

# baresip 1.0 answers no challenge where SHA-256 is offered, not even beside MD5.
CONFIGURATION = {"secure": True, "security": {"digest_algorithms": ["MD5"]}}
MAKES = {
    "pjsua2": "phones.softphone",
    "baresip": "phones.baresip_phone",
    "linphone": "phones.linphone_phone",
}

BEFORE_KEYS = 10  # packets that may come before the answer that brings their keys


async def is_called(hotline: Hotline, phone: Softphone, folder: Path) -> None:
    """A citizen calls the hotline; the phone answers by itself."""
    async with Softphone(hotline.citizen(record=folder / "caller.wav")) as citizen:
        hotline.call(citizen)
        await phone.wait("state", state="CONFIRMED")
        await hotline.last_call("talking")
        await packets_heard(citizen, 40)
        citizen.send("hangup")
        await asyncio.gather(phone.wait("recorded"), citizen.wait("recorded"))
    assert heard(folder / "caller.wav")[-1] == AGENT_HZ
    assert heard(folder / "agent.wav")[-1] == CALLER_HZ


async def calls(hotline: Hotline, phone: Softphone, transport: str, folder: Path) -> None:
    """The phone calls the hotline's number, with its password; another seat answers."""
    answering = hotline.seat("8002", transport=transport, record=folder / "other.wav")
    async with Softphone(answering) as other:
        await other.wait("registered")
        await hotline.until_state("8002", "ready")
        phone.call(f"sip:{NUMBER}@hotline.local")
        await other.wait("state", state="CONFIRMED")
        await packets_heard(other, 40)
        call = await hotline.last_call("talking")
        assert (call["caller"], call["called"]) == ("8001", NUMBER)
        phone.send("hangup")
        await asyncio.gather(phone.wait("ended"), other.wait("recorded"))
    assert heard(folder / "other.wav")[-1] == AGENT_HZ


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize("make", MAKES)
async def test_a_phone_registers_is_called_and_calls(
    hotline: Hotline, tmp_path: Path, make: str, transport: str
) -> None:
    options = hotline.seat(
        "8001", transport=transport, module=MAKES[make], record=tmp_path / "agent.wav"
    )
    async with Softphone(options) as phone:
        await phone.wait("registered")
        await hotline.set_state("8001", "ready")
        await is_called(hotline, phone, tmp_path)
        await hotline.set_state("8001", "not_ready")
        await calls(hotline, phone, transport, tmp_path)


@pytest.mark.parametrize("make", MAKES)
async def test_a_phone_over_tls_that_wants_srtp_has_it(
    hotline: Hotline, tmp_path: Path, make: str
) -> None:
    """RFC 4568: it takes no other call than a protected one; the citizen's leg is plain.

    pjsua2 and baresip without SRTP, above, refuse the first INVITE over TLS and take the second.
    """
    odd = "callcore_media_odd_packets_total"
    before = await hotline.metric(odd, why="unauthenticated")
    options = hotline.seat(
        "8001",
        transport="tls",
        srtp="mandatory",
        module=MAKES[make],
        record=tmp_path / "agent.wav",
    )
    async with Softphone(options) as phone:
        await phone.wait("registered")
        await hotline.set_state("8001", "ready")
        await is_called(hotline, phone, tmp_path)
        await hotline.set_state("8001", "not_ready")
    after = await hotline.metric(odd, why="unauthenticated")
    assert after - before <= BEFORE_KEYS


async def test_nothing_is_left_open(hotline: Hotline) -> None:
    names = ("callcore_media_legs", "callcore_sip_legs", "callcore_trunk_calls")

    async def empty() -> bool:
        left.update({name: await hotline.metric(name) for name in names})
        return not any(left.values())

    left: dict[str, float] = {}
    try:
        await eventually(empty, 40)  # Timer F: a phone that is gone owes an answer to BYE
    except AssertionError:
        pytest.fail(f"left open: {left}")
