"""What `uscdr doctor` does: all looks at this machine and the way to the providers, and what to type if one fails."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit

from typing_extensions import TypedDict

from uscdr.commands import doctor_access as access
from uscdr.commands import doctor_machine as here
from uscdr.commands.doctor_machine import LookResult
from uscdr.errors import ExitCode
from uscdr.settings import SCRATCH, SHARED_STATE, Directories
from uscdr.ui.schemas import Schema
from uscdr.words import plural, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.commands.doctor_access import PlatformSeen, Subject
    from uscdr.providers.ports.probes import Machine
    from uscdr.ui.console import Output

T = TypeVar("T")
_SECONDS = 12.0
"""For all looks at the network together."""
_PLATFORM, _SHARED, _NAMES = "platform", "shared", "names"


@dataclass(frozen=True)
class DoctorRequest:
    """What the command line says; `files`: how many open files a recovery needs. `machine`: None for this very one."""

    config: Path | None
    target: str | None
    offline: bool
    files: int
    machine: Machine | None = None


def examine(asked: DoctorRequest, output: Output) -> int:
    """Print a line for each look; return 1 if there is a problem."""
    from uscdr.providers.http.outages import Outages

    env = os.environ
    with Outages.shared():
        found = access.subject(asked.config, asked.target, env)
        network = _Network({} if asked.offline else _tasks(found, env))
        lines = [*_offline(asked, found, env, output), *_online(asked, found, network, env)]
        seen = network.result(_PLATFORM)
    lines[1:1] = _sized(asked, found, seen if isinstance(seen, access.PlatformSeen) else None, env)
    for one in lines:
        _show(one, output)
    return _verdict(lines, output)


def _tasks(found: Subject, env: Mapping[str, str]) -> dict[str, Callable[[], object]]:
    """The looks at the network, which run at the same time."""
    from uscdr.providers.probes.reach import resolves

    services = found.services
    tasks: dict[str, Callable[[], object]] = {_SHARED: lambda: access.shared_state(env, Directories(env).state)}
    if services is not None:
        tasks[_PLATFORM] = lambda: access.ask_platform(services, found.target)
        hosts = _hosts(found)
        tasks[_NAMES] = lambda: {host: resolves(host) for host in hosts}
    return tasks


def _hosts(found: Subject) -> tuple[str, ...]:
    """Those by which users reach the application."""
    services = found.services
    if services is None:
        return ()
    if services.web:
        return (urlsplit(services.web).hostname or "",)
    return tuple(one for one in (services.dns.hostnames if services.dns else ()) if "*" not in one)[:1]


class _Network:
    """Looks that run at once; whoever does not answer in time is left behind."""

    def __init__(self, tasks: Mapping[str, Callable[[], object]]) -> None:
        self._end = time.monotonic() + _SECONDS
        self._begun = {name: _begun(task) for name, task in tasks.items()}

    def result(self, name: str) -> object | None:
        """What the look gave; None if it has not ended in time, or was not begun."""
        future = self._begun.get(name)
        try:
            return future.result(max(0.0, self._end - time.monotonic())) if future else None
        except TimeoutError:
            return None


def _begun(task: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(task())
        except BaseException as error:  # noqa: BLE001 - passed unchanged to the waiting thread
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="doctor").start()
    return future


def _offline(asked: DoctorRequest, found: Subject, env: Mapping[str, str], output: Output) -> list[LookResult]:
    """Looks that need no network, and nothing that the network said."""
    source = found.config.app.source if found.config else None
    return [
        here.python(),
        here.git(needed=source is not None),
        *here.extras(access.needed_extras(found.config) if found.config else ()),
        here.terminal(output.err),
        here.locale(env, output.err),
        here.open_files(asked.files),
        *found.lines,
        here.secret_files(_secret_files(env)),
        *(access.keys(found.services, found.target, env) if found.services else ()),
    ]


def _secret_files(env: Mapping[str, str]) -> dict[str, str]:
    """Files with keys, by the variable that names them."""
    from uscdr.providers.heroku.token import netrc_path
    from uscdr.wiring.targets import SECRET_FILES

    netrc = netrc_path(env)
    named = {name: env[name] for name in SECRET_FILES if env.get(name)}
    return named | ({"NETRC": str(netrc)} if netrc.is_file() else {})


def _sized(asked: DoctorRequest, found: Subject, seen: PlatformSeen | None, env: Mapping[str, str]) -> list[LookResult]:
    """Looks that depend on how large the newest backup is, and which server wrote it."""
    from uscdr.providers.probes.machine import ThisMachine
    from uscdr.scenarios.room import Demand

    state, own = Directories(env).state, bool(env.get(SCRATCH))
    machine = asked.machine or ThisMachine(here.existing(state), own_server=own)
    server, dump, source = seen.server if seen else 0, seen.dump if seen else 0, "the newest backup at the platform"
    if not dump:
        dump = _known_here(found, state, env)
        source = f"the newest proven backup, {size(dump)}" if dump else "the size of the backups is not known"
    return [
        here.postgres_client(server),
        here.postgres_server(server, own=own),
        here.state_directory(machine, state),
        here.room(machine, Demand.of_proof(dump), source),
    ]


def _known_here(found: Subject, state: Path, env: Mapping[str, str]) -> int:
    """Bytes of the newest backup of which a copy store on this machine has a proof; 0 without one."""
    from uscdr.backups.proofs import Proofs
    from uscdr.errors import UscdrError
    from uscdr.wiring.stores import open_store, settings

    if found.config is None or "://" in (settings(found.config).to or ""):
        return 0
    try:
        proofs = Proofs(open_store(None, found.config, state, env)).all()
    except (UscdrError, OSError):
        return 0
    return max(proofs, key=lambda one: one.taken_at).bytes if proofs else 0


def _online(asked: DoctorRequest, found: Subject, network: _Network, env: Mapping[str, str]) -> Iterator[LookResult]:
    """What the network said."""
    skipped = "--offline" if asked.offline else "the target is not known"
    seen, others, shared = (network.result(name) for name in (_PLATFORM, _NAMES, _SHARED))
    if isinstance(seen, access.PlatformSeen) and found.services:
        plain = found.services.heroku.api_url.startswith("http://")
        yield from access.on_the_way(seen.reach, others if isinstance(others, dict) else {}, plain=plain)
        if seen.token is not None:
            yield seen.token
        if seen.application is not None:
            yield seen.application
    elif found.services and not asked.offline:
        fix = "Check the network, VPN and proxy of this machine."
        yield LookResult("connection", "problem", f"The platform did not answer within {_SECONDS:.0f} s.", fix)
    else:
        for name in ("name resolution", "connection", "tls", "clock"):
            yield LookResult(name, "not applicable", skipped)
    if found.target and not (isinstance(seen, access.PlatformSeen) and seen.token):
        yield LookResult("token", "ok", f"from {found.target.token_source}; not tried")
    if isinstance(shared, LookResult):
        yield shared
    elif asked.offline or not env.get(SHARED_STATE):
        yield LookResult("shared state", "not applicable", skipped)
    else:
        words = f"{SHARED_STATE} names a store that did not answer within {_SECONDS:.0f} s."
        yield LookResult("shared state", "problem", words, "Check the network, or work alone: --without-shared")


_WIDTH = 17


class _LookObject(TypedDict):
    check: str
    state: Literal["ok", "warning", "problem", "not applicable"]
    found: str
    fix: str


def _show(one: LookResult, output: Output) -> None:
    if output.json_lines:
        shown: _LookObject = {"check": one.name, "state": one.state, "found": one.found, "fix": one.fix}
        output.record(Schema.LOOK, shown)
        return
    if output.quiet and one.state in ("ok", "not applicable"):
        return
    state = {"not applicable": "-"}.get(one.state, one.state)
    output.result(f"{state:<8} {one.name:<{_WIDTH}} {one.found}")
    if one.fix:
        output.result(f"{'':<8} {'':<{_WIDTH}} Fix: {one.fix}")


def _verdict(lines: Sequence[LookResult], output: Output) -> int:
    problems = sum(one.state == "problem" for one in lines)
    warnings = sum(one.state == "warning" for one in lines)
    if not output.json_lines:
        output.say(f"{plural(problems, 'problem')}, {plural(warnings, 'warning')}.")
    return int(ExitCode.CHECK_FAILED if problems else ExitCode.DONE)
