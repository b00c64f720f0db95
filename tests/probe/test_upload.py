"""Uploads over real sockets: what is on the way is cut, refused, forged and repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from probe.config import Config, ConfigError, Upload
from probe.store import Store
from probe.upload import carrying, sending
from probe.upload.carrying import CarriedFile, carry, take_home
from probe.upload.identity import Identity
from probe.upload.outbox import REFUSALS, Outbox
from probe.upload.sending import (
    Collector,
    Sent,
    UploadError,
    allowance,
    collector_of,
    scrubbing,
    send,
)
from probe.upload.ways_out import WayOut, ways_out
from tests.probe.uploading import (
    PlainScrubber,
    a_run,
    collecting,
    fill,
    socks,
    some,
    trusted,
)

DIRECT = WayOut(name="direct")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(sending, "LONGEST_PAUSE", 0.01)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Six batches of three measurements each, of six networks."""
    path = tmp_path / "zond.db"
    fill(path, *(a_run(f"r{n}", probe_asn=100 + n) for n in range(6)), count=3)
    with Store(path) as store, Outbox(path, write=True) as outbox:
        outbox.make(store, PlainScrubber(), Identity(tmp_path / "identity"))
    return path


EVERY = sorted(f"r{n}-{m}" for n in range(6) for m in range(3))


async def sent(
    db: Path, collector: Collector, *ways: WayOut, max_bytes: int | None = None,
    seconds: float = 60.0,
) -> Sent:  # fmt: skip
    with Outbox(db, write=True) as outbox:
        return await send(
            outbox, outbox.waiting(), collector, list(ways or (DIRECT,)),
            max_bytes=max_bytes, seconds=seconds,
        )  # fmt: skip


async def test_every_batch_arrives_once_and_is_gone_from_the_outbox(db: Path) -> None:
    async with collecting() as small:
        first = await sent(db, collector_of(small.url, None))
        again = await sent(db, collector_of(small.url, None))
    assert (first.delivered, first.remaining, again.total) == (6, 0, 0)
    assert sorted(small.measurements()) == EVERY
    assert len(small.arrivals) == 6
    with Outbox(db) as outbox:
        assert outbox.waiting() == []


async def test_a_sealed_batch_shows_nothing_on_the_way(db: Path) -> None:
    async with collecting() as small:
        await sent(db, collector_of(small.url, small.secret.public))
    assert sorted(small.measurements()) == EVERY
    pseudonyms = [kept.header.pseudonym.encode() for kept in small.batches.values()]
    keys = [kept.key.encode() for kept in small.batches.values()]
    assert not any(known in body for known in pseudonyms + keys for body in small.bodies)


@pytest.mark.parametrize(
    "trick", ["busy", "broken", "garbled", "forged", "forgotten", "portal", "deep", "endless"]
)
async def test_what_goes_wrong_once_is_made_good(db: Path, trick: str) -> None:
    async with collecting(trick, "", trick, trick) as small:
        done = await sent(db, collector_of(small.url, small.secret.public))
    assert (done.delivered, done.remaining) == (6, 0)
    assert done.troubles.total() == 3
    assert sorted(small.measurements()) == EVERY


@pytest.mark.parametrize("trick", ["forged", "portal", "broken"])
async def test_who_only_says_yes_has_received_nothing(db: Path, trick: str) -> None:
    async with collecting(*[trick] * 100) as small:
        done = await sent(db, collector_of(small.url, small.secret.public))
    assert (done.delivered, done.remaining) == (0, 6)
    with Outbox(db) as outbox:
        assert len(outbox.waiting()) == 6
        assert not any(waiting.given_up for waiting in outbox.waiting())


async def test_a_refusal_that_anybody_may_have_said_ends_nothing(db: Path) -> None:
    async with collecting(*["garbled"] * 1000) as small:
        collector = collector_of(small.url, small.secret.public)
        for _ in range(REFUSALS + 1):
            assert (await sent(db, collector)).given_up == 0
        small.tricks.clear()
        assert (await sent(db, collector)).delivered == 6


