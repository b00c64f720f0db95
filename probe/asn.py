"""Whose an address is, found offline.

No look-up leaves the machine: who asks a service about an address tells it what is
being measured. The answer comes from a MaxMind database, the user's own or the
table that the package carries (see ``probe/data/README.md``), read in place. It is not
mapped: a look-up touches a few dozen places of the file, for each of which the system would
map 64 KiB (3 MB in a run over 200 sites), and a file that is made shorter meanwhile, by an
update, would end the process. The reader is the one in Python: the library's C extension ends
the process with a segmentation fault on a damaged file (seen with maxminddb 3.2.0), and a
database is the user's.
"""

from __future__ import annotations

import re
import struct
import weakref
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from importlib import resources
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Self

import maxminddb
from maxminddb.reader import Metadata

from probe.addresses import NAT64
from probe.evidence import AddressInfo

CARRIED = "asn.mmdb"
MAX_HOLDER = 80  # characters; a name is for reading, and a user's database may hold anything
MAX_ABOUT = 160
MAX_KNOWN = 10_000  # addresses remembered; a run meets the same few again and again

UNKNOWN = AddressInfo()

# What the reader raises on damaged bytes: its own error, or what they happen to decode to.
_DAMAGED = (
    maxminddb.InvalidDatabaseError,
    UnicodeDecodeError,
    TypeError,
    LookupError,
    struct.error,
    OverflowError,
    RecursionError,
)

# Where the databases in use put a fact, in the order in which it is believed:
# GeoLite2 and DB-IP (autonomous_system_*), IPinfo (asn "AS123", as_name or name),
# our own table (the first names), and the country of those that know only that.
_ASN = ("autonomous_system_number", "asn")
_HOLDER = ("autonomous_system_organization", "as_name", "organization", "name", "as_domain")
_COUNTRY = ("country", "country_code", "registered_country")


class AddressBookError(Exception):
    """The database cannot be used; the message says which one and why."""


class AddressBook:
    """Answers whose an address is from the database at *path*, else from the carried table.

    *built* is the day it was built; *source* is its name, that day and what it says of
    itself, for the record of each run; the carried table names there the sources
    that its licences ask to name. Raises `AddressBookError` where the database
    cannot be read.
    """

    def __init__(self, path: Path | None = None) -> None:
        path = path or Path(str(resources.files("probe") / "data" / CARRIED))
        self._known: dict[str, AddressInfo] = {}
        try:
            self._reader = maxminddb.open_database(path, maxminddb.MODE_FILE)
            weakref.finalize(self, self._reader.close)
            self.source = _source(self._reader.metadata())
            self.built = _built(self._reader.metadata())
            self._has_v6 = self._reader.metadata().ip_version == 6
        except (OSError, ValueError, *_DAMAGED) as exc:
            raise AddressBookError(f"cannot read the address database {path}: {exc}") from exc

    def lookup(self, ip: str) -> AddressInfo:
        """Whose *ip* is; `UNKNOWN` where the database does not say, or is damaged there.

        Raises ValueError for what is no address.
        """
        if (known := self._known.get(ip)) is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[ip] = self._find(ip)
        return known

    def _find(self, ip: str) -> AddressInfo:
        address = ip_address(ip.partition("%")[0])
        if address in NAT64:
            address = IPv4Address(int(address) & 0xFFFFFFFF)
        if address.version == 6 and not self._has_v6:
            return UNKNOWN
        try:
            row = self._reader.get(address)
        except (OSError, *_DAMAGED):
            return UNKNOWN
        return address_info(row) if isinstance(row, Mapping) else UNKNOWN

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _built(metadata: Metadata) -> date:
    return datetime.fromtimestamp(metadata.build_epoch, UTC).date()


def _source(metadata: Metadata) -> str:
    built = _built(metadata)
    about = _text(metadata.description.get("en", ""), MAX_ABOUT)
    return f"{_text(metadata.database_type)} {built}" + (f": {about}" if about else "")


def address_info(row: Mapping[str, object]) -> AddressInfo:
    """What a database's *row* says, by whichever of the known names it uses."""
    return AddressInfo(
        asn=next((asn for value in _values(row, _ASN) if (asn := _number(value))), 0),
        holder=next((text for value in _values(row, _HOLDER) if (text := _text(value))), ""),
        cc=next((cc for value in _values(row, _COUNTRY) if (cc := _country(value))), "ZZ"),
    )


def _values(row: Mapping[str, object], names: tuple[str, ...]) -> Iterator[object]:
    return (row[name] for name in names if name in row)


def _number(value: object) -> int:
    """An AS number out of 6697, "6697" or "AS6697"; 0 out of anything else."""
    found = re.fullmatch(r"(?:AS)?(\d{1,10})", str(value).strip(), re.IGNORECASE | re.ASCII)
    number = int(found[1]) if found else 0
    return number if number < 2**32 else 0


def _text(value: object, longest: int = MAX_HOLDER) -> str:
    return " ".join(value.split())[:longest] if isinstance(value, str) else ""


def _country(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("iso_code")
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if re.fullmatch(r"[A-Z]{2}", code) else ""
