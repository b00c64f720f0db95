"""Whose an address is, found offline.

No look-up leaves the machine: who asks a service about an address tells it what is
being measured. The answer comes from a MaxMind database, the user's own or the
table that the package carries (see ``probe/data/README.md``), read through mmap, so
that it costs the pages that are touched and not the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

import maxminddb

from probe.evidence import AddressInfo

CARRIED = "asn.mmdb"
MAX_HOLDER = 80  # characters; a name is for reading, and a user's database may hold anything
MAX_KNOWN = 10_000  # addresses remembered; a run meets the same few again and again

UNKNOWN = AddressInfo()

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

    *source* is the database's name and the day it was built, for the record of
    each run. Raises `AddressBookError` where the database cannot be read.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._reader = _open(path or Path(str(resources.files("probe") / "data" / CARRIED)))
        self._known: dict[str, AddressInfo] = {}
        metadata = self._reader.metadata()
        self._has_v6 = metadata.ip_version == 6
        built = datetime.fromtimestamp(metadata.build_epoch, UTC).date()
        self.source = f"{metadata.database_type} {built.isoformat()}"

    def lookup(self, ip: str) -> AddressInfo:
        """Whose *ip* is; `UNKNOWN` where the database does not say.

        Raises ValueError for what is no address.
        """
        if (known := self._known.get(ip)) is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[ip] = self._find(ip)
        return known

    def _find(self, ip: str) -> AddressInfo:
        address = ip.partition("%")[0]
        if ":" in address and not self._has_v6:
            return UNKNOWN
        row = self._reader.get(address)
        return _read(row) if isinstance(row, Mapping) else UNKNOWN

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _open(path: Path) -> maxminddb.Reader:
    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as exc:
        raise AddressBookError(f"cannot read the address database {path}: {exc}") from exc


def _read(row: Mapping[str, object]) -> AddressInfo:
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


def _text(value: object) -> str:
    return " ".join(value.split())[:MAX_HOLDER] if isinstance(value, str) else ""


def _country(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("iso_code")
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if re.fullmatch(r"[A-Z]{2}", code) else ""
