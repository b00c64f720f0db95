"""A control goes to public sites only, and not for anybody more than their share."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from probe.control.guard import BAD_PORTS, Guard, GuardedNetwork
from probe.net import Datagrams
from probe.serving.clients import Clients, Refused
from probe.surroundings.resolvers import Resolvers
from tests.control.stage import NoNetwork


@pytest.mark.parametrize(
    "url",
    [
        "https://news.example/",
        "http://news.example:8080/path?query#fragment",
        "https://xn--d1acpjx3f.xn--p1ai/",
        "https://яндекс.рф/",
        "http://93.184.216.34/",
        "https://[2606:2800:220:1::1]:8443/",
    ],
)
def test_an_ordinary_url_is_visited(url: str) -> None:
    assert Guard().check_url(url, max_length=4096).host


@pytest.mark.parametrize(
    "url",
    [
        "",
        "news.example",
        "ftp://news.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://news.example:70/_x",
        "http://",
        "http:///path",
        "http://user@news.example/",
        "http://user:word@news.example/",
        "http://:word@news.example/",
        "http://news.example:22/",
        "http://news.example:25/",
        "http://news.example:0/",
        "http://news.example:99999/",
        "http://localhost/",
        "http://intranet/",
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/",
        "http://127.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://0/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[fec0::1]/",
        "http://127.0.0.1\\@news.example/",
        "http://news.example\r\nhost: other.example/",
        "http://news.example/\x00",
        "http://news example/",
        "http://" + "a" * 64 + ".example/",
        "http://news.example/" + "a" * 4096,
    ],
)
def test_what_is_no_public_site_is_refused(url: str) -> None:
    with pytest.raises(Refused) as refused:
        Guard().check_url(url, max_length=4096)
    assert 400 == refused.value.status


def test_the_servers_own_address_is_not_visited() -> None:
    guard = Guard(own=frozenset({"93.184.216.34"}))
    with pytest.raises(Refused):
        guard.check_url("http://93.184.216.34/", max_length=4096)


class Doors(NoNetwork):
    """Notes where it was opened to."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, int]] = []

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        self.opened.append((ip, port))
        return trio.testing.memory_stream_pair()[0]

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        self.opened.append((ip, port))
        raise OSError("enough")


RESOLVERS = Resolvers(
    own=("10.0.0.2",),
    public=("8.8.8.8",),
    dot=(("dns.google", "8.8.8.8"),),
    doh=(("https://dns.google/dns-query", "8.8.8.8"),),
)


@pytest.mark.parametrize(
    ("ip", "port", "opens"),
    [
        ("93.184.216.34", 443, True),
        ("93.184.216.34", 8080, True),
        ("2606:2800:220:1::1", 80, True),
        ("8.8.8.8", 853, True),
        ("8.8.8.8", 443, True),
        ("8.8.8.8", 53, True),
        ("10.0.0.2", 53, True),
        ("10.0.0.2", 443, False),
        ("93.184.216.34", 25, False),
        ("93.184.216.34", 853, True),
        ("93.184.216.34", 53, False),
        ("93.184.216.35", 443, False),
        ("127.0.0.1", 80, False),
        ("::1", 443, False),
        ("::ffff:10.0.0.1", 443, False),
        ("not an address", 443, False),
    ],
)
async def test_the_door_opens_to_public_addresses_only(ip: str, port: int, opens: bool) -> None:
    doors = Doors()
    door = GuardedNetwork(doors, Guard(own=frozenset({"93.184.216.35"})), RESOLVERS)
    if opens:
        await door.connect_tcp(ip, port)
    else:
        with pytest.raises(PermissionError):
            await door.connect_tcp(ip, port)
    assert ([(ip, port)] if opens else []) == doors.opened


@pytest.mark.parametrize(
    ("ip", "port", "opens"),
    [
        ("8.8.8.8", 53, True),
        ("10.0.0.2", 53, True),
        ("93.184.216.34", 443, True),
        ("8.8.8.8", 123, False),
        ("93.184.216.34", 53, False),
        ("10.0.0.2", 443, False),
        ("192.168.1.1", 443, False),
        ("::ffff:10.0.0.1", 443, False),
        ("not an address", 443, False),
    ],
)
async def test_datagrams_go_to_resolvers_and_public_sites_only(
    ip: str, port: int, opens: bool
) -> None:
    doors = Doors()
    door = GuardedNetwork(doors, Guard(), RESOLVERS)
    with pytest.raises(OSError, match="enough" if opens else "neither a resolver"):
        await door.open_udp(ip, port)
    assert ([(ip, port)] if opens else []) == doors.opened


def test_web_ports_are_not_among_the_bad_ones() -> None:
    assert not BAD_PORTS & {80, 443, 8080, 8443}


def spend(clients: Clients, names: Sequence[str], allowance: int) -> int:
    """How many of *names* were let through."""
    passed = 0
    for name in names:
        try:
            clients.spend(name, allowance)
            passed += 1
        except Refused as refused:
            assert 429 == refused.status
            assert refused.retry_after is not None
    return passed


async def test_a_client_has_its_allowance_and_gets_it_back(autojump_clock: MockClock) -> None:
    clients = Clients(window=600)
    assert 3 == spend(clients, ["192.0.2.1"] * 5, 3)
    assert 3 == spend(clients, ["192.0.2.2"] * 5, 3)
    await trio.sleep(601)
    assert 3 == spend(clients, ["192.0.2.1"] * 5, 3)


async def test_addresses_of_one_ipv6_network_are_one_client() -> None:
    clients = Clients(window=600)
    assert 3 == spend(clients, [f"2001:db8::{n:x}" for n in range(1, 6)], 3)
    assert 1 == spend(clients, ["2001:db8:0:100::1"], 3)


async def test_what_is_open_is_counted_until_it_is_closed() -> None:
    clients = Clients(window=600)
    with clients.holding("question", "192.0.2.1", 2), clients.holding("question", "192.0.2.1", 2):
        with pytest.raises(Refused), clients.holding("question", "192.0.2.1", 2):
            raise AssertionError("a third was let in")
        with clients.holding("question", "192.0.2.9", 2):
            pass
        with clients.holding("connection", "192.0.2.1", 2):
            pass
    with clients.holding("question", "192.0.2.1", 1):
        pass


async def test_no_address_can_be_read_from_the_counts() -> None:
    clients = Clients(window=600)
    clients.spend("192.0.2.77", 3)
    with clients.holding("question", "192.0.2.77", 2):
        remembered = repr(vars(clients))
    assert "192.0.2" not in remembered
