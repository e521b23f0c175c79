"""Certificates: ours and those that we ask of others, loaded, watched and loaded again."""

import ipaddress
import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ClientCheck = Literal["none", "optional", "required"]


@dataclass(frozen=True, slots=True)
class Trust:
    """How the far end of a connection that we open is judged, and what we show it.

    `ca` is a PEM file (empty: the system's authorities). Without `verify` everybody is believed.
    """

    verify: bool = True
    ca: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Our certificate and key (PEM); whether those who connect must show one of `client_ca`."""

    certificate: str = ""
    key: str = ""
    client_check: ClientCheck = "none"
    client_ca: str = ""
    trusts: Mapping[str, Trust] = field(default_factory=dict)

    def files(self) -> list[str]:
        """Every file that matters."""
        named = [self.certificate, self.key, self.client_ca]
        for trust in self.trusts.values():
            named += [trust.ca, trust.certificate, trust.key]
        return sorted({name for name in named if name})


class Certificates:
    """The contexts of now: connections keep what they were opened with, new ones get the new."""

    def __init__(self, settings: TlsSettings) -> None:
        self.settings = settings
        self._seen = _stamps(settings.files())
        self._server: ssl.SSLContext | None = None
        self._clients: dict[str, ssl.SSLContext] = {}
        self._load()

    def server(self) -> ssl.SSLContext:
        """For connections to us; only where a listener needs it is there a certificate."""
        assert self._server is not None
        return self._server

    def client(self, trust: str) -> ssl.SSLContext:
        """For connections of ours; a trust that nobody configured is the strictest."""
        if trust not in self._clients:
            self._clients[trust] = _client_context(self.settings, Trust())
        return self._clients[trust]

    def verifies(self, trust: str) -> bool:
        """Whether the far certificate must be made out to whom we want to reach."""
        return self.settings.trusts.get(trust, Trust()).verify

    def have_changed(self) -> bool:
        """Whether a file differs from when this was last asked."""
        seen = _stamps(self.settings.files())
        changed = seen != self._seen
        self._seen = seen
        return changed

    def reload(self) -> None:
        """Take what the files hold now; OSError (ssl.SSLError too), and all as it was, if not."""
        self._load()

    def _load(self) -> None:
        settings = self.settings
        server = _server_context(settings) if settings.certificate else None
        clients = {name: _client_context(settings, t) for name, t in settings.trusts.items()}
        self._server, self._clients = server, clients


def certificate_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """RFC 5922 §7.1: sip URIs and DNS names; the common name only where there are neither."""
    if not certificate:
        return frozenset()
    found = set(_alternative_names(certificate.get("subjectAltName", ())))
    if not found:
        for group in certificate.get("subject", ()):
            found |= {value.lower() for kind, value in group if kind == "commonName"}
    return frozenset(found)


def _alternative_names(names: Iterable[tuple[str, str]]) -> Iterable[str]:
    for kind, value in names:
        if kind == "DNS":
            yield value.lower()
        elif kind == "URI" and value.lower().startswith("sip:") and "@" not in value:
            yield value[4:].lower()
        elif kind == "IP Address":
            yield str(ipaddress.ip_address(value.strip()))


def _server_context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(settings.certificate, settings.key or None, _no_password)
    if settings.client_check != "none":
        context.load_verify_locations(cafile=settings.client_ca)
        required = settings.client_check == "required"
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def _client_context(settings: TlsSettings, trust: Trust) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # by RFC 5922, in tls.py: a sip URI may name the domain
    if not trust.verify:
        context.verify_mode = ssl.CERT_NONE
    elif trust.ca:
        context.load_verify_locations(cafile=trust.ca)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    certificate, key = trust.certificate, trust.key
    if not certificate:
        certificate, key = settings.certificate, settings.key
    if certificate:
        context.load_cert_chain(certificate, key or None, _no_password)
    return context


def _no_password() -> str:
    """OpenSSL would ask the terminal, and wait."""
    raise ssl.SSLError("the key is encrypted; give one that is not")


def _stamps(paths: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in paths:
        try:
            stat = os.stat(path)
        except OSError:
            continue
        found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return found
