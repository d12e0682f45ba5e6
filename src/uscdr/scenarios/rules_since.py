"""What a backup forbids no more that one before it did, with no migration between them, and the rows it let in."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from uscdr.vault.backups.loss import Signs
from uscdr.words import first_of

if TYPE_CHECKING:
    from uscdr.providers.ports.database import Database
    from uscdr.scenarios.results import Proof


def rules_since(now: Database, before: Database, main: Collection[str], older: str) -> Signs:
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


def sealed_since(now: Proof, before: Proof) -> Signs:
    """Encrypted columns, or the extension that opens them, that are gone with no migration that took them."""
    gone = sorted(set(now.key.missing) - set(before.key.missing))
    return Signs(damage=(f"there is no {first_of(gone)}, which {before.backup} has",) if gone else ())


def unwritable_since(now: Proof, before: Proof) -> Signs:
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
