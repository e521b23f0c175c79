"""A certificate authority of the tests' own, made anew each time."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


class Authority:
    """Signs certificates and writes them as PEM files into a folder."""

    def __init__(self, folder, name="Test Authority"):
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.certificate = self._sign(
            self._name, self._key.public_key(), [x509.BasicConstraints(ca=True, path_length=0)]
        )
        self.path = folder / f"{name.replace(' ', '-')}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, file, *names, common="callcore", use_rsa=False):
        """(certificate, key) for names: hosts, addresses and sip: URIs."""
        key = rsa.generate_private_key(65537, 2048) if use_rsa else self._new_key()
        found = [_alternative(name) for name in names]
        extensions = [x509.SubjectAlternativeName(found)] if found else []
        made = self._sign(_name(common), key.public_key(), extensions)
        certificate, secret = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return str(certificate), str(secret)

    @staticmethod
    def _new_key():
        return ec.generate_private_key(ec.SECP256R1())

    def _sign(self, subject, key, extensions):
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        for extension in extensions:
            is_ca = isinstance(extension, x509.BasicConstraints)
            builder = builder.add_extension(extension, critical=is_ca)
        return builder.sign(self._key, hashes.SHA256())


def _name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(name):
    if name.startswith("sip:"):
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
