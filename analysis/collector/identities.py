"""Who says what, over batches: replays of others' documents, and many keys of one hand.

Rule: what has to be remembered for that is as little as serves. Of documents, eight bytes of
hash each, and to which id they belong; of keys, their network and the hour of their first
batch; both forgotten after a time. Of places, how many keys came from each within minutes,
in memory, by a salted hash that changes. The files are the collector's memory and not its
truth: without them only the marks of what came before are missing.

Evidence counts as the same only where nobody measures the same by chance: times are told
to the microsecond, so `LEAST_TIMES` different ones do not fall alike twice.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections import defaultdict
from ipaddress import ip_address, ip_network
from pathlib import Path
from secrets import token_bytes

import msgspec

from analysis.collector.documents import Documents
from analysis.collector.notes import Mark
from probe.evidence import Measurement
from probe.formats.batch import Header

LEAST_TIMES = 4  # different moments in a measurement, before its evidence is known by them
KEYS_OF_A_PLACE = 32  # a /24 or /48 within minutes; a carrier's NAT may hold as many volunteers
KEYS_OF_AN_HOUR = 40  # of one network, that were never seen before
# On the first of a month all keys are new: as many as this part of last month's may come in one
# hour.
PART_OF_MONTH = 0.1
KEEP_DAYS = 400  # of what documents are known by
KEEP_KEYS_DAYS = 62
MAX_PLACES = 50_000
MAX_KEYS = 256  # counted of one place

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    digest BLOB PRIMARY KEY, whose BLOB NOT NULL, day INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (
    key BLOB PRIMARY KEY, asn INTEGER NOT NULL, hour INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_of_an_hour ON keys (asn, hour);
"""


class Identities:
    """The memory in the file *path*. Thread-safe. Raises `sqlite3.Error`."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_SCHEMA)
        path.chmod(0o600)

    def close(self) -> None:
        self._db.close()

    def marks(self, header: Header, documents: Documents, now: float) -> list[Mark]:
        """Marks on a batch, which is remembered from then on. Asking twice changes nothing."""
        day = int(now // 86400)
        found: list[Mark] = []
        with self._lock, self._db:
            for line, m in documents.measurements.items():
                found += self._replayed(header, line, m, day)
            found += self._born(header, int(now // 3600))
        return found

    def forget(self, now: float) -> None:
        """Forget what is older than is kept."""
        day = int(now // 86400)
        with self._lock, self._db:
            self._db.execute("DELETE FROM documents WHERE day < ?", (day - KEEP_DAYS,))
            self._db.execute("DELETE FROM keys WHERE hour < ?", ((day - KEEP_KEYS_DAYS) * 24,))

    def _replayed(self, header: Header, line: int, m: Measurement, day: int) -> list[Mark]:
        found = []
        evidence = msgspec.json.encode(m.evidence)
        who = bytes.fromhex(header.pseudonym)[:8]
        if len({e.t for e in m.evidence}) >= LEAST_TIMES:
            other = self._first(b"evidence", evidence, _short(m.id.encode()), day)
            if other != _short(m.id.encode()):
                found.append(Mark(mark="same_evidence", line=line))
        content = _short(evidence + m.url.encode())
        first = self._first(b"id", m.id.encode(), content + who, day)
        # The same key may send a document again that it scrubbed again.
        if first[8:] != who:
            mark = "same_document" if first[:8] == content else "same_id"
            found.append(Mark(mark=mark, line=line))
        return found

    def _first(self, kind: bytes, what: bytes, whose: bytes, day: int) -> bytes:
        """Whose *what* was when it was first seen."""
        digest = _short(kind + b"\0" + what)
        row = self._db.execute("SELECT whose FROM documents WHERE digest = ?", (digest,)).fetchone()
        if row is not None:
            return bytes(row[0])
        self._db.execute("INSERT INTO documents VALUES (?, ?, ?)", (digest, whose, day))
        return whose

    def _born(self, header: Header, hour: int) -> list[Mark]:
        key, asn = bytes.fromhex(header.pseudonym)[:12], header.probe_asn
        self._db.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, ?)", (key, asn, hour))
        (born,) = self._db.execute("SELECT hour FROM keys WHERE key = ?", (key,)).fetchone()
        (together,) = self._db.execute(
            "SELECT count(*) FROM keys WHERE asn = ? AND hour = ?", (asn, born)
        ).fetchone()
        (before,) = self._db.execute(
            "SELECT count(*) FROM keys WHERE asn = ? AND hour BETWEEN ? AND ?",
            (asn, born - 31 * 24, born - 24),
        ).fetchone()
        if together <= max(KEYS_OF_AN_HOUR, PART_OF_MONTH * before):
            return []
        return [Mark(mark="born_together", detail=f"{together} in an hour")]


class Places:
    """How many keys came from each place within *window* seconds. Trio's thread only."""

    def __init__(self, *, window: float) -> None:
        self._window = window
        self._began = time.monotonic()
        self._salt = token_bytes(16)
        self._keys: defaultdict[bytes, set[bytes]] = defaultdict(set)

    def marks(self, client: str, key: str) -> list[Mark]:
        """Marks on what *key* (hex) sends from the address *client*."""
        now = time.monotonic()
        if now - self._began >= self._window:
            self._began, self._salt = now, token_bytes(16)
            self._keys.clear()
        place = hashlib.blake2b(_place(client).encode(), key=self._salt, digest_size=8).digest()
        if place not in self._keys and len(self._keys) >= MAX_PLACES:
            return []
        keys = self._keys[place]
        if len(keys) < MAX_KEYS:
            keys.add(bytes.fromhex(key)[:8])
        if len(keys) <= KEYS_OF_A_PLACE:
            return []
        return [Mark(mark="many_keys", detail=f"{len(keys)} keys")]


def _place(client: str) -> str:
    """The network that one person can have all of: a /24, or a /48 of IPv6."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))


def _short(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:8]
