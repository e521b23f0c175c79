"""DTLS for SRTP keys (RFC 5764) over bytes: datagrams in, datagrams out, no socket."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from OpenSSL import SSL
from pylibsrtp import Policy

READ_BYTES = 2048
RECORD_HEADER = 13
MTU = 1200  # of flights: RFC 8261 §5 advises so for DTLS beneath WebRTC
LABEL = b"EXTRACTOR-dtls_srtp"
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}
CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-SHA"


class DtlsError(Exception):
    """The handshake failed, or the peer is not who the session description says."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A protection profile of RFC 5764 §4.1.2 or RFC 7714 §14.2; lengths in bytes."""

    name: bytes
    number: int
    key: int
    salt: int


# AEAD first: half the work of AES-CM with HMAC-SHA1 where the processor knows AES.
PROFILES = (
    Profile(b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    Profile(b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
)


@dataclass(frozen=True, slots=True)
class Keys:
    """Master keys with their salts behind them, as libsrtp wants them."""

    profile: Profile
    send: bytes
    receive: bytes


class Credentials:
    """A certificate with its key, ready for associations; from PEM."""

    def __init__(self, certificate: str, key: str) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU)
        # Self-signed both: what counts is the fingerprint in the session description.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(x509.load_pem_x509_certificate(certificate.encode()))
        private = serialization.load_pem_private_key(key.encode(), None)
        context.use_privatekey(private)  # type: ignore[arg-type]  # EC, as we made it
        context.set_cipher_list(CIPHERS)
        context.set_tlsext_use_srtp(b":".join(profile.name for profile in PROFILES))
        self.context = context


class Association:
    """One handshake: `receive` and `fire` return what is to be sent; `keys` are there at its end.

    Retransmission (RFC 6347 §4.2.4) is timed by OpenSSL's own clock: `fire` often.
    """

    def __init__(self, credentials: Credentials, *, active: bool) -> None:
        self._tls = SSL.Connection(credentials.context)
        self._tls.set_ciphertext_mtu(MTU)
        self.active = active
        if active:
            self._tls.set_connect_state()
        else:
            self._tls.set_accept_state()
        self.keys: Keys | None = None
        self.closed = False

    def start(self) -> list[bytes]:
        """The client's first flight."""
        return self._shake()

    def receive(self, datagram: bytes) -> list[bytes]:
        """DtlsError when the handshake has failed."""
        self._tls.bio_write(datagram)
        if self.keys is None:
            return self._shake()
        try:
            self._tls.recv(READ_BYTES)  # nothing but alerts and repeated flights is expected
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error:
            pass
        return self._flights()

    def fire(self) -> list[bytes]:
        """Flights that are due again."""
        if self.keys is not None or self._tls.DTLSv1_get_timeout() != 0:
            return []
        try:
            self._tls.DTLSv1_handle_timeout()
        except SSL.Error as error:
            raise DtlsError(f"DTLS: {error}") from None
        return self._flights()

    def verify(self, fingerprints: tuple[tuple[str, str], ...]) -> None:
        """RFC 8122 §6: DtlsError unless the peer's certificate has one of the fingerprints."""
        certificate = self._tls.get_peer_certificate(as_cryptography=True)
        if certificate is None or not any(
            certificate.fingerprint(HASHES[name]).hex(":").upper() == value
            for name, value in fingerprints
        ):
            raise DtlsError("the certificate is not the one of the session description")

    def close(self) -> list[bytes]:
        """close_notify, so that the browser need not wait for silence."""
        try:
            self._tls.shutdown()
        except SSL.Error:
            return []
        return self._flights()

    def _shake(self) -> list[bytes]:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            raise DtlsError(f"DTLS handshake: {error}") from None
        else:
            self.keys = self._export()
        return self._flights()

    def _export(self) -> Keys:
        """RFC 5764 §4.2: both keys, then both salts; the client's first."""
        chosen = self._tls.get_selected_srtp_profile()
        profile = next((one for one in PROFILES if one.name == chosen), None)
        if profile is None:
            raise DtlsError("no SRTP profile in common")
        key, salt = profile.key, profile.salt
        material = self._tls.export_keying_material(LABEL, 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        mine, theirs = (client, server) if self.active else (server, client)
        return Keys(profile, send=mine, receive=theirs)

    def _flights(self) -> list[bytes]:
        """What the BIO holds; it forgets where datagrams end, so whole records are packed anew."""
        data = bytearray()
        while True:
            try:
                data += self._tls.bio_read(READ_BYTES)
            except SSL.WantReadError:
                return pack(bytes(data))


def pack(records: bytes) -> list[bytes]:
    """Datagrams of at most MTU bytes, each of whole records (RFC 6347 §4.1.1)."""
    datagrams: list[bytes] = []
    first = at = 0
    while at + RECORD_HEADER <= len(records):
        end = at + RECORD_HEADER + int.from_bytes(records[at + 11 : at + 13], "big")
        if end - first > MTU and at > first:
            datagrams.append(records[first:at])
            first = at
        at = end
    if first < len(records):
        datagrams.append(records[first:])
    return datagrams
