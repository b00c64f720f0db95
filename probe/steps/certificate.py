"""Is the presented chain good for the name, at the right time?

Apart from the handshake, so that the time can be the corrected one (a device
without a battery clock wakes up in the past), so that all that is wrong is listed
and not only the first thing, and so that one store is held in memory.
Chains are verified by OpenSSL, names by service-identity (RFC 6125).
"""

from __future__ import annotations

import hashlib
import os
import ssl
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import service_identity
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto
from service_identity import hazmat

from probe.evidence import CertificateCheck
from probe.failure import Failure
from probe.trace import StepFailed, Trace

# OpenSSL's X509_V_ERR_* numbers, from x509_vfy.h.
_TIME = frozenset({9, 10})  # not yet valid, expired: some certificate of the chain
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21, 22, 24, 27, 79})
_FOR_SERVERS = frozenset(
    {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)
_MAX_TEXT = 200
# What cryptography raises for a certificate that it cannot read.
_UNREADABLE = (
    ValueError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class TrustStoreError(Exception):
    """No certificate authorities could be loaded; the text says from where."""


class Verifier:
    """Verifies chains against one store of certificate authorities.

    The store is *cafile*, else ``SSL_CERT_FILE``, else OpenSSL's own default.
    *name* says which. Raises `TrustStoreError`.
    """

    def __init__(self, cafile: Path | None = None) -> None:
        paths = ssl.get_default_verify_paths()
        configured = cafile or os.environ.get("SSL_CERT_FILE") or paths.cafile
        file, folder = (str(configured), None) if configured else (None, paths.capath)
        if file is None and folder is None:
            raise TrustStoreError("no certificate authorities found: set SSL_CERT_FILE")
        self._store = crypto.X509Store()
        try:
            self._store.load_locations(file, folder)
        except crypto.Error as exc:
            raise TrustStoreError(f"no certificate authorities in {file or folder}") from exc
        self.name = Path(file or folder or "").name
        self._known: dict[tuple[bytes, str, int], dict[str, Any]] = {}

    def check(self, chain: tuple[bytes, ...], hostname: str, at: float) -> dict[str, Any]:
        """Facts for a `CertificateCheck` of *chain* (DER, leaf first) for *hostname*.

        *at* is POSIX seconds. Results are kept for the hour, since the sites of a
        list share certificates and one measurement meets the same one again.
        """
        digest = hashlib.sha256(b"".join(len(der).to_bytes(4) + der for der in chain)).digest()
        key = (digest, hostname, int(at // 3600))
        if key not in self._known:
            if len(self._known) > 256:
                self._known.clear()
            self._known[key] = self._check(chain, hostname, at)
        return self._known[key]

    def _check(self, chain: tuple[bytes, ...], hostname: str, at: float) -> dict[str, Any]:
        try:
            leaf = x509.load_der_x509_certificate(chain[0])
            openssl = [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in chain]
            facts: dict[str, Any] = {
                "subject": leaf.subject.rfc4514_string()[:_MAX_TEXT],
                "issuer": leaf.issuer.rfc4514_string()[:_MAX_TEXT],
                "not_before": leaf.not_valid_before_utc.timestamp(),
                "not_after": leaf.not_valid_after_utc.timestamp(),
            }
        except (IndexError, crypto.Error, *_UNREADABLE) as exc:
            return _with_problems({}, [(Failure.TLS_INVALID_CERTIFICATE, f"unreadable: {exc}")])
        problems = []
        began, ends = facts["not_before"], facts["not_after"]
        if not began <= at <= ends:
            # OpenSSL would not come to this where the authority is unknown, too.
            text = "certificate is not yet valid" if at < began else "certificate has expired"
            problems.append((Failure.TLS_INVALID_CERTIFICATE, text))
            at = (began + ends) / 2  # what else is wrong with it?
        code, text = self._verify(openssl, at)
        if code in _UNKNOWN_AUTHORITY:
            problems.append((Failure.TLS_UNKNOWN_AUTHORITY, text))
        elif code and not (problems and code in _TIME):
            problems.append((Failure.TLS_INVALID_CERTIFICATE, text))
        if (purpose := _not_for_servers(leaf)) is not None:
            problems.append((Failure.TLS_INVALID_CERTIFICATE, purpose))
        if (mismatch := _mismatch(leaf, hostname)) is not None:
            problems.append((Failure.TLS_INVALID_HOSTNAME, mismatch))
        return _with_problems(facts, problems)

    def _verify(self, chain: list[crypto.X509], at: float) -> tuple[int, str]:
        """OpenSSL's error number (0: good) and text."""
        self._store.set_time(datetime.fromtimestamp(at, UTC))
        try:
            crypto.X509StoreContext(self._store, chain[0], chain[1:]).verify_certificate()
        except crypto.X509StoreContextError as exc:
            return int(exc.errors[0]), str(exc.errors[2])
        return 0, ""


def check_certificate(
    verifier: Verifier,
    trace: Trace,
    *,
    chain: tuple[bytes, ...],
    hostname: str,
    at: float,
    **facts: Any,
) -> bool:
    """Record whether *chain* is good for *hostname* at *at*; say so, too."""
    try:
        with trace.operation(
            CertificateCheck, timeout=60, hostname=hostname, checked_at=at, **facts
        ) as learned:
            learned.update(verifier.check(chain, hostname, at))
    except StepFailed:
        return False
    return "failure" not in learned


def _not_for_servers(leaf: x509.Certificate) -> str | None:
    """What forbids a server to use *leaf* (RFC 5280, 4.2.1.3 and 4.2.1.12); None: nothing.

    OpenSSL would only look if asked for the purpose, which pyOpenSSL does not offer.
    """
    try:
        for extension in leaf.extensions:
            match extension.value:
                case x509.ExtendedKeyUsage() as purposes:
                    if not _FOR_SERVERS & set(purposes):
                        return "the certificate is not meant for servers"
                case x509.KeyUsage() as uses:
                    if not (uses.digital_signature or uses.key_encipherment or uses.key_agreement):
                        return "the certificate's key is not meant for TLS"
    except _UNREADABLE as exc:
        return f"the certificate's extensions are unreadable: {exc}"[:_MAX_TEXT]
    return None


def _mismatch(leaf: x509.Certificate, hostname: str) -> str | None:
    wanted = hazmat.IPAddress_ID(hostname) if _is_address(hostname) else hazmat.DNS_ID(hostname)
    try:
        hazmat.verify_service_identity(_names(leaf), [wanted], [])
    except service_identity.VerificationError:
        return "the certificate is for another name"
    except (x509.ExtensionNotFound, service_identity.CertificateError):
        return "the certificate names nobody"
    except _UNREADABLE as exc:
        return f"the certificate's names are unreadable: {exc}"[:_MAX_TEXT]
    return None


def _names(leaf: x509.Certificate) -> list[hazmat.CertificatePattern]:
    """The names and addresses that *leaf* is for, without those that are none.

    Not by service-identity's own reader: it also parses names of other kinds, with
    a parser whose errors are many.
    """
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    patterns: list[hazmat.CertificatePattern] = [
        hazmat.IPAddressPattern(value)
        for value in names.get_values_for_type(x509.IPAddress)
        if isinstance(value, IPv4Address | IPv6Address)
    ]
    for name in names.get_values_for_type(x509.DNSName):
        try:
            patterns.append(hazmat.DNSPattern.from_bytes(name.encode()))
        except service_identity.CertificateError:
            continue
    return patterns


def _is_address(hostname: str) -> bool:
    return ":" in hostname or hostname.replace(".", "").isdigit()


def _with_problems(
    facts: dict[str, Any], problems: list[tuple[Failure, str]]
) -> dict[str, Any]:
    if problems:
        facts["failure"] = problems[0][0]
        facts["detail"] = "; ".join(text for _, text in problems)[:_MAX_TEXT]
        facts["problems"] = tuple(failure.value for failure, _ in problems)
    return facts

