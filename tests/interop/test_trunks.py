"""A trunk that registers with an operator, and one whose peer is probed."""

from pathlib import Path

import pytest

from phones.driver import Softphone
from phones.sipp import Sipp, SippOptions, free_port, run_sipp
from tests.interop.hotline import Hotline, eventually

pytestmark = pytest.mark.interop

OPERATOR = "127.0.4.1"


def registering(port: int) -> dict[str, object]:
    return {
        "name": "operator",
        "mode": "register",
        "user": "impi@operator.test",
        "password": "trunk-secret",
        "impu": "sip:+8655112345@operator.test",
        "registrar": "operator.test",
        "proxy": f"{OPERATOR}:{port}",
    }


async def test_a_trunk_registers_is_up_and_brings_calls(tmp_path: Path) -> None:
    """
    engine             operator
       |--- REGISTER ---->|
       |<----- 401 -------|
       |--- REGISTER ---->|  with the answer
       |<----- 200 -------|
       |<---- INVITE -----|  from where it registered
    """
    operator = SippOptions("registrar", calls=1, address=OPERATOR)
    async with Sipp(operator) as registrar:
        port = registrar.port
        async with Hotline(tmp_path, trunks=[registering(port)]) as hotline:
            await eventually(lambda: is_up(hotline))
            assert (await registrar.wait()).ok
            assert (await hotline.ready())[1]["warnings"] == []
            async with Softphone(hotline.seat("8001")) as seat:
                await seat.wait("registered")
                call = SippOptions("uac", hotline.listener(), address=OPERATOR, local_port=port)
                assert (await run_sipp(call)).ok
                await seat.wait("ended")
            assert (await hotline.last_call("ended"))["result"] == "answered"
            assert "trunk-secret" not in hotline.log()


async def is_up(hotline: Hotline) -> bool:
    return await hotline.metric("callcore_trunk_up", trunk="operator") == 1


async def test_a_trunk_whose_operator_is_away_is_down_and_the_others_are_used(
    tmp_path: Path,
) -> None:
    async with Hotline(tmp_path, trunks=[registering(free_port())]) as hotline:
        status, document = await hotline.ready()
        assert (status, document["warnings"]) == (200, ["trunk down: operator"])
        assert not await is_up(hotline)
        assert await hotline.metric("callcore_trunk_up", trunk="city") == 1
