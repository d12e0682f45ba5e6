"""Compares access before and after: the access withdrawn since the backup that a restore would give back. Pure.

Accounts are identified by their keys, sessions and permissions by a digest of their keys: never by a token, name or
password. Digests are journalled, so they are keyed: a reader of the journal with a list of addresses cannot confirm
one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, SecretStr

from uscdr.models.base import Fact
from uscdr.models.data_settings import AccessTables
from uscdr.words import first_of, plural

# Roles and login names: an account's current values against the backup. Pure.


UNSHOWN = "#"
"""Prefix of the digest of a hidden value."""
WORD = "^([A-Za-z][A-Za-z0-9_-]{0,31}|-?[0-9]{1,9}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
"""What a role looks like: a short word, a number, a UUID. Anything else may be personal data and is not shown."""
MASS, FEWEST = 0.2, 5
"""A change of this share and number of accounts is damage: nobody deactivates a fifth of them individually."""
ALONE = 3
"""When this many accounts had different values and all have the same one now, it was a statement without its WHERE."""
MOST_KINDS = 6

V = TypeVar("V")
Value = str | None
"""A word, empty, UNSHOWN with a digest, or None for no value."""


class Move(Fact):
    """One column's value for an account: in the backup, and now."""

    then: Value
    now: Value

    @property
    def words(self) -> str:
        """`ADMIN -> STUDENT`, or `changed`."""
        if any((value or "").startswith(UNSHOWN) for value in (self.then, self.now)):
            return "changed"
        return f"{_shown(self.then)} -> {_shown(self.now)}"


def _mass(lost: Collection[object], had: int) -> bool:
    """Whether this many of `had` count as damage."""
    return len(lost) >= FEWEST and len(lost) / had >= MASS


def _withdrawn(
    changed: Mapping[str, Move], before: Counter[Value]
) -> tuple[dict[str, Move], dict[str, Move]]:  # fmt: skip
    """Of the accounts whose value changed, those that changed individually, and by damage.

    `before`: how many accounts of both sides had each value.
    """
    number = before.total()
    damaged: set[str] = set(changed) if _mass(changed, number) else set()
    for value, keys in _by(changed, lambda pair: pair.now).items():
        others = number - before[value]
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
    """For messages, most frequent first."""
    kinds = sorted(_by(moves, lambda move: move.words).items(), key=lambda kind: -len(kind[1]))
    for words, keys in islice(kinds, MOST_KINDS):
        named = first_of(_in_order(keys))
        yield f"{column} {words} since the backup: {plural(len(keys), 'account')} ({named})"
    rest = sum(len(keys) for _, keys in kinds[MOST_KINDS:])
    if rest:
        yield f"{column} changed otherwise since the backup: {plural(rest, 'account')}"


def _in_order(keys: Collection[str]) -> tuple[str, ...]:
    """Numbers in numeric order."""
    return tuple(sorted(keys, key=lambda key: (len(key), key)))


_Ordered = Annotated[tuple[str, ...], AfterValidator(_in_order)]


def _by(moves: Mapping[str, Move], part: Callable[[Move], V]) -> dict[V, set[str]]:
    groups: defaultdict[V, set[str]] = defaultdict(set)
    for key, move in moves.items():
        groups[part(move)].add(key)
    return dict(groups)


def _shown(value: Value) -> str:
    return value or "nothing"


Unshown = Mapping[tuple[str, str], SecretStr]
"""By column and account, values that are never shown or stored: password hashes and login names."""
MOST_ROWS = 5000
"""The most sessions listed individually; above that, all are ended.

Permissions are always listed: others keep theirs.
"""
_MARK = 8


class KeyedAccess(AccessTables):
    """The tables, and the secret that keys the digests; empty in journals of earlier versions."""

    secret: SecretStr = Field(exclude=True, repr=False)

    @property
    def mark(self) -> str:
        """The secret's fingerprint: a later process checks that it has the same one. Empty without a secret."""
        return self.digest(SecretStr(""))[:_MARK] if self.secret.get_secret_value() else ""

    def digest(self, value: SecretStr) -> str:
        """Hexadecimal digits; digests made in SQL are a prefix of them."""
        return sha256((self.secret.get_secret_value() + value.get_secret_value()).encode()).hexdigest()

    def as_noted(self, back: AccessBack) -> KeyedAccess:
        """The same for a journal of an earlier version."""
        return self if back.mark else self.model_copy(update={"secret": SecretStr("")})


