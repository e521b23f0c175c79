"""A child dies with its parent, even one killed by signal 9."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from phones.lifetime import bound
from phones.waiting import until

pytestmark = pytest.mark.interop

ROOT = str(Path(__file__).resolve().parents[2])
PARENT = """
import subprocess, sys
from phones.lifetime import bound
child = subprocess.Popen(bound(["sleep", "60"]))
print(child.pid, flush=True)
child.wait()
"""


async def test_a_bound_child_dies_with_a_killed_parent() -> None:
    environment = {**os.environ, "PYTHONPATH": ROOT}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=subprocess.PIPE, env=environment
    )
    assert parent.stdout is not None
    child = Path(f"/proc/{int(await parent.stdout.readline())}")
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await until(lambda: not child.exists(), 5)


def test_a_bound_child_runs_on_the_cores_given() -> None:
    core = min(os.sched_getaffinity(0))
    program = "import os; print(os.sched_getaffinity(0))"
    line = bound([sys.executable, "-c", program], cores=(core,))
    assert subprocess.check_output(line, text=True).strip() == str({core})
