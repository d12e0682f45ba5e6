"""Who could get in, before and after: what a restore gives back of access that was withdrawn since the backup. Pure.

Accounts are named by their keys, sessions and permissions by a digest of theirs: never a token, a name or a password.
Digests are journalled, so they are keyed: who has a journal and a list of addresses must not be able to confirm one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import TypeVar

from pydantic import Field, SecretStr

from uscdr.models.base import Fact
from uscdr.models.postgres_names import TableText
from uscdr.words import first_of, plural

# Rights that stand in a word, and names to sign in with: what an account has now, against the backup. Pure.


UNSHOWN = "#"
"""Begins the digest of a value that is not shown."""
WORD = "^([A-Za-z][A-Za-z0-9_-]{0,31}|-?[0-9]{1,9}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
"""What a role looks like: a short word, a number, a UUID. Anything else may be somebody's data, and is not shown."""
MASS, FEWEST = 0.2, 5
"""A change of so large a share, and of so many, is damage: nobody shuts a fifth of all people out one by one."""
ALONE = 3
"""When so many had another value and all have the same one now, one statement without its condition did it."""
MOST_KINDS = 6

V = TypeVar("V")
Value = str | None
"""A word, empty, UNSHOWN with a digest, or None where nothing stands."""


class Move(Fact):
    """What stands in one column of an account: in the backup, and now."""

    then: Value
    now: Value

    @property
    def words(self) -> str:
        """`ADMIN -> STUDENT`, or `changed`."""
        if any((value or "").startswith(UNSHOWN) for value in (self.then, self.now)):
            return "changed"
        return f"{_shown(self.then)} -> {_shown(self.now)}"


def _mass(lost: Collection[object], had: int) -> bool:
    """Whether so many of `had` are damage."""
    return len(lost) >= FEWEST and len(lost) / had >= MASS


def _withdrawn(pairs: Mapping[str, Move]) -> tuple[dict[str, Move], dict[str, Move]]:
    """By account, those whose value changed: one by one, and by damage."""
    changed = {key: pair for key, pair in pairs.items() if pair.then != pair.now}
    damaged: set[str] = set(changed) if _mass(changed, len(pairs)) else set()
    before = Counter(pair.then for pair in pairs.values())
    for value, keys in _by(changed, lambda pair: pair.now).items():
        others = len(pairs) - before[value]
        if _mass(keys, others) or len(keys) == others >= ALONE:
            damaged |= keys
    for value, keys in _by(changed, lambda pair: pair.then).items():
        if _mass(keys, before[value]):
            damaged |= keys
    return (
        {key: pair for key, pair in changed.items() if key not in damaged},
        {key: changed[key] for key in sorted(damaged)},
    )


def _told(column: str, moves: Mapping[str, Move]) -> Iterator[str]:
    """For a person, most first."""
    kinds = sorted(_by(moves, lambda move: move.words).items(), key=lambda kind: -len(kind[1]))
    for words, keys in islice(kinds, MOST_KINDS):
        named = first_of(in_order(keys))
        yield f"{column} {words} since the backup: {plural(len(keys), 'account')} ({named})"
    rest = sum(len(keys) for _, keys in kinds[MOST_KINDS:])
    if rest:
        yield f"{column} changed otherwise since the backup: {plural(rest, 'account')}"


def in_order(keys: Collection[str]) -> tuple[str, ...]:
    """Numbers by size."""
    return tuple(sorted(keys, key=lambda key: (len(key), key)))


def _by(moves: Mapping[str, Move], part: Callable[[Move], V]) -> dict[V, set[str]]:
    groups: defaultdict[V, set[str]] = defaultdict(set)
    for key, move in moves.items():
        groups[part(move)].add(key)
    return dict(groups)


def _shown(value: Value) -> str:
    return value or "nothing"


Unshown = Mapping[tuple[str, str], SecretStr]
"""By column and account, what is never shown nor written down: hashes of passwords, names to sign in with."""
MOST_ROWS = 5000
"""Sessions that are named one by one; beyond that every one is ended. Rights are always named: others keep theirs."""
_MARK = 8


