"""Each leg's side of the session description, tied to its port in the media plane."""

import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from callcore.errors import RemoteProtocolError
from callcore.sdp import TELEPHONE_EVENT, SessionDescription
from callcore.sdp.crypto import KEY_BYTES
from callcore.sdp.description import VOICES
from callcore.sdp.offer_answer import (
    LocalMedia,
    Negotiated,
    make_answer,
    make_offer,
    plain_offer,
    read_answer,
)
from callcore.sdp.webrtc import is_web
from hotline.browser_legs import BrowserLegs
from media.errors import LocalProtocolError
from media.io.plane import Address, MediaPlane, Remote
from media.srtp import Keys

WEBSOCKET = ("ws", "wss")
Srtp = Literal["off", "accept", "offer", "require"]


@dataclass(slots=True)
class MediaLeg:
    """What we said, and what came of it."""

    local: LocalMedia
    negotiated: Negotiated | None = None
    asked: SessionDescription | None = None  # their offer, to be answered later
    told: bytes = b""  # what they were answered before the call itself was


@dataclass(frozen=True, slots=True)
class Terms:
    """What all legs are described by.

    `srtp_of` is a seat's own policy, `trunk_srtp` a trunk's; empty where it has none.
    """

    public_address: str = ""
    srtp: Srtp = "off"
    codecs: tuple[str, ...] = ("PCMA", "PCMU")
    srtp_of: Callable[[str], Srtp | Literal[""]] = lambda seat: ""
    trunk_srtp: Callable[[str], Srtp | Literal[""]] = lambda trunk: ""


