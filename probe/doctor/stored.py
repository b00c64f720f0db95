"""What is stored on this machine, what is old, what runs by itself and what is to leave.

No packet is sent, and no file is changed.
"""

from __future__ import annotations

import os
import stat
import time
from datetime import UTC, date, datetime
from pathlib import Path

from probe import places
from probe.asn import AddressBook, AddressBookError
from probe.config import Config
from probe.consent import agreement
from probe.doctor.finding import Finding, fault, ok, unknown, warning
from probe.encryption import is_plain
from probe.ending import Problem
from probe.i18n import _
from probe.schedule.plan import Installed
from probe.schema import explained, open_database
from probe.store import Store, StoreError
from probe.upload.outbox import Outbox
from testlists import Shelf

OLD_LISTS = 180  # days; lists are edited a few times a year
OLD_TABLE = 365  # days; in a year some addresses in a hundred have changed hands
OLD_BACKLOG = 14  # days that what is to leave may wait
CHECK_SECONDS = 5.0  # for the database; a large one on a card takes minutes
MISSED = 3  # turns of a schedule
DAY = 86400.0


def look(config: Config, folder: Path) -> list[Finding]:
    """Every line; *folder* is where consent and diaries are."""
    today = datetime.now(UTC).date()
    return [
        database(config),
        lists(places.lists(), today),
        addresses(config, today),
        schedule(folder),
        sharing(config, folder),
    ]


def database(config: Config) -> Finding:
    path = config.database
    if not path.exists():
        return ok("database", _("there is none yet: the first run makes it"))
    try:
        with Store(path) as store:
            runs = [run for run in store.runs() if not run.imported]
        trouble = _checked(path)
    except StoreError as exc:
        if "holds no run yet" in str(exc):
            return ok("database", _("it holds no run yet"))
        do = _("move it away; the next run makes a new one")
        if not is_plain(path):
            do = _("if it is encrypted, give its passphrase; else move it away")
        return fault("database", str(exc), do, stops=True)
    if trouble:
        do = _("copy it to a safe place before you go on: what can be read can be exported")
        return fault("database", _("{path} is damaged: {why}", path=path, why=trouble), do)
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return warning("database", _("others can read {path}", path=path), f"chmod 600 {path}")
    size = f"{path.stat().st_size / 1e6:,.1f}"
    last = day_of(runs[-1].started_at) if runs else "-"
    said = _("runs: {count}, the last on {day}; {size} MB", count=len(runs), day=last, size=size)
    return ok("database", said)


def lists(directory: Path, today: date) -> Finding:
    shelf = Shelf(directory)
    for name in shelf.names():
        try:
            broken = shelf.book(name).targets()[1]
        except OSError as exc:
            return fault("lists", f"{name}: {exc.strerror or exc}", f"zond lists remove {name}")
        if broken:
            do = _("mend that line; zond lists validate shows all")
            return warning("lists", f"{name}, {broken[0]}", do)
    if damaged := shelf.damaged:
        said = _("the release {version} is damaged; older lists are used", version=damaged)
        return warning("lists", said, _("take it again: zond lists update"))
    age = (today - shelf.version.day).days
    said = _("of {day}; days since: {age}", day=shelf.version, age=age)
    if age > OLD_LISTS:
        return warning("lists", said, _("a newer release: zond lists update, or a newer zond"))
    return ok("lists", said)


def addresses(config: Config, today: date) -> Finding:
    try:
        with AddressBook(address_database(config)) as book:
            built = book.built
    except AddressBookError as exc:
        do = _("correct asn_database, or leave it out")
        return fault("address table", str(exc), do, stops=True)
    age = (today - built).days
    said = _("of {day}; days since: {age}", day=built, age=age)
    if age > OLD_TABLE:
        do = _("a newer zond, or a database of your own: asn_database")
        return warning("address table", said, do)
    return ok("address table", said)


def address_database(config: Config) -> Path | None:
    return Path(config.asn_database).expanduser() if config.asn_database else None


def schedule(folder: Path) -> Finding:
    from probe.schedule.standing import installed

    try:
        found = installed()
    except Problem as exc:
        return unknown("schedule", exc.message)
    if not found:
        return ok("schedule", _("none: runs are started by hand"))
    bad = [finding for each in found if (finding := _turns(each, folder)).state != "ok"]
    return bad[0] if bad else _turns(found[0], folder)


def sharing(config: Config, folder: Path) -> Finding:
    """What is to leave, and whether it can."""
    if not agreement.upload_recorded(folder):
        return ok("upload", _("what is measured stays here"))
    if config.upload.collector is None:
        do = _("[upload] collector in zond.toml, or zond consent --upload no")
        return fault("upload", _("sharing was agreed to, and no collector is set"), do)
    if not config.database.exists():
        return ok("upload", _("nothing is waiting"))
    try:
        with Outbox(config.database) as outbox:
            counts = outbox.counts()
        with Store(config.database) as store:
            runs = [run for run in store.runs() if not run.imported]
    except StoreError as exc:
        return unknown("upload", str(exc))
    if counts.given_up:
        said = _("batches that were refused too often: {count}", count=counts.given_up)
        do = _("zond upload says why; zond upload --again tries them")
        return warning("upload", said, do)
    oldest = runs[0].started_at if runs and counts.waiting + counts.measurements else time.time()
    if counts.delivered == 0 and time.time() - oldest > OLD_BACKLOG * DAY:
        said = _("nothing of what was measured since {day} was delivered", day=day_of(oldest))
        return warning("upload", said, "zond upload")
    said = _(
        "delivered: {delivered} batches; waiting: {waiting}; measurements in none: {new}",
        delivered=counts.delivered, waiting=counts.waiting, new=counts.measurements,
    )  # fmt: skip
    return ok("upload", said)


def _turns(installed: Installed, folder: Path) -> Finding:
    from probe.schedule.telling import in_words, turns

    words = in_words(installed)
    if installed.trouble:
        return warning("schedule", words, _("zond schedule install writes it anew"))
    if not agreement.recorded(Path(installed.plan.folder or folder)):
        said = _("nobody has agreed to measuring: {words}", words=words)
        return fault("schedule", said, "zond consent ask; zond schedule remove")
    latest = turns(installed.plan)
    last = latest[-1][0] if latest else None
    if last is not None and time.time() - last > MISSED * installed.plan.every * 3600:
        said = _("the last turn was on {day}: {words}", day=day_of(last), words=words)
        do = _("is the machine on at that time? zond schedule status")
        return warning("schedule", said, do)
    in_vain = [what for at, what in latest[-MISSED:]]
    if len(in_vain) == MISSED and all(what.startswith("left out") for what in in_vain):
        said = _("the last turns measured nothing: {why}", why=in_vain[-1])
        return warning("schedule", said, "zond schedule status")
    return ok("schedule", words)


def _checked(path: Path) -> str:
    """What SQLite finds wrong with the file; empty: nothing, or not within the time.

    Raises `StoreError`.
    """
    until = time.monotonic() + CHECK_SECONDS
    db = open_database(path, write=False)
    try:
        with explained(path):
            db.conn.set_progress_handler(lambda: time.monotonic() > until, 100_000)
            (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
        return "" if said == "ok" else " ".join(str(said).split())[:200]
    except StoreError as exc:
        if "interrupted" in str(exc):
            return ""
        raise
    finally:
        db.close()


def day_of(at: float) -> str:
    """The day of POSIX second *at*, UTC, as ``2026-11-22``."""
    return str(datetime.fromtimestamp(at, UTC).date())
