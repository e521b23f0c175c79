"""Byte ranges of an answer (RFC 9110 §14), so that a player can seek."""

import re

from fastapi import Response
from fastapi.responses import StreamingResponse

from hotline.commands import Audio

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})$")


def wanted(asked: str | None, size: int) -> tuple[int, int] | None:
    """The bytes (start, stop) of a `Range` header, or None for the whole.

    Several ranges, or a unit that we do not know, mean the whole (§14.2 allows it); a range that
    cannot be satisfied has start >= stop.
    """
    found = RANGE.match(asked.strip()) if asked else None
    if found is None or found.group(0) == "bytes=-":
        return None
    first, last = found.groups()
    if first:
        return int(first), min(int(last) + 1 if last else size, size)
    return max(0, size - int(last)), size


def partial(audio: Audio, asked: str | None, headers: dict[str, str]) -> Response:
    """The sound whole, the one range asked for (206), or 416 when it lies outside."""
    headers = {**headers, "Accept-Ranges": "bytes"}
    part = wanted(asked, audio.size)
    start, stop = part or (0, audio.size)
    if part is not None and start >= stop:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{audio.size}"})
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{audio.size}"
    headers["Content-Length"] = str(stop - start)
    return StreamingResponse(
        audio.chunks(start, stop),
        status_code=206 if part else 200,
        media_type=audio.content_type,
        headers=headers,
    )