class AccessTables(Fact):
    """Where the application keeps who may get in."""

    accounts: TableText
    """The table of accounts."""
    flags: tuple[str, ...] = ("is_active", "is_staff", "is_superuser")
    """Its columns that let somebody in, or let them do more, while they are true."""
    password: str = "password"  # noqa: S105 - a column's name
    """Its column with the hash of the password; empty when there is none."""
    roles: tuple[str, ...] = ()
    """Its columns that hold what an account may do as a word, a number, or a reference to a role or a group."""
    logins: tuple[str, ...] = ()
    """Its columns with the name to sign in with, or where a new password is sent to; never shown."""
    sessions: tuple[TableText, ...] = ()
    """Tables whose rows are somebody's way in: tokens, sessions, keys. Without them one has to sign in again."""
    permissions: tuple[TableText, ...] = ()
    """Tables whose rows let an account do more: its groups, its permissions; or let somebody make an account."""

    @property
    def named(self) -> tuple[str, ...]:
        """The columns whose value is compared as it stands."""
        return (*self.roles, *self.logins)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the accounts that is looked at."""
        return (*self.flags, *self.named, self.password)


class KeyedAccess(AccessTables):
    """The tables, and what digests of their values are keyed with; empty in journals of earlier versions."""

    secret: SecretStr = Field(exclude=True, repr=False)

    @property
    def mark(self) -> str:
        """By what a later process knows whether it has the same secret; empty without one."""
        return self.digest(SecretStr(""))[:_MARK] if self.secret.get_secret_value() else ""

    def digest(self, value: SecretStr) -> str:
        """Hexadecimal digits; those of SQL (`access_keys.Keyed.digest`) are the first of them."""
        return sha256((self.secret.get_secret_value() + value.get_secret_value()).encode()).hexdigest()

    def as_noted(self, back: AccessBack) -> KeyedAccess:
        """The same for a journal that an earlier version wrote."""
        return self if back.mark else self.model_copy(update={"secret": SecretStr("")})


class AccountSeen(Fact):
    """One account: the flags that are true, what stands in its roles and logins, and a digest of its password."""

    flags: frozenset[str] = frozenset()
    values: Mapping[str, Value] = Field(default_factory=dict, repr=False)
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
    prints: dict[str, str] = Field(default_factory=dict, repr=False)
    """Account -> a digest of the newer hash, by which it is known where it stands already."""
    moves: dict[str, dict[str, Move]] = Field(default_factory=dict)
    """Column of a role or a login -> accounts that have another one now."""
    rows: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Table -> digests of rows that are there no more."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Table -> how many those are; more than `rows` names when there are too many."""
    doubts: tuple[str, ...] = ()
    mark: str = ""
    """By what the secret is known that digests in here are keyed with; empty in journals of earlier versions."""
    asked: bool = True
    """False when scenarios.yaml does not say where access is kept."""

    @property
    def amount(self) -> int:
        """Things to withdraw again."""
        accounts = {key for keys in (*self.flags.values(), *self.moves.values()) for key in keys}
        return len(accounts | {*self.deleted, *self.passwords}) + sum(self.counts.values())

    @property
    def words(self) -> str:
        """All of it for a person; empty when nothing comes back."""
        return "; ".join(self._parts())

    def prints_of(self, tables: AccessTables) -> dict[tuple[str, str], str]:
        """By column and account, how the digest begins of each value that is not in here."""
        moved = {
            (column, key): move.now.removeprefix(UNSHOWN)
            for column, moves in self.moves.items()
            for key, move in moves.items()
            if move.now and move.now.startswith(UNSHOWN)
        }
        return moved | {(tables.password, key): self.prints.get(key, "") for key in self.passwords}

    def fitting(self, tables: KeyedAccess, values: Unshown) -> dict[tuple[str, str], SecretStr]:
        """Those of `values` that are still what they were."""
        prints = self.prints_of(tables)
        return {
            name: value
            for name, value in values.items()
            if name in prints and tables.digest(value).startswith(prints[name])
        }

    def _parts(self) -> Iterator[str]:
        shut = self.flags.get("is_active", ())
        if shut:
            yield f"{plural(len(shut), 'account')} deactivated since the backup ({first_of(shut)})"
        for flag, keys in self.flags.items():
            if flag != "is_active":
                yield f"{plural(len(keys), 'account')} without {flag} now ({first_of(keys)})"
        for column, moves in self.moves.items():
            yield from _told(column, moves)
        if self.deleted:
            yield f"{plural(len(self.deleted), 'account')} deleted since the backup ({first_of(self.deleted)})"
        if self.passwords:
            yield f"{plural(len(self.passwords), 'account')} with a new password ({first_of(self.passwords)})"
        for table, number in self.counts.items():
            yield f"{plural(number, 'row')} of {table} deleted since the backup"


