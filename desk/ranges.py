"""Byte ranges of an answer (RFC 9110 §14), so that a player can seek."""

import re

from fastapi import Response

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})$")


def partial(data: bytes, asked: str | None, content_type: str, headers: dict[str, str]) -> Response:
    """`data` whole, the one range asked for (206), or 416 when it lies outside.

    Several ranges, or a unit that we do not know, are answered with the whole (§14.2 allows it).
    """
    headers = {**headers, "Accept-Ranges": "bytes"}
    found = RANGE.match(asked.strip()) if asked else None
    if found is None or found.group(0) == "bytes=-":
        return Response(data, media_type=content_type, headers=headers)
    first, last = found.groups()
    if first:
        start, stop = int(first), int(last) + 1 if last else len(data)
    else:
        start, stop = max(0, len(data) - int(last)), len(data)
    stop = min(stop, len(data))
    if start >= stop:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return Response(data[start:stop], 206, media_type=content_type, headers=headers)
