"""Questions to resolvers, byte for byte."""

from __future__ import annotations

import dns.message
import pytest

from probe.wire.dns import query


@pytest.mark.parametrize("rdtype", ["A", "AAAA", "HTTPS", "TXT"])
@pytest.mark.parametrize("name", ["site.by", "www.Site.by.", "a_b.xn--90ais", "вясна.бел", "."])
def test_what_is_asked_is_what_dnspython_would_ask(name: str, rdtype: str) -> None:
    theirs = dns.message.make_query(name, rdtype, id=0x1234, use_edns=0, payload=1232)
    assert query(name, rdtype, 0x1234) == theirs.to_wire()


@pytest.mark.parametrize("name", ["a..by", "x" * 64 + ".by", ".".join(["label"] * 50)])
def test_what_is_no_name_is_not_asked(name: str) -> None:
    with pytest.raises(ValueError, match="not a DNS name"):
        query(name, "A", 0)
