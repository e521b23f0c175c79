"""The shared token of `[http] token`, until users and rights are there."""

import hmac
from collections.abc import Mapping


def token_given(headers: Mapping[str, str], cookies: Mapping[str, str], token: str) -> bool:
    """Whether the request carries the token, compared in constant time."""
    bearer = headers.get("authorization", "")
    if bearer.startswith("Bearer "):
        given = bearer.removeprefix("Bearer ")
    else:
        given = cookies.get("callcore_token", "")
    return hmac.compare_digest(given.encode(), token.encode())