class MediaLegs:
    """Opens ports, writes offers and answers, and connects what was negotiated."""

    def __init__(
        self, plane: MediaPlane, terms: Terms = Terms(), browsers: BrowserLegs | None = None
    ) -> None:
        self._codecs = (*(VOICES[name] for name in terms.codecs), TELEPHONE_EVENT)
        self._plane = plane
        self._public_address = terms.public_address
        self._srtp = terms.srtp
        self._srtp_of = terms.srtp_of
        self._trunk_srtp = terms.trunk_srtp
        self._browsers = browsers
        self._legs: dict[str, MediaLeg] = {}
        self._session_id = 0

    def __contains__(self, leg: str) -> bool:
        return leg in self._legs

    def open(self, leg: str, near: str | None = None, *, seat: str = "", trunk: str = "") -> None:
        """Take a port for `leg`, on the worker of `near` when they are to be bridged.

        `seat` is its user where it is a seat's, `trunk` the trunk's name where it is a trunk's.
        """
        self._session_id += 1
        srtp = self._policy(seat, trunk)
        address = self._plane.open(leg, near=near)
        local = LocalMedia(
            address=self._public_address or address.host,
            port=address.port,
            codecs=self._codecs,
            session_id=self._session_id,
            version=self._session_id,
            srtp=srtp,
            master=b"" if srtp == "off" else secrets.token_bytes(KEY_BYTES),
        )
        self._legs[leg] = MediaLeg(local)

    def expect(self, leg: str, offer: SessionDescription | None) -> None:
        """Keep the offer of a call that is answered once somebody else has answered."""
        self._legs[leg].asked = offer

    def promised(self, leg: str) -> bytes:
        """Our answer to the offer kept, the same each time; our offer where there was none.

        RemoteProtocolError(488) when nothing fits.
        """
        known = self._legs[leg]
        if known.asked is None:
            return self.offer(leg)
        if not known.told:
            known.told, _ = self.answer(leg, known.asked)
        return known.told

    def is_negotiated(self, leg: str) -> bool:
        """Whether sound can pass."""
        return leg in self._legs and self._legs[leg].negotiated is not None

    def offer(self, leg: str) -> bytes:
        """Our offer (RFC 3264 §5); the first one plain where it need not be protected."""
        known = self._legs[leg]
        if self._is_browsers(leg) and known.negotiated is not None:
            return self._browsers_offer(leg)
        return plain_offer(known.local) if known.local.srtp == "offer" else make_offer(known.local)

    def protected(self, leg: str, transport: str) -> bytes | None:
        """The offer that comes before the plain one for whoever is called over this transport.

        None where there is no choice: keys in SDP are worth something over TLS only.
        """
        known = self._legs.get(leg)
        if known is None or transport != "tls" or known.local.srtp != "offer":
            return None
        return make_offer(known.local)

    def described(self, leg: str, transport: str, offer: bytes) -> bytes:
        """Our first offer as a seat must have it that is called over this transport.

        Who registered over WebSocket (RFC 7118) is a browser, as long as there is a gateway.
        """
        if transport not in WEBSOCKET or leg not in self._legs or self._browsers is None:
            return offer
        try:
            return self._browsers_offer(leg)
        except RemoteProtocolError:
            return offer  # which a browser refuses: the call goes on to the next seat

    def answer(self, leg: str, offer: SessionDescription) -> tuple[bytes, Negotiated]:
        """Our answer to `offer`, media connected (RFC 3264 §6).

        RemoteProtocolError(488) when nothing fits; what was negotiated before stays in force.
        """
        known = self._legs[leg]
        if known.negotiated is not None:
            known.local = replace(known.local, version=known.local.version + 1)
        if self._browsers is not None and is_web(offer):
            body, negotiated = self._browsers.answer(leg, offer, self._plane_side(leg))
        else:
            body, negotiated = make_answer(offer, known.local)
        self._connect(leg, negotiated)
        return body, negotiated

    def accepted(self, leg: str, answer: SessionDescription) -> Negotiated:
        """Media connected by the far end's answer to our offer (RFC 3264 §7)."""
        if self._browsers is not None and self._is_browsers(leg) and is_web(answer):
            negotiated = self._browsers.accepted(leg, answer)
        else:
            if self._browsers is not None:
                self._browsers.close(leg)  # another phone of the seat was faster
            negotiated = read_answer(self._legs[leg].local, answer)
        self._connect(leg, negotiated)
        return negotiated

    def move(self, leg: str, near: str | None = None) -> bytes:
        """A new port after the old one's worker died, and the offer that tells the far end.

        We go on sending to where the far end listens: it hears us at once.
        """
        known = self._legs[leg]
        address = self._plane.open(leg, near=near)
        known.local = replace(
            known.local,
            address=self._public_address or address.host,
            port=address.port,
            version=known.local.version + 1,
        )
        if self._browsers is not None and self._is_browsers(leg):
            self._browsers.move(leg, self._plane_side(leg))
        if known.negotiated is not None:
            self._connect(leg, known.negotiated)
        return self.offer(leg)

    def renew(self, leg: str) -> bytes:
        """The browser's side of a leg whose gateway died, and the offer that tells of the next one.

        The plane's side stays where it is. LocalProtocolError when the leg cannot be saved.
        """
        browsers, known = self._browsers, self._legs.get(leg)
        if browsers is None or known is None or known.negotiated is None:
            raise LocalProtocolError(f"leg {leg} has no voice to save")
        body, negotiated = browsers.renew(leg, self._plane_side(leg))
        self._connect(leg, negotiated)
        return body

    def close(self, leg: str) -> None:
        """Give the port back; closing twice is harmless."""
        if self._legs.pop(leg, None) is not None:
            self._plane.close(leg)
            if self._browsers is not None:
                self._browsers.close(leg)

    def _is_browsers(self, leg: str) -> bool:
        return self._browsers is not None and leg in self._browsers

    def _browsers_offer(self, leg: str) -> bytes:
        assert self._browsers is not None
        return self._browsers.offer(leg, self._plane_side(leg))

    def _plane_side(self, leg: str) -> Address:
        """Where the gateway reaches the leg: never by what SDP tells the world."""
        return Address(self._plane.settings.address, self._legs[leg].local.port)

    def _policy(self, seat: str, trunk: str) -> Srtp:
        """Its own, or the general one; a trunk without its own is offered nothing."""
        if seat:
            return self._srtp_of(seat) or self._srtp
        own = self._trunk_srtp(trunk) if trunk else ""
        return own or ("off" if self._srtp == "off" else "accept")

    def _connect(self, leg: str, negotiated: Negotiated) -> None:
        srtp = negotiated.srtp
        remote = Remote(
            host=negotiated.remote_host,
            port=negotiated.remote_port,
            codec=negotiated.codec.name.upper(),
            ptime_ms=negotiated.ptime_ms,
            payload_type=negotiated.send_payload_type,
            dtmf_payload_type=negotiated.dtmf_payload_type,
            direction=negotiated.direction,
            receive_payload_type=negotiated.receive_payload_type,
            receive_dtmf_payload_type=negotiated.receive_dtmf_payload_type,
            accept_any=not self._is_browsers(leg)
            and is_behind_nat(negotiated.remote_host, self._legs[leg].local.address),
            srtp=None if srtp is None else Keys(srtp.suite, srtp.send, srtp.receive),
            rtcp_port=negotiated.rtcp_port,
        )
        try:
            self._plane.connect(leg, remote)
        except LocalProtocolError as error:
            # A host name in c=: to look it up would be to let a stranger steer our resolver.
            raise RemoteProtocolError(str(error), status=488, where="SDP") from None
        known = self._legs[leg]
        known.negotiated = negotiated
        agreed: Srtp = "accept" if srtp is None else "require"
        if known.local.srtp not in ("off", agreed):
            # What was agreed is what later offers have; nobody can talk a protected call down.
            known.local = replace(known.local, srtp=agreed)


def is_behind_nat(host: str, ours: str) -> bool:
    """Whether its SDP names an address that cannot be reached from ours: RFC 1918, 4193, 6598."""
    try:
        theirs, here = ipaddress.ip_address(host), ipaddress.ip_address(ours)
    except ValueError:
        return False
    return here.is_global and not theirs.is_global and not theirs.is_unspecified
