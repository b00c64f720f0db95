"""A consensus is believed for its signatures: who signs, what, and how many."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.tor.consensus import (
    MAX_CONSENSUS,
    BadConsensus,
    Relay,
    read_consensus,
    read_keys,
)
from tests.tor.consensuses import NOW, Authority, consensus, entry

NINE = [Authority() for _ in range(9)]
KNOWN = frozenset(a.v3ident for a in NINE)
KEYS = read_keys("".join(a.certificate() for a in NINE).encode())
ENTRIES = [
    entry(1, flags="Exit Fast Guard Running Valid", dir_port=9030, more=["[2a02:898::20]:9001"]),
    entry(2),
]
FINGERPRINTS = [hashlib.sha1(n.encode()).hexdigest().upper() for n in "12"]


@pytest.mark.parametrize("micro", [False, True])
def test_a_consensus_that_five_of_nine_signed_is_read(micro: bool) -> None:
    entries = [e if not micro else entry(n, micro=True) for n, e in enumerate(ENTRIES, 1)]
    found = read_consensus(consensus(NINE[:5], entries, micro=micro).encode(), KEYS, KNOWN)
    assert FINGERPRINTS == [relay.fingerprint for relay in found.relays]
    assert {a.v3ident for a in NINE[:5]} == found.signers
    assert (found.in_force(NOW), found.in_force(NOW - 86_400)) == (True, False)
    assert datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() == found.valid_after


def test_what_it_says_of_a_relay() -> None:
    found = read_consensus(consensus(NINE, ENTRIES).encode(), KEYS, KNOWN)
    assert Relay(
        nickname="relay1", fingerprint=FINGERPRINTS[0], ip="20.0.1.7", or_port=9001, dir_port=9030,
        flags=("Exit", "Fast", "Guard", "Running", "Valid"), more=(("2a02:898::20", 9001),),
    ) == found.relays[0]  # fmt: skip


def refused(text: str, why: str = "", keys: object = None) -> None:
    with pytest.raises(BadConsensus, match=why):
        read_consensus(text.encode(), KEYS, KNOWN)


def test_four_of_nine_are_not_enough() -> None:
    refused(consensus(NINE[:4], ENTRIES), "signed by 4 of 9 .* 5 are needed")


def test_an_authority_that_signs_five_times_is_one() -> None:
    refused(consensus([NINE[0]] * 5, ENTRIES), "signed by 1 of 9")


def test_strangers_do_not_count_even_with_good_keys() -> None:
    strangers = [Authority() for _ in range(5)]
    keys = KEYS + read_keys("".join(a.certificate() for a in strangers).encode())
    with pytest.raises(BadConsensus, match="signed by 4 of 9"):
        read_consensus(consensus(NINE[:4] + strangers, ENTRIES).encode(), keys, KNOWN)


@pytest.mark.parametrize(
    ("said", "put"),
    [("9001 9030", "9002 9030"), ("s Exit", "s BadExit"), ("15:00:00", "16:00:00"),
     ("directory-footer", "r x\ndirectory-footer")],
)  # fmt: skip
def test_whoever_changes_a_byte_has_no_signature(said: str, put: str) -> None:
    text = consensus(NINE, ENTRIES)
    assert said in text
    refused(text.replace(said, put), "signed by 0 of 9")


def test_what_stands_before_or_behind_what_was_signed_is_not_read() -> None:
    text = consensus(NINE, ENTRIES)
    found = read_consensus(f"{entry(7)}{text}{entry(8)}".encode(), KEYS, KNOWN)
    assert FINGERPRINTS == [relay.fingerprint for relay in found.relays]


def test_a_consensus_within_a_consensus_is_judged_by_the_first() -> None:
    real = consensus(NINE, ENTRIES)
    forged = real.replace("directory-footer", f"{entry(9)}directory-footer")
    unsigned = forged[: forged.index("directory-signature ")]
    refused(unsigned + real, "signed by 0 of 9")


@pytest.mark.parametrize(
    "text", ["", "<html>blocked</html>", "network-status-version 3\nvote-status vote\n",
             "network-status-version 3\nvote-status consensus\n"]
)  # fmt: skip
def test_what_is_no_consensus_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BadConsensus) as told:
        read_consensus(text.encode(), KEYS, KNOWN)
    assert "\n" not in str(told.value)


def test_too_much_is_refused_before_it_is_read() -> None:
    refused("x" * (MAX_CONSENSUS + 1), "MB")


def test_a_relay_that_cannot_be_read_costs_itself() -> None:
    odd = ["r short\ns Running\n", entry(3, ip="1.2.3.999"), "r a b c\n"]
    found = read_consensus(consensus(NINE, [*odd, *ENTRIES]).encode(), KEYS, KNOWN)
    assert FINGERPRINTS == [relay.fingerprint for relay in found.relays]


def test_a_key_that_its_identity_did_not_certify_is_none() -> None:
    one, other = Authority(), Authority()
    assert [] == [
        k for k in read_keys((one.certificate(certifier=other.identity) + other.certificate())
                             .encode()) if k.v3ident == one.v3ident
    ]  # fmt: skip
    with pytest.raises(BadConsensus, match="no key certificate"):
        read_keys(one.certificate(certifier=other.identity).encode())


def test_a_signing_key_must_know_of_its_identity() -> None:
    """Who signs over another's signing key would else take that one's signatures for his own."""
    one, other = Authority(), Authority()
    with pytest.raises(BadConsensus, match="no key certificate"):
        read_keys(_claimed(one, other).encode())


def _claimed(one: Authority, other: Authority) -> str:
    """A certificate by which *one* claims the signing key of *other*, without its consent."""
    from tests.tor.consensuses import signed

    honest = Authority(identity=one.identity, signing=other.signing).certificate()
    start = honest.index("dir-key-crosscert\n") + len("dir-key-crosscert\n")
    end = honest.index("dir-key-certification\n")
    forged = signed(one.signing, bytes.fromhex(one.v3ident), "ID SIGNATURE")
    body = honest[:start] + forged + "dir-key-certification\n"
    assert honest[end:].startswith("dir-key-certification\n")
    return body + signed(one.identity, hashlib.sha1(body.encode()).digest())


@given(st.binary(max_size=500))
def test_rubbish_is_refused_and_breaks_nothing(noise: bytes) -> None:
    for data in (noise, b"network-status-version 3\nvote-status consensus\n" + noise):
        with pytest.raises(BadConsensus):
            read_consensus(data, KEYS, KNOWN)
    for data in (noise, b"dir-key-certificate-version 3\n" + noise):
        with pytest.raises(BadConsensus):
            read_keys(data)
