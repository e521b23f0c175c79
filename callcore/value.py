"""Values that are frozen for the type checker, and quick to make at run time.

What `frozen=True` of the standard library does at run time is to set every field by a call of
`object.__setattr__`, which makes a value of five fields three times as slow; a bridged call makes
forty. mypy reads this as the standard dataclass and forbids assignment all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses

    def dataclass(*, frozen: bool, slots: bool):
        """The decorator; hashable and comparable like a frozen one."""
        assert frozen
        return dataclasses.dataclass(slots=slots, unsafe_hash=True)
