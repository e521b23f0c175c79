"""Who is not let in, and what they are told."""

import asyncio

import pytest

from phones.raw import RawCall, RawEnd, RawRefused
from phones.sipp import SippOptions, SippResult, run_sipp
from tests.interop.hotline import CALLER_HZ, NUMBER, STRANGER, TRUNK, Hotline, eventually

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

ONE_CALL = "127.0.2.1"
ONE_A_SECOND = "127.0.3.1"
CONFIGURATION = {
    "trunks": [
        {"name": "narrow", "peers": ["127.0.2.0/24"], "max_calls": 1},
        {"name": "slow", "peers": ["127.0.3.0/24"], "calls_per_second": 1},
    ]
}


async def refused(hotline: Hotline, status: int, **changes: object) -> SippResult:
    """SIPp's call that must get this status."""
    options = {
        "address": TRUNK,
        "timeout_seconds": 10,
        "values": {"status": str(status)},
        **changes,
    }
    scenario = options.pop("scenario", "uac_refused")
    return await run_sipp(SippOptions(scenario, hotline.listener(), **options))  # type: ignore[arg-type]


async def rejected(hotline: Hotline) -> float:
    return await hotline.metric("callcore_calls_total", direction="inbound", result="rejected")


async def test_a_number_that_nobody_answers_gets_404(hotline: Hotline) -> None:
    before = await rejected(hotline)
    result = await refused(hotline, 404, service="55555")
    assert result.ok, result
    assert await rejected(hotline) == before + 1


async def test_a_call_without_a_codec_of_ours_gets_488(hotline: Hotline) -> None:
    """RFC 3261 §21.4.26; its port in the media plane is given back."""
    before = await rejected(hotline)
    result = await refused(hotline, 488, scenario="uac_no_codec")
    assert result.ok, result
    assert await rejected(hotline) == before + 1
    assert await hotline.metric("callcore_media_legs") == 0


async def test_a_stranger_gets_403_and_is_counted(hotline: Hotline) -> None:
    """Neither a trunk's address nor a seat's."""
    result = await refused(hotline, 403, address=STRANGER)
    assert result.ok, result
    labels = {"status": "403", "why": "unknown peer"}
    assert await hotline.metric("callcore_sip_refused_total", **labels) == 1
    assert (await hotline.queue())["offered"] == 0


async def test_a_caller_who_pretends_to_be_a_seat_is_asked_for_its_password(
    hotline: Hotline,
) -> None:
    caller = RawEnd("8001", CALLER_HZ, CALLER_HZ)
    await caller.open(STRANGER)
    party = f"<sip:8001@hotline.local>;tag=x{caller.address[1]}"
    call_id = f"pretender-{caller.address[1]}"
    headers = [f"From: {party}", f"To: <sip:{NUMBER}@hotline.local>", f"Call-ID: {call_id}"]
    body = caller.description((STRANGER, 20000))
    caller.request(
        f"INVITE sip:{NUMBER}@hotline.local", [*headers, "CSeq: 1 INVITE"], hotline.address, body
    )
    answer = await caller.response(call_id)
    assert (answer.status, answer.get("www-authenticate")[:6]) == (401, "Digest")
    caller.close()


@pytest.mark.parametrize(
    ("source", "trunk", "retry_after"),
    [(ONE_CALL, "narrow", range(10, 11)), (ONE_A_SECOND, "slow", range(1, 2))],
)
async def test_a_trunk_over_its_limit_gets_503_and_when_to_try_again(
    hotline: Hotline, source: str, trunk: str, retry_after: range
) -> None:
    """Of two calls at once one is refused; once there is room again, calls pass."""
    callers = [RawEnd("trunk", CALLER_HZ, CALLER_HZ) for _ in range(2)]
    for caller in callers:
        await caller.open(source)
    placing = [one.place(hotline.address, NUMBER, "13900000001") for one in callers]
    first, refused = await asyncio.gather(*placing, return_exceptions=True)
    if isinstance(first, RawRefused):
        first, refused = refused, first
        callers.reverse()
    caller, _ = callers
    assert isinstance(first, RawCall)
    assert isinstance(refused, RawRefused)
    assert refused.answer.status == 503
    assert int(refused.answer.get("retry-after")) in retry_after
    assert await hotline.metric("callcore_trunk_calls", trunk=trunk) == 1
    assert await hotline.metric("callcore_sip_refused_total", status="503") >= 1
    await caller.hang_up(first)
    await asyncio.sleep(int(refused.answer.get("retry-after")) if trunk == "slow" else 0)
    again = await caller.place(hotline.address, NUMBER, "13900000003")
    await caller.hang_up(again)
    for caller in callers:
        caller.close()


async def test_other_trunks_do_not_suffer_from_a_full_one(hotline: Hotline) -> None:
    narrow, other = RawEnd("trunk", CALLER_HZ, CALLER_HZ), RawEnd("trunk", CALLER_HZ, CALLER_HZ)
    await narrow.open(ONE_CALL)
    await other.open(TRUNK)
    held = await narrow.place(hotline.address, NUMBER, "13900000001")
    call = await other.place(hotline.address, NUMBER, "13900000002")
    await other.hang_up(call)
    await narrow.hang_up(held)
    other.close()
    narrow.close()


@pytest.mark.parametrize("scenario", ["options", "unknown_method"])
async def test_a_stranger_may_ask_whether_we_are_there_and_gets_the_right_refusal_else(
    hotline: Hotline, scenario: str
) -> None:
    """OPTIONS is answered 200 (RFC 3261 §11.2), a method that nobody knows 501 (§8.2.1)."""
    result = await refused(hotline, 501, scenario=scenario, address=STRANGER)
    assert result.ok, result


async def test_nothing_is_left_of_those_refused(hotline: Hotline) -> None:
    async def empty() -> bool:
        names = ("callcore_media_legs", "callcore_sip_legs", "callcore_trunk_calls")
        return not any([await hotline.metric(name) for name in names])

    await eventually(empty)
