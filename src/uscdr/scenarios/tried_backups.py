"""Backups restored on this machine to choose among them, and the damage that one shows against those before it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.backups.loss import CLOSE, DAMAGE, FEWEST, DatabaseState, Signs
from uscdr.errors import CheckFailed, NotFound, ProviderError, WrongContent
from uscdr.scenarios.prover import DumpSource, Prover
from uscdr.scenarios.steps.ledger import compared
from uscdr.words import first_of, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from uscdr.engine.step import Reporter
    from uscdr.models.postgres import TableDigest
    from uscdr.models.transfers import Transfer
    from uscdr.providers.ports.database import Database
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.results.db import LedgerLine, Proof


MOST = 5
"""The most proofs that one walk makes."""
REWRITTEN = 3
"""So many main tables largely rewritten between two backups are not a day's work."""
MOST_RELEASES = 100
"""How many are read, to see whether one is between two backups."""
VARIED = 5
"""So many values of one column become one value only by mistake."""
SHARE_OF_RTO = 0.1
"""The share of the recovery time objective that choosing may take."""


@dataclass
class TriedBackups:
    """The backups of one walk. `proofs` and `refused` (with the reason) are by the id of the transfer."""

    deps: Adapters
    owner: str
    tell: Reporter
    begun: float = field(default_factory=time.monotonic)
    proofs: dict[str, Proof] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def spent(self) -> bool:
        """Whether another proof would exceed the limits of number or time."""
        tried = len(self.proofs) + len(self.refused)
        limit = self.deps.config.objectives.rto * SHARE_OF_RTO
        last = max((one.seconds for one in self.proofs.values()), default=0.0)
        return tried >= MOST or (tried > 0 and time.monotonic() - self.begun + last > limit)

    def known(self, transfer: Transfer) -> bool:
        """Whether it was tried."""
        return transfer.id in self.proofs or transfer.id in self.refused

    def proof(self, transfer: Transfer) -> Proof | None:
        """The proof; None when the backup does not restore or is gone, and `refused` says why.

        Raises MachineError, and ProviderError when it could not be fetched for another reason.
        """
        if not self.known(transfer):
            source = DumpSource.stored(self.deps.backups, self.owner, transfer)
            try:
                self.proofs[transfer.id] = self.deps.candidate.proof(source, self.tell)
            except (CheckFailed, NotFound, WrongContent) as error:
                self.refused[transfer.id] = f"{error.message.rstrip('.')}: {error.why}".rstrip(".: ")
        return self.proofs.get(transfer.id)

    def opened(self, transfer: Transfer) -> Prover:
        """The prover with this backup as its current one."""
        self.deps.candidate.proof(DumpSource.stored(self.deps.backups, self.owner, transfer), self.tell)
        return self.deps.candidate

    def keep(self, transfer: Transfer) -> None:
        """Remove every other restored backup."""
        self.opened(transfer).keep(transfer.id)

    def _database(self, transfer: Transfer) -> tuple[Database, dict[str, TableDigest]]:
        candidate = self.opened(transfer)
        return candidate.open_database(), {one.name: one for one in candidate.digests()}

    def signs_since(self, transfer: Transfer, proof: Proof, before: DatabaseState) -> Signs:
        """Damage by the counts of an earlier state."""
        app = self.deps.config.app
        return _state(transfer, proof).lacks(before, app.expected_tables, app.volatile_tables)

    def signs_between(self, transfer: Transfer, proof: Proof, older: Transfer) -> list[Signs]:
        """Damage by an earlier backup: its counts, and the content of rows that both have."""
        before = self.proof(older)
        if before is None or before.unfit(self.deps.config.recovery.encryption_key_variable):
            return []
        found = [self.signs_since(transfer, proof, _state(older, before)), _shut_since(proof, before)]
        if before.migrations == proof.migrations and transfer.taken_at - older.taken_at <= CLOSE:
            found += [
                self._rewritten(transfer, older),
                self._rules(transfer, older),
                _sealed_since(proof, before),
                _unwritable_since(proof, before),
            ]
        return found

    def _rules(self, transfer: Transfer, older: Transfer) -> Signs:
        (newer, tables), (before, _) = (self._database(one) for one in (transfer, older))
        return _rules_since(newer, before, set(self.deps.config.app.expected_tables) & tables.keys(), older.name)

    def _rewritten(self, transfer: Transfer, older: Transfer) -> Signs:
        """Rows with other content, or replaced by others: one table may be a day's work, many are not."""
        grave = [line for line in self.main_lines(transfer, older) if _mostly(line)]
        words = [_unlike(line, older.name) for line in grave]
        newer, before = (self._database(one)[0] for one in (transfer, older))
        alike = _one_value((newer, before), [line.table for line in grave if not _exchanged(line)], older.name)
        return Signs(damage=(*words, *alike)) if alike or len(words) >= REWRITTEN else Signs(doubts=tuple(words))

    def _written_by_release(self, transfer: Transfer, older: Transfer) -> frozenset[str]:
        """Tables that a release between the two may have rewritten; none when the platform shows no release."""
        named = frozenset(self.deps.config.app.written_by_release)
        if not named:
            return named
        try:
            times = [one.created_at for one in self.deps.platform.releases(self.deps.old_app, limit=MOST_RELEASES)]
        except ProviderError:
            return named
        known = [at for at in times if at is not None]
        whole = len(known) == len(times) and bool(known) and min(known) <= older.taken_at
        return named if not whole or any(older.taken_at < at <= transfer.taken_at for at in known) else frozenset()

    def main_lines(self, transfer: Transfer, older: Transfer) -> list[LedgerLine]:
        """What differs in the main tables, except what a release rewrote; empty when the older one was not restored."""
        if older.id not in self.proofs:
            return []
        first, second = (self._database(one) for one in (transfer, older))
        app = self.deps.config.app
        lines = compared((first[0], second[0]), (first[1], second[1]), app.volatile_tables, self.deps.stop.event)
        own = self._written_by_release(transfer, older)
        wanted = [line for line in lines if line.table in app.expected_tables and not line.volatile]
        return [line for line in wanted if not (line.table in own and _no_fewer(line))]

    def gone(self, transfer: Transfer, older: Transfer) -> list[str]:
        """Rows of main tables that the older backup has and the newer does not, in words."""
        return [line.brought_back for line in self.main_lines(transfer, older) if line.damaged]


