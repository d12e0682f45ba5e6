"""Observations of a PostgreSQL database: counts, keys and digests, never patient data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from uscdr.models.base import Fact, Moment
from uscdr.models.data_settings import TableText
from uscdr.words import first_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# PostgreSQL messages that contain only names and may be shown; others may quote a row's values. Pure.


_NAMES = (
    r"(?:(?:relation|column|table|constraint|sequence|index|type|schema|extension|role|database|trigger|function) \S+"
    r"(?: of relation \S+)? (?:already exists|does not exist|contains null values|is not a table)"
    r"|column \S+ of relation \S+ (?:contains null values|already exists|does not exist)"
    r"|(?:constraint|trigger|policy|rule) \S+ (?:of|for) (?:relation|table) \S+ (?:already exists|does not exist)"
    r"|column \S+ contains null values"
    r"|null value in column \S+(?: of relation \S+)? violates not-null constraint"
    r"|(?:duplicate key value violates|could not create) unique (?:constraint|index) \S+"
    r"|(?:insert or update|update or delete) on table \S+ violates (?:foreign key|check) constraint \S+"
    r"(?: on table \S+)?"
    r"|check constraint \S+(?: of relation \S+)? is violated by some row"
    r"|new row for relation \S+ violates check constraint \S+"
    r"|permission denied for \S+ \S+|must be owner of \S+ \S+|permission denied to create \S+ \S+"
    r"|canceling statement due to (?:statement|lock) timeout|deadlock detected"
    r"|cannot alter type of a column used by a [a-z]+(?: [a-z]+){0,2}"
    r"|cannot drop \S+ \S+(?: (?:of|on) \S+ \S+)? because other objects depend on it"
    r"|cannot ALTER TABLE \S+ because it has pending trigger events"
    r"|foreign key constraint \S+ cannot be implemented"
    r"|column \S+ cannot be cast automatically to type \S+"
    r"|default for column \S+ cannot be cast automatically to type \S+"
    r"|multiple primary keys for table \S+ are not allowed"
    r"|no such (?:table|column): \S+)$"
)


def of_names(message: str) -> str:
    """The message if it contains only names of tables, columns and the like; else empty."""
    return message if re.match(_NAMES, message) else ""


_SHOWN = 5


class ServerFacts(Fact):
    """One connection's view: server version as (major, minor), database size in bytes."""

    version: tuple[int, int]
    database: str
    size: int


class TableSize(Fact):
    """One user table by its name as `TableName` prints it; its bytes as the server last counted them."""

    name: str
    bytes: int
    keyed: bool = True
    """Whether it has a primary key, which prevents duplicate rows."""


class TableColumn(Fact):
    """One column of a table that is visible without a schema name.

    `must_be_given`: it is NOT NULL, and nothing fills it (default, identity, BEFORE INSERT trigger).
    """

    table: str
    name: str
    must_be_given: bool = False


class TableDigest(Fact):
    """Exact row count and an order-independent digest of the whole content of one table."""

    name: TableText
    rows: int
    digest: str
    buckets: dict[int, str] = Field(default_factory=dict, repr=False, exclude=True)
    """Where the primary key is an integer: key // 4096 -> digest of those rows. Never journalled."""

    def same(self, other: TableDigest | None) -> bool:
        """Whether both have the same rows."""
        return other is not None and (self.rows, self.digest) == (other.rows, other.digest)


class Unread(Fact):
    """A table that could not be read, and why. `damaged`: the stored data is corrupt; else it is only inaccessible."""

    table: str
    why: str
    damaged: bool = False
    hidden: bool = False
    """Row-level security hides its rows from us. This is intended, waiting does not help, and users may see them."""

    def words(self, done: str) -> str:
        """As a finding; `done` is the failed action, such as "counted"."""
        return f"{self.table}: {self.why}" if self.damaged else f"{self.table}: cannot be {done}: {self.why}"


class TableCounts(Fact):
    """Exact row counts of the readable tables, and the unreadable tables."""

    rows: dict[str, int] = Field(default_factory=dict)
    unread: tuple[Unread, ...] = ()


class TableDigests(Fact):
    """Digests of the fully readable tables, and the other tables."""

    tables: tuple[TableDigest, ...] = ()
    unread: tuple[Unread, ...] = ()


