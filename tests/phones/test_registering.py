"""Both makes of phone register with digest; SIPp is the registrar."""

from pathlib import Path

import pytest

from phones import g711
from phones.driver import Softphone, SoftphoneOptions
from phones.laws import Law
from phones.raw import RawEnd
from phones.sipp import Sipp, SippOptions, run_sipp
from phones.tones import dominant, tone

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_softphone_registers_after_a_challenge(transport: str) -> None:
    async with Sipp(SippOptions("registrar", calls=0, transport=transport)) as registrar:
        options = SoftphoneOptions(
            user="8001",
            password="secret",
            domain="hotline.local",
            registrar=f"127.0.0.1:{registrar.port}",
            transport=transport,
        )
        async with Softphone(options) as phone:
            assert (await phone.wait("registered"))["expires_seconds"] == 120


async def test_a_raw_seat_registers_after_a_challenge() -> None:
    async with Sipp(SippOptions("registrar", calls=0)) as registrar:
        seat = RawEnd("8001", 1900, 1150)
        await seat.open()
        assert await seat.register(("127.0.0.1", registrar.port), "hotline.local", "x") == 200
        seat.close()


async def test_a_phone_of_a_second_make_registers_answers_and_hears(tmp_path: Path) -> None:
    played, heard = tmp_path / "tone.al", tmp_path / "heard.wav"
    played.write_bytes(g711.encode_alaw(tone(440, 2.0)))
    async with Sipp(SippOptions("registrar", calls=1)) as registrar:
        options = SoftphoneOptions(
            user="8001",
            password="secret",
            registrar=f"127.0.0.1:{registrar.port}",
            tone=660,
            record=heard,
            auto_answer="0",
            module="phones.pyvoip_phone",
        )
        phone = Softphone(options)
        await phone.start()
        await phone.wait("registered")
        assert (await registrar.wait()).ok
    async with phone:
        call = SippOptions(
            "uac_hears",
            phone.address,
            local_port=registrar.port,  # it speaks to its registrar's address only
            pause=Law(1.0),
            values={"play": str(played)},
        )
        assert (await run_sipp(call)).ok
        await phone.wait("recorded")
    assert abs(dominant(heard) - 440) < 5
