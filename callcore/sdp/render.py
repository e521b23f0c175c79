"""From a session description to bytes (RFC 8866 §5)."""

from __future__ import annotations

from callcore.errors import LocalProtocolError
from callcore.sdp.description import Media, SessionDescription


def render_sdp(description: SessionDescription) -> bytes:
    """The bytes of a description; LocalProtocolError if a value of ours would break a line."""
    origin = description.origin
    lines = [
        "v=0",
        f"o={origin.user} {origin.session_id} {origin.version} {_address(origin.address)}",
        f"s={description.name or '-'}",
    ]
    if description.connection:
        lines.append(f"c={_address(description.connection)}")
    lines += [f"t={times}" for times in description.times or ("0 0",)]
    if description.direction is not None:
        lines.append(f"a={description.direction}")
    lines += [_attribute(name, value) for name, value in description.attributes]
    for media in description.media:
        lines += _media(media, description)
    text = "\r\n".join([*lines, ""])
    if text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\x00" in text:
        raise LocalProtocolError("CR, LF or NUL within a line of SDP")
    return text.encode()


def _address(address: str) -> str:
    return f"IN {'IP6' if ':' in address else 'IP4'} {address}"


def _attribute(name: str, value: str | None) -> str:
    return f"a={name}" if value is None else f"a={name}:{value}"


def _media(media: Media, description: SessionDescription) -> list[str]:
    port = str(media.port) if media.ports == 1 else f"{media.port}/{media.ports}"
    lines = [f"m={media.kind} {port} {media.proto} {' '.join(media.formats)}"]
    if media.connection and media.connection != description.connection:
        lines.append(f"c={_address(media.connection)}")
    for codec in media.codecs:
        channels = "" if codec.channels == 1 else f"/{codec.channels}"
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.rate}{channels}")
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {codec.fmtp}")
    if media.ptime is not None:
        lines.append(f"a=ptime:{media.ptime}")
    # Said even when it is the default: some phones keep the direction of the last description.
    implied = description.direction or "sendrecv"
    if media.direction != implied or (media.kind == "audio" and media.port != 0):
        lines.append(f"a={media.direction}")
    return lines + [_attribute(name, value) for name, value in media.attributes]
