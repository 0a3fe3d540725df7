"""The certificates of a control plane on loopback: an authority of its own, who serves, and who asks. Gone with their folder."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS: Final = 30
_SKEW: Final = timedelta(minutes=5)
_PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


class Authority:
    """Signs for one control plane; its own key is in memory only."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("teamspark-local-ca", ())
        usage = x509.BasicConstraints(ca=True, path_length=0)
        unsigned = _unsigned(self._name, self._name, self._key.public_key()).add_extension(usage, critical=True)
        self._certificate = unsigned.sign(self._key, hashes.SHA256())

    @property
    def certificate(self) -> bytes:
        return self._certificate.public_bytes(_PEM)

    def server(self, name: str, names: Iterable[str], addresses: Iterable[str]) -> Pair:
        """For whoever serves under these names and addresses."""
        told: list[x509.GeneralName] = [x509.DNSName(one) for one in names]
        told += [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
        return self._pair(_name(name, ()), ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(told))

    def client(self, user: str, groups: Iterable[str] = ()) -> Pair:
        """For a user of Kubernetes, in these groups."""
        return self._pair(_name(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def _pair(self, name: x509.Name, use: x509.ObjectIdentifier, names: x509.SubjectAlternativeName | None) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = _unsigned(name, self._name, key.public_key())
        unsigned = unsigned.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if names is not None:
            unsigned = unsigned.add_extension(names, critical=False)
        return Pair(unsigned.sign(self._key, hashes.SHA256()).public_bytes(_PEM), _private(key))


def signing_pair() -> Pair:
    """What signs service accounts' tokens: the public half where a certificate would be."""
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Pair(public, _private(key))


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _name(user: str, groups: Iterable[str]) -> x509.Name:
    return x509.Name([
        *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
        x509.NameAttribute(NameOID.COMMON_NAME, user),
    ])  # fmt: skip


def _unsigned(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=DAYS))
    )