@dataclass(frozen=True, slots=True)
class AccountSeen:
    """One account: its true flags, the values of its columns of roles and logins, and a digest of its password."""

    flags: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()
    """The same object for all accounts of a table."""
    texts: tuple[Value, ...] = field(default=(), repr=False)
    """By column."""
    password: str = field(default="", repr=False)

    def value(self, column: str) -> Value:
        """Of one of its columns."""
        return self.texts[self.columns.index(column)]


@dataclass(frozen=True)
class AccessSeen:
    """Who has access, at one moment. Never journalled. `missing`: tables and columns that could not be read.

    Not validated again: there is one for every account, and the query made it.
    """

    accounts: Mapping[str, AccountSeen] = field(default_factory=dict, repr=False)
    rows: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    """Table of sessions or permissions -> digests of its rows' keys."""
    owners: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """Table -> digest of a row's key -> the key of its account, for tables with a foreign key to the accounts."""
    missing: tuple[str, ...] = ()


class AccessBack(Fact):
    """The access that the restore gives back, by key. `doubts`: what looks like damage or is unclear."""

    flags: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Flag -> accounts that have it in the backup and not now."""
    deleted: tuple[str, ...] = ()
    """Accounts that no longer exist."""
    passwords: tuple[str, ...] = ()
    """Accounts with a changed password: after the restore the earlier one works again."""
    prints: dict[str, str] = Field(default_factory=dict, repr=False)
    """Account -> a digest of the newer hash, to detect that it is already set."""
    moves: dict[str, dict[str, Move]] = Field(default_factory=dict)
    """Role or login column -> accounts with another value now."""
    rows: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Table -> digests of rows that no longer exist."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Table -> their number, also when there are too many to list in `rows`."""
    doubts: tuple[str, ...] = ()
    mark: str = ""
    """The fingerprint of the secret that keys these digests; empty in journals of earlier versions."""
    asked: bool = True
    """False when scenarios.yaml does not say where the application stores access."""

    @property
    def amount(self) -> int:
        """The number of things to withdraw again."""
        accounts = {key for keys in (*self.flags.values(), *self.moves.values()) for key in keys}
        return len(accounts | {*self.deleted, *self.passwords}) + sum(self.counts.values())

    @property
    def words(self) -> str:
        """All of it for messages; empty when the restore gives nothing back."""
        return "; ".join(self._parts())

    def prints_of(self, tables: AccessTables) -> dict[tuple[str, str], str]:
        """By column and account, the digest's prefix of each value that is not in here."""
        moved = {
            (column, key): move.now.removeprefix(UNSHOWN)
            for column, moves in self.moves.items()
            for key, move in moves.items()
            if move.now and move.now.startswith(UNSHOWN)
        }
        return moved | {(tables.password, key): self.prints.get(key, "") for key in self.passwords}

    def fitting(self, tables: KeyedAccess, values: Unshown) -> dict[tuple[str, str], SecretStr]:
        """Those of `values` that are unchanged."""
        prints = self.prints_of(tables)
        return {
            name: value
            for name, value in values.items()
            if name in prints and tables.digest(value).startswith(prints[name])
        }

    @classmethod
    def between(cls, tables: KeyedAccess, now: AccessSeen, then: AccessSeen) -> AccessBack:
        """The access in the backup (`then`) that the live database (`now`) does not have."""
        doubts = list(_untold(now, then))
        flags = _flags(tables, now, then, doubts)
        moves = _moves(tables, now, then, doubts)
        deleted = [key for key in then.accounts if key not in now.accounts]
        if _mass(deleted, len(then.accounts)) or (deleted and not now.accounts):
            doubts.append(
                f"{len(deleted):,} of {plural(len(then.accounts), 'account')} are missing, which looks like damage"
            )
            deleted = []
        emptied = (
            not now.accounts and tables.accounts not in now.missing
        )  # a dropped table does not delete other tables' rows
        found, more = _rows(tables, now, then, then.accounts.keys() if emptied else ())
        changed = _changed(now, then)
        if _mass(changed, len(then.accounts)):
            of = f"{len(changed):,} of {plural(len(then.accounts), 'account')}"
            more.append(
                f"{of} have another password now, which looks like damage. After the restore the earlier passwords "
                "work again"
            )
            changed = []
        return AccessBack(
            flags=flags, moves=moves, deleted=_in_order(deleted), passwords=_in_order(changed),
            prints={key: now.accounts[key].password for key in _in_order(changed)},
            rows={table: tuple(sorted(gone)) for table, gone in found.items()
                  if len(gone) <= MOST_ROWS or table in tables.permissions},
            counts={table: len(gone) for table, gone in found.items()}, doubts=(*doubts, *more),
            mark=tables.mark,
        )  # fmt: skip

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
    """The result of withdrawing access again."""

    changed: int
    """Rows that were changed or deleted."""
    shut: _Ordered = ()
    """Accounts deactivated because a role or login could not be set again."""
    reset: _Ordered = ()
    """Accounts whose newer password is unknown now: nobody can sign in until it is reset."""


