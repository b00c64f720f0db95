"""One secret, many keys that nobody can link."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.upload.identity import Identity, IdentityError, month_of


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def test_the_same_network_and_month_sign_alike_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "data" / "identity"
    assert raw(Identity(path).key(6697, "2026-11")) == raw(Identity(path).key(6697, "2026-11"))


def test_another_network_or_month_has_another_key(tmp_path: Path) -> None:
    identity = Identity(tmp_path / "identity")
    places = [(asn, month) for asn in (0, 6697, 25106) for month in ("2026-11", "2026-12")]
    keys = {raw(identity.key(asn, month)) for asn, month in places}
    assert len(keys) == 6


def test_the_secret_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "identity"
    Identity(path).key(6697, "2026-11")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["identity"]


def test_forgotten_it_is_another_probe(tmp_path: Path) -> None:
    identity = Identity(tmp_path / "identity")
    before = raw(identity.key(6697, "2026-11"))
    assert identity.forget()
    assert not (tmp_path / "identity").exists()
    assert raw(identity.key(6697, "2026-11")) != before
    assert identity.forget() and not identity.forget()


def test_a_damaged_secret_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "identity"
    path.write_bytes(b"short")
    with pytest.raises(IdentityError, match="damaged"):
        Identity(path).key(6697, "2026-11")
    with pytest.raises(IdentityError):
        Identity(path / "below").key(6697, "2026-11")


def test_a_month_is_of_utc() -> None:
    assert month_of(0.0) == "1970-01"
    assert month_of(1793491199.0) == "2026-10"
    assert month_of(1793491200.0) == "2026-11"
