"""The queue's journal as the engine starts with it, and the state that it leaves off at."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from acd.core import Core
from acd.io.archive import Archivist, alone
from acd.io.files import drop_after
from acd.io.journal import Journal, JournalSettings
from acd.io.recovery import Recovered, recover, save
from config.schema import Config
from service.wiring import acd_settings

log = structlog.get_logger("service")
FOLDED_AT_START = 20_000  # more events than this behind the snapshot are worth another one


class Store:
    """The journal's folder, its writer and the core after its last event.

    Raises JournalDamaged, OSError.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._settings = acd_settings(config)
        self._folder = Path(config.engine.journal)
        self._archivist = Archivist(self._folder, config.engine.journal_retention_days)
        self.journal = self._opened()
        self.core = self._replayed()

    def close(self) -> None:
        """What was appended is on the disk, or it is said that it is not."""
        self._close_journal()
        self._archivist.close()

    async def reopen(self, last: int) -> int:
        """Puts aside what is behind event `last` and replays the rest; how many events that were.

        The old writer keeps its folder until it has written everything.
        """
        dropped = await asyncio.to_thread(self._cut, last)
        self.journal = self._opened()
        self.core = self._replayed()
        return dropped

    def _close_journal(self) -> None:
        if not self.journal.close():
            log.error("the journal ends without its last events", missing=self.journal.pending)

    def _cut(self, last: int) -> int:
        self._close_journal()
        self._archivist.close()
        with alone(self._folder):
            return drop_after(self._folder, last)

    def _opened(self) -> Journal:
        size = round(self._config.engine.journal_file_mib * 2**20)
        try:
            journal = Journal(
                JournalSettings(self._folder, rotate_bytes=size),
                lambda error: log.error("journal not written", why=error.strerror or str(error)),
                self._archivist,
            )
        except BlockingIOError:
            raise OSError(
                f"another engine writes the journal in {self._folder}: stop it, or give this one "
                "a folder of its own ([engine] journal)"
            ) from None
        if journal.repaired is not None:
            log.warning("torn tail cut off the journal", kept=str(journal.repaired))
        return journal

    def _replayed(self) -> Core:
        recovered = recover(self._folder, self._settings)
        log.info(
            "journal replayed",
            sequence=recovered.sequence,
            from_snapshot=recovered.from_snapshot,
            replayed=recovered.replayed,
        )
        if recovered.sequence > self.journal.sequence:
            # A snapshot took the place of events, and what the journal had of that is gone: killed
            # before it was written, or forked off right behind it.
            epoch = max(self.journal.epoch, recovered.epoch)
            self.journal.begin_at(recovered.sequence, epoch)
        self._fold(recovered)
        return recovered.core

    def _fold(self, recovered: Recovered) -> None:
        """So that the next start is short, whatever became of this one."""
        if recovered.replayed < FOLDED_AT_START:
            return
        try:
            save(self._folder, recovered.core, recovered.sequence, self.journal.epoch)
        except OSError as error:  # a longer start is all that it costs
            log.warning("snapshot not written", why=error.strerror or str(error))


def open_store(config: Config, stack: AsyncExitStack) -> Store | None:
    """Repairs, replays and opens the journal; None where the configuration wants none."""
    if not config.engine.journal:
        return None
    store = Store(config)
    stack.callback(store.close)
    return store
