"""Whatever credentials or a challenge say, judging them raises RemoteProtocolError or nothing."""

from __future__ import annotations

import contextlib

from callcore.errors import RemoteProtocolError
from callcore.message.digest import (
    answer,
    check_nonce,
    make_nonce,
    parse_challenge,
    parse_credentials,
    verify,
)
from tests.fuzz.mutations import fuzz

SECRET = b"a secret of the test"
NONCE = make_nonce(SECRET, 1.0, b"salt")
CORPUS = [
    (
        f'Digest username="8001", realm="h", nonce="{NONCE}", uri="sip:h", qop=auth, nc=00000001, '
        'cnonce="c", response="0123456789abcdef0123456789abcdef", algorithm=MD5'
    ).encode(),
    b'Digest username="8001",realm="h",nonce="n",uri="sip:h",response="00",algorithm=SHA-256',
    f'Digest realm="h", nonce="{NONCE}", algorithm=SHA-256, qop="auth,auth-int"'.encode(),
    b'Digest realm="\\"h\\\\", nonce="", stale=TRUE, opaque="o", qop="auth-int"',
]


def target(data: bytes) -> None:
    """As credentials, as a challenge and as a nonce; what can be read can be written and read."""
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(RemoteProtocolError):
        credentials = parse_credentials(text)
        assert not verify(credentials, method="REGISTER", password="secret", body=data)
        check_nonce(SECRET, credentials.nonce, 2.0, 300.0)
        again = parse_credentials(str(credentials))
        if credentials.qop is not None or credentials.cnonce is None:  # else it is left out
            assert again == credentials
    with contextlib.suppress(RemoteProtocolError):
        challenge = parse_challenge(text)
        if not {'"', "\\"} & set("".join(challenge.qop)):  # we write tokens, and quote none
            assert parse_challenge(str(challenge)) == challenge
        given = answer(
            challenge, method="REGISTER", uri="sip:h", user="u", password="p", body=data, cnonce="c"
        )
        parsed = parse_credentials(given)
        assert verify(parsed, method="REGISTER", password="p", body=data)
    assert check_nonce(SECRET, text, 2.0, 300.0) in ("ok", "stale", "forged")


if __name__ == "__main__":
    fuzz(target, CORPUS)
