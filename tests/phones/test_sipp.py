"""SIPp's scenarios against each other and against a softphone."""

from pathlib import Path

import pytest

from phones import g711
from phones.driver import Softphone, SoftphoneOptions
from phones.laws import Law
from phones.sipp import SCENARIOS, Sipp, SippOptions, fill, run_sipp
from phones.tones import dominant, tone

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("scenario", ["uac", "uac_ordered", "uac_delayed_offer"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_caller_and_an_answerer_bring_all_calls_through(
    scenario: str, transport: str
) -> None:
    async with Sipp(SippOptions("uas", calls=0, transport=transport)) as uas:
        result = await run_sipp(
            SippOptions(
                scenario,
                remote=f"127.0.0.1:{uas.port}",
                calls=10,
                rate=50,
                pause=Law(0.05, 0.5),
                transport=transport,
                values={"ringing_optional": "false"},
                timeout_seconds=30,
            )
        )
        assert result.ok, result
        assert (result.created, result.successful) == (10, 10)
        assert len(result.response_ms) == 10
        answered = await uas.stop(5)
        if transport == "udp":  # over TCP the caller's end cuts off the last call's time-wait
            assert (answered.successful, answered.failed) == (10, 0)


@pytest.mark.parametrize(
    ("scenario", "does", "values"),
    [
        ("uac", {"auto_answer": "0"}, {}),
        ("uac_waits", {"auto_answer": "0", "talk": "0.1"}, {}),
        ("uac_hold", {"auto_answer": "0"}, {}),
        ("uac_delayed_offer", {"auto_answer": "0"}, {}),
        ("uac_cancel", {"no_answer": True}, {}),
        ("uac_no_codec", {"no_answer": True}, {}),
        ("uac_refused", {"refuse": 486}, {"status": "486"}),
        ("options", {"no_answer": True}, {}),
    ],
)
async def test_a_real_phone_goes_through_the_scenario(
    scenario: str, does: dict[str, object], values: dict[str, str]
) -> None:
    async with Softphone(SoftphoneOptions(user="b", **does)) as phone:  # type: ignore[arg-type]
        options = SippOptions(scenario, phone.address, values=values, timeout_seconds=30)
        result = await run_sipp(options)
        assert result.ok, result


async def test_a_wrong_answer_is_a_failed_call_with_the_reason_in_the_log() -> None:
    async with Softphone(SoftphoneOptions(user="b", refuse=486)) as phone:
        result = await run_sipp(SippOptions("uac", phone.address, timeout_seconds=30))
        assert not result.ok
        assert (result.exit_code, result.failed, result.unexpected) == (1, 1, 1)
        assert any("486" in line for line in result.errors)


async def test_a_phone_hears_the_file_that_sipp_plays(tmp_path: Path) -> None:
    played, heard = tmp_path / "tone.al", tmp_path / "heard.wav"
    played.write_bytes(g711.encode_alaw(tone(520, 2.0)))
    async with Softphone(SoftphoneOptions(user="b", auto_answer="0", record=heard)) as phone:
        options = SippOptions(
            "uac_hears", phone.address, pause=Law(0.5), values={"play": str(played)}
        )
        assert (await run_sipp(options)).ok
        await phone.wait("recorded")
    assert abs(dominant(heard) - 520) < 5


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.xml")), ids=lambda p: p.stem)
def test_no_scenario_keeps_an_unfilled_value(path: Path) -> None:
    text = fill(SippOptions(path.stem, values={"play": "x.al"}))
    left = [
        word for word in ("@status@", "@domain@", "@play@", "@pause@", "@ring@") if word in text
    ]
    assert left == []
    assert "@ringing_optional@" not in text
