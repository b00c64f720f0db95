"""Hundreds of relays in one run: time, memory, processor, connections in flight, and how right.

In the lab's country: real relays of a private Tor network, and beside them servers that say
what a relay says, each at an address and with keys of its own. Of these a part is reset, a
part dropped by address, and a part is dead. Run it as::

    python -m bench.tor [--relays 500] [--pace volunteer|lab]
"""

from __future__ import annotations

import argparse
import csv
import ipaddress
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import trio

from bench.watching import processor, size
from lab.censors import AddressDrop, RelayReset, a_censor
from lab.country import Ready
from lab.serving import GONE, listen
from lab.stage import Setting, Stage, verdicts
from lab.tor.network import TorNetwork
from lab.tor.plan import AUTHORITIES, RELAYS
from lab.trial import HURRY
from lab.world import Place, Wire
from lab.worlds.plan import HOSTING
from lab.worlds.tor import url_of
from tests.tor.relays import Keys, said

PORT = 9001
RESET, DROPPED, DEAD = 0.08, 0.08, 0.04  # parts of them
REAL = (*AUTHORITIES, *RELAYS)
COLUMNS = ("url", "category_code", "relay", "nickname", "fingerprint", "ed25519", "dir_port")


def addresses(count: int) -> list[str]:
    """As many addresses abroad, each in a network of its own as far as there are so many."""
    blocks = [b for text in HOSTING for b in ipaddress.IPv4Network(text).subnets(new_prefix=24)]
    step = max(1, len(blocks) // count)
    return [str(block[7]) for block in blocks[::step][:count]]


def run_relays(ready: Ready, relays: dict[str, Keys]) -> None:
    """Everybody in *relays*, in one process: TLS, VERSIONS, CERTS, NETINFO."""

    async def serve(keys: Keys, stream: trio.SocketStream) -> None:
        with trio.move_on_after(30):
            try:
                inside = trio.SSLStream(stream, keys.context, server_side=True)
                await inside.receive_some(4096)
                await inside.send_all(said(keys.certificates()))
                while await inside.receive_some(4096):
                    pass
            except GONE:
                pass
        await trio.aclose_forcefully(stream)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for address, keys in relays.items():
                listener = listen(address, PORT)
                nursery.start_soon(
                    trio.serve_listeners, lambda s, keys=keys: serve(keys, s), [listener]
                )
            ready()

    trio.run(main)


class Watch(threading.Thread):
    """Looks at a process and the connections of its network ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.connections = self.memory = 0
        self.processor = 0.0

    def run(self) -> None:
        while True:
            try:
                open_ = self._connections("tcp") + self._connections("tcp6")
                self.memory, self.processor = size(self._pid).peak, processor(self._pid)
            except (OSError, ProcessLookupError):
                return
            self.connections = max(self.connections, open_)
            time.sleep(0.1)

    def _connections(self, family: str) -> int:
        """Being made or made; not those that only wait to be forgotten."""
        lines = Path(f"/proc/{self._pid}/net/{family}").read_text().splitlines()[1:]
        return sum(line.split()[3] in ("01", "02", "03") for line in lines)


def rows(relays: dict[str, Keys], network: TorNetwork) -> Iterable[dict[str, str]]:
    for address, keys in relays.items():
        yield {
            "url": f"tor://{address}:{PORT}", "relay": "or_port",
            "fingerprint": keys.fingerprint, "ed25519": keys.ed25519,
        }  # fmt: skip
    for daemon in REAL:
        known = network.identity(daemon)
        yield {
            "url": url_of(daemon), "nickname": daemon.name, "dir_port": str(daemon.dir_port),
            "relay": "or_port_dirauth" if daemon.kind == "authority" else "or_port",
            "fingerprint": known.fingerprint, "ed25519": known.ed25519,
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--relays", type=int, default=500)
    parser.add_argument("--pace", choices=("volunteer", "lab"), default="volunteer")
    parser.add_argument("--concurrency", type=int, default=30)
    wanted = parser.parse_args()

    places = addresses(wanted.relays - len(REAL))
    began = time.monotonic()
    relays = {address: Keys() for address in places}
    for keys in relays.values():
        assert keys.context  # made here, once for all
    print(f"{len(relays)} keys in {time.monotonic() - began:.0f} s")
    parts = (RESET, RESET + DROPPED, RESET + DROPPED + DEAD)
    bounds = [round(len(places) * part) for part in parts]
    reset, dropped = places[: bounds[0]], places[bounds[0] : bounds[1]]
    dead = places[bounds[1] : bounds[2]]
    rules = (
        RelayReset(addresses=tuple(reset), ports=(PORT,)),
        AddressDrop(addresses=tuple(dropped)),
    )
    censors = dict.fromkeys((Wire.UPLINK_1, Wire.UPLINK_2), (a_censor(*rules),))
    truth = dict.fromkeys((f"tor://{a}:{PORT}" for a in places), "ok")
    truth |= dict.fromkeys((f"tor://{a}:{PORT}" for a in (*reset, *dropped)), "blocked")
    truth |= dict.fromkeys((f"tor://{a}:{PORT}" for a in dead), "down")
    truth |= {url_of(daemon): "ok" for daemon in REAL}

    setting = Setting(censors=censors, config=HURRY if wanted.pace == "lab" else "")
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        with Stage((), folder, setting) as stage:
            alive = {address: keys for address, keys in relays.items() if address not in dead}
            stage.country.start(Place.ABROAD, run_relays, alive)
            with TorNetwork(stage.country, folder / "tor", REAL) as network:
                with stage.list_file.open("w") as file:
                    table = csv.DictWriter(file, COLUMNS)
                    table.writeheader()
                    for row in rows(relays, network):
                        table.writerow({"category_code": "ANON"} | row)
                began = time.monotonic()
                process = stage.start_run(
                    folder / "db", "--concurrency", str(wanted.concurrency), "--no-follow-up"
                )
                watch = Watch(process.pid)
                watch.start()
                _, told = process.communicate()
                seconds = time.monotonic() - began
                assert process.returncode == 0, told
        found = verdicts(folder / "db")
        size = (folder / "db").stat().st_size
    wrong = Counter(
        (true, found[url]["outcome"] if url in found else "missing")
        for url, true in truth.items()
        if url not in found or found[url]["outcome"] != true
    )
    print(f"relays: {len(truth)}, {Counter(truth.values())}")
    print(f"seconds: {seconds:.0f}, of the processor: {watch.processor:.1f}")
    print(f"memory at most: {watch.memory / 2**20:.0f} MB; database: {size / 2**20:.1f} MB")
    print(f"connections in flight at most: {watch.connections}")
    print(f"not as the truth is: {dict(wrong) or 'none'}")
    alarms = sum(n for (true, said_), n in wrong.items() if said_ == "blocked")
    print(f"false alarms: {alarms}")


if __name__ == "__main__":
    main()
