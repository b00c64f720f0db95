from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from probe.compare import compare, drop_bodies, final_page, same_page
from probe.evidence import (
    AnyEvidence,
    CertificateCheck,
    ControlQuery,
    DNSExchange,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure, classify
from probe.wire.page import sketch

URL = "http://site.by/"
IP = "93.184.216.34"


def page(vantage: str = "probe", text: str = "one two three four", **facts: Any) -> HTTPExchange:
    given: dict[str, Any] = {
        "url": URL, "status": 200, "sketch": sketch(text.encode()), "body": text.encode(),
        "body_sha256": text, "ip": IP, "port": 80,
    }
    return HTTPExchange(vantage=vantage, **(given | facts))


def asked(name: str, failure: Failure | None = None) -> ControlQuery:
    return ControlQuery(control=name, control_url="https://c/", url=URL, failure=failure)


def differs(*evidence: AnyEvidence, controls: tuple[str, ...] = ("c",)) -> object:
    return compare(evidence, URL, controls)["differs"]


def test_the_same_page_does_not_differ() -> None:
    assert False is differs(page(), page("c"), asked("c"))


def test_another_page_differs() -> None:
    assert True is differs(page(text="this is a block page"), page("c"), asked("c"))


def test_another_status_with_the_same_words_differs() -> None:
    assert not same_page(page(), page(status=403, body_sha256="x"))


@pytest.mark.parametrize(
    ("failed", "name"),
    [
        (TCPConnect(url=URL, ip=IP, port=80, failure=Failure.TIMEOUT),
         "tcp.generic_timeout_error"),
        (TLSHandshake(url=URL, ip=IP, port=443, failure=Failure.CONNECTION_RESET),
         "tls.connection_reset"),
        (page(status=None, failure=Failure.EOF), "http.eof_error"),
    ],
)
def test_a_failure_here_alone_differs_and_has_its_layer(failed: AnyEvidence, name: str) -> None:
    facts = compare([failed, page("c"), asked("c")], URL, ["c"])
    assert (name, None, True) == (facts["failure"], facts["c.failure"], facts["differs"])


@pytest.mark.parametrize("lacking", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_what_this_machine_had_no_room_for_does_not_differ(lacking: int) -> None:
    failure = classify(OSError(lacking, os.strerror(lacking)))
    failed: list[AnyEvidence] = [
        DNSExchange(
            url=URL, hostname="site.by", rdtype="A", engine="udp", failure=failure
        ),
        TCPConnect(url=URL, ip=IP, port=80, failure=failure),
    ]
    for evidence in (failed, failed[:1], failed[1:]):
        facts = compare([*evidence, page("c"), asked("c")], URL, ["c"])
        assert ("no_buffer_space", None) == (facts["failure"], facts["differs"])
    whole = compare([*failed, page(), page("c"), asked("c")], URL, ["c"])
    assert (None, False) == (whole["failure"], whole["differs"])


def test_what_fails_everywhere_does_not_differ() -> None:
    def down(vantage: str) -> TCPConnect:
        return TCPConnect(
            vantage=vantage, url=URL, ip=IP, port=80, failure=Failure.CONNECTION_REFUSED
        )

    assert False is differs(down("probe"), down("c"), asked("c"))


def test_without_an_answer_nothing_is_compared() -> None:
    assert None is differs(page(), asked("c", Failure.TIMEOUT))
    assert None is differs(page(), controls=())


def test_one_control_that_sees_the_same_page_is_enough() -> None:
    both = (page(), page("c"), page("d", text="captcha for robots"), asked("c"), asked("d"))
    assert False is differs(*both, controls=("c", "d"))


def test_the_last_page_of_a_chain_counts() -> None:
    chain = [
        page(status=302, location="http://site.by/x"),
        page(url="http://site.by/x", text="the end of it"),
    ]
    assert chain[1] is final_page(chain, "probe", URL)
    loop = [page(status=302, location=URL)]
    assert loop[0] is final_page(loop, "probe", URL)
    assert None is final_page(chain[:1], "probe", URL)


def test_of_two_fetches_the_users_counts_unless_it_failed() -> None:
    first, second = page(text="a b c d"), page(text="e f g h")
    assert first is final_page([first, second], "probe", URL)
    failed = page(failure=Failure.CONNECTION_RESET)
    assert second is final_page([failed, second], "probe", URL)


def test_bodies_stay_only_where_nobody_vouches() -> None:
    good = CertificateCheck(transaction=1, ip=IP, port=443, hostname="site.by", checked_at=0.0)
    kept = {
        "clear": page(text="a block page in the clear"),
        "error": page(transaction=1, status=403, text="denied by policy here"),
        "seen": page(),
        "vouched": page(transaction=1, text="only here but vouched for"),
        "control": page("c", body=None),
    }
    result = drop_bodies([good, *kept.values()])[1:]
    assert [True, True, False, False, False] == [
        isinstance(e, HTTPExchange) and e.body is not None for e in result
    ]


def test_a_sketch_that_is_none_is_compared_in_peace() -> None:
    assert not same_page(page(), page("c", sketch="zz", body_sha256="y"))


def test_a_control_that_we_sent_to_a_block_page_does_not_make_us_drop_it() -> None:
    there = "http://block.example/"
    body = b"<title>Blocked</title> by a decision of somebody " * 9
    facts: dict[str, Any] = {"status": 200, "body_length": len(body), "body_sha256": "ab"}
    mine = HTTPExchange(url=there, depth=1, ip="192.0.2.1", port=80, body=body, **facts)
    theirs = HTTPExchange(vantage="a", url=there, depth=1, ip="192.0.2.1", port=80, **facts)
    asked = ControlQuery(url=there, depth=1, control="a", control_url="https://a.example/")
    led = HTTPExchange(
        vantage="a", url="http://site.example/", ip="192.0.2.9", port=80, status=302,
        location=there,
    )  # fmt: skip
    assert drop_bodies([mine, theirs, asked])[0] == mine
    assert drop_bodies([mine, theirs, asked, led])[0] != mine
