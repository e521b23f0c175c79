"""Which codecs pass over a trunk (RFC 3264 §5.1): a description without the others."""

from collections.abc import Sequence
from dataclasses import replace

from callcore.errors import RemoteProtocolError
from callcore.sdp import Media, SessionDescription, parse_sdp, render_sdp


def keep(description: SessionDescription, names: Sequence[str]) -> SessionDescription:
    """Audio with the codecs named, in their owner's order; other media as they are."""
    wanted = frozenset(name.lower() for name in names)
    media = tuple(_kept(one, wanted) for one in description.media)
    return description if media == description.media else replace(description, media=media)


def rearrange(offer: bytes, names: Sequence[str]) -> bytes:
    """An offer of ours with the codecs named, in this order; as it is where none would be left."""
    try:
        description = keep(parse_sdp(offer), names)
    except RemoteProtocolError:
        return offer
    rank = {name.lower(): number for number, name in enumerate(names)}
    media = []
    for one in description.media:
        if one.kind == "audio":
            if not one.codecs:
                return offer
            codecs = tuple(sorted(one.codecs, key=lambda codec: rank[codec.name.lower()]))
            formats = tuple(str(codec.payload_type) for codec in codecs)
            one = replace(one, codecs=codecs, formats=formats)
        media.append(one)
    return render_sdp(replace(description, media=tuple(media)))


def _kept(media: Media, wanted: frozenset[str]) -> Media:
    if media.kind != "audio":
        return media
    codecs = tuple(codec for codec in media.codecs if codec.name.lower() in wanted)
    if len(codecs) == len(media.codecs):
        return media
    return replace(media, codecs=codecs, formats=tuple(str(c.payload_type) for c in codecs))
