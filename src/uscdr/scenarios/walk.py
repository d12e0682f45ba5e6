"""Walk back past the damage: the newest backup that restores, holds what must hold, and lost nothing since others.

Each is restored on this machine; what is passed over is told with its reason.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.backups.loss import CLOSE, DAMAGE, FEWEST, DatabaseState, Signs
from uscdr.errors import BadInput, CheckFailed, NotFound, ProviderError, WrongContent
from uscdr.scenarios.adapters import Walk
from uscdr.scenarios.fitness import OFF_PLATFORM
from uscdr.scenarios.prover import DumpSource, Prover, digest_all
from uscdr.scenarios.steps.ledger import compared
from uscdr.words import first_of, moment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from uscdr.engine.step import Reporter
    from uscdr.models.postgres import TableDigest
    from uscdr.models.transfers import Transfer
    from uscdr.providers.ports.database import Database
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.results.db import LedgerLine, Proof


# What a backup forbids no more that one before it did, with no migration between them, and the rows it let in.


def _rules_since(now: Database, before: Database, main: Collection[str], older: str) -> Signs:
    """Keys of `main` tables that are gone: rows that break them are damage, else it is told. `older` names `before`."""
    foreign, unique = _unbound(now, before, main), _repeated(now, before, main)
    since = f"and the key that forbids it in {older} is gone"
    return Signs(
        damage=(
            *(f"{rows:,} rows of {table} miss the row they belong to, {since}" for table, _, rows in foreign if rows),
            *(f"{rows:,} rows are there again in {words}, {since}" for words, rows in unique if rows),
        ),
        doubts=(
            *(f"{table} has lost its foreign key {name} since {older}" for table, name, rows in foreign if not rows),
            *(f"nothing keeps {words} unique since {older}" for words, rows in unique if not rows),
        ),
    )


def _sealed_since(now: Proof, before: Proof) -> Signs:
    """Encrypted columns, or the extension that opens them, that are gone with no migration that took them."""
    gone = sorted(set(now.key.missing) - set(before.key.missing))
    return Signs(damage=(f"there is no {first_of(gone)}, which {before.backup} has",) if gone else ())


def _unwritable_since(now: Proof, before: Proof) -> Signs:
    """Columns that must be filled and that the code does not know, with no migration that made them."""
    new = sorted(set(now.code.unfillable) - set(before.code.unfillable))
    words = f"the deployed code {now.code.against} can save no row: it does not fill {first_of(new)}"
    return Signs(damage=(f"{words}, which {before.backup} has not",) if new else ())


def _unbound(now: Database, before: Database, main: Collection[str]) -> list[tuple[str, str, int]]:
    """Table, key, rows."""
    there = {(key.table, key.name) for key in now.foreign_keys()}
    gone = [key for key in before.foreign_keys() if key.table in main and (key.table, key.name) not in there]
    return [(key.table, key.name, rows) for key, rows in zip(gone, now.breaking(gone), strict=True)]


def _repeated(now: Database, before: Database, main: Collection[str]) -> Iterable[tuple[str, int]]:
    """Table with columns, rows."""
    there = set(now.unique_keys())
    gone = [key for key in before.unique_keys() if key.table in main and key not in there]
    rows = now.repeated(gone)
    return [(f"{key.table} ({', '.join(key.columns)})", number) for key, number in zip(gone, rows, strict=True)]


MOST = 5
"""Proofs that one walk makes at most."""
REWRITTEN = 3
"""Main tables that are rewritten in large part between two backups: no daily work."""
MOST_RELEASES = 100
"""So many are looked at, to see whether one lies between two backups."""
VARIED = 5
"""So many values of one column become one by mistake only."""
SHARE_OF_RTO = 0.1
"""Of the time there is to recover: no more goes into choosing."""


@dataclass
class _Way:
    """One walk under way."""

    deps: Adapters
    owner: str
    tell: Reporter
    begun: float = field(default_factory=time.monotonic)
    proofs: dict[str, Proof] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def spent(self) -> bool:
        """Whether another proof would take more than there is for choosing."""
        tried = len(self.proofs) + len(self.refused)
        limit = self.deps.config.objectives.rto * SHARE_OF_RTO
        last = max((one.seconds for one in self.proofs.values()), default=0.0)
        return tried >= MOST or (tried > 0 and time.monotonic() - self.begun + last > limit)

    def known(self, transfer: Transfer) -> bool:
        """Whether it was tried already."""
        return transfer.id in self.proofs or transfer.id in self.refused

    def proof(self, transfer: Transfer) -> Proof | None:
        """None when it does not restore, or is not there: then `refused` says why.

        Raises MachineError, and ProviderError when it could not be fetched for another reason.
        """
        if not self.known(transfer):
            source = DumpSource.stored(self.deps.backups, self.owner, transfer)
            try:
                self.proofs[transfer.id] = self.deps.candidate.proof(source, self.tell)
            except (CheckFailed, NotFound, WrongContent) as error:
                self.refused[transfer.id] = f"{error.message.rstrip('.')}: {error.why}".rstrip(".: ")
        return self.proofs.get(transfer.id)


def walk(deps: Adapters, owner: str, fit: Sequence[Transfer], tell: Reporter) -> Walk:
    """From the newest of `fit` backwards. The chosen one is open in `deps.candidate` afterwards, and it alone."""
    way, other_key = _Way(deps, owner, tell), None
    passed: list[str] = []
    for place, transfer in enumerate(fit):
        if way.spent and not way.known(transfer):
            return _undecided(
                deps, passed, "so many newer ones are damaged that the time for choosing is over", transfer
            )
        reason, doubts = _looked_at(way, transfer, fit[place + 1 :])
        if not reason:
            return _taken(way, transfer, fit[place + 1 :], tuple(passed), doubts)
        if other_key is None and way.proofs.get(transfer.id) and way.proofs[transfer.id].key.opens_nothing:
            other_key = transfer
        passed.append(f"{transfer.name} ({reason})")
    if other_key is not None:  # the key is what is wrong, and the proof says so
        _keep(way, other_key)
        return Walk(other_key)
    whole = [
        one
        for one in fit
        if one.id in way.proofs and not way.proofs[one.id].wanting(deps.config.recovery.encryption_key_variable)
    ]
    if not whole:
        return Walk(None, tuple(passed), undecided="none can be restored as it must be", advice=OFF_PLATFORM)
    return _undecided(deps, passed, "none is without damage", whole[-1])


def beside(
    deps: Adapters, owner: str, transfer: Transfer, before: DatabaseState, tell: Reporter
) -> tuple[str, tuple[str, ...]]:
    """Why a backup is no better than `before` it, empty when it is; and what should be known of it."""
    way = _Way(deps, owner, tell)
    older = [one for one in deps.backups.transfers(deps.old_attachment()) if one.name == before.name]
    reason, doubts = _looked_at(way, transfer, older)
    proof = way.proofs.get(transfer.id)
    if reason or proof is None:
        return reason, doubts
    if older:
        gone = _gone(way, transfer, older[0])
        return "", (*doubts, *([f"it lacks rows that {before.name} has: {first_of(gone)}"] if gone else []))
    found = _against(way, transfer, proof, before)  # a kit's dump, or one that the platform has no more
    return first_of(found.damage, comma="; "), (*doubts, *found.doubts)


def _taken(
    way: _Way, transfer: Transfer, older: Sequence[Transfer], passed: tuple[str, ...], doubts: tuple[str, ...]
) -> Walk:
    _current(way, transfer)
    equal, question = _beside_live(way, transfer, older) if not passed and _restores_over(way.deps) else ("", None)
    _keep(way, transfer)
    if question is not None:
        return question
    remarks = (*doubts, equal) if equal else doubts
    return Walk(transfer, passed, remarks, _since(transfer, passed))


def _looked_at(way: _Way, transfer: Transfer, older: Sequence[Transfer]) -> tuple[str, tuple[str, ...]]:
    """Why it is passed over, empty for a good one; and what should be known of it."""
    proof = way.proof(transfer)
    if proof is None:
        return way.refused[transfer.id], ()
    wants = proof.wanting(way.deps.config.recovery.encryption_key_variable)
    wants = wants or _newer_than_live(way, proof)
    if wants:
        return wants, ()
    found = [_against(way, transfer, proof, before) for before in _before(way, transfer)]
    for before in _compared_with(way, older):
        found += _against_backup(way, transfer, proof, before)
    damage = [one for sign in found for one in sign.damage]
    return first_of(damage, comma="; "), tuple(dict.fromkeys(one for sign in found for one in sign.doubts))


def _newer_than_live(way: _Way, proof: Proof) -> str:
    """Migrations of the backup that neither the deployed code nor the live database knows; empty when it has none."""
    if not proof.code.ahead:
        return ""
    try:
        here = {one.full_name for one in way.deps.old_database().migrations()}
    except (ProviderError, BadInput):
        return ""
    strange = sorted(set(proof.code.ahead) - here) if here else []
    return f"it has migrations that neither code nor live database know: {first_of(strange)}" if strange else ""


def _compared_with(way: _Way, older: Sequence[Transfer]) -> Iterator[Transfer]:
    """The backup before it, and the oldest: damage that nobody noticed for days is in the newest ones alike."""
    older = [one for one in older if not way.deps.memory.is_undone(one.taken_at)]
    for one in dict.fromkeys((*older[:1], *older[-1:], *(one for one in older if way.known(one)))):
        if way.known(one) or not way.spent:
            yield one


def _before(way: _Way, transfer: Transfer) -> Iterator[DatabaseState]:
    """States that are known from before it, whatever the platform still has."""
    for one in way.deps.earlier().states:
        if one.at <= transfer.taken_at and one.name != transfer.name and transfer.taken_at - one.at <= one.counts_for:
            yield one


def _against(way: _Way, transfer: Transfer, proof: Proof, before: DatabaseState) -> Signs:
    app = way.deps.config.app
    return _state(transfer, proof).lacks(before, app.expected_tables, app.volatile_tables)


def _state(transfer: Transfer, proof: Proof) -> DatabaseState:
    return DatabaseState(transfer.name, transfer.taken_at, {one.name: one.rows for one in proof.tables}, proof.newest)


def _against_backup(way: _Way, transfer: Transfer, proof: Proof, older: Transfer) -> list[Signs]:
    """A backup from before it: counts, and the content of rows that both have."""
    before = way.proof(older)
    if before is None or before.wanting(way.deps.config.recovery.encryption_key_variable):
        return []
    found = [_against(way, transfer, proof, _state(older, before)), _shut_since(proof, before)]
    if before.migrations == proof.migrations and transfer.taken_at - older.taken_at <= CLOSE:
        found += [
            _rewritten(way, transfer, older),
            _rules(way, transfer, older),
            _sealed_since(proof, before),
            _unwritable_since(proof, before),
        ]
    return found


def _shut_since(proof: Proof, before: Proof) -> Signs:
    """Encrypted values that the key does not open, of columns in which it opened all before: another key came."""
    whole = {(one.table, one.column) for one in before.key.tried if not one.wrong}
    wrong = [one for one in proof.key.tried if one.wrong and (one.table, one.column) in whole]
    since = f"cannot be read with the key, and all could in {before.backup}"
    return Signs(
        damage=tuple(f"{one.words} {since}" for one in wrong if one.shut),
        doubts=tuple(f"{one.words} {since}" for one in wrong if not one.shut),
    )


def _rules(way: _Way, transfer: Transfer, older: Transfer) -> Signs:
    (newer, tables), (before, _) = (_opened(way, one) for one in (transfer, older))
    return _rules_since(newer, before, set(way.deps.config.app.expected_tables) & tables.keys(), older.name)


def _rewritten(way: _Way, transfer: Transfer, older: Transfer) -> Signs:
    """Rows with other content, or others in their place: one table may be somebody's work of a day, many are not."""
    first, second = (_opened(way, one) for one in (transfer, older))
    app = way.deps.config.app
    lines = compared((first[0], second[0]), (first[1], second[1]), app.volatile_tables, way.deps.stop.event)
    own = _written_by_release(way, transfer, older)
    wanted = [line for line in lines if line.table in app.expected_tables and not line.volatile]
    grave = [line for line in wanted if _mostly(line) and not (line.table in own and _no_fewer(line))]
    words = [_unlike(line, older.name) for line in grave]
    alike = _one_value((first[0], second[0]), [line.table for line in grave if not _exchanged(line)], older.name)
    return Signs(damage=(*words, *alike)) if alike or len(words) >= REWRITTEN else Signs(doubts=tuple(words))


