"""Offer and answer with a browser (RFC 8829, RFC 8839, RFC 8842): one stream of audio, ICE lite.

What the two sides of a call through the gateway say to each other is told here; who terminates
ICE and DTLS is not this module's business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from callcore.errors import RemoteProtocolError
from callcore.sdp.description import (
    DEFAULT_PTIME_MS,
    PCMA,
    PCMU,
    Codec,
    Media,
    Origin,
    SessionDescription,
)
from callcore.sdp.offer_answer import MIRROR, narrow, refused
from callcore.sdp.render import render_sdp

PROTO = "UDP/TLS/RTP/SAVPF"
# Narrow band is all that a telephone network carries, and the cheapest to code (RFC 7587 §7.1).
OPUS = Codec(
    111,
    "opus",
    48000,
    2,
    "maxplaybackrate=8000;sprop-maxcapturerate=8000;maxaveragebitrate=32000;stereo=0",
)
EVENTS = {48000: Codec(110, "telephone-event", 48000, fmtp="0-15")}
EVENTS[8000] = Codec(101, "telephone-event", 8000, fmtp="0-15")
VOICES = {"opus": OPUS, "PCMA": PCMA, "PCMU": PCMU}

HASHES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}  # and their sizes in bytes
HOST_PREFERENCE = 126  # RFC 8445 §5.1.2.2
_ufrag = re.compile(r"[A-Za-z0-9+/]{4,256}\Z").match
_password = re.compile(r"[A-Za-z0-9+/]{22,256}\Z").match
_fingerprint = re.compile(r"([A-Za-z0-9-]+) +((?:[0-9A-Fa-f]{2}:)*[0-9A-Fa-f]{2}) *\Z").match

Fingerprint = tuple[str, str]  # the hash's name in small letters, "AB:CD:..."


@dataclass(frozen=True, slots=True)
class WebLocal:
    """Our side: where we are reached and what we prove ourselves by; `codecs` by preference.

    `setup` is our DTLS role (RFC 5763 §5): "actpass" in a first offer, then what was agreed.
    """

    candidates: tuple[tuple[str, int], ...]
    ufrag: str
    password: str
    fingerprint: Fingerprint
    codecs: tuple[str, ...] = ("opus", "PCMA", "PCMU")
    setup: str = "actpass"
    direction: str = "sendrecv"
    session_id: int = 0
    version: int = 0
    mid: str | None = "0"


@dataclass(frozen=True, slots=True)
class WebRemote:
    """The browser's side, and what came of the negotiation; `setup` and `direction` are ours."""

    ufrag: str
    password: str
    fingerprints: tuple[Fingerprint, ...]
    setup: str
    codec: Codec
    receive_payload_type: int
    dtmf: Codec | None
    receive_dtmf_payload_type: int | None
    direction: str
    remote_on_hold: bool
    mid: str | None


def is_web(description: SessionDescription) -> bool:
    """Whether its first audio stream is one that only a WebRTC end understands."""
    audio = next((m for m in description.media if m.kind == "audio" and m.port), None)
    return audio is not None and audio.proto.upper() == PROTO


def make_web_offer(local: WebLocal) -> bytes:
    """Our offer (RFC 8829 §5.2.1), with telephone-event at the rate of the codec preferred.

    Of two rates Chromium takes the wrong one: 8000 beside Opus, whose clock is 48000, and its
    keys are cut to a sixth.
    """
    voices = [VOICES[name] for name in local.codecs]
    codecs = (*voices, EVENTS[voices[0].rate])
    return _render(local, (_section(local, codecs, local.direction),), grouped=True)


def make_web_answer(offer: SessionDescription, local: WebLocal) -> tuple[bytes, WebRemote]:
    """Our answer and what it means; RemoteProtocolError(488) names what is missing.

    RFC 8829 §5.3.1: every other m= section is refused, and not bundled.
    """
    index, media = _audio(offer)
    remote = _read(offer, media, local)
    local = replace(local, setup=remote.setup, mid=remote.mid)
    codecs = (remote.codec,) if remote.dtmf is None else (remote.codec, remote.dtmf)
    fmtp = VOICES[_name(remote.codec)].fmtp
    ours = _section(local, (replace(remote.codec, fmtp=fmtp), *codecs[1:]), remote.direction)
    sections = [refused(other) for other in offer.media]
    sections[index] = replace(ours, proto=media.proto)
    grouped = _value(offer.attributes, "group") is not None
    return _render(local, tuple(sections), grouped=grouped), remote


def read_web_answer(local: WebLocal, answer: SessionDescription) -> WebRemote:
    """What an answer to our offer means; RemoteProtocolError(488) when it does not fit."""
    _, media = _audio(answer)
    remote = _read(answer, media, local)
    offered = VOICES[_name(remote.codec)]
    dtmf = None if remote.dtmf is None else EVENTS[remote.dtmf.rate].payload_type
    return replace(
        remote,
        receive_payload_type=offered.payload_type,
        receive_dtmf_payload_type=dtmf,
        mid=local.mid,
    )


def _audio(description: SessionDescription) -> tuple[int, Media]:
    for index, media in enumerate(description.media):
        if media.kind == "audio" and media.port and media.proto.upper() == PROTO:
            return index, media
    raise _unfit("no audio stream for a browser")


