"""Offer and answer for one stream of G.711 (RFC 3264, RFC 4733, RFC 3551)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from callcore.errors import RemoteProtocolError
from callcore.sdp.description import (
    DEFAULT_PTIME_MS,
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    Codec,
    Media,
    Origin,
    SessionDescription,
)
from callcore.sdp.render import render_sdp

# RFC 3264 §6.1: what an answer may say to a direction in the offer.
MIRROR = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
SENDS = frozenset({"sendrecv", "sendonly"})
RECEIVES = frozenset({"sendrecv", "recvonly"})
UNSPECIFIED = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """What we offer or answer with: our address and, in order of preference, our codecs."""

    address: str
    port: int
    codecs: tuple[Codec, ...] = (PCMA, PCMU, TELEPHONE_EVENT)
    direction: str = "sendrecv"
    session_id: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both sides agreed on, seen from ours."""

    remote_host: str
    remote_port: int
    codec: Codec
    send_payload_type: int
    receive_payload_type: int
    dtmf_payload_type: int | None
    direction: str
    ptime_ms: int
    remote_on_hold: bool


def make_offer(local: LocalMedia) -> bytes:
    """An offer of one audio stream (RFC 3264 §5.1)."""
    return render_sdp(_describe(local, (_section(local, local.codecs, local.direction),)))


def make_answer(offer: SessionDescription, local: LocalMedia) -> tuple[bytes, Negotiated]:
    """Our answer and what it means; RemoteProtocolError(488) without a codec in common.

    RFC 3264 §6: as many m= sections as the offer has, in its order; the first audio that we can
    serve is taken, everything else is refused with port 0.
    """
    for index, media in enumerate(offer.media):
        if not _usable(media):
            continue
        chosen = _choose(media, local)
        if chosen is None:
            continue
        codec, dtmf = chosen
        direction = narrow(_mirrored(media), local.direction)
        codecs = (codec,) if dtmf is None else (codec, dtmf)
        ours = replace(_section(local, codecs, direction), proto=media.proto)
        sections = [refused(other) for other in offer.media]
        sections[index] = ours
        agreed = _negotiated(media, codec, direction, codec.payload_type)
        agreed = replace(agreed, dtmf_payload_type=None if dtmf is None else dtmf.payload_type)
        return render_sdp(_describe(local, tuple(sections))), agreed
    raise RemoteProtocolError("no stream and codec in common", status=488, where="SDP")


def read_answer(local: LocalMedia, answer: SessionDescription) -> Negotiated:
    """What an answer to our offer means; RemoteProtocolError(488) if it refuses the stream.

    RFC 3264 §6.1: we send with the payload types of the answer, and receive with those that we
    offered.
    """
    # An answer with several sections is wrong for our offer of one; the first audio is it.
    media = next((m for m in answer.media if _usable(m)), None)
    if media is None:
        raise RemoteProtocolError("the answer refuses the stream", status=488, where="SDP")
    chosen = _choose(media, local)
    if chosen is None:
        raise RemoteProtocolError("the answer has none of our codecs", status=488, where="SDP")
    codec, dtmf = chosen
    offered = next(c for c in local.codecs if c.same_as(codec))
    direction = narrow(_mirrored(media), local.direction)
    agreed = _negotiated(media, codec, direction, offered.payload_type)
    return replace(agreed, dtmf_payload_type=None if dtmf is None else dtmf.payload_type)


def _usable(media: Media) -> bool:
    return (
        media.kind == "audio"
        and media.port != 0
        and media.connection != ""
        and media.proto.upper() in ("RTP/AVP", "RTP/AVPF")
    )


def _choose(media: Media, local: LocalMedia) -> tuple[Codec, Codec | None] | None:
    """The voice codec and, at its rate, telephone-event: our names, the remote's numbers.

    RFC 3264 §6.1: the remote lists its codecs in its order of preference, which is kept.
    """
    voices = [codec for codec in local.codecs if not _is_dtmf(codec)]
    for theirs in media.codecs:
        for ours in voices:
            if theirs.same_as(ours):
                codec = replace(ours, payload_type=theirs.payload_type)
                return codec, _choose_dtmf(media, local, theirs.rate)
    return None


def _choose_dtmf(media: Media, local: LocalMedia, rate: int) -> Codec | None:
    ours = next((c for c in local.codecs if _is_dtmf(c)), None)
    if ours is None:
        return None
    for theirs in media.codecs:
        if theirs.same_as(ours) and theirs.rate == rate:
            return replace(ours, payload_type=theirs.payload_type)
    return None


def _is_dtmf(codec: Codec) -> bool:
    return codec.name.lower() == TELEPHONE_EVENT.name


def _mirrored(media: Media) -> str:
    """The direction left to us by what the remote says.

    RFC 2543's hold, c=0.0.0.0, means that nothing is to be sent there (RFC 3264 §8.4).
    """
    ours = MIRROR[media.direction]
    if media.connection in UNSPECIFIED:
        ours = narrow(ours, "recvonly")
    return ours


def narrow(one: str, other: str) -> str:
    """The direction that both allow."""
    sends = one in SENDS and other in SENDS
    receives = one in RECEIVES and other in RECEIVES
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def _negotiated(media: Media, codec: Codec, direction: str, receive: int) -> Negotiated:
    return Negotiated(
        remote_host=media.connection,
        remote_port=media.port,
        codec=codec,
        send_payload_type=codec.payload_type,
        receive_payload_type=receive,
        dtmf_payload_type=None,
        direction=direction,
        ptime_ms=media.ptime or DEFAULT_PTIME_MS,
        remote_on_hold=media.on_hold,
    )


def _section(local: LocalMedia, codecs: tuple[Codec, ...], direction: str) -> Media:
    return Media(
        kind="audio",
        port=local.port,
        proto="RTP/AVP",
        formats=tuple(str(codec.payload_type) for codec in codecs),
        connection=local.address,
        direction=direction,
        ptime=DEFAULT_PTIME_MS,
        codecs=codecs,
    )


def refused(media: Media) -> Media:
    """RFC 3264 §6: port 0; the formats are repeated because the grammar wants one at least."""
    return Media(kind=media.kind, port=0, proto=media.proto, formats=media.formats)


def _describe(local: LocalMedia, media: tuple[Media, ...]) -> SessionDescription:
    return SessionDescription(
        origin=Origin("-", local.session_id, local.version, local.address),
        connection=local.address,
        media=media,
    )
