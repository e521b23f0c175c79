"""Offer and answer for one stream of voice (RFC 3264, 4733, 3551), plain or SRTP (RFC 4568)."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Literal

from callcore.errors import RemoteProtocolError
from callcore.sdp import crypto
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
from callcore.value import dataclass

# RFC 3264 §6.1: what an answer may say to a direction in the offer.
MIRROR = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
SENDS = frozenset({"sendrecv", "sendonly"})
RECEIVES = frozenset({"sendrecv", "recvonly"})
PLAIN = frozenset({"RTP/AVP", "RTP/AVPF"})
SECURE = frozenset({"RTP/SAVP", "RTP/SAVPF"})
LONGEST_MS = 60
UNSPECIFIED = frozenset({"0.0.0.0", "::"})
Chosen = tuple[Codec, Codec | None]  # the voice, and telephone-event


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """What we offer or answer with: our address and, in order of preference, our codecs."""

    address: str
    port: int
    codecs: tuple[Codec, ...] = (PCMA, PCMU, TELEPHONE_EVENT)
    direction: str = "sendrecv"
    session_id: int = 0
    version: int = 0
    # off; accept: only when it is offered; offer: unless it is refused; require: nothing else.
    srtp: Literal["off", "accept", "offer", "require"] = "off"
    master: bytes = field(default=b"", repr=False)  # our key and salt, 30 bytes


@dataclass(frozen=True, slots=True)
class Srtp:
    """The suite (RFC 4568 §6.2) and both sides' master keys."""

    suite: str
    send: bytes = field(repr=False)
    receive: bytes = field(repr=False)


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
    srtp: Srtp | None = None
    rtcp_port: int = 0  # 0: none; the RTP port itself: RFC 5761
    receive_dtmf_payload_type: int | None = None  # None: as we send


def make_offer(local: LocalMedia) -> bytes:
    """An offer of one audio stream (RFC 3264 §5.1), protected where SRTP is offered or required.

    Not of two streams to choose from: linphone 5.1 refuses that. Who refuses this one where SRTP
    need not be is to be made a `plain_offer`.
    """
    if local.srtp not in ("offer", "require"):
        return plain_offer(local)
    plain = _section(local, local.codecs, local.direction)
    secure = _protected(plain, crypto.offered(local.master))
    return render_sdp(_describe(local, (secure,)))


def plain_offer(local: LocalMedia) -> bytes:
    """The same stream without protection."""
    return render_sdp(_describe(local, (_section(local, local.codecs, local.direction),)))


def make_answer(offer: SessionDescription, local: LocalMedia) -> tuple[bytes, Negotiated]:
    """Our answer and what it means; RemoteProtocolError(488) without a codec in common.

    RFC 3264 §6: as many m= sections as the offer has, in its order; the first audio that we can
    serve is taken, a protected one before a plain one, everything else is refused with port 0.
    """
    for index, media, offered in _candidates(offer, local):
        chosen = _choose(media, local)
        if chosen is None:
            continue
        codec, dtmf = chosen
        direction = narrow(_mirrored(media), local.direction)
        codecs = (codec,) if dtmf is None else (codec, dtmf)
        ours = _section(local, codecs, direction, media.proto)
        if offered is not None:
            accepted = replace(offered, key=local.master)
            ours = replace(_protected(ours, (accepted,)), proto=media.proto)
        if ("rtcp-mux", None) in media.attributes:
            ours = replace(ours, attributes=(*ours.attributes, ("rtcp-mux", None)))
        sections = [refused(other) for other in offer.media]
        sections[index] = ours
        srtp = None if offered is None else Srtp(offered.suite, local.master, offered.key)
        agreed = _negotiated(media, chosen, direction, codec.payload_type, srtp)
        return render_sdp(_describe(local, tuple(sections))), agreed
    raise RemoteProtocolError("no stream and codec in common", status=488, where="SDP")


def read_answer(local: LocalMedia, answer: SessionDescription) -> Negotiated:
    """What an answer to our offer means; RemoteProtocolError(488) if it refuses the stream.

    RFC 3264 §6.1: we send with the payload types of the answer, and receive with those that we
    offered.
    """
    # We offer one stream: the first that is not refused is it.
    media = next((m for m in answer.media if _usable(m)), None)
    if media is None:
        raise RemoteProtocolError("the answer refuses the stream", status=488, where="SDP")
    srtp = _accepted(media, local)
    chosen = _choose(media, local)
    if chosen is None:
        raise RemoteProtocolError("the answer has none of our codecs", status=488, where="SDP")
    offered = next(c for c in local.codecs if c.same_as(chosen[0]))
    direction = narrow(_mirrored(media), local.direction)
    agreed = _negotiated(media, chosen, direction, offered.payload_type, srtp)
    if chosen[1] is None:
        return agreed
    keys = next(c for c in local.codecs if _is_dtmf(c)).payload_type
    return replace(agreed, receive_dtmf_payload_type=keys)


