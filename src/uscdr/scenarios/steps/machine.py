"""Check this machine and the inputs: a problem that would stop a recovery half-way stops it before any change."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import BadInput, CheckFailed, MachineError, ProviderError, UscdrError
from uscdr.models.base import Fact
from uscdr.scenarios.results.db import BackupLine, BackupsSeen, DatabaseSeen
from uscdr.scenarios.room import Demand
from uscdr.scenarios.steps.base import ASSESS, ScenarioStep
from uscdr.words import size, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from uscdr.providers.ports.probes import Programs, Room

T = TypeVar("T")
MIB = 1 << 20
AT_ONCE = 3
"""Backups that are restored here at the same time while uscdr searches for the one to restore."""
MEMORY = 512 * MIB
PROVES = ("db", "infra", "backups")
"""Scenarios that restore a dump on this machine."""
USES_CODE = ("app", "infra")


class _MachineSeen(Fact):
    """The operator's machine: tools, and bytes free in the place with the least room, against what is needed."""

    tools: str = ""
    place: str
    free: int
    needed: int


class MachineLook(ScenarioStep[_MachineSeen, _MachineSeen]):
    """Checks tools and their versions, disk space, kit and keys. Earlier steps have tried the token."""

    name = "machine.look"
    title = "Check this machine and the inputs"
    phase = ASSESS
    effect = Effect.READ
    manual: ClassVar[tuple[str, ...]] = ("pg_restore --version; postgres --version", "df -h .")
    gives = _MachineSeen

    @override
    def probe(self, view: View, tell: Reporter) -> _MachineSeen:
        wrong: list[UscdrError] = []
        theirs = self._server() if self._proves else 0
        programs = _tried(lambda: self._deps.machine.postgres(theirs), wrong) if self._proves else None
        demand = self._demand(view)
        room = self._room(demand, wrong)
        self._inputs(wrong)
        if wrong:
            raise _not_ready(wrong)
        for words in self._warnings(programs, theirs):
            tell.warn(words)
        return _MachineSeen(
            tools=_words(programs) if programs else "",
            place=str(room.place) if room else "",
            free=room.free if room else 0,
            needed=demand.whole,
        )

    @property
    def _proves(self) -> bool:
        return self._deps.request.scenario in PROVES

    def _server(self) -> int:
        """Major version of Heroku's server, else of the server that wrote the kit's dump; 0 if unknown."""
        try:
            addon = self._deps.old_attachment()
            version = self._deps.backups.database_info(addon.addon_id).server_version
        except ProviderError:
            version = ""
        kept = self._deps.kit.dump() if not version and self._deps.kit else None
        major = (version or (kept.server_version if kept else "")).partition(".")[0]
        return whole(major) or 0

    def _demand(self, view: View) -> Demand:
        if not self._proves:
            return Demand()
        dump, live = self._dump(view), view.get(DatabaseSeen)
        return Demand.of_proof(dump, live.size if live else 0)

    def _dump(self, view: View) -> int:
        """Bytes of the dumps that will be here at the same time; 0 if there is none, which a later step reports."""
        if self._deps.request.scenario == "infra":
            return self._for_a_new_place(view)
        from uscdr.scenarios.results.backups import BackupSystemSeen

        seen = view.get(BackupsSeen) or view.get(BackupSystemSeen)
        wanted = (self._deps.request.backup or "").lower()
        lines: tuple[BackupLine, ...] = seen.backups if seen else ()
        fit = [one for one in lines if (one.name.lower() == wanted if wanted else not one.unfit)]
        together = {one.name: one.bytes for one in (*fit[-2:], *fit[:1])} if self._compares else {}
        return sum(together.values()) if together else fit[-1].bytes if fit else 0

    def _for_a_new_place(self, view: View) -> int:
        """Bytes for a new application: stored backups are compared, and the last capture with the chosen one."""
        from uscdr.scenarios.infra.material import KIT, choose_dump, not_captured
        from uscdr.scenarios.results.infra import InfraSeen

        try:
            chosen = choose_dump(self._deps, view)
        except (BadInput, ProviderError):
            return 0
        if not chosen.backup.startswith(KIT):
            return chosen.bytes * (1 if self._deps.request.backup else AT_ONCE)
        scope = view.get(InfraSeen)
        return chosen.bytes * (2 if scope and not not_captured(self._deps, scope) else 1)

    @property
    def _compares(self) -> bool:
        """Whether uscdr searches for the backup: it then restores the two newest and the oldest together."""
        return self._deps.request.scenario == "db" and not self._deps.request.backup

    def _room(self, demand: Demand, wrong: list[UscdrError]) -> Room | None:
        """The directory with less free space."""
        here = _tried(self._deps.machine.downloads, wrong)
        if here is None:
            return None
        there = self._deps.machine.databases()
        wrong += demand.lacking(
            here, there, less="or name the backup to restore: --backup NAME" if self._compares else ""
        )
        return here if there is None or not demand.restored else min((here, there), key=lambda one: one.free)

    def _inputs(self, wrong: list[UscdrError]) -> None:
        """Open kits and keys now, so that a wrong one is found before any change."""
        if self._deps.kit is not None:
            _tried(self._deps.kit.dump, wrong)
        if self._deps.request.scenario == "backups" and (vault := self._deps.vault) is not None:
            _tried(vault.keyring, wrong)
            _tried(vault.store, wrong)
        if self._deps.request.scenario == "infra" and self._deps.kit is None and not self._git():
            wrong.append(
                MachineError("git is not installed, and uscdr needs it to fetch the code.", next_action="Install git")
            )

    def _git(self) -> bool:
        return self._deps.source is None or self._deps.machine.program("git") is not None

    def _warnings(self, programs: Programs | None, theirs: int) -> Iterator[str]:
        if self._deps.request.scenario in USES_CODE and not self._git():
            yield "git is not installed, so uscdr cannot read the code's repository."
        if programs and programs.server is not None and theirs > programs.server:
            yield (
                f"PostgreSQL {programs.server} on this machine is older than {theirs} on the platform. "
                "A proof may fail only "
                f"because of that. Install PostgreSQL {theirs}."
            )
        memory = self._deps.machine.memory()
        if memory is not None and memory < MEMORY:
            yield f"This machine has {size(memory)} of free memory; a proof may need {size(MEMORY)}."

    @override
    def plan(self, seen: _MachineSeen, view: View) -> Action:
        words = [seen.tools] if seen.tools else []
        words.append(f"{size(seen.free)} free in {seen.place}, needs about {size(seen.needed)}")
        return Action("read", "; ".join(words), self.calls())


def _tried(look: Callable[[], T], wrong: list[UscdrError]) -> T | None:
    """The result of `look`; adds an error to `wrong`, so that all errors are reported together."""
    try:
        return look()
    except (BadInput, CheckFailed, MachineError) as error:
        wrong.append(error)
        return None


def _words(programs: Programs) -> str:
    server = f"PostgreSQL {programs.server}" if programs.server is not None else "the operator's own PostgreSQL server"
    return f"{server}, pg_restore {programs.pg_restore}"


def _not_ready(wrong: list[UscdrError]) -> UscdrError:
    """One error that lists every problem."""
    if len(wrong) == 1:
        return wrong[0]
    whole = [" ".join(part for part in (one.message, one.why) if part) for one in wrong]
    fixes = dict.fromkeys(one.next_action for one in wrong if one.next_action)
    return MachineError("This machine is not ready.", why=" ".join(whole), next_action="; ".join(fixes))
