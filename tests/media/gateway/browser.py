"""The far end of a session as a browser is it: checks, a handshake as client, SRTP; no socket."""

import struct
from dataclasses import dataclass, field

import numpy as np
import pylibsrtp
from aioice import stun

from media.gateway.dtls import Association, Credentials
from media.gateway.messages import Codec, Connect, Open
from media.gateway.opus import Decoder, Encoder
from media.gateway.session import srtp
from media.io.gateway import make_identity
from media.types import FRAME, Samples

PASSWORD = "p" * 24
OPUS = Codec("opus", send=111, receive=111, dtmf_send=110, dtmf_receive=110)
ALAW = Codec("PCMA", send=8, receive=8, dtmf_send=126, dtmf_receive=126)


def tone(hertz: float, frames: int) -> Samples:
    """(frames, 160) int16."""
    at = np.arange(frames * FRAME)
    return (8000 * np.sin(2 * np.pi * hertz * at / 8000)).astype(np.int16).reshape(-1, FRAME)


def rtp(kind: int, sequence: int, timestamp: int, payload: bytes, marker: bool = False) -> bytes:
    second = 0x80 * marker | kind
    return struct.pack("!BBHII", 0x80, second, sequence, timestamp, 0xCAFE) + payload


@dataclass
class Browser:
    """`out` is what it wants sent; `heard` the RTP that it got."""

    ufrag: str = "local"
    password: str = PASSWORD
    remote: str = "brow"
    active: bool = True
    out: list[bytes] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    answered: list[stun.Message] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        certificate, key, self.fingerprint = make_identity()
        self.association = Association(Credentials(certificate, key), active=self.active)
        self.receiving: pylibsrtp.Session | None = None
        self.sending: pylibsrtp.Session | None = None
        self.encoder, self.decoder = Encoder(), Decoder()
        self.sequence, self.timestamp = 65530, 2**32 - 4800

    def opened(self, name: str = "leg", plane: tuple[str, int] = ("127.0.0.1", 20000)) -> Open:
        return Open(name, self.ufrag, self.password, plane)

    def agreed(self, name: str = "leg", codec: Codec = OPUS, **changes: object) -> Connect:
        fields = {
            "session": name,
            "ufrag": self.ufrag,
            "password": self.password,
            "remote_ufrag": self.remote,
            "fingerprints": (self.fingerprint,),
            "active": not self.active,
            "codec": codec,
        }
        return Connect(**(fields | changes))  # type: ignore[arg-type]

    def check(self, *, nominate: bool = True, **attributes: object) -> bytes:
        """RFC 8445 §7.2.2: a connectivity check of the controlling side."""
        has = {"USERNAME": f"{self.ufrag}:{self.remote}", "PRIORITY": 1, "ICE-CONTROLLING": 7}
        if nominate:
            has["USE-CANDIDATE"] = None  # type: ignore[assignment]
        message = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.REQUEST,
            attributes={**has, **attributes},
        )
        message.add_message_integrity(self.password.encode())
        return bytes(message)

    def shake(self) -> None:
        """The first flight of a DTLS client."""
        self.out += self.association.start()

    def hear(self, data: bytes) -> None:
        """A datagram of the gateway's."""
        if data[0] < 4:
            self.answered.append(stun.parse_message(data))
        elif data[0] < 64:
            self.out += self.association.receive(data)
            if self.association.keys is not None and self.sending is None:
                self.receiving, self.sending = srtp(self.association.keys)
        else:
            assert self.receiving is not None
            if 192 <= data[1] <= 223:
                self.reports.append(self.receiving.unprotect_rtcp(data))
                return
            self.heard.append(self.receiving.unprotect(data))

    def say(self, samples: Samples, kind: int = 111) -> bytes:
        """One frame of Opus as SRTP."""
        return self.protect(kind, self.encoder.encode(samples), step=6 * FRAME)

    def protect(self, kind: int, payload: bytes, step: int = 0, marker: bool = False) -> bytes:
        assert self.sending is not None
        packet = self.sending.protect(
            rtp(kind, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, payload, marker)
        )
        self.sequence += 1
        self.timestamp += step
        return packet

    def tell(self, report: bytes) -> bytes:
        """RTCP as SRTCP."""
        assert self.sending is not None
        return self.sending.protect_rtcp(report)

    def voice(self) -> Samples:
        """What it heard, decoded."""
        return np.concatenate([self.decoder.decode(packet[12:]) for packet in self.heard])