class NewestTime(Fact):
    """The times of a column: `newest` is the newest possible one, ISO 8601 UTC, or None.

    `beyond`: rows with an impossible time, in the future or before the year 1; `newest` ignores them.
    """

    newest: str | None = None
    beyond: int = 0
    unread: Unread | None = None

    def problem(self, column: str) -> str:
        """As a finding about `column`; empty without one."""
        if self.unread is not None:
            return self.unread.words("read")
        rows = "1 row has an impossible time" if self.beyond == 1 else f"{self.beyond:,} rows have impossible times"
        return f"{column}: {rows} (in the future, or before the year 1)" if self.beyond else ""


class TableKeys(Fact):
    """Primary-key values of one table, as text, sorted numerically when they are integers.

    `keys` is None when the table has no single-column primary key.
    """

    name: str
    column: str | None
    keys: tuple[str, ...] | None
    prints: tuple[int, ...] = Field(default=(), repr=False)
    """For each key a 32-bit fingerprint of its whole row, equal for equal rows on any server."""


class InvariantResult(Fact):
    """An invariant's result. `holds` is None when the query failed; `seen` is a number or a word."""

    name: str
    holds: bool | None
    seen: str
    expected: str
    forbidden: bool = False
    """Whether the server refused the query because of permissions or row-level security."""


MANY_APART, SHARE_APART = 5, 0.1
"""Below this number and share of a column's sample, differences count as manual edits."""


class CanaryResult(Fact):
    """The result of decrypting `column` with a key: numbers of rows, never a value.

    `sampled` is the sum of `matching`, `differing` (decrypted to something else), `blank` (decrypted, but
    the plain column is empty, so there is nothing to compare with) and `unreadable` (wrong key or damaged).
    `unencrypted` counts, in the whole table, rows with a plain value and no encrypted one.
    """

    table: str
    column: str
    sampled: int = 0
    matching: int = 0
    differing: int = 0
    blank: int = 0
    unreadable: int = 0
    unencrypted: int = 0
    missing: str = ""
    """What is missing, such as `table patients_patient` or `extension pgcrypto`; then all numbers are 0."""
    unread: Unread | None = None
    """Why the table cannot be read; then all numbers are 0, too."""

    @property
    def fits(self) -> bool | None:
        """Whether the key decrypted every row of the sample correctly; None when no row was comparable."""
        if self.missing or self.unread or self.sampled == 0:
            return None
        return self.wrong == 0

    @property
    def apart(self) -> int:
        """All values decrypt, and few differ from the plain value: not the effect of another key."""
        few = self.differing < MANY_APART and self.differing < self.sampled * SHARE_APART
        return self.differing if few and not self.unreadable else 0

    @property
    def wrong(self) -> int:
        """Values do not decrypt, or too many differ from the plain value."""
        return self.unreadable + self.differing - self.apart


class SequenceState(Fact):
    """A sequence for a column's keys.

    `next` is its next value, `last` its last one (None when never used). `greatest` is the furthest key in its
    direction: the lowest when `step` is negative, None for an empty table. `alone`: the table has one row. `ahead`: the
    number of rows with keys beyond it. `taken`: its next value is a row's key; `soon`: one of its next hundred values
    is.
    """

    table: str
    column: str
    last: int | None
    greatest: int | None
    next: int
    step: int = 1
    alone: bool = False
    ahead: int = 0
    taken: bool = False
    soon: bool = False
    unread: Unread | None = None
    """Why its column could not be read; then the other fields are unknown."""

    @property
    def behind(self) -> bool:
        """Whether it would return keys that are taken or passed already."""
        if self.greatest is None:
            return False
        return self.next <= self.greatest if self.step > 0 else self.next >= self.greatest

    @property
    def collides(self) -> bool:
        """Whether an insert will soon meet a taken key.

        Two cases of a sequence behind its keys are normal. It was never used, and the only row has a key chosen by the
        code (a singleton). Or a single row has a key far ahead, and the next value is free.
        """
        if not self.behind:
            return False
        if self.ahead > 1:  # the table has keys beyond it
            return self.soon
        return self.taken and not (self.alone and self.last is None)


class ForeignKey(Fact):
    """A foreign key of `table`.

    `orphans`: rows of the table without the referenced row. `unread`: why they could not be counted; it names the key's
    own table although the other one may be the cause.
    """

    table: str
    name: str
    validated: bool
    orphans: int
    columns: tuple[str, ...] = ()
    other: str = ""
    others: tuple[str, ...] = ()
    """The columns of `table`, and the referenced columns of the table `other`."""
    unread: Unread | None = None


