"""The hotline of test_scenes.py, and what its tests do again and again."""

from pathlib import Path
from typing import Any

from phones.driver import Softphone
from tests.interop.ears import heard
from tests.interop.far import Far, FarEnd
from tests.interop.hotline import AGENT_HZ, MUSIC_HZ, Hotline, eventually

MOBILE, PLATFORM = ("127.0.1.7", 5099), ("127.0.2.7", 5098)
MOBILE_HZ, PLATFORM_HZ, SECOND_HZ, BOSS_HZ = 1700, 2000, 1350, 600
CALLER_HZ, RINGBACK_HZ = 980, 450
EARS = (MUSIC_HZ, CALLER_HZ, AGENT_HZ, MOBILE_HZ, PLATFORM_HZ, SECOND_HZ, RINGBACK_HZ)
NUMBER = "055160012345"


def arranged(folder: Path) -> Hotline:
    """The operator wants to be told who forwards; the city's platform has a trunk of its own."""
    one = Hotline(
        folder,
        trunks={
            "peers": ["127.0.1.0/24", f"{MOBILE[0]}:{MOBILE[1]}"],
            "diversion": "both",
            "forwarded_from": "caller",
            "asserted_identity": "number",
            "outbound_number": "055112345",
            "probe_seconds": 0,
            "answer_seconds": 1,
        },
    )
    peers = ["127.0.2.0/24", f"{PLATFORM[0]}:{PLATFORM[1]}"]
    one.document["trunks"].append({"name": "platform", "peers": peers, "probe_seconds": 0})
    seat = {"user": "9001", "password": "secret-9001", "role": "supervisor", "auto_ready": False}
    night, gone = ({"user": user, "password": f"secret-{user}"} for user in ("8004", "8005"))
    one.document["seats"] += [seat, {**night, "skills": ["night"]}, gone]
    night = {"name": "night", "skills": ["night"], "max_wait_seconds": 1, "survey": False}
    one.document["queues"].append({**night, "announcement": "", "music": "", "wrap_up_seconds": 0})
    one.document["routes"].append({"number": "12346", "queue": "night"})
    one.document["calls"] = {
        "platform_number": NUMBER,
        "platform_trunk": "platform",
        "ring_seconds": 6,  # two cycles of busy more than it takes, where the sender stumbles
        "return_seconds": 6,
    }
    one.document["message"] = {"after_longest_wait": True, "prompt": "tone:beep", "seconds": 30}
    one.document["caller_ids"] = [{"reasons": ["emergency"], "number": "055100000001"}]
    one.document["minutes"] = {"unit_seconds": 6}
    one.document["outbound"] = {"seat_calls": 8}
    one.document["security"] = {"digest_algorithms": ["MD5"]}
    return one


async def act(hotline: Hotline, path: str, **body: Any) -> None:
    status, answer = await hotline.request(f"/api/v1{path}", "POST", body)
    assert status in (200, 201), answer


async def talking(hotline: Hotline, end: FarEnd, **more: Any) -> tuple[Far, str]:
    """A call that 8001 has answered; its path in the API."""
    call = await end.calls_us(hotline.address, **more)
    await call.hears(AGENT_HZ)
    return call, f"/calls/{(await hotline.last_call('talking'))['call_id']}"


async def ended(hotline: Hotline, call: str) -> dict[str, Any]:
    async def over() -> dict[str, Any] | None:
        record: dict[str, Any] = await hotline.get(call)
        return record if record["ended"] else None

    return await eventually(over) or {}


async def plays(hotline: Hotline, record: dict[str, Any], parts: int) -> None:
    """Every part of the recording is on the record, in the index, and can be played."""
    assert len(record["recordings"]) == parts
    entries = await hotline.recordings(record["call_id"], parts)
    assert sorted(one["recording"] for one in entries) == sorted(record["recordings"])
    for name in record["recordings"]:
        status, sound = await hotline.request(f"/api/v1/recordings/{name}/audio?format=wav")
        assert status == 200
        assert sound[:4] == b"RIFF"


async def recording_of(seat: Softphone, name: str = "") -> Path:
    """Of its call of that name, or the first that came in this test, once it is over."""
    call = name or (await seat.wait("incoming"))["call"]
    return Path((await seat.wait("recorded", call=call))["path"])


async def heard_by(seat: Softphone, name: str = "") -> list[int]:
    """What a seat heard in that call."""
    return heard(await recording_of(seat, name), EARS)
