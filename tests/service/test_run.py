"""The engine's life as a supervisor sees it: signals and the exit code."""

import os
import signal

from config.loader import loads
from service import run


async def test_a_reload_while_it_starts_does_not_end_the_engine(monkeypatch, capsys):
    """A renewed certificate is told to whatever runs, and by itself SIGHUP ends a process."""

    async def start(config, stack):
        assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
        os.kill(os.getpid(), signal.SIGHUP)
        raise OSError(98, "http://127.0.0.1:8080: Address already in use")

    monkeypatch.setattr(run, "start", start)
    assert await run.serve(loads("", environ={})) == 1
    assert "cannot start: [Errno 98] http://127.0.0.1:8080" in capsys.readouterr().err
