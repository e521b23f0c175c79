"""Who may hold recordings and delete them: people with a password each, known by its hash."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

SALT_BYTES = 16
MIN_PASSWORD = 10
# RFC 7914: about 50 ms and 16 MiB a try.
N, R, P = 1 << 14, 8, 1


class NotAllowed(Exception):
    """Nobody of that name, or not their password; the text does not say which."""


def password_hash(password: str, salt: bytes) -> str:
    """What the configuration holds; raises ValueError for a password that is too short."""
    if len(password) < MIN_PASSWORD:
        raise ValueError(f"a password of an approver has at least {MIN_PASSWORD} characters")
    return f"scrypt:{base64.b64encode(salt).decode()}:{_derived(password, salt)}"


class Approvers:
    """The people of a configuration, by name."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)

    def check(self, name: str, password: str) -> None:
        """Raises NotAllowed; takes as long for a name that is unknown."""
        known = self._hashes.get(name, "scrypt:AAAA:AAAA")
        _, salt, wanted = known.split(":")
        found = _derived(password, base64.b64decode(salt))
        if not hmac.compare_digest(found, wanted) or name not in self._hashes:
            raise NotAllowed(
                f"{name!r} is no approver with that password: see [[accounts]], the right "
                "custody, and `callcore recordings approver`"
            )


def _derived(password: str, salt: bytes) -> str:
    derived = hashlib.scrypt(password.encode(), salt=salt, n=N, r=R, p=P)
    return base64.b64encode(derived).decode()
