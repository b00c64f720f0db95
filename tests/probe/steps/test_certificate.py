from __future__ import annotations

import datetime
import ssl
import time
import warnings
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.evidence import CertificateCheck
from probe.steps.certificate import TrustStoreError, Verifier, check_certificate
from probe.trace import Trace
from tests.certificates import DAY, authority, cafile

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    return Verifier(cafile(tmp_path_factory.mktemp("trust")))


@cache
def chain(
    *names: str,
    signed_by: str = "good",
    not_before: datetime.datetime | None = None,
    not_after: datetime.datetime | None = None,
) -> tuple[bytes, ...]:
    leaf = authority(signed_by).issue_cert(*names, not_before=not_before, not_after=not_after)
    return tuple(ssl.PEM_cert_to_DER_cert(blob.bytes().decode()) for blob in leaf.cert_chain_pems)


def at(moment: datetime.datetime = NOW) -> float:
    return moment.timestamp()


def made(*extensions: x509.ExtensionType) -> tuple[bytes, ...]:
    """A self-made certificate for site.by with *extensions*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site.by")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, NOW - DAY, NOW + DAY)
    alternative = x509.SubjectAlternativeName([x509.DNSName("site.by")])
    for extension in (alternative, *extensions):
        builder = builder.add_extension(extension, critical=False)
    return (builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER),)


def usage(**allowed: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )
    return x509.KeyUsage(**(dict.fromkeys(names, False) | allowed))


@pytest.mark.parametrize(
    ("extensions", "good"),
    [
        ((), True),
        ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),), True),
        ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),), True),
        ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),), False),
        ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]),), False),
        ((usage(digital_signature=True),), True),
        ((usage(key_encipherment=True),), True),
        ((usage(key_cert_sign=True, crl_sign=True),), False),
    ],
)
def test_a_certificate_that_is_not_for_servers_is_a_problem(
    verifier: Verifier, extensions: tuple[x509.ExtensionType, ...], good: bool
) -> None:
    problems = verifier.check(made(*extensions), "site.by", at())["problems"]
    assert ("ssl_invalid_certificate" not in problems) == good, problems
    assert problems[0] == "ssl_unknown_authority"


def test_a_good_chain_has_no_problem(verifier: Verifier) -> None:
    facts = verifier.check(chain("site.by", "*.site.by"), "www.site.by", at())
    assert "failure" not in facts
    assert facts["not_before"] < at() < facts["not_after"]


@pytest.mark.parametrize(
    ("presented", "problems"),
    [
        (chain("other.by"), ["ssl_invalid_hostname"]),
        (chain("93.184.216.34"), ["ssl_invalid_hostname"]),
        (chain("site.by", signed_by="evil"), ["ssl_unknown_authority"]),
        (chain("site.by", not_before=NOW - 9 * DAY, not_after=NOW - DAY),
         ["ssl_invalid_certificate"]),
        (chain("site.by", not_before=NOW + DAY, not_after=NOW + 9 * DAY),
         ["ssl_invalid_certificate"]),
        (chain("other.by", signed_by="evil", not_before=NOW - 9 * DAY, not_after=NOW - DAY),
         ["ssl_invalid_certificate", "ssl_unknown_authority", "ssl_invalid_hostname"]),
        (chain("other.by", not_before=NOW - 9 * DAY, not_after=NOW - DAY),
         ["ssl_invalid_certificate", "ssl_invalid_hostname"]),
        ((), ["ssl_invalid_certificate"]),
        ((b"not a certificate",), ["ssl_invalid_certificate"]),
        ((*chain("site.by"), b"garbage"), ["ssl_invalid_certificate"]),
    ],
)
def test_all_that_is_wrong_is_listed(
    verifier: Verifier, presented: tuple[bytes, ...], problems: list[str]
) -> None:
    facts = verifier.check(presented, "site.by", at())
    assert problems == list(facts["problems"])
    assert problems[0] == facts["failure"]


def test_a_corrected_clock_makes_it_valid(verifier: Verifier) -> None:
    presented = chain("site.by", not_before=NOW - DAY, not_after=NOW + DAY)
    asleep = at() - 365 * 86400
    assert "failure" in verifier.check(presented, "site.by", asleep)
    assert "failure" not in verifier.check(presented, "site.by", asleep + 365 * 86400)


def test_an_address_needs_its_address(verifier: Verifier) -> None:
    presented = chain("93.184.216.34", "site.by")
    assert "failure" not in verifier.check(presented, "93.184.216.34", at())
    assert "failure" in verifier.check(presented, "93.184.216.35", at())
    assert "failure" in verifier.check(presented, "2606:2800::1", at())


async def test_the_check_is_a_record(verifier: Verifier) -> None:
    trace = Trace()
    good = check_certificate(
        verifier, trace, chain=chain("other.by"), hostname="site.by", at=time.time(),
        ip="93.184.216.34", port=443,
    )
    (record,) = trace.records
    assert isinstance(record, CertificateCheck)
    assert (False, ("ssl_invalid_hostname",)) == (good, record.problems)
    assert record.subject and record.issuer


def test_a_store_without_authorities_is_told(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(TrustStoreError):
        Verifier(empty)


def names_of(extension: bytes) -> bytes:
    """A certificate with *extension* as the bytes of its subjectAltName."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "site.by")])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, NOW - DAY, NOW + DAY
    ).add_extension(
        x509.UnrecognizedExtension(x509.OID_SUBJECT_ALTERNATIVE_NAME, extension), critical=False
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "extension",
    [
        b"", b"\x30\x00", b"\x30\x03\xa5\x01\x00", b"\x30\x02\xa3\x00", b"garbage",
        b"\x30\x03\x82\x01\xff", b"\x30\x03\x82\x01*", b"\x30\x06\x87\x04\x01\x02\x03\x04",
        b"\x30\x03\x87\x01\x01", b"\x30\x02\x82\x00",
    ],
)
def test_hostile_names_are_a_wrong_name(verifier: Verifier, extension: bytes) -> None:
    facts = verifier.check((names_of(extension),), "site.by", at())
    assert "ssl_invalid_hostname" in facts["problems"]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mangled_certificate_is_never_a_bug(verifier: Verifier, data: st.DataObject) -> None:
    der = bytearray(chain("site.by")[0])
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography warns of certificates it will refuse
        facts = verifier.check((bytes(der),), "site.by", at())
    assert bytes(der) == chain("site.by")[0] or facts["problems"]
