"""Numbers as they are shown to who has no right to see them: 139****1111.

A member unit's token (an account of the role `unit`) reads calls and callbacks with masked numbers
and has citizens called by the case's id; everything else is forbidden (403).
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

NUMBERS = frozenset(("caller", "called", "number", "who", "to"))
_number = re.compile(r"\+?[0-9]{5,20}").fullmatch
READS = re.compile(r"/api/v1/(calls(/[^/]+(/parties)?)?|callbacks|queues(/[^/]+)?)").fullmatch
FOLLOWS_UP = "/api/v1/calls"


def masked(number: str) -> str:
    """The first three and the last four digits of a mobile, less of a shorter number."""
    if _number(number) is None:
        return number
    head, tail = (3, 4) if len(number) >= 11 else (2, 2)
    return f"{number[:head]}****{number[-tail:]}"


def hidden(document: Any) -> Any:
    """A JSON document with the numbers in it masked."""
    if isinstance(document, list):
        return [hidden(one) for one in document]
    if isinstance(document, dict):
        return {
            key: masked(one) if key in NUMBERS and isinstance(one, str) else hidden(one)
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
    if not (reads and READS(path)) and not (request.method == "POST" and path == FOLLOWS_UP):
        return JSONResponse({"detail": "a unit's token reads calls and follows them up"}, 403)
    if not reads and names_number(await request.body()):
        return JSONResponse({"detail": "by call, callback or order; not by number"}, 403)
    response = await go_on(request)
    chunks = [chunk async for chunk in response.body_iterator]  # type: ignore[attr-defined]
    body = b"".join(chunk if isinstance(chunk, bytes) else chunk.encode() for chunk in chunks)
    try:
        document = json.loads(body)
    except ValueError:
        return Response(body, response.status_code, media_type=response.media_type)
    return JSONResponse(hidden(document), response.status_code)
