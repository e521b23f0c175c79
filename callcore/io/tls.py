"""TLS over bytes: what the peer sent in, what is to be sent out, no socket (RFC 3261 §26.2.1)."""

import contextlib
import ipaddress
import ssl

from callcore.io.certificates import certificate_names

READ_BYTES = 65536


class TlsLayer:
    """One connection's TLS. ssl.SSLError from any call: it is broken, `take` holds the alert."""

    def __init__(self, context: ssl.SSLContext, server_name: str = "", expected: str = "") -> None:
        """`server_name` is what we ask for, `expected` what the certificate must name, if any."""
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        is_server = context.protocol == ssl.PROTOCOL_TLS_SERVER
        self._tls = context.wrap_bio(
            self._in,
            self._out,
            server_side=is_server,
            server_hostname=None if is_server or _is_address(server_name) else server_name,
        )
        self._expected = expected
        self.is_ready = False
        self.is_closed = False  # the far end said that nothing more will come
        self.names: frozenset[str] = frozenset()
        if not is_server:
            self._shake()

    def receive(self, data: bytes) -> bytes:
        """What the peer's bytes say."""
        self._in.write(data)
        if not self.is_ready:
            self._shake()
            if not self.is_ready:
                return b""
        read = bytearray()
        try:
            while chunk := self._tls.read(READ_BYTES):
                read += chunk
            self.is_closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_closed = True
        return bytes(read)

    def send(self, data: bytes) -> None:
        """Encrypt; not before `is_ready`."""
        self._tls.write(data)

    def close(self) -> None:
        """RFC 8446 §6.1: say that nothing more will come."""
        with contextlib.suppress(ssl.SSLError, ValueError):  # the far end need not answer
            self._tls.unwrap()

    def take(self) -> bytes:
        """What is to be sent."""
        return self._out.read()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        # Only a certificate that was verified has its fields told.
        self.names = certificate_names(self._tls.getpeercert())
        if self._expected and self._expected not in self.names:
            shown = ", ".join(sorted(self.names)) or "nobody"
            raise ssl.SSLCertVerificationError(
                f"the certificate is made out to {shown}, not to {self._expected}"
            )
        self.is_ready = True


def _is_address(name: str) -> bool:
    """RFC 6066 §3: an address is no name that may be asked for."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return not name
    return True