def _usable(media: Media) -> bool:
    return (
        media.kind == "audio"
        and media.port != 0
        and media.connection != ""
        and media.proto.upper() in PLAIN | SECURE
    )


def _candidates(
    offer: SessionDescription, local: LocalMedia
) -> list[tuple[int, Media, crypto.Crypto | None]]:
    """The sections that our policy lets us take, the best first, with the key of a protected one.

    RFC 4568 §7.1.2: of the attributes offered the first that we can use is taken.
    """
    secure, plain = [], []
    for index, media in enumerate(offer.media):
        if not _usable(media):
            continue
        if media.proto.upper() in PLAIN:
            plain.append((index, media, None))
        elif keys := crypto.read(media):
            secure.append((index, media, keys[0]))
    found: list[tuple[int, Media, crypto.Crypto | None]] = []
    found += secure if local.srtp != "off" else []
    found += plain if local.srtp != "require" else []
    return found


def _accepted(media: Media, local: LocalMedia) -> Srtp | None:
    """The keys of an answer; RemoteProtocolError(488) when it is not as protected as it must be.

    RFC 4568 §7.1.3: the answer has one attribute, with tag and suite of one that we offered.
    """
    if media.proto.upper() in PLAIN:
        if local.srtp == "require":
            raise RemoteProtocolError("the answer is not protected", status=488, where="SDP")
        return None
    if local.srtp not in ("offer", "require"):
        raise RemoteProtocolError("SRTP that was not offered", status=488, where="SDP")
    ours = {(one.tag, one.suite) for one in crypto.offered(local.master)}
    for theirs in crypto.read(media):
        if (theirs.tag, theirs.suite) in ours:
            return Srtp(theirs.suite, local.master, theirs.key)
    raise RemoteProtocolError("the answer has no key of ours", status=488, where="SDP")


def _protected(media: Media, keys: tuple[crypto.Crypto, ...]) -> Media:
    attributes = tuple(key.attribute() for key in keys)
    return replace(media, proto="RTP/SAVP", attributes=(*media.attributes, *attributes))


def _choose(media: Media, local: LocalMedia) -> Chosen | None:
    """The voice codec and, at its rate, telephone-event: our names, the remote's numbers.

    RFC 3264 §6.1: the remote lists its codecs in its order of preference, which is kept.
    """
    voices = [codec for codec in local.codecs if not _is_dtmf(codec)]
    for theirs in media.codecs:
        for ours in voices:
            if theirs.same_as(ours):
                return _numbered(ours, theirs), _choose_dtmf(media, local, theirs.rate)
    return None


def _choose_dtmf(media: Media, local: LocalMedia, rate: int) -> Codec | None:
    ours = next((c for c in local.codecs if _is_dtmf(c)), None)
    if ours is None:
        return None
    for theirs in media.codecs:
        if theirs.same_as(ours) and theirs.rate == rate:
            return _numbered(ours, theirs)
    return None


def _numbered(ours: Codec, theirs: Codec) -> Codec:
    """Most have the same number for it."""
    number = theirs.payload_type
    return ours if ours.payload_type == number else replace(ours, payload_type=number)


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


def _negotiated(
    media: Media, chosen: Chosen, direction: str, receive: int, srtp: Srtp | None
) -> Negotiated:
    codec, dtmf = chosen
    return Negotiated(
        remote_host=media.connection,
        remote_port=media.port,
        codec=codec,
        send_payload_type=codec.payload_type,
        receive_payload_type=receive,
        dtmf_payload_type=None if dtmf is None else dtmf.payload_type,
        direction=direction,
        ptime_ms=_ptime_ms(media, codec),
        remote_on_hold=media.on_hold,
        srtp=srtp,
        rtcp_port=_rtcp_port(media),
    )


def _ptime_ms(media: Media, codec: Codec) -> int:
    """RFC 8866 §6.4: the packet time that is asked for, in steps of 10 ms, within maxptime.

    L16 has at most 30 ms, which is what one of our packets holds.
    """
    said = dict(media.attributes).get("maxptime") or ""
    most = int(said) if said.isascii() and said.isdigit() and len(said) < 5 else LONGEST_MS
    most = min(most, LONGEST_MS, 30 if codec.name == "L16" else LONGEST_MS)
    asked = min(media.ptime or DEFAULT_PTIME_MS, most)
    return max(10, asked // 10 * 10)


def _rtcp_port(media: Media) -> int:
    """RFC 3605: a=rtcp; RFC 5761: a=rtcp-mux, which we only ever answer; else the next port."""
    attributes = dict(media.attributes)
    if "rtcp-mux" in attributes:
        return media.port
    said = (attributes.get("rtcp") or "").split(" ")[0]
    if said.isascii() and said.isdigit() and 0 < int(said) <= 65535:
        return int(said)
    return media.port + 1 if media.port < 65535 else 0


def _section(
    local: LocalMedia, codecs: tuple[Codec, ...], direction: str, proto: str = "RTP/AVP"
) -> Media:
    return Media(
        kind="audio",
        port=local.port,
        proto=proto,
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
