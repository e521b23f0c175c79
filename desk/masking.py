"""Numbers as they are shown to who has no right to see them: 139****1111.

Whoever lacks the right `reveal` gets calls, callbacks and marks with masked numbers. An account of
the role `unit` (a member unit) reads calls and callbacks, by its token or on the status page, and
has citizens called by the case's id; everything else is forbidden (403).
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

NUMBERS = frozenset(("caller", "called", "number", "who", "to"))
_number = re.compile(r"\+?[0-9]{5,20}").fullmatch
_written = re.compile(r"\+?[0-9](?:[ ().-]{0,2}[0-9]){6,}")  # in words, or with signs between
SHOWS = re.compile(r"/api/v1/(calls|callbacks|callers)(/.*)?").fullmatch
PAGE = re.compile(r"/|/static/[^/]+|/api/v1/me").fullmatch
REVEALS = re.compile(r"/api/v1/calls/[^/]+/reveal").fullmatch
READS = re.compile(r"/api/v1/(calls(/[^/]+(/parties)?)?|callbacks|queues(/[^/]+)?)").fullmatch
FOLLOWS_UP = "/api/v1/calls"


def masked(number: str) -> str:
    """The first three and the last four digits of a mobile, less of a shorter number."""
    if _number(number) is None:
        return _written.sub(lambda found: _ends(found[0]), number)
    return _ends(number)


def _nothing(number: str) -> str:
    """Of whoever asked the network to show none (RFC 3323), not even the ends."""
    return number if masked(number) == number else "****"


def _ends(number: str) -> str:
    head, tail = (3, 4) if len(number) >= 11 else (2, 2)
    return f"{number[:head]}****{number[-tail:]}"


def hidden(document: Any) -> Any:
    """A JSON document with the numbers in it masked."""
    if isinstance(document, list):
        return [hidden(one) for one in document]
    if isinstance(document, dict):
        ends = _nothing if document.get("withheld") else masked
        return {
            key: ends(one) if key in NUMBERS and isinstance(one, str) else hidden(one)
            for key, one in document.items()
        }
    return document


def names_number(body: bytes) -> bool:
    """Whether a call is asked for by number; what is no JSON is the route's to refuse (422)."""
    try:
        said = json.loads(body or b"{}")
    except ValueError:
        return False
    return isinstance(said, dict) and bool(said.get("to"))


async def serve_unit(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    """What a unit may do, with the numbers of the answer masked."""
    path, reads = request.url.path, request.method in ("GET", "HEAD")
    if reads and PAGE(path):
        return await go_on(request)
    if REVEALS(path) and "reveal" in request.state.person.rights:
        return await go_on(request)
    if not (reads and READS(path)) and not (request.method == "POST" and path == FOLLOWS_UP):
        return JSONResponse({"detail": "a unit's token reads calls and follows them up"}, 403)
    if not reads and names_number(await request.body()):
        return JSONResponse({"detail": "by call, callback or order; not by number"}, 403)
    return await without_numbers(await go_on(request))


async def without_numbers(response: Response) -> Response:
    """An answer of the API with the numbers in it masked."""
    chunks = [chunk async for chunk in response.body_iterator]  # type: ignore[attr-defined]
    body = b"".join(chunk if isinstance(chunk, bytes) else chunk.encode() for chunk in chunks)
    try:
        document = json.loads(body)
    except ValueError:
        return Response(body, response.status_code, media_type=response.media_type)
    return JSONResponse(hidden(document), response.status_code)