def _read(description: SessionDescription, media: Media, local: WebLocal) -> WebRemote:
    found = (*media.attributes, *description.attributes)  # a media section's word counts first
    if not any(name == "rtcp-mux" for name, _ in found):
        raise _unfit("rtcp-mux is missing")  # RFC 8834 §4.5: the port is one
    ufrag, password = _value(found, "ice-ufrag") or "", _value(found, "ice-pwd") or ""
    if not _ufrag(ufrag) or not _password(password):
        raise _unfit("ice-ufrag or ice-pwd is missing or wrong")
    codec, dtmf = _choose(media, local)
    direction = narrow(MIRROR[media.direction], local.direction)
    return WebRemote(
        ufrag=ufrag,
        password=password,
        fingerprints=_fingerprints(media, description),
        setup=_role(_value(found, "setup"), local.setup),
        codec=codec,
        receive_payload_type=codec.payload_type,
        dtmf=dtmf,
        receive_dtmf_payload_type=None if dtmf is None else dtmf.payload_type,
        direction=direction,
        remote_on_hold=media.direction in ("sendonly", "inactive"),
        mid=_value(media.attributes, "mid"),
    )


def _fingerprints(media: Media, description: SessionDescription) -> tuple[Fingerprint, ...]:
    """RFC 8122 §5: all with a hash that we trust; they are alternatives for one certificate each.

    SHA-1 and MD5 prove nothing any more.
    """
    for attributes in (media.attributes, description.attributes):
        lines = [value or "" for name, value in attributes if name == "fingerprint"]
        found = [_fingerprint(line) for line in lines]
        if None in found:
            raise _unfit("a=fingerprint is wrong")
        pairs = tuple((one[1].lower(), one[2].upper()) for one in found if one is not None)
        if pairs:
            good = tuple(p for p in pairs if HASHES.get(p[0]) == (len(p[1]) + 1) // 3)
            if not good:
                raise _unfit("no fingerprint by sha-256, sha-384 or sha-512")
            return good
    raise _unfit("a=fingerprint is missing")


def _role(theirs: str | None, ours: str) -> str:
    """RFC 8842 §5.3: our role; passive where we may choose, since a lite agent waits."""
    if ours in ("active", "passive") and theirs in ("actpass", _OTHER[ours]):
        return ours
    if theirs in ("actpass", "active") and ours == "actpass":
        return "passive"
    if theirs == "passive" and ours == "actpass":
        return "active"
    raise _unfit("a=setup is missing or does not fit")


_OTHER = {"active": "passive", "passive": "active"}


def _choose(media: Media, local: WebLocal) -> tuple[Codec, Codec | None]:
    """Our order of preference, the browser's numbers; telephone-event at the voice's rate."""
    for name in local.codecs:
        ours = VOICES[name]
        theirs = next((c for c in media.codecs if c.same_as(ours)), None)
        if theirs is not None:
            event = EVENTS[ours.rate]
            dtmf = next((c for c in media.codecs if c.same_as(event)), None)
            if dtmf is not None:
                dtmf = replace(event, payload_type=dtmf.payload_type)
            return replace(ours, payload_type=theirs.payload_type), dtmf
    raise _unfit("no codec in common")


def _name(codec: Codec) -> str:
    return next(name for name, voice in VOICES.items() if voice.same_as(codec))


def _value(attributes: Sequence[tuple[str, str | None]], name: str) -> str | None:
    value = next((value for key, value in attributes if key == name), None)
    return None if value is None else value.strip()


def _section(local: WebLocal, codecs: tuple[Codec, ...], direction: str) -> Media:
    (host, port), *_ = local.candidates
    attributes: list[tuple[str, str | None]] = [
        ("rtcp-mux", None),
        ("ice-ufrag", local.ufrag),
        ("ice-pwd", local.password),
        ("fingerprint", " ".join(local.fingerprint)),
        ("setup", local.setup),
        *[("candidate", line) for line in _candidates(local.candidates)],
        ("end-of-candidates", None),
        ("msid", "callcore audio"),
    ]
    if local.mid is not None:
        attributes.append(("mid", local.mid))
    return Media(
        kind="audio",
        port=port,
        proto=PROTO,
        formats=tuple(str(codec.payload_type) for codec in codecs),
        connection=host,
        attributes=tuple(attributes),
        direction=direction,
        ptime=DEFAULT_PTIME_MS,
        codecs=codecs,
    )


def _candidates(addresses: Sequence[tuple[str, int]]) -> list[str]:
    """RFC 8839 §5.1; RFC 8445 §5.1.2.1: the first is preferred, the one component is RTP's."""
    lines = []
    for index, (host, port) in enumerate(addresses):
        priority = (HOST_PREFERENCE << 24) + ((65535 - index) << 8) + 255
        lines.append(f"{index + 1} 1 udp {priority} {host} {port} typ host")
    return lines


def _render(local: WebLocal, media: tuple[Media, ...], *, grouped: bool) -> bytes:
    attributes: list[tuple[str, str | None]] = [("ice-lite", None)]
    if grouped and local.mid is not None:
        attributes.append(("group", f"BUNDLE {local.mid}"))
    host = local.candidates[0][0]
    description = SessionDescription(
        origin=Origin("-", local.session_id, local.version, host),
        media=media,
        attributes=tuple(attributes),
    )
    return render_sdp(description)


def _unfit(why: str) -> RemoteProtocolError:
    return RemoteProtocolError(why, status=488, where="SDP")