class AccessAgain(Fact):
    """What was done to withdraw access again."""

    changed: int
    """Rows that were changed or deleted."""
    shut: tuple[str, ...] = ()
    """Accounts of which a role or a login could not be set again, and that are shut out for that."""
    reset: tuple[str, ...] = ()
    """Accounts whose newer password is not known any more: nobody can sign in until it is reset."""


def given_back(tables: KeyedAccess, now: AccessSeen, then: AccessSeen) -> AccessBack:
    """What `then`, the backup, has of access that `now`, the live database, has not."""
    doubts = list(_untold(now, then))
    flags = _flags(tables, now, then, doubts)
    moves = _moves(tables, now, then, doubts)
    deleted = [key for key in then.accounts if key not in now.accounts]
    if _mass(deleted, len(then.accounts)) or (deleted and not now.accounts):
        doubts.append(f"{len(deleted):,} of {plural(len(then.accounts), 'account')} are gone: that looks like damage")
        deleted = []
    emptied = not now.accounts and tables.accounts not in now.missing  # a dropped table takes no other's rows along
    found, more = _rows(tables, now, then, then.accounts.keys() if emptied else ())
    changed = _changed(now, then)
    if _mass(changed, len(then.accounts)):
        of = f"{len(changed):,} of {plural(len(then.accounts), 'account')}"
        more.append(f"{of} have another password now: that looks like damage, and the earlier ones open them again")
        changed = []
    return AccessBack(
        flags=flags, moves=moves, deleted=in_order(deleted), passwords=in_order(changed),
        prints={key: now.accounts[key].password for key in in_order(changed)},
        rows={table: tuple(sorted(gone)) for table, gone in found.items()
              if len(gone) <= MOST_ROWS or table in tables.permissions},
        counts={table: len(gone) for table, gone in found.items()}, doubts=(*doubts, *more),
        mark=tables.mark,
    )  # fmt: skip


def _flags(
    tables: AccessTables, now: AccessSeen, then: AccessSeen, doubts: list[str]
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """Flag -> who lost it one by one; a flag whose column is gone was taken from nobody."""
    flags: dict[str, tuple[str, ...]] = {}
    for flag in tables.flags:
        if not now.accounts or f"{tables.accounts}.{flag}" in now.missing:
            continue
        had = [key for key, one in then.accounts.items() if flag in one.flags]
        lost = [key for key in had if key in now.accounts and flag not in now.accounts[key].flags]
        if _mass(lost, len(had)):
            doubts.append(f"{len(lost):,} of {plural(len(had), 'account')} lost {flag}: that looks like damage")
        elif lost:
            flags[flag] = in_order(lost)
    return flags


def _moves(
    tables: AccessTables, now: AccessSeen, then: AccessSeen, doubts: list[str]
) -> dict[str, dict[str, Move]]:  # fmt: skip
    """Column -> accounts on both sides whose value was changed one by one."""
    moves: dict[str, dict[str, Move]] = {}
    for column in tables.named:
        pairs = {
            key: Move(then=one.values[column], now=now.accounts[key].values[column])
            for key, one in then.accounts.items()
            if column in one.values and key in now.accounts and column in now.accounts[key].values
        }
        taken, damaged = _withdrawn(pairs)
        if damaged:
            of = f"{len(damaged):,} of {plural(len(pairs), 'account')} have another {column} now"
            kinds = first_of(sorted({move.words for move in damaged.values()}))
            doubts.append(f"{of} ({kinds}): that looks like damage, and comes back")
        if taken:
            moves[column] = {key: taken[key] for key in in_order(taken)}
    return moves


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
        if table in tables.permissions and _mass(gone, len(then.rows[table])):
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


def _untold(now: AccessSeen, then: AccessSeen) -> Iterator[str]:
    """What only one side has, or neither."""
    for name in now.missing:
        if name not in then.missing:
            yield f"whether {name} lets somebody in again cannot be told: it cannot be read"
        else:
            yield f"scenarios.yaml names {name} (access:), which neither the database nor the backup has"
    for name in then.missing:
        if name not in now.missing:
            yield f"the backup has no {name} that can be read: what that lets in after the restore cannot be told"
