"""URLs: one form for each, and nothing that leads to the home network."""

from __future__ import annotations

import pytest

from testlists import BadURL, target_from_url
from testlists.url import MAX_URL, normalise

NORMAL = {
    "https://example.com": "https://example.com/",
    "HTTPS://Example.COM/A": "https://example.com/A",
    "http://example.com:80/": "http://example.com/",
    "http://example.com:443/": "http://example.com:443/",
    "https://example.com:443/?q=1#there": "https://example.com/?q=1",
    "https://example.com./": "https://example.com/",
    " https://example.com/ ": "https://example.com/",
    "https://бел.example/мы?q=ы": ("https://xn--90ais.example/%D0%BC%D1%8B?q=%D1%8B"),
    "https://xn--90ais.example/": "https://xn--90ais.example/",
    "https://bücher.example/": "https://xn--bcher-kva.example/",
    "https://a_b.example.com/": "https://a_b.example.com/",
    "https://example.com/a%20b%": "https://example.com/a%20b%",
    "https://8.8.8.8/": "https://8.8.8.8/",
    "https://[2A00:1450:4001:0::1]:8443/": "https://[2a00:1450:4001::1]:8443/",
}


@pytest.mark.parametrize(("written", "normal"), NORMAL.items())
def test_each_url_has_one_form(written: str, normal: str) -> None:
    assert normal == normalise(written)
    assert normal == normalise(normal)


NOT_PUBLIC = [
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://10.1.2.3/",
    "http://100.64.0.1/",
    "http://169.254.169.254/",
    "http://192.0.0.8/",
    "http://192.88.99.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[fd00::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://localhost/",
    "http://a.localhost/",
    "http://router.lan/",
    "http://printer.local/",
    "http://x.home.arpa/",
    "http://router/",
]


@pytest.mark.parametrize("written", NOT_PUBLIC)
def test_what_leads_to_the_home_network_is_refused(written: str) -> None:
    with pytest.raises(BadURL):
        normalise(written)


BROKEN = {
    "": "no URL",
    "https://": "no host",
    "https:///path": "no host",
    "mailto:somebody@example.com": "no http:// or https:// URL",
    "javascript://example.com/": "scheme 'javascript'",
    "https://user:secret@example.com/": "user name or password",
    "https://example.com:0/": "bad port",
    "https://example.com:65536/": "bad port",
    "https://example.com:http/": "bad port",
    "https://example.com/a b": "white space",
    "https://example.com\\@example.org/": "backslash",
    "https://example.com/\n": "control characters",
    "https://exa\tmple.com/": "control characters",
    "https://[2a00:1450::1/": "not a URL",
    "https://[2a00:1450:4001::1]x/": "brackets",
    "https://-a.example.com/": "not a host name",
    "https://a..example.com/": "not a host name",
    "https://ex%61mple.com/": "not a host name",
    "https://" + "a" * 64 + ".com/": "not a host name",
    "https://" + "a." * 130 + "com/": "not a host name",
    "https://💩.example/": "not a host name by IDNA",
    "https://example.com/" + "a" * MAX_URL: "at most 2048",
}


@pytest.mark.parametrize(("written", "reason"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_broken_url_is_refused_with_its_reason(written: str, reason: str) -> None:
    with pytest.raises(BadURL, match=reason):
        normalise(written)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("example.com", "write https://example.com/$"),
        ("example.com/path", "write https://example.com/path$"),
        ("example.com:8080", "write https://example.com:8080/$"),
    ],
)
def test_a_bare_domain_is_answered_with_what_to_write(written: str, hint: str) -> None:
    with pytest.raises(BadURL, match=hint):
        normalise(written)


def test_a_typed_url_becomes_a_target_that_remembers_how_it_was_written() -> None:
    target = target_from_url("https://Бел.example")
    assert ("https://xn--90ais.example/", "https://Бел.example") == (target.url, target.written)
    assert ("xn--90ais.example", "medium") == (target.hostname, target.risk)
    assert "" == target_from_url("https://example.com/").written
