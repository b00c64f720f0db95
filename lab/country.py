"""A country on one machine: places, wires and the programs that run in them.

One forked process makes the namespaces and carries all wires; the controller
keeps the namespaces' open files and starts programs in them. All of them are
killed with the controller, and nothing of the country is in the file system, so
nothing can be left behind. A namespace has the loopback and TUN devices only:
there is no way out.

A censor or a server that breaks must not look like a censored site: its traceback
is raised in the controller, at the latest when the country ends.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, replace
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import Any, Concatenate, Literal, NoReturn, ParamSpec, Self

from lab import topology
from lab.ground import NEVER, configure, links_of
from lab.namespace import (
    Namespace,
    command_line,
    die_with,
    enter,
    explain_if_impossible,
    fork,
    kill_all_in,
    new_network,
    open_tun,
    take_power,
)
from lab.wire import Carrier, Traffic, WireSettings
from lab.world import Place, Wire

P = ParamSpec("P")
Ready = Callable[[], None]

_PATIENCE = 60.0  # seconds for a process of ours to come up or to answer
_SETTABLE = {field.name for field in fields(WireSettings)} - {"censors", "prepared", "capture"}
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"})


class LabError(Exception):
    """The country, or something that runs in it, broke. Never a finding."""


class Child:
    """A function of ours that runs in a place, in a process of its own."""

    def __init__(self, name: str, pid: int, news: Connection) -> None:
        self.name = name
        self.pid = pid
        self._news = news
        self._ended: str | None = None

    def await_ready(self, patience: float = _PATIENCE) -> None:
        """Return once the function has said that it is ready. Raises LabError if it died first."""
        if not wait([self._news], patience):
            raise LabError(f"{self.name}: not ready after {patience} s")
        message = self._next()
        if message is None:
            return
        self._ended = message
        raise LabError(f"{self.name} died:\n{message}")

    def failure(self) -> str | None:
        """The traceback if the function has raised; None while it runs or if it returned."""
        while self._ended is None and self._news.poll():
            self._ended = self._next()
        return self._ended or None

    def stop(self) -> None:
        """End it at once."""
        if self._news.closed:
            return
        self._ended = self.failure() or ""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._news.close()

    def _next(self) -> str | None:
        """None for "ready", a text for how it ended: empty for a plain return."""
        try:
            message = self._news.recv()
        except EOFError:
            return "it ended without a word"
        assert message is None or isinstance(message, str)
        return message


class Country:
    """A context manager; all that runs in the country ends with it.

    *wires*: settings of those that are not plain. *ipv6*: False is a household
    without; "broken" one with an address and a route and nothing behind them.
    *seed* decides loss and jitter. *icmp_ratelimit*: milliseconds between ICMP
    errors of a router to one destination (None: the kernel's 1000; 0: no limit);
    *silent* are places whose router sends none. *balanced*: flows of IPv4 that would
    leave through gateway 1 take either gateway; what comes back does not.
    *household*: whose customer the volunteer is.

    It forks, so build it and start its children before this process has other
    threads; `command` is safe at any time.

    Raises LabError, with what to do about it, where no lab can be built.
    """

    control_addresses = (topology.CONTROL_1_ADDRESSES, topology.CONTROL_2_ADDRESSES)

    def __init__(
        self,
        wires: Mapping[Wire, WireSettings] | None = None,
        *,
        ipv6: bool | Literal["broken"] = True,
        seed: int = 0,
        icmp_ratelimit: int | None = None,
        silent: Collection[Place] = (),
        balanced: bool = False,
        household: topology.Household = topology.BELTELECOM,
    ) -> None:
        self.resolver_addresses = household.resolver
        self.resolver_address = household.resolver[0]
        self._household = household
        self._wires = dict(wires or {})
        self._ipv6 = ipv6
        self._seed = seed
        self._icmp_ratelimit = icmp_ratelimit
        self._silent = frozenset(silent)
        self._balanced = balanced
        self._namespaces: dict[Place, Namespace] = {}
        self._children: list[Child] = []
        self._commands: list[subprocess.Popen[Any]] = []
        if ipv6 == "broken":
            line = self._wires.get(Wire.LINE, WireSettings())
            self._wires[Wire.LINE] = replace(line, drop_ipv6=True)
        self._on = {wire: settings.on for wire, settings in self._wires.items()}

    def __enter__(self) -> Self:
        me = os.getpid()
        ours, theirs = socket.socketpair()
        self._control, far_control = Pipe()
        self._ground = self._fork(
            "the wires", lambda ready: self._carry(me, theirs, far_control, ready), (ours,)
        )
        theirs.close()
        far_control.close()
        try:
            self._ground.await_ready()
            _, files, _, _ = socket.recv_fds(ours, 1, len(Place) + 1, socket.MSG_CMSG_CLOEXEC)
        except LabError:
            self._close()
            why = explain_if_impossible()
            if why is None:
                raise
            raise LabError(why) from None
        finally:
            ours.close()
        user = files[len(Place)] if len(files) > len(Place) else None
        self._namespaces = {
            place: Namespace(file, user) for place, file in zip(Place, files, strict=False)
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        broken = [
            f"{child.name} died:\n{why}"
            for child in (self._ground, *self._children)
            if (why := child.failure())
        ]
        self._close()
        if broken:
            raise LabError("\n".join(broken)) from error

    def start(
        self,
        place: Place,
        function: Callable[Concatenate[Ready, P], None],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Child:
        """Run ``function(ready, *args)`` in *place*; returns when it has called ``ready()``.

        Raises LabError with the child's traceback if it died before.
        """
        namespace = self._namespaces[place]

        def run(ready: Ready) -> None:
            enter(namespace)
            function(ready, *args, **kwargs)

        name = f"{getattr(function, '__name__', function)} in {place}"
        child = self._fork(name, run, ())
        self._children.append(child)
        try:
            child.await_ready()
        except LabError:
            self._children.remove(child)
            child.stop()
            raise
        return child

    def command(
        self,
        place: Place,
        argv: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str] | None = None,
        resolv_conf: Sequence[str] | None = None,
        hosts: Mapping[str, str] | None = None,
        **popen: Any,
    ) -> subprocess.Popen[Any]:
        """Start an unmodified program in *place*; the process is the program itself.

        *env* defaults to ours without proxies. *resolv_conf*: name servers
        (default: the operator's), *hosts*: address by name; they stand in for the
        files in /etc, so that nothing of the host is asked. *popen*: as for
        `subprocess.Popen`. Call it from a thread that outlives the program, which
        is killed with it. Raises FileNotFoundError.
        """
        words = [os.fspath(word) for word in argv]
        if env is None:
            env = {
                name: value for name, value in os.environ.items() if name.lower() not in _PROXIES
            }
        if shutil.which(words[0], path=env.get("PATH")) is None:
            raise FileNotFoundError(words[0])
        servers = (self.resolver_address,) if resolv_conf is None else resolv_conf
        names = {"localhost": "127.0.0.1", **(hosts or {})}
        files = {
            "/etc/resolv.conf": "".join(f"nameserver {server}\n" for server in servers),
            "/etc/hosts": "".join(f"{address} {name}\n" for name, address in names.items()),
            "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        }
        namespace = self._namespaces[place]
        handles = [file for file in namespace if file is not None]
        process = subprocess.Popen(  # noqa: S603
            command_line(namespace, files, words),
            env=env,
            pass_fds=(*popen.pop("pass_fds", ()), *handles),
            **popen,
        )
        self._commands.append(process)
        return process

    def set(self, wire: Wire, *, after: float = 0.0, **changes: Any) -> None:
        """Change settings of *wire* (fields of `WireSettings`), now or *after* seconds."""
        unknown = changes.keys() - _SETTABLE
        if unknown:
            raise TypeError(f"cannot be set at run time: {', '.join(sorted(unknown))}")
        self._ask("set", wire, changes, after)

    def switch(self, wire: Wire, name: str, on: bool = True) -> None:
        """Turn the prepared censor *name* of *wire* on or off."""
        if name not in self._wires.get(wire, WireSettings()).prepared:
            raise KeyError(name)
        now = self._on[wire]
        self._on[wire] = now | {name} if on else now - {name}
        self.set(wire, on=self._on[wire])

    def counters(self) -> dict[Wire, Traffic]:
        """What has gone over each wire since the country was built."""
        answer = self._ask("counters")
        assert isinstance(answer, dict)
        return answer

    def _ask(self, *command: object) -> object:
        try:
            self._control.send(command)
            if wait([self._control], _PATIENCE):
                return self._control.recv()
        except (EOFError, OSError):
            why = self._ground.failure()
        else:
            why = "no answer"
        raise LabError(f"{self._ground.name} died:\n{why}")

    def _carry(
        self, controller: int, files: socket.socket, control: Connection, ready: Ready
    ) -> None:
        """The ground process: make the places, lay the wires, carry."""
        user = take_power()
        networks: dict[Place, int] = {}
        ends: dict[tuple[Wire, Place], int] = {}
        for place in Place:
            networks[place] = new_network()
            for link, _, _ in links_of(place):
                ends[link.wire, place] = open_tun(str(link.wire))
            configure(
                place,
                ipv6=place is not Place.HOME or bool(self._ipv6),
                balanced=self._balanced,
                icmp_ratelimit=NEVER if place in self._silent else self._icmp_ratelimit,
                household=self._household,
            )
        carried = {
            link.wire: (ends[link.wire, link.near], ends[link.wire, link.far])
            for link in topology.LINKS
        }
        carrier = Carrier(carried, self._wires, self._seed, control)
        handles = [*networks.values(), *([] if user is None else [user])]
        inodes = [os.fstat(network).st_ino for network in networks.values()]

        def follow(*_: object) -> NoReturn:
            kill_all_in(inodes)
            os._exit(0)

        signal.signal(signal.SIGTERM, follow)
        die_with(controller, signal.SIGTERM)
        socket.send_fds(files, [b"."], handles)
        files.close()
        for handle in handles:
            os.close(handle)
        gc.freeze()  # what is there now stays: no use to look through it while packets wait
        ready()
        carrier.run()

    def _fork(
        self, name: str, function: Callable[[Ready], None], not_theirs: Sequence[socket.socket]
    ) -> Child:
        reader, writer = Pipe(duplex=False)

        def body() -> None:
            reader.close()
            for other in not_theirs:
                other.close()
            try:
                function(lambda: writer.send(None))
            except BaseException:  # noqa: BLE001  # told to the controller, who raises it
                writer.send(traceback.format_exc())
                raise SystemExit(1) from None
            writer.send("")

        pid = fork(body)
        writer.close()
        return Child(name, pid, reader)

    def _close(self) -> None:
        for process in self._commands:
            if process.poll() is None:
                process.kill()
                process.wait()
        for child in (*self._children, self._ground):
            child.stop()
        kill_all_in(os.fstat(namespace.network).st_ino for namespace in self._namespaces.values())
        self._control.close()
        handles = {file for namespace in self._namespaces.values() for file in namespace}
        for file in handles - {None}:
            assert file is not None
            os.close(file)
        self._namespaces = {}
