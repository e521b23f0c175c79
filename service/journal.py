"""The queue's journal as the engine starts with it, and the state that it leaves off at."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from acd.core import Core
from acd.io.archive import Archivist
from acd.io.journal import Journal, JournalSettings
from acd.io.recovery import Recovered, recover, save
from config.schema import Config
from service.wiring import acd_settings

log = structlog.get_logger("service")
FOLDED_AT_START = 20_000  # more events than this behind the snapshot are worth another one


@dataclass(frozen=True, slots=True)
class Opened:
    """The core after the journal's last event; without a journal a new one."""

    core: Core
    journal: Journal | None


def open_journal(config: Config, stack: AsyncExitStack) -> Opened:
    """Repairs, replays and opens it; raises JournalDamaged, BlockingIOError, OSError."""
    settings = acd_settings(config)
    if not config.engine.journal:
        return Opened(Core(settings), None)
    folder = Path(config.engine.journal)
    archivist = Archivist(folder, config.engine.journal_retention_days)
    journal = Journal(
        JournalSettings(folder, rotate_bytes=round(config.engine.journal_file_mib * 2**20)),
        lambda error: log.error("journal not written", why=error.strerror or str(error)),
        archivist,
    )
    stack.callback(archivist.close)
    stack.callback(journal.close)
    if journal.repaired is not None:
        log.warning("torn tail cut off the journal", kept=str(journal.repaired))
    recovered = recover(folder, settings)
    _fold(folder, recovered, journal.epoch)
    log.info(
        "journal replayed",
        sequence=recovered.sequence,
        from_snapshot=recovered.from_snapshot,
        replayed=recovered.replayed,
    )
    return Opened(recovered.core, journal)


def _fold(folder: Path, recovered: Recovered, epoch: int) -> None:
    """So that the next start is short, whatever became of this one."""
    if recovered.replayed < FOLDED_AT_START:
        return
    try:
        save(folder, recovered.core, recovered.sequence, epoch)
    except OSError as error:  # a longer start is all that it costs
        log.warning("snapshot not written", why=error.strerror or str(error))
