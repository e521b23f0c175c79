"""Passwords of people as a configuration keeps them: by a salted hash that is slow to try."""

import base64
import hashlib
import hmac

SALT_BYTES = 16
MIN_PASSWORD = 10
# RFC 7914: about 50 ms and 16 MiB a try.
N, R, P = 1 << 14, 8, 1
PATTERN = r"^scrypt:[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$"
NOBODY = "scrypt:AAAA:AAAA"  # fits no password, and takes as long to try


def password_hash(password: str, salt: bytes) -> str:
    """What the configuration holds; raises ValueError for a password that is too short."""
    if len(password) < MIN_PASSWORD:
        raise ValueError(f"a password has at least {MIN_PASSWORD} characters")
    return f"scrypt:{base64.b64encode(salt).decode()}:{_derived(password, salt)}"


def fits(password: str, hashed: str) -> bool:
    """Whether it is the password of the hash; takes about 50 ms."""
    _, salt, wanted = hashed.split(":")
    try:
        return hmac.compare_digest(_derived(password, base64.b64decode(salt)), wanted)
    except ValueError:  # a salt that was mistyped
        return False


def _derived(password: str, salt: bytes) -> str:
    derived = hashlib.scrypt(password.encode(), salt=salt, n=N, r=R, p=P)
    return base64.b64encode(derived).decode()
