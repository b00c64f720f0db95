"""Offers of HTTP/3, as sites make them and as nobody should."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.alternatives import from_alt_svc, from_https_record


@pytest.mark.parametrize(
    ("value", "port"),
    [
        ('h3=":443"; ma=86400', 443),
        ('h3=":443"; ma=2592000,h3-29=":443"; ma=2592000', 443),
        ('h2=":443"; ma=60, h3=":8443"', None),  # a port that anybody may open
        ('h3-29=":443"', None),
        ('h3="site.by:443"', 443),
        ('h3="SITE.BY:443"', 443),
        ('h3="alt.site.by:443"', None),
        ('h3="alt.site.by:443", h3=":443"', 443),
        ('quic=":443"; v="46"', None),
        ('xh3=":443"', None),
        ('h3=":0"', None),
        ('h3=":53"', None),
        ('h3=":99999"', None),
        ("clear", None),
        ("", None),
    ],
)
def test_alt_svc_tells_where_the_same_host_speaks_h3(value: str, port: int | None) -> None:
    assert port == from_alt_svc(value, host="site.by", port=443)


def test_a_site_on_a_high_port_may_offer_another_one() -> None:
    assert 8444 == from_alt_svc('h3=":8444"', host="site.by", port=8443)


def answer(*records: str) -> bytes:
    message = dns.message.make_response(dns.message.make_query("site.by", "HTTPS"))
    message.answer.append(dns.rrset.from_text("site.by.", 60, "IN", "HTTPS", *records))
    return message.to_wire()


@pytest.mark.parametrize(
    ("records", "port"),
    [
        (("1 . alpn=h3,h2",), 443),
        (("1 . alpn=h2",), None),
        (("1 .",), None),
        (("1 . alpn=h3 port=443",), 443),
        (("1 . alpn=h3 port=8443",), None),
        (("1 . alpn=h3 port=53",), None),
        (("1 site.by. alpn=h3",), 443),
        (("1 pool.site.by. alpn=h3",), None),
        (("0 pool.site.by.",), None),
        (("1 pool.site.by. alpn=h3", "2 . alpn=h3"), 443),
    ],
)
def test_an_https_record_tells_where_the_same_host_speaks_h3(
    records: tuple[str, ...], port: int | None
) -> None:
    assert port == from_https_record(answer(*records), host="site.by", port=443)


def test_no_answer_offers_nothing() -> None:
    assert from_https_record(b"", host="site.by", port=443) is None
    nothing = dns.message.make_response(dns.message.make_query("site.by", "HTTPS"))
    assert from_https_record(nothing.to_wire(), host="site.by", port=443) is None


@given(st.text(max_size=200), st.binary(max_size=100), st.integers(0, 60))
def test_whatever_comes_is_read_or_offers_nothing(text: str, noise: bytes, at: int) -> None:
    assert from_alt_svc(text, host="site.by", port=443) in (None, 443)
    good = answer("1 . alpn=h3,h2 port=443")
    mangled = good[:at] + noise + good[at + len(noise) :]
    found = from_https_record(mangled, host="site.by", port=443)
    assert found in (None, 443)
