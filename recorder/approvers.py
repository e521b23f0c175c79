"""Who may hold recordings and delete them: people with a password each, known by its hash."""

from __future__ import annotations

from collections.abc import Mapping

from config.passwords import NOBODY, SALT_BYTES, fits, password_hash

__all__ = ["SALT_BYTES", "Approvers", "NotAllowed", "password_hash"]


class NotAllowed(Exception):
    """Nobody of that name, or not their password; the text does not say which."""


class Approvers:
    """The people of a configuration, by name."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)

    def check(self, name: str, password: str) -> None:
        """Raises NotAllowed; takes as long for a name that is unknown."""
        if not fits(password, self._hashes.get(name, NOBODY)):
            raise NotAllowed(
                f"{name!r} is no approver with that password: see [[accounts]], the right "
                "custody, and `callcore recordings approver`"
            )
