"""The lab's certificate authorities, and TLS contexts made when first needed.

Three roots exist: one that everybody trusts, one that only up-to-date stores have,
and one in no store. A forging proxy signs with an authority of its own name. All
certificates of one `Authorities` share one EC key: nothing here is secret, and a
thousand sites must start in no time.
"""

from __future__ import annotations

import os
import ssl
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

COMMON = "Zond Lab Root"
RECENT = "Zond Lab Root of This Year"
UNKNOWN = "Zond Lab Root That Nobody Has"
TRUSTED = (COMMON, RECENT)

MAX_CONTEXTS = 2000  # about 20 kB each


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What a site presents. *names* empty: those of the site.

    *root* is one of the roots of this module, or the common name of an authority
    that is made for the purpose and trusted by nobody. Days are counted from now.
    *subject* is the certificate's own common name, where it is not its first name.
    """

    names: tuple[str, ...] = ()
    root: str = COMMON
    valid_from: float = -30
    valid_to: float = 60
    subject: str = ""


ORDINARY = Certificate()
EXPIRED = Certificate(valid_from=-400, valid_to=-310)
SELF_MADE = Certificate(root=UNKNOWN)
A1_FORGED = Certificate(root="Atlant-Telecom HTTPS Proxy", subject="Atlant-Telecom HTTPS Proxy")


class Authorities:
    """All roots of a country. Make it before the servers are forked."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._key_pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._roots: dict[str, tuple[x509.Certificate, ec.EllipticCurvePrivateKey]] = {}
        self._now = datetime.now(UTC).replace(microsecond=0)
        self._contexts: OrderedDict[object, ssl.SSLContext] = OrderedDict()
        for name in (COMMON, RECENT, UNKNOWN):
            self._root(name)

    def store(self, *roots: str) -> bytes:
        """A PEM file with the certificates of *roots*, by default of all trusted ones."""
        return b"".join(self._root(name)[0].public_bytes(Encoding.PEM) for name in roots or TRUSTED)

    def chain(self, spec: Certificate, names: tuple[str, ...]) -> tuple[bytes, bytes]:
        """A certificate as *spec* says for *names*, and its key, both PEM."""
        root, key = self._root(spec.root)
        names = tuple(name.encode("idna").decode("ascii") for name in spec.names or names)
        leaf = (
            _builder(spec.subject or names[0], root.subject)
            .public_key(self._key.public_key())
            .not_valid_before(self._now + timedelta(days=spec.valid_from))
            .not_valid_after(self._now + timedelta(days=spec.valid_to))
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False
            )
            .sign(key, hashes.SHA256())
        )
        return leaf.public_bytes(Encoding.PEM), self._key_pem

    def context(
        self,
        spec: Certificate,
        names: tuple[str, ...],
        alpn: tuple[str, ...] = ("http/1.1",),
        *,
        fresh: bool = False,
    ) -> ssl.SSLContext:
        """A server's context that presents what `chain` makes; *fresh*: one to be changed."""
        wanted = spec, names, alpn
        context = None if fresh else self._contexts.get(wanted)
        if context is None:
            chain, key = self.chain(spec, names)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.num_tickets = 0  # nobody comes back
            _load(context, chain + key)
            if alpn:
                context.set_alpn_protocols(list(alpn))
            if fresh:
                return context
            if len(self._contexts) >= MAX_CONTEXTS:
                self._contexts.popitem(last=False)
            self._contexts[wanted] = context
        return context

    def _root(self, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        if name not in self._roots:
            key = ec.generate_private_key(ec.SECP256R1())
            subject = _name(name)
            root = (
                _builder(name, subject)
                .public_key(key.public_key())
                .not_valid_before(self._now - timedelta(days=1800))
                .not_valid_after(self._now + timedelta(days=1800))
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
                .add_extension(_SIGNS_CERTIFICATES, True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
                .sign(key, hashes.SHA256())
            )
            self._roots[name] = root, key
        return self._roots[name]


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _builder(common: str, issuer: x509.Name) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
    )


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """`ssl` reads certificates from files only; this one leaves nothing behind."""
    fd = os.memfd_create("certificate")
    try:
        os.write(fd, pem)
        context.load_cert_chain(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