def _rules_since(now: Database, before: Database, main: Collection[str], older: str) -> Signs:
    """Lost keys of `main` tables: rows that break them are damage, else only a doubt. `older` names `before`."""
    foreign, unique = _unbound(now, before, main), _repeated(now, before, main)
    since = f"and the key that prevents it in {older} is gone"
    return Signs(
        damage=(
            *(
                f"{plural(rows, 'row')} of {table} {'refers' if rows == 1 else 'refer'} to a missing row, {since}"
                for table, _, rows in foreign
                if rows
            ),
            *(f"{plural(rows, 'row is', 'rows are')} duplicated in {words}, {since}" for words, rows in unique if rows),
        ),
        doubts=(
            *(f"{table} has lost its foreign key {name} since {older}" for table, name, rows in foreign if not rows),
            *(f"nothing keeps {words} unique since {older}" for words, rows in unique if not rows),
        ),
    )


def _sealed_since(now: Proof, before: Proof) -> Signs:
    """Encrypted columns, or the extension that decrypts them, that are gone without a migration."""
    gone = sorted(set(now.key.missing) - set(before.key.missing))
    return Signs(damage=(f"there is no {first_of(gone)}, which {before.backup} has",) if gone else ())


def _unwritable_since(now: Proof, before: Proof) -> Signs:
    """Required columns that the code does not know, added without a migration."""
    new = sorted(set(now.code.unfillable) - set(before.code.unfillable))
    words = f"the deployed code {now.code.against} cannot save rows: it does not fill {first_of(new)}"
    return Signs(damage=(f"{words}, which {before.backup} does not have",) if new else ())


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


def _state(transfer: Transfer, proof: Proof) -> DatabaseState:
    return DatabaseState(transfer.name, transfer.taken_at, {one.name: one.rows for one in proof.tables}, proof.newest)


def _shut_since(proof: Proof, before: Proof) -> Signs:
    """Encrypted values that the key does not decrypt, in columns where it decrypted all before: the key changed."""
    whole = {(one.table, one.column) for one in before.key.tried if not one.wrong}
    wrong = [one for one in proof.key.tried if one.wrong and (one.table, one.column) in whole]
    since = f"cannot be read with the key; in {before.backup} all could"
    return Signs(
        damage=tuple(f"{one.words} {since}" for one in wrong if one.shut),
        doubts=tuple(f"{one.words} {since}" for one in wrong if not one.shut),
    )


def _one_value(sides: tuple[Database, Database], tables: Sequence[str], older: str) -> list[str]:
    """Columns whose rows differed and now have one value: an UPDATE without its WHERE, not the work of users."""
    now, then = (side.variety(tables) if tables else {} for side in sides)
    return [
        f"every row of {table} has the same {column}; {older} has {had:,} values"
        for table, columns in then.items()
        for column, had in columns.items()
        if had >= VARIED and now.get(table, {}).get(column) == 1
    ]


def _no_fewer(line: LedgerLine) -> bool:
    return (line.now or 0) >= (line.backup or 0)


def _mostly(line: LedgerLine) -> bool:
    shared = max(1, min(line.now or 0, line.backup or 0))
    unlike = line.changed + _exchanged(line)
    return unlike >= FEWEST and unlike / shared >= DAMAGE


def _exchanged(line: LedgerLine) -> int:
    """Rows that were replaced by others, which the count alone does not show."""
    return min(line.lost or 0, line.damaged or 0)


def _unlike(line: LedgerLine, older: str) -> str:
    exchanged, table = _exchanged(line), line.table
    if exchanged > line.changed:
        missing = plural(exchanged, f"row of {table} is", f"rows of {table} are")
        return f"{missing} missing, and as many others are there that {older} does not have"
    return f"{plural(line.changed, f'row of {table} has', f'rows of {table} have')} other content than in {older}"
