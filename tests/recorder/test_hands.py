"""The keeping process: what it keeps, what it tells of trouble, and its end in the middle."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from spooled_call import spool_call

from recorder.events import Delayed, Stored
from recorder.io.kms import KeySettings
from recorder.io.segments import scan


def children() -> list[int]:
    """Processes that this one has started and not buried."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        found += [int(one) for one in (task / "children").read_text().split()]
    return [pid for pid in found if b"recorder.io.worker" in command_line(pid)]


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


async def test_a_process_of_low_priority_keeps_recordings_and_knows_no_secret_by_its_command_line(
    house,
):
    """And what it cannot do comes back as the error that it was; a killed one is replaced."""
    keeper = house.keeper(apart=True, secret_key="a-secret", access_key="another-secret")
    await keeper.start()
    assert children() == []
    spool_call(house.spool, "r1")
    keeper.finish("r1", {"agent": "8001"})
    await house.wait(Stored)
    [pid] = children()
    assert os.getpriority(os.PRIO_PROCESS, pid) >= 10
    assert b"secret" not in command_line(pid)
    assert (await keeper.get("r1")).agent == "8001"

    os.kill(pid, signal.SIGSTOP)
    spool_call(house.spool, "r2")
    keeper.finish("r2", {"agent": "8002"})
    os.kill(pid, signal.SIGKILL)
    await house.wait(Stored, 2)
    assert (await keeper.get("r2")).agent == "8002"
    [another] = children()
    assert another != pid

    house.store.rename(house.store.with_name("moved"))
    house.store.write_text("no folder")
    spool_call(house.spool, "r3")
    keeper.finish("r3", {})
    assert "Not a directory" in (await house.wait(Delayed))[-1].why
    assert not keeper.status().store_ok
    house.store.unlink()
    await house.wait(Stored, 3)
    assert scan(house.spool) == {}
    await keeper.stop()
    assert children() == []


async def test_what_a_key_service_prints_is_no_answer(house, monkeypatch, tmp_path):
    """A class of somebody's own runs in the keeping process, and may be chatty."""
    (tmp_path / "chatty.py").write_text(
        "from recorder.keys import LocalKey\n"
        "class Keys(LocalKey):\n"
        "    def __init__(self):\n"
        "        print('key service here')\n"
        "        super().__init__(b'k' * 32, lambda count: b'n' * count)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    spool_call(house.spool, "r1", 50)
    keeper = house.keeper(apart=True, keys=KeySettings(kms="chatty:Keys"))
    await keeper.start()
    keeper.finish("r1", {})
    await house.wait(Stored)
    await keeper.stop()
