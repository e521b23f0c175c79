"""The browser's side of legs: what the gateway is told, what the browser reads.

To the plane such a leg is one of plain RTP whose far end is the gateway.
"""

from dataclasses import dataclass, replace

from callcore.errors import RemoteProtocolError
from callcore.sdp import PCMA, PCMU, TELEPHONE_EVENT, Negotiated, SessionDescription
from callcore.sdp.webrtc import (
    WebLocal,
    WebRemote,
    make_web_answer,
    make_web_offer,
    read_web_answer,
)
from media.errors import LocalProtocolError
from media.gateway import messages as m
from media.io.gateway import Ends, Gateway

PLAIN = {"opus": PCMA, "PCMA": PCMA, "PCMU": PCMU}
PTIME_MS = 20
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class BrowserLeg:
    """What was said on both sides."""

    local: WebLocal
    plain: Address  # of the gateway
    remote: WebRemote | None = None


class BrowserLegs:
    """Sessions of the gateway, by the names of their legs."""

    def __init__(self, gateway: Gateway, codecs: tuple[str, ...]) -> None:
        self.gateway = gateway
        self._codecs = codecs
        self._legs: dict[str, BrowserLeg] = {}
        self._session_id = 0

    def __contains__(self, leg: str) -> bool:
        return leg in self._legs

    def offer(self, leg: str, plane: Address) -> bytes:
        """Our offer, in a session that is opened for it; RemoteProtocolError(503)."""
        known = self._legs.get(leg) or self._open(leg, plane)
        if known.remote is not None:
            known = self._keep(leg, self._next(known))
        return make_web_offer(known.local)

    def answer(
        self, leg: str, offer: SessionDescription, plane: Address
    ) -> tuple[bytes, Negotiated]:
        """Our answer; RemoteProtocolError(488) when nothing fits, 503 without a gateway."""
        known = self._legs.get(leg)
        fresh = known is None
        known = self._open(leg, plane) if known is None else self._next(known)
        try:
            body, remote = make_web_answer(offer, known.local)
            if known.remote is not None and is_restart(known.remote, remote):
                ends = self.gateway.renew(leg)
                known = replace(known, local=with_ends(known.local, ends))
                body, remote = make_web_answer(offer, known.local)
        except RemoteProtocolError:
            if fresh:
                self.close(leg)
            raise
        return body, self._connect(leg, known, remote)

    def accepted(self, leg: str, answer: SessionDescription) -> Negotiated:
        """The browser's answer to our offer; RemoteProtocolError(488)."""
        known = self._legs[leg]
        return self._connect(leg, known, read_web_answer(known.local, answer))

    def move(self, leg: str, plane: Address) -> None:
        """The plane's leg has another port; nothing changes for the browser."""
        self.gateway.aim(leg, plane)

    def renew(self, leg: str, plane: Address) -> tuple[bytes, Negotiated]:
        """A new session in place of one whose process died, and the offer that tells of it."""
        known = self._legs.get(leg)
        if known is None or known.remote is None:
            raise LocalProtocolError(f"leg {leg} has no browser yet")
        ends = self.gateway.open(leg, plane, wait=True)
        # Another certificate is another association, in which nobody has a role yet (RFC 8842 §4).
        local = replace(with_ends(self._next(known).local, ends), setup="actpass")
        again = self._keep(leg, BrowserLeg(local, ends.plain, known.remote))
        return make_web_offer(local), plain_side(again, known.remote)

    def close(self, leg: str) -> None:
        """Closing twice is harmless."""
        if self._legs.pop(leg, None) is not None:
            self.gateway.close(leg)

    def _open(self, leg: str, plane: Address) -> BrowserLeg:
        try:
            ends = self.gateway.open(leg, plane)
        except LocalProtocolError as error:
            raise RemoteProtocolError(str(error), status=503, where="SDP") from None
        self._session_id += 1
        local = WebLocal(
            ends.candidates,
            ends.ufrag,
            ends.password,
            ends.fingerprint,
            self._codecs,
            session_id=self._session_id,
            version=self._session_id,
        )
        return self._keep(leg, BrowserLeg(local, ends.plain))

    def _next(self, known: BrowserLeg) -> BrowserLeg:
        """RFC 3264 §8: each description of ours counts its version up."""
        return replace(known, local=replace(known.local, version=known.local.version + 1))

    def _keep(self, leg: str, known: BrowserLeg) -> BrowserLeg:
        self._legs[leg] = known
        return known

    def _connect(self, leg: str, known: BrowserLeg, remote: WebRemote) -> Negotiated:
        local = replace(known.local, setup=remote.setup, mid=remote.mid)
        known = self._keep(leg, replace(known, local=local, remote=remote))
        self.gateway.connect(agreement(leg, local, remote))
        return plain_side(known, remote)


def is_restart(before: WebRemote, after: WebRemote) -> bool:
    """RFC 8839 §4.4.1.1.1: other credentials are a new ICE session, ours must be others too."""
    return (before.ufrag, before.password) != (after.ufrag, after.password)


def with_ends(local: WebLocal, ends: Ends) -> WebLocal:
    """Where and how we are reached from now on."""
    return replace(
        local,
        candidates=ends.candidates,
        ufrag=ends.ufrag,
        password=ends.password,
        fingerprint=ends.fingerprint,
    )


def agreement(leg: str, local: WebLocal, remote: WebRemote) -> m.Connect:
    """What the gateway must know of it."""
    dtmf, receive = remote.dtmf, remote.receive_dtmf_payload_type
    plain = PLAIN[remote.codec.name]
    return m.Connect(
        session=leg,
        ufrag=local.ufrag,
        password=local.password,
        remote_ufrag=remote.ufrag,
        fingerprints=remote.fingerprints,
        active=remote.setup == "active",
        codec=m.Codec(
            name=remote.codec.name,
            send=remote.codec.payload_type,
            receive=remote.receive_payload_type,
            dtmf_send=-1 if dtmf is None else dtmf.payload_type,
            dtmf_receive=-1 if receive is None else receive,
            plain=plain.payload_type,
            plain_dtmf=TELEPHONE_EVENT.payload_type,
        ),
    )


def plain_side(known: BrowserLeg, remote: WebRemote) -> Negotiated:
    """The same as the plane sees it: G.711 from and to the gateway."""
    codec = PLAIN[remote.codec.name]
    host, port = known.plain
    return Negotiated(
        remote_host=host,
        remote_port=port,
        codec=codec,
        send_payload_type=codec.payload_type,
        receive_payload_type=codec.payload_type,
        dtmf_payload_type=None if remote.dtmf is None else TELEPHONE_EVENT.payload_type,
        direction=remote.direction,
        ptime_ms=PTIME_MS,
        remote_on_hold=remote.remote_on_hold,
        rtcp_port=port,  # RFC 5761: the gateway turns reports as it turns packets
    )
