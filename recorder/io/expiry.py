"""What is past its date goes, where the store has no rule of its own for that: in a directory."""

from __future__ import annotations

from collections.abc import Iterator

from recorder.custody import Refused
from recorder.io.audit import Problem
from recorder.io.custodian import Custodian
from recorder.io.index import Entry, Query
from recorder.io.objects import StillKept, StoreError
from recorder.io.vault import Vault
from recorder.manifest import DAY_MS, MIN_RETENTION_DAYS

PAGE = 500


def expire(vault: Vault, custodian: Custodian, until_ms: int) -> Iterator[Entry | Problem]:
    """Deletes what is kept until before `until_ms` and not held; those, and what could not be.

    Blocks; raises StoreError when the store is away, and IndexFailed.
    """
    for entry in _past(vault, until_ms):
        try:
            custodian.expire(entry, until_ms)
        except (Refused, StillKept):
            continue  # held, or the store's ledger has a later date
        except StoreError as error:
            if error.store_away:
                raise
            yield Problem(entry.recording, entry.key, str(error))
        else:
            yield entry


def _past(vault: Vault, until_ms: int) -> Iterator[Entry]:
    """By when they began, for that has an index: none is kept for less than the least."""
    began_ms = until_ms - MIN_RETENTION_DAYS * DAY_MS
    after = None
    while True:
        page = vault.index.find(Query(state="stored", until_ms=began_ms, limit=PAGE, after=after))
        yield from (entry for entry in page if entry.retain_until_ms < until_ms)
        if len(page) < PAGE:
            return
        after = (page[-1].started_ms, page[-1].recording)