class UniqueKey(Fact):
    """Columns of `table` that are unique together."""

    table: str
    columns: tuple[str, ...]


class PasswordResult(Fact):
    """The number of accounts that were tried with published passwords.

    `matching` are the ids of those that have one: numbers and UUIDs as they are, any other as 16 hexadecimal
    digits of its SHA-256. `untestable` have a hash of an unknown kind, or there were too many for the time.
    """

    tested: int = 0
    matching: tuple[str, ...] = ()
    untestable: int = 0


class Extension(Fact):
    """An installed extension."""

    name: str
    version: str


class Migration(Fact):
    """One applied Django migration."""

    app: str
    name: str

    @property
    def full_name(self) -> str:
        """The name in the code's notation: `app.name`."""
        return f"{self.app}.{self.name}"


class Session(Fact):
    """Another client's session on the database; without the query text, which may contain personal data."""

    pid: int
    user: str
    application: str
    state: str
    started_at: Moment | None = None


class LeftOut(Fact):
    """One object of a dump that a restore leaves out, and why; `of_platform`: it belongs to the platform."""

    what: str
    why: str
    of_platform: bool = False

    @classmethod
    def words_of(cls, left_out: Sequence[LeftOut]) -> str:
        """For messages: `event trigger own (only a superuser may create one); view near (…) and 3 more`."""
        return first_of([f"{one.what} ({one.why})" for one in left_out], _SHOWN, "; ")


# The application's key, tried on a sample of the encrypted columns.


class TriedColumn(Fact):
    """The result of the key on a sample of one column: numbers of values, never a value."""

    table: str
    column: str
    sampled: int
    wrong: int
    """Values that did not decrypt, or to something else."""

    @property
    def shut(self) -> bool:
        """Whether another key encrypted it: half of the sample or more fails, not just a few damaged values."""
        return _shut(self.wrong, self.sampled)

    @property
    def words(self) -> str:
        """The failed share of the sample, and the column."""
        return f"{self.wrong} of {self.sampled} in {self.table}.{self.column}"


FEWEST = 5
"""The least sample of a table or column that can distinguish damage from another key."""


def _shut(wrong: int, sampled: int) -> bool:
    return sampled >= FEWEST and wrong * 2 >= sampled


class CanaryVerdict(Fact):
    """The result of the application's key on a sample of the encrypted columns."""

    verdict: Literal["pass", "fail", "not checked"]
    why: str = ""
    columns: int = 0
    sampled: int = 0
    matching: int = 0
    wrong: int = 0
    """Values that did not decrypt, or to something else."""
    unencrypted: int = 0
    """Values that exist as plain text only."""
    apart: int = 0
    """Values that decrypt to something else than their plain column; too few to indicate another key."""
    fingerprint: str = ""
    """The fingerprint of the tried key; empty in a proof of an earlier version, or without a key."""
    tried: tuple[TriedColumn, ...] = ()
    """The columns with encrypted values; empty in a proof of an earlier version."""
    missing: tuple[str, ...] = ()
    """Configured tables and columns that do not exist, and the extension if it is missing."""
    unread: tuple[str, ...] = ()
    """Unreadable tables and the reasons."""

    @classmethod
    def untried(cls) -> Self:
        """The key was not tried."""
        return cls(verdict="not checked")

    @property
    def opens_nothing(self) -> bool:
        """Whether these rows were encrypted with another key.

        That is so if half of the sample or more fails, over all tables or in one: readable columns elsewhere do not
        compensate for an unreadable table.
        """
        tables = {one.table for one in self.tried}
        return self.wrong * 2 >= self.sampled > 0 or any(_shut(*self._of(table)) for table in tables)

    @property
    def where(self) -> str:
        """The columns with values that do not decrypt, the worst first; empty without any, or in an old proof."""
        bad = sorted((one for one in self.tried if one.wrong), key=lambda one: -one.wrong)
        return first_of([one.words for one in bad])

    def _of(self, table: str) -> tuple[int, int]:
        mine = [one for one in self.tried if one.table == table]
        return sum(one.wrong for one in mine), sum(one.sampled for one in mine)

    @property
    def tried_in_part(self) -> bool:
        """Whether the key decrypts all existing columns, but some configured columns do not exist."""
        return bool(self.missing and self.matching) and not self.unread