def _flags(
    tables: AccessTables, now: AccessSeen, then: AccessSeen, doubts: list[str]
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """Flag -> accounts that lost it individually; a dropped column took the flag from nobody."""
    flags: dict[str, tuple[str, ...]] = {}
    for flag in tables.flags:
        if not now.accounts or f"{tables.accounts}.{flag}" in now.missing:
            continue
        had = [key for key, one in then.accounts.items() if flag in one.flags]
        lost = [key for key in had if key in now.accounts and flag not in now.accounts[key].flags]
        if _mass(lost, len(had)):
            doubts.append(f"{len(lost):,} of {plural(len(had), 'account')} lost {flag}, which looks like damage")
        elif lost:
            flags[flag] = _in_order(lost)
    return flags


def _moves(
    tables: AccessTables, now: AccessSeen, then: AccessSeen, doubts: list[str]
) -> dict[str, dict[str, Move]]:  # fmt: skip
    """Column -> accounts on both sides whose value was changed individually."""
    moves: dict[str, dict[str, Move]] = {}
    for column in tables.named:
        both = [
            (key, one.value(column), now.accounts[key].value(column))
            for key, one in then.accounts.items()
            if column in one.columns and key in now.accounts and column in now.accounts[key].columns
        ]
        changed = {key: Move(then=was, now=is_now) for key, was, is_now in both if was != is_now}
        taken, damaged = _withdrawn(changed, Counter(was for _, was, _ in both))
        if damaged:
            of = f"{len(damaged):,} of {plural(len(both), 'account')} have another {column} now"
            kinds = first_of(sorted({move.words for move in damaged.values()}))
            doubts.append(f"{of} ({kinds}), which looks like damage. The restore sets the earlier values again")
        if taken:
            moves[column] = {key: taken[key] for key in _in_order(taken)}
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
            doubts.append(
                f"{plural(len(went), 'row')} of {table} were deleted with them: after the restore their owners "
                "can sign in again"
            )
            gone -= went
        if table in tables.permissions and _mass(gone, len(then.rows[table])):
            doubts.append(
                f"{len(gone):,} of {plural(len(then.rows[table]), 'row')} of {table} are missing, which looks "
                "like damage"
            )
        elif gone:
            found[table] = gone
    return found, doubts


def _went_along(table: str, gone: set[str], then: AccessSeen, vanished: Collection[str]) -> set[str]:
    """Rows deleted together with all the accounts.

    Other rows stay deleted: they may have been withdrawn, and signing in again is easy.
    """
    owners = then.owners.get(table, {})
    return {row for row in gone if owners.get(row) in vanished}


def _changed(now: AccessSeen, then: AccessSeen) -> list[str]:
    return [
        key
        for key, one in then.accounts.items()
        if key in now.accounts and one.password and now.accounts[key].password not in ("", one.password)
    ]


def _untold(now: AccessSeen, then: AccessSeen) -> Iterator[str]:
    """Tables and columns that only one side has, or neither."""
    for name in now.missing:
        if name not in then.missing:
            yield f"uscdr cannot read {name}, so the restore may give back access through it"
        else:
            yield f"scenarios.yaml lists {name} under access:, but neither the database nor the backup has it"
    for name in then.missing:
        if name not in now.missing:
            yield f"uscdr cannot read {name} in the backup, so the restore may give back access through it"