def _one_value(sides: tuple[Database, Database], tables: Sequence[str], older: str) -> list[str]:
    """Columns whose rows differed, and now hold one value: an UPDATE without its WHERE, and no work of users."""
    now, then = (side.variety(tables) if tables else {} for side in sides)
    return [
        f"every row of {table} has one and the same {column}, of {had:,} values in {older}"
        for table, columns in then.items()
        for column, had in columns.items()
        if had >= VARIED and now.get(table, {}).get(column) == 1
    ]


def _written_by_release(way: _Way, transfer: Transfer, older: Transfer) -> frozenset[str]:
    """Tables that a release may have written anew between the two; none when the platform shows that there was none."""
    named = frozenset(way.deps.config.app.written_by_release)
    if not named:
        return named
    try:
        times = [one.created_at for one in way.deps.platform.releases(way.deps.old_app, limit=MOST_RELEASES)]
    except ProviderError:
        return named
    known = [at for at in times if at is not None]
    whole = len(known) == len(times) and bool(known) and min(known) <= older.taken_at
    return named if not whole or any(older.taken_at < at <= transfer.taken_at for at in known) else frozenset()


def _no_fewer(line: LedgerLine) -> bool:
    return (line.now or 0) >= (line.backup or 0)


def _mostly(line: LedgerLine) -> bool:
    shared = max(1, min(line.now or 0, line.backup or 0))
    unlike = line.changed + _exchanged(line)
    return unlike >= FEWEST and unlike / shared >= DAMAGE