async def test_a_batch_that_is_always_refused_is_kept_and_left_alone(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, key, roots = trusted(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", roots)
    async with collecting(*["garbled"] * 1000, tls=(chain, key)) as small:
        collector = collector_of(small.url, None)
        for _ in range(REFUSALS):
            done = await sent(db, collector)
        assert (done.delivered, done.remaining, done.given_up) == (0, 6, 6)
        assert len(small.arrivals) == 6 * REFUSALS
        small.tricks.clear()
        with Outbox(db, write=True) as outbox:
            outbox.ask_again()
        assert (await sent(db, collector)).delivered == 6


async def test_a_stranger_paints_nothing_on_the_terminal(db: Path) -> None:
    async with collecting("painting") as small:
        done = await sent(db, collector_of(small.url, None))
    assert list(done.troubles) == ["refused: ?[2J?]0;owned? gone"]
    with Outbox(db) as outbox:
        kept = [detail for b in small.batches for _, _, detail in outbox.events(b)]
    assert all(detail.isprintable() for detail in kept)


def test_a_control_of_ones_own_is_named_only_where_the_settings_say_so() -> None:
    mine, other = "https://mine.example/", "https://other.example/"
    run = a_run(controls=(mine, other))

    def leaving(*named: str) -> bytes:
        return scrubbing(Config(upload=Upload(controls=named)))[0].run(run)

    assert b"mine.example" not in leaving()
    assert b"mine.example" in leaving(mine)
    assert b"other.example" not in leaving(mine)


async def test_what_a_receipt_set_aside_is_told_and_is_delivered(db: Path) -> None:
    async with collecting("aside", "odd") as small:
        done = await sent(db, collector_of(small.url, None))
    assert (done.delivered, done.remaining, done.troubles.total()) == (6, 0, 0)
    assert {"nested ?[2J": 1, "too deep": 1} == done.set_aside


async def test_nobody_there_is_told_and_loses_nothing(db: Path) -> None:
    done = await sent(db, Collector(url="http://127.0.0.1:9"))
    assert (done.delivered, done.remaining, done.bytes < 200_000) == (0, 6, True)
    assert any("connection_refused" in why for why in done.troubles)


async def test_the_budget_holds_with_attempts_that_failed_in_it(db: Path) -> None:
    async with collecting("broken", "broken") as small:
        done = await sent(db, collector_of(small.url, None), max_bytes=15_000)
        assert done.over_budget and done.bytes <= 15_000
        assert 0 < done.delivered < 6
        later = await sent(db, collector_of(small.url, None))
        assert later.remaining == 0
    with Outbox(db) as outbox:
        assert outbox.spent(since=0) == done.bytes + later.bytes
        config = Config(upload=Upload(max_bytes_per_day=outbox.spent(since=0) + 10))
        assert allowance(outbox, config, None) == 10
        assert allowance(outbox, config, 5) == 5
        assert allowance(outbox, Config(), None) is None


async def test_time_is_bounded_where_nobody_answers(db: Path) -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    done = await sent(db, Collector(url=url), seconds=0.2)
    assert done.remaining == 6 and "not done within 0.2 s" in done.troubles
    await listener.aclose()


async def test_the_ways_are_tried_in_order(db: Path) -> None:
    async with collecting() as small, socks() as proxy:
        dead = WayOut(name="proxy", proxy="socks5h://127.0.0.1:9")
        collector = collector_of(small.url, small.secret.public)
        done = await sent(db, collector, dead, WayOut(name="tor", proxy=proxy.url))
    assert (done.delivered, done.remaining) == (6, 0)
    assert set(proxy.asked) == {"127.0.0.1"}
    with Outbox(db) as outbox:
        ways = {way for b in small.batches for what, way, _ in outbox.events(b)
                if what == "delivered"}  # fmt: skip
    assert ways == {"tor"}


async def test_two_pseudonyms_share_neither_a_connection_nor_a_circuit(db: Path) -> None:
    async with collecting() as small, socks() as proxy:
        collector = collector_of(small.url, small.secret.public)
        await sent(db, collector, WayOut(name="tor", proxy=proxy.url))
    assert len(set(small.peers)) == len({asn for asn, _ in small.peers}) == 6
    assert len(set(proxy.users)) == 6


async def test_cut_on_the_way_all_arrive(db: Path) -> None:
    async with collecting() as small, socks() as proxy:
        proxy.cut_after = [0, 50, 200, 1000, 3000, 6000] * 2
        collector = collector_of(small.url, small.secret.public)
        for _ in range(10):
            done = await sent(db, collector, WayOut(name="proxy", proxy=proxy.url))
            if not done.remaining:
                break
    assert done.remaining == 0
    assert sorted(small.measurements()) == EVERY


async def test_what_is_measured_meanwhile_does_not_change_a_batch(db: Path) -> None:
    async with collecting(*["forgotten"] * 100) as small:
        collector = collector_of(small.url, None)
        assert (await sent(db, collector)).remaining == 6
        assert small.batches
        small.tricks.clear()
        with Store(db, write=True) as store:
            store.append(some("r0", 7))
        with Store(db) as store, Outbox(db, write=True) as outbox:
            outbox.make(store, PlainScrubber(), Identity(db.with_name("identity")))
        await sent(db, collector)
    assert sorted(small.measurements()) == sorted([*EVERY, "r0-7"])


def test_unsealed_batches_go_over_tls_or_stay_on_this_machine() -> None:
    direct, proxied = [DIRECT], [WayOut(name="proxy", proxy="http://proxy.example:3128")]
    collector_of("https://collector.example", None).check(proxied)
    collector_of("http://127.0.0.1:80", None).check(direct)
    collector_of("http://[::1]:80", None).check(direct)
    for url, ways in [
        ("http://collector.example", direct), ("http://10.0.0.1", direct),
        ("http://127.0.0.1", proxied), ("http://127.0.0.1.example", direct),
        ("http://localhost@collector.example", direct),
    ]:  # fmt: skip
        with pytest.raises(UploadError, match="https"):
            collector_of(url, None).check(ways)


def test_a_key_that_is_none_and_an_address_that_is_none_are_told() -> None:
    with pytest.raises(UploadError, match="no collector's key"):
        collector_of("https://collector.example", "rubbish")
    with pytest.raises(UploadError, match="no http"):
        collector_of("ftp://collector.example", None)


def test_there_is_no_way_round_the_users_ways() -> None:
    tor = Upload(ways=("tor",))
    assert [way.name for way in ways_out(tor, "http://proxy.example:1")] == ["tor"]
    assert [way.name for way in ways_out(Upload(), "http://proxy.example:1")] == ["proxy"]
    assert [way.name for way in ways_out(Upload())] == ["direct"]
    assert ways_out(Upload(ways=("file",), file="f")) == []
    with pytest.raises(ConfigError, match="proxy"):
        ways_out(Upload(ways=("proxy",)))
    with pytest.raises(ConfigError, match="file"):
        ways_out(Upload(ways=("direct", "file")))
    with pytest.raises(ConfigError, match="proxy"):
        ways_out(Upload(proxy="rubbish"))


# Carried


async def carried(db: Path, collector: Collector) -> Path:
    file = db.with_name("carried")
    with Outbox(db, write=True) as outbox:
        assert carry(outbox, collector, file) == 6
    return file


async def test_a_carried_file_brings_all_and_its_receipts_end_it(db: Path) -> None:
    async with collecting() as small:
        file = await carried(db, collector_of(small.url, small.secret.public))
        receipts = db.with_name("receipts")
        source = CarriedFile(file, receipts)
        assert source.sealed
        await send(source, source.waiting, collector_of(small.url, None), [DIRECT])
        assert CarriedFile(file, receipts).waiting == []
    assert sorted(small.measurements()) == EVERY
    with Outbox(db, write=True) as outbox:
        assert len(outbox.waiting()) == 6
        assert take_home(outbox, receipts) == (6, 0)
        assert outbox.waiting() == []


async def test_carried_and_sent_is_the_same_batch(db: Path) -> None:
    async with collecting() as small:
        key = small.secret.public
        file = await carried(db, collector_of(small.url, key))
        await sent(db, collector_of(small.url, key))
        source = CarriedFile(file, db.with_name("receipts"))
        await send(source, source.waiting, collector_of(small.url, None), [DIRECT])
    assert sorted(small.measurements()) == EVERY
    with Outbox(db, write=True) as outbox:
        assert take_home(outbox, db.with_name("receipts")) == (6, 0)


async def test_a_file_that_ends_early_brings_what_is_whole(db: Path) -> None:
    async with collecting() as small:
        file = await carried(db, collector_of(small.url, small.secret.public))
        whole = file.read_bytes()
        file.write_bytes(whole[:-100])
        source = CarriedFile(file, db.with_name("receipts"))
        assert "ends early" in source.damage
        await send(source, source.waiting, collector_of(small.url, None), [DIRECT])
        assert len(small.batches) == 5
        file.write_bytes(whole)
        source = CarriedFile(file, db.with_name("receipts"))
        await send(source, source.waiting, collector_of(small.url, None), [DIRECT])
    assert sorted(small.measurements()) == EVERY
    assert len(small.arrivals) == 6


def test_receipts_that_are_wrong_deliver_nothing(db: Path) -> None:
    receipts = db.with_name("receipts")
    with Outbox(db, write=True) as outbox:
        for waiting in outbox.waiting():
            carrying.add_receipt(receipts, waiting.sha256, "ab" * 32)
        with receipts.open("ab") as file:
            file.write(b"rubbish\n\xff\xfe\n" + b"x" * 5000)
        assert take_home(outbox, receipts) == (0, 6)
        assert len(outbox.waiting()) == 6


def test_a_receipt_after_a_torn_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "receipts"
    carrying.add_receipt(path, "11" * 32, "aa")
    with path.open("ab") as file:
        file.write(b'{"sha256":"22')
    carrying.add_receipt(path, "33" * 32, "bb")
    assert [r.sha256 for r in carrying.receipts(path)] == ["11" * 32, "33" * 32]


@given(cut=st.integers(0, 3000), at=st.integers(0, 3000), bit=st.integers(0, 7))
def test_a_carried_file_that_is_damaged_gives_what_is_before(
    tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, bit: int
) -> None:
    file = tmp_path_factory.mktemp("carried") / "f"
    whole = [(f"{n:02x}" * 32, bytes([n]) * (n * 97 + 1)) for n in range(1, 6)]
    carrying.write(file, whole)
    data = bytearray(file.read_bytes())
    data[at % len(data)] ^= 1 << bit
    file.write_bytes(data[: cut or None])
    found: list[tuple[str, bytes]] = []
    try:
        for name, offset, body in carrying.read(file):
            assert carrying.body_at(file, offset, len(body)) == body
            found.append((name, body))
    except carrying.CarriedError:
        pass  # told, after the last that is whole
    assert len(found) <= len(whole)
    # One bit is in one batch; that one is found out by the collector.
    assert sum(f != w for f, w in zip(found, whole, strict=False)) <= 1


@pytest.mark.parametrize(
    "data", [b"", b"rubbish", carrying.MAGIC + b"x\n", carrying.MAGIC + b"0" * 64 + b" 999999999\n"]
)
def test_what_is_no_carried_file_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(carrying.CarriedError):
        CarriedFile(tmp_path / "f", tmp_path / "r")


def test_nothing_is_written_over_and_nothing_unsealed_by_accident(db: Path) -> None:
    file = db.with_name("carried")
    with Outbox(db, write=True) as outbox:
        with pytest.raises(UploadError, match="unsealed"):
            carry(outbox, Collector(url=""), file)
        assert carry(outbox, Collector(url=""), file, unsealed=True) == 6
        with pytest.raises(FileExistsError):
            carry(outbox, Collector(url=""), file, unsealed=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not CarriedFile(file, db.with_name("receipts")).sealed
