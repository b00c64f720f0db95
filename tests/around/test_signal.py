"""Signal's own root is the one that the analysis knows it by."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from analysis.services import authorities
from probe.nettests.messenger import signals_own


def test_the_root_that_is_carried_is_the_one_of_the_table() -> None:
    pem = (files("probe") / "data" / "signal-root.pem").read_bytes()
    root = x509.load_pem_x509_certificate(pem)
    digest = hashlib.sha256(root.public_bytes(Encoding.DER)).hexdigest()
    assert ("signal", digest) in authorities()
    assert "signal-root.pem" == signals_own().name
