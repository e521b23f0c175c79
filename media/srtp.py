"""SRTP (RFC 3711) of one leg, by libsrtp: packets opened as they come and sealed as they go.

Measured with 172-byte packets: see benchmarks/media_srtp.py and docs/media.md.
"""

from collections.abc import Callable

import msgspec
import pylibsrtp

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
TAGS = {"AES_CM_128_HMAC_SHA1_80": 10, "AES_CM_128_HMAC_SHA1_32": 4}  # bytes at a packet's end
MOST_TAG = max(TAGS.values())
BAD = -1


class Keys(msgspec.Struct, frozen=True):
    """The suite's name (RFC 4568 §6.2) and both master keys with their salts, 30 bytes each."""

    suite: str
    send: bytes
    receive: bytes

    def __repr__(self) -> str:
        return f"Keys({self.suite})"


class Guard:
    """Both directions of a leg; `blame` counts what does not open, by "replayed" or a wrong key."""

    def __init__(self, keys: Keys, blame: Callable[[str], None]) -> None:
        self.keys = keys
        self._blame = blame
        self._in = _session(keys, keys.receive, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self._out = _session(keys, keys.send, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._seal = self._out.protect

    def open(self, row: memoryview, size: int) -> int:
        """Decrypt a row's packet in place: its new size, or BAD when it is not to be trusted."""
        if size < 2:
            return size  # an empty or torn datagram: the header's parser counts it
        # RFC 5761 §4: by the second octet, RTCP on the port of RTP.
        session = self._in
        unlock = session.unprotect_rtcp if 192 <= row[1] <= 223 else session.unprotect
        return self._opened(unlock, row, size)

    def open_report(self, row: memoryview, size: int) -> int:
        """The same for RTCP on its own port."""
        return self._opened(self._in.unprotect_rtcp, row, size)

    def _opened(self, unlock: Callable[[bytes], bytes], row: memoryview, size: int) -> int:
        try:
            plain = unlock(bytes(row[:size]))
        except pylibsrtp.Error as error:
            self._blame("replayed" if str(error).startswith("replay") else "unauthenticated")
            return BAD
        row[: len(plain)] = plain
        return len(plain)

    def seal(self, packet: bytes) -> bytes:
        """Encrypt an RTP packet."""
        return self._seal(packet)

    def seal_report(self, packet: bytes) -> bytes:
        """Encrypt an RTCP packet."""
        return self._out.protect_rtcp(packet)


def _session(keys: Keys, key: bytes, kind: int) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=key, ssrc_type=kind, srtp_profile=PROFILES[keys.suite])
    policy.allow_repeat_tx = True  # the same event may be told again: RFC 4733 §2.5.1.4
    return pylibsrtp.Session(policy=policy)
