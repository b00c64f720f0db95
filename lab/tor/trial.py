"""Try the probe on a private Tor network: build it, measure it in each condition, score it.

Measured by the ordinary programs, with a list and settings as a user would write them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from pyroute2 import IPRoute  # type: ignore[import-untyped]

from lab.clock import wrong_clock
from lab.country import Ready
from lab.middlebox import Middlebox
from lab.score import Result, result
from lab.sites import Article, Site
from lab.stage import DELAYS, Setting, Stage, verdicts
from lab.topology import OPERATOR_RESOLVER_ADDRESSES
from lab.tor.network import Identity, TorNetwork
from lab.tor.plan import Daemon
from lab.trial import HURRY
from lab.wire import WireSettings
from lab.world import Censor, Place, Wire
from lab.worlds.tor import Condition, Scene, url_of

BOOTSTRAP_SECONDS = 15.0  # in the lab a client is up after three
_COLUMNS = (
    "url", "category_code", "relay", "nickname", "fingerprint", "ed25519", "dir_port",
    "first_seen", "channel", "transport",
)  # fmt: skip
_IPV4 = 2  # AF_INET


def try_scene(scene: Scene, folder: Path, *, seed: int = 0) -> tuple[Result, ...]:
    """Measure *scene* in all its conditions. Raises LabError where the lab itself fails."""
    tor = (
        f"[tor]\nseconds = {BOOTSTRAP_SECONDS}\n"
        f'network = "{folder}/network"\nbridges = "{folder}/bridges"\n'
    )
    setting = Setting(
        seed=seed, config=f"{HURRY}\n{tor}", wires=prepared(scene.conditions), icmp_ratelimit=0,
        sites=tuple(map(pretending, scene.pretenders)),
    )  # fmt: skip
    results: list[Result] = []
    with Stage((), folder, setting) as stage:
        with TorNetwork(stage.country, folder / "tor", scene.daemons) as network:
            (folder / "network").write_text(network.torrc)
            known = {daemon.name: network.identity(daemon) for daemon in scene.daemons}
            for condition in scene.conditions:
                try_condition(scene, condition, stage, network, known, folder)
                results += judged(scene, condition, folder)
    return tuple(results)


def prepared(conditions: Iterable[Condition]) -> dict[Wire, WireSettings]:
    """Wires with the censors of each condition ready, under its name."""
    ready: dict[Wire, dict[str, Censor]] = {}
    for condition in conditions:
        for wire in condition.at if condition.rules else ():
            ready.setdefault(wire, {})[condition.name] = Middlebox(condition.rules)
    return {
        wire: WireSettings(delay=DELAYS[wire], prepared=found) for wire, found in ready.items()
    }


def try_condition(
    scene: Scene,
    condition: Condition,
    stage: Stage,
    network: TorNetwork,
    known: dict[str, Identity],
    folder: Path,
) -> None:
    """One run of the probe, into the condition's own database."""
    for daemon in condition.dead:
        network.kill(daemon)
    for daemon in condition.renewed:
        network.renew(daemon)
    if not condition.ipv4:
        stage.country.start(Place.HOME, without_ipv4)
    lines = "".join(f"{network.bridge_line(bridge)}\n" for bridge in condition.own)
    (folder / "bridges").write_text(lines)
    stage.list_file.write_text(list_of(scene, condition, network, known))
    wires = condition.at if condition.rules else ()
    for wire in wires:
        stage.country.switch(wire, condition.name)
    process = stage.start_run(
        _database(folder, condition), "--seed", str(stage.setting.seed),
        before=wrong_clock(f"{condition.clock:+.0f}s") if condition.clock else [],
        resolv_conf=None if condition.ipv4 else OPERATOR_RESOLVER_ADDRESSES[1:],
    )  # fmt: skip
    _, said = process.communicate()
    (folder / f"{condition.name}.log").write_text(said)
    for wire in wires:
        stage.country.switch(wire, condition.name, False)


def judged(scene: Scene, condition: Condition, folder: Path) -> list[Result]:
    """The verdict on everything that the condition has a truth of."""
    lines = verdicts(_database(folder, condition))
    names = {url_of(d, ipv6=six): d.name for d in scene.daemons for six in (False, True)}
    return [
        result(
            f"tor/{scene.name}/{condition.name}/{names.get(url, url.partition('://')[2])}",
            truth, lines.get(url),
        )
        for url, truth in condition.truths.items()
    ]  # fmt: skip


def _database(folder: Path, condition: Condition) -> Path:
    return folder / f"{condition.name}.db"


def list_of(
    scene: Scene, condition: Condition, network: TorNetwork, known: dict[str, Identity]
) -> str:
    """A test list of what *condition* has a truth of, as volunteers have one."""
    bridges = {
        f"bridge{number}": network.bridge_line(bridge)
        for number, bridge in enumerate(condition.public, 1)
    }
    file = io.StringIO()
    table = csv.DictWriter(file, (*_COLUMNS, *bridges), lineterminator="\n")
    table.writeheader()
    daemons = {
        url_of(daemon, ipv6=six): daemon
        for daemon in (*scene.daemons, *scene.pretenders)
        for six in (False, True)
        if daemon.address6 or not six
    }
    for url in condition.truths:
        if url in daemons:
            table.writerow({"url": url, "category_code": "ANON"} | _about(daemons[url], known))
        else:
            table.writerow({"url": url, "category_code": "ANON"} | bridges)
    return file.getvalue()


def _about(daemon: Daemon, known: dict[str, Identity]) -> dict[str, str]:
    kinds = {"authority": "or_port_dirauth", "relay": "or_port"}
    kind = kinds.get(daemon.kind) or daemon.transport or "vanilla_bridge"
    told = known.get(daemon.name)
    return {
        "relay": kind, "nickname": daemon.name, "channel": daemon.channel,
        "transport": daemon.transport, "first_seen": daemon.first_seen,
        "dir_port": str(daemon.dir_port or ""),
        "fingerprint": told.fingerprint if told else "A" * 40,
        "ed25519": told.ed25519 if told else "",
    }  # fmt: skip


def pretending(daemon: Daemon) -> Site:
    """An ordinary site at the port of a relay: TLS, and nothing of Tor."""
    name = f"www.{daemon.name}.example"
    return Site(
        names=(name,), addresses=(daemon.address,), http=None,
        ports=((daemon.or_port, "https", Article(name, "en", 5)),),
    )  # fmt: skip


def without_ipv4(ready: Ready) -> None:
    """Take every IPv4 address from this place."""
    with IPRoute() as kernel:
        for address in kernel.get_addr(family=_IPV4):
            local = address.get_attr("IFA_LOCAL")
            if not local.startswith("127."):
                kernel.addr(
                    "del", index=address["index"], address=local, prefixlen=address["prefixlen"]
                )
    ready()
