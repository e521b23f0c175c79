"""The raw end points against a real softphone."""

import asyncio
import contextlib

import pytest

from phones.driver import Softphone, SoftphoneOptions
from phones.raw import RawEnd, RtpEnd, digest

pytestmark = pytest.mark.interop

WAIT_SECONDS = 30  # for what comes within two on a machine at rest


async def test_a_raw_caller_hears_the_phone_it_called() -> None:
    caller = RawEnd("trunk", 1150, 700)
    await caller.open("127.0.0.2")
    options = SoftphoneOptions(user="b", tone=700, auto_answer="0")
    with contextlib.closing(caller):
        async with Softphone(options) as phone:
            host, _, port = phone.address.partition(":")
            call = await caller.place((host, int(port)), "b", "13900000001")
            async with asyncio.timeout(WAIT_SECONDS):
                await call.rtp.heard.wait()
            assert call.rtp.heard_at > call.answered_at
            await caller.hang_up(call)
            assert (await phone.wait("ended"))["by"] == "remote"


async def test_a_raw_seat_answers_and_hears_the_phone_that_calls() -> None:
    seat = RawEnd("8001", 1900, 700)
    await seat.open()
    with contextlib.closing(seat):
        async with Softphone(SoftphoneOptions(user="a", tone=700)) as phone:
            phone.call(f"sip:8001@127.0.0.1:{seat.address[1]}")
            call = await seat.accept()
            async with asyncio.timeout(WAIT_SECONDS):
                await call.rtp.heard.wait()
            phone.send("hangup")
            async with asyncio.timeout(WAIT_SECONDS):
                await call.over.wait()


def test_the_digest_is_that_of_rfc_2617s_example_without_qop() -> None:
    """RFC 2617 §3.5's user and nonce, in RFC 2069's form."""
    challenge = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    answer = digest(challenge, "GET", "/dir/index.html", "Mufasa", "Circle Of Life")
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in answer


async def test_an_invite_that_comes_again_is_one_call_and_gets_the_same_response() -> None:
    seat = RawEnd("8001", 1900, 700)
    await seat.open()
    asker = RawEnd("trunk", 1150, 700)
    await asker.open()
    with contextlib.closing(seat), contextlib.closing(asker):
        lines = ["INVITE sip:8001@h SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bKone"]
        lines += ["From: <sip:a@h>;tag=a", "To: <sip:8001@h>", "Call-ID: one", "CSeq: 1 INVITE"]
        data = "\r\n".join([*lines, "", ""]).encode()
        seat.datagram_received(data, asker.address)
        seat.datagram_received(data, asker.address)
        invite, remote, _ = seat.incoming.get_nowait()
        assert seat.incoming.empty()
        seat.respond(invite, remote, "486 Busy Here")
        seat.datagram_received(data, asker.address)
        async with asyncio.timeout(WAIT_SECONDS):
            answers = [await asker.messages.get() for _ in range(2)]
        assert [one.status for one in answers] == [486, 486]


async def test_a_call_that_is_asked_to_move_sends_its_voice_there() -> None:
    seat, asker = RawEnd("8001", 1900, 700), RawEnd("trunk", 700, 1900)
    await seat.open()
    await asker.open()
    with contextlib.closing(seat), contextlib.closing(asker):
        placing = asyncio.create_task(asker.place(seat.address, "8001", "13900000001"))
        await seat.accept()
        call = await placing
        elsewhere = RtpEnd(700, 1900)
        address = await elsewhere.open("127.0.0.1")
        with contextlib.closing(elsewhere):
            lines = [f"From: {call.ours}", f"To: {call.theirs}", f"Call-ID: {call.call_id}"]
            offer = asker.description(address)
            asker.request("INVITE sip:8001@h", [*lines, "CSeq: 2 INVITE"], seat.address, offer)
            assert (await asker.response(call.call_id)).status == 200
            async with asyncio.timeout(WAIT_SECONDS):
                await elsewhere.heard.wait()