def _exchanged(line: LedgerLine) -> int:
    """Rows that are gone, and others came in their place, so that the count alone tells nothing."""
    return min(line.lost or 0, line.damaged or 0)


def _unlike(line: LedgerLine, older: str) -> str:
    exchanged = _exchanged(line)
    if exchanged > line.changed:
        return f"{exchanged:,} rows of {line.table} are not there, and as many others are that {older} has not"
    return f"{line.changed:,} rows of {line.table} have other content than in {older}"


def _opened(way: _Way, transfer: Transfer) -> tuple[Database, dict[str, TableDigest]]:
    candidate = _current(way, transfer)
    return candidate.open_database(), {one.name: one for one in candidate.digests()}


def _current(way: _Way, transfer: Transfer) -> Prover:
    way.deps.candidate.proof(DumpSource.stored(way.deps.backups, way.owner, transfer), way.tell)
    return way.deps.candidate


def _keep(way: _Way, transfer: Transfer) -> None:
    _current(way, transfer).keep(transfer.id)


def _restores_over(deps: Adapters) -> bool:
    """Whether the live database is what the backup replaces; a new place takes what the old one has at its end."""
    return deps.request.scenario == "db"


def _beside_live(way: _Way, transfer: Transfer, older: Sequence[Transfer]) -> tuple[str, Walk | None]:
    """What to say of a backup that the live database equals in every row, or the question that this walk ends with.

    It may have been taken after the damage if the one before it has rows that both lack, or have with other content:
    then it is no default.
    """
    live, volatile = _live(way.deps), way.deps.config.app.volatile_tables
    here = {name: one for name, one in live.items() if name not in volatile}
    there = {one.name: one for one in way.deps.candidate.digests() if one.name not in volatile}
    if not here or here.keys() != there.keys() or not all(one.same(there[name]) for name, one in here.items()):
        return "", None
    equal = f"the live database equals {transfer.name} in every row: restoring it changes nothing"
    found = _main_lines(way, transfer, older[0]) if older else []
    missing, other = _damaged(found), [f"{line.changed:,} of {line.table}" for line in found if line.changed]
    if not missing and not other:
        return f"{equal}, and nothing seems to be damaged", None
    kinds = [f"rows that both lack ({first_of(missing)})"] if missing else []
    kinds += [f"rows with other content ({first_of(other)})"] if other else []
    words = f"{equal}. {older[0].name} has {' and '.join(kinds)}. If that is the damage, "
    return "", _undecided(way.deps, [], f"{words}{transfer.name} was taken after it", older[0])


