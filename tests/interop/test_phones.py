"""Phones of three makes at the engine's every transport: registered, called, calling, heard."""

import asyncio
from pathlib import Path

import pytest

from phones.driver import Softphone
from tests.interop.ears import heard, packets_heard
from tests.interop.hotline import AGENT_HZ, CALLER_HZ, Hotline

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

# baresip 1.0 answers no challenge where SHA-256 is offered, not even beside MD5.
CONFIGURATION = {"secure": True, "security": {"digest_algorithms": ["MD5"]}}
MAKES = {
    "pjsua2": "phones.softphone",
    "baresip": "phones.baresip_phone",
    "linphone": "phones.linphone_phone",
}
TRANSPORTS = ("udp", "tcp", "tls")


def phone(hotline: Hotline, make: str, user: str, transport: str, **more: object):
    return hotline.seat(user, transport=transport, module=MAKES[make], **more)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("make", MAKES)
async def test_a_phone_registers_is_called_and_both_are_heard(
    hotline: Hotline, tmp_path: Path, make: str, transport: str
) -> None:
    options = phone(hotline, make, "8001", transport, record=tmp_path / "agent.wav")
    async with (
        Softphone(options) as seat,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await seat.wait("registered")
        await hotline.until_state("8001", "ready")
        hotline.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        await hotline.last_call("talking")
        await packets_heard(citizen, 75)
        citizen.send("hangup")
        await asyncio.gather(seat.wait("ended"), citizen.wait("recorded"))
        await seat.wait("recorded")
    assert heard(tmp_path / "caller.wav")[-1] == AGENT_HZ
    assert heard(tmp_path / "agent.wav")[-1] == CALLER_HZ
