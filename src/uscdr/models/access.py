"""Who could get in, before and after: what a restore gives back of access that was withdrawn since the backup. Pure.

Accounts are named by their keys, sessions and permissions by a digest of theirs: never a token, a name or a password.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pydantic import Field

from uscdr.models.base import Fact
from uscdr.models.table_names import TableText
from uscdr.words import first_of, plural

MASS, FEWEST = 0.2, 5
"""A change of so large a share, and of so many, is damage: nobody shuts a fifth of all people out one by one."""
MOST_ROWS = 5000
"""Sessions that are named one by one; beyond that every one is ended. Rights are always named: others keep theirs."""


class AccessTables(Fact):
    """Where the application keeps who may get in."""

    accounts: TableText
    """The table of accounts."""
    flags: tuple[str, ...] = ("is_active", "is_staff", "is_superuser")
    """Its columns that let somebody in, or let them do more, while they are true."""
    password: str = "password"  # noqa: S105 - a column's name
    """Its column with the hash of the password; empty when there is none."""
    sessions: tuple[TableText, ...] = ()
    """Tables whose rows are somebody's way in: tokens, sessions, keys. Without them one has to sign in again."""
    permissions: tuple[TableText, ...] = ()
    """Tables whose rows let an account do more: its groups, its permissions."""


class AccountSeen(Fact):
    """One account: the flags that are true, and a digest of its password."""

    flags: frozenset[str] = frozenset()
    password: str = Field(default="", repr=False)


class AccessSeen(Fact):
    """Who may get in, at one moment. Never journalled. `missing`: tables and columns that could not be read."""

    accounts: Mapping[str, AccountSeen] = Field(default_factory=dict, repr=False)
    rows: Mapping[str, frozenset[str]] = Field(default_factory=dict, repr=False)
    """Table of sessions or permissions -> digests of its rows' keys."""
    owners: Mapping[str, Mapping[str, str]] = Field(default_factory=dict, repr=False)
    """Table -> digest of a row's key -> the key of its account, for tables with a foreign key to the accounts."""
    missing: tuple[str, ...] = ()


class AccessBack(Fact):
    """What the restore gives back, by key. `doubts`: what looks like damage, or could not be told."""

    flags: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Flag -> accounts that have it in the backup and no more."""
    deleted: tuple[str, ...] = ()
    """Accounts that are there no more."""
    passwords: tuple[str, ...] = ()
    """Accounts whose password was changed: the earlier one opens them again."""
    rows: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Table -> digests of rows that are there no more."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Table -> how many those are; more than `rows` names when there are too many."""
    doubts: tuple[str, ...] = ()
    asked: bool = True
    """False when scenarios.yaml does not say where access is kept."""

    @property
    def amount(self) -> int:
        """Things to withdraw again."""
        accounts = {key for keys in self.flags.values() for key in keys}
        return len(accounts | {*self.deleted, *self.passwords}) + sum(self.counts.values())

    @property
    def words(self) -> str:
        """All of it for a person; empty when nothing comes back."""
        return "; ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        shut = self.flags.get("is_active", ())
        if shut:
            yield f"{plural(len(shut), 'account')} deactivated since the backup ({first_of(shut)})"
        for flag, keys in self.flags.items():
            if flag != "is_active":
                yield f"{plural(len(keys), 'account')} without {flag} now ({first_of(keys)})"
        if self.deleted:
            yield f"{plural(len(self.deleted), 'account')} deleted since the backup ({first_of(self.deleted)})"
        if self.passwords:
            yield f"{plural(len(self.passwords), 'account')} with a new password ({first_of(self.passwords)})"
        for table, number in self.counts.items():
            yield f"{plural(number, 'row')} of {table} deleted since the backup"


def given_back(tables: AccessTables, now: AccessSeen, then: AccessSeen) -> AccessBack:
    """What `then`, the backup, has of access that `now`, the live database, has not."""
    doubts = [f"whether {name} lets somebody in again cannot be told: it cannot be read" for name in _lost(now, then)]
    flags: dict[str, tuple[str, ...]] = {}
    for flag in tables.flags if now.accounts else ():
        had = [key for key, one in then.accounts.items() if flag in one.flags]
        lost = [key for key in had if key in now.accounts and flag not in now.accounts[key].flags]
        if _mass(lost, had):
            doubts.append(f"{len(lost):,} of {plural(len(had), 'account')} lost {flag}: that looks like damage")
        elif lost:
            flags[flag] = _sorted(lost)
    deleted = [key for key in then.accounts if key not in now.accounts]
    deleted_by_damage = _mass(deleted, then.accounts) or bool(deleted and not now.accounts)
    if deleted_by_damage:
        doubts.append(f"{len(deleted):,} of {plural(len(then.accounts), 'account')} are gone: that looks like damage")
        deleted = []
    emptied = not now.accounts and tables.accounts not in now.missing  # a dropped table takes no other's rows along
    vanished = then.accounts.keys() if emptied else ()
    found, more = _rows(tables, now, then, vanished)
    changed = _changed(now, then)
    if _mass(changed, then.accounts):
        of = f"{len(changed):,} of {plural(len(then.accounts), 'account')}"
        more.append(f"{of} have another password now: that looks like damage, and the earlier ones open them again")
        changed = []
    return AccessBack(
        flags=flags, deleted=_sorted(deleted), passwords=_sorted(changed),
        rows={table: tuple(sorted(gone)) for table, gone in found.items()
              if len(gone) <= MOST_ROWS or table in tables.permissions},
        counts={table: len(gone) for table, gone in found.items()}, doubts=(*doubts, *more),
    )  # fmt: skip


def _rows(
    tables: AccessTables, now: AccessSeen, then: AccessSeen, vanished: Collection[str]
) -> tuple[dict[str, set[str]], list[str]]:
    found: dict[str, set[str]] = {}
    doubts: list[str] = []
    for table in (*tables.sessions, *tables.permissions):
        if table in now.missing or table not in then.rows:
            continue
        gone = set(then.rows[table] - now.rows.get(table, frozenset()))
        went = _went_along(table, gone, then, vanished) if not now.rows.get(table) else set()
        if went:
            doubts.append(f"{plural(len(went), 'row')} of {table} went with them: who had those can sign in again")
            gone -= went
        if table in tables.permissions and _mass(gone, then.rows[table]):
            doubts.append(f"{len(gone):,} of {plural(len(then.rows[table]), 'row')} of {table} are gone: like damage")
        elif gone:
            found[table] = gone
    return found, doubts


def _went_along(table: str, gone: set[str], then: AccessSeen, vanished: Collection[str]) -> set[str]:
    """Rows that went with all the accounts. Others stay gone: they may have been withdrawn; to sign in costs little."""
    owners = then.owners.get(table, {})
    return {row for row in gone if owners.get(row) in vanished}


def _changed(now: AccessSeen, then: AccessSeen) -> list[str]:
    return [
        key
        for key, one in then.accounts.items()
        if key in now.accounts and one.password and now.accounts[key].password not in ("", one.password)
    ]


def _lost(now: AccessSeen, then: AccessSeen) -> list[str]:
    """What was there in the backup and is not now."""
    return [name for name in now.missing if name not in then.missing]


def _mass(lost: Collection[str], had: Collection[str]) -> bool:
    return len(lost) >= FEWEST and len(lost) / len(had) >= MASS


def _sorted(keys: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(keys, key=lambda key: (len(key), key)))