def _gone(way: _Way, transfer: Transfer, older: Transfer) -> list[str]:
    """Rows of main tables that the older backup has and the newer has not."""
    return _damaged(_main_lines(way, transfer, older))


def _damaged(lines: Sequence[LedgerLine]) -> list[str]:
    return [f"{line.damaged:,} of {line.table}" for line in lines if line.damaged]


def _main_lines(way: _Way, transfer: Transfer, older: Transfer) -> list[LedgerLine]:
    """What differs in the main tables; nothing when the older backup was not restored."""
    if older.id not in way.proofs:
        return []
    first, second = (_opened(way, one) for one in (transfer, older))
    app = way.deps.config.app
    lines = compared((first[0], second[0]), (first[1], second[1]), app.volatile_tables, way.deps.stop.event)
    own = _written_by_release(way, transfer, older)
    wanted = [line for line in lines if line.table in app.expected_tables and not line.volatile]
    return [line for line in wanted if not (line.table in own and _no_fewer(line))]


def _live(deps: Adapters) -> dict[str, TableDigest]:
    """Nothing of a database that cannot be read whole."""
    try:
        found = digest_all(deps.old_database())
    except (ProviderError, BadInput):
        return {}
    return {} if found.unread else {one.name: one for one in found.tables}


def _since(chosen: Transfer, passed: Sequence[str]) -> str:
    if not passed:
        return ""
    return f"the damage came after {chosen.name} of {moment(chosen.taken_at)}"


def _undecided(deps: Adapters, passed: Sequence[str], why: str, proposed: Transfer) -> Walk:
    asked = deps.request
    place = f" --app {asked.app}" if asked.app else ""
    command = f"uscdr recover {asked.scenario}{place} --backup {proposed.name}"
    advice = f"Look at them: uscdr backup list. Then name one: {command}"
    return Walk(None, tuple(passed), undecided=why, advice=advice)
