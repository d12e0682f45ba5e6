"""What a PostgreSQL database says of itself. Counts, keys and digests only: never a patient's values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from uscdr.models.base import Fact, Moment
from uscdr.models.postgres_names import TableText
from uscdr.words import first_of

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """Whether it has a primary key, which lets no row be there twice."""


class TableColumn(Fact):
    """One column of a table that statements find by its bare name, as the application's do.

    `must_be_given`: it takes no NULL, and nothing fills it (default, identity, a trigger before the row is written).
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
    """A table that could not be read, and why. `damaged`: what is stored is broken; else it is only out of reach."""

    table: str
    why: str
    damaged: bool = False
    hidden: bool = False
    """Row-level security keeps rows of it from us: it is meant so, waiting changes nothing, users may see them."""

    def words(self, done: str) -> str:
        """As a finding; `done` is what could not be done with it, such as "counted"."""
        return f"{self.table}: {self.why}" if self.damaged else f"{self.table}: cannot be {done}: {self.why}"


class TableCounts(Fact):
    """Exact row counts of those tables that can be counted, and the others."""

    rows: dict[str, int] = Field(default_factory=dict)
    unread: tuple[Unread, ...] = ()


class TableDigests(Fact):
    """Digests of those tables that can be read whole, and the others."""

    tables: tuple[TableDigest, ...] = ()
    unread: tuple[Unread, ...] = ()


class NewestTime(Fact):
    """What a column of times tells: its `newest`, ISO 8601 UTC, of those that can be; None when there is none.

    `beyond`: rows with a time that cannot be, in the future or before the year 1; they count as no newest one.
    """

    newest: str | None = None
    beyond: int = 0
    unread: Unread | None = None

    def problem(self, column: str) -> str:
        """As a finding of `column`; empty when there is nothing to say."""
        if self.unread is not None:
            return self.unread.words("read")
        rows = "1 row has a time" if self.beyond == 1 else f"{self.beyond:,} rows have times"
        return f"{column}: {rows} that cannot be (in the future, or before the year 1)" if self.beyond else ""


class TableKeys(Fact):
    """Primary-key values of one table, as text, sorted numerically when they are integers.

    `keys` is None when the table has no single-column primary key.
    """

    name: str
    column: str | None
    keys: tuple[str, ...] | None
    prints: tuple[int, ...] = Field(default=(), repr=False)
    """For each key a 32-bit fingerprint of its whole row: equal rows have equal ones on any server."""


class Invariant(Fact):
    """One expectation: `sql` returns one value. At least one bound is set.

    `equals` compares as text; `minimum` and `maximum` as numbers.
    """

    name: str
    sql: str
    equals: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    why: str = ""


class InvariantResult(Fact):
    """What an invariant gave. `holds` is None when the query failed; `seen` is a number or a word."""

    name: str
    holds: bool | None
    seen: str
    expected: str
    forbidden: bool = False
    """Whether the server refused the query for the sake of rights or row-level security."""


class CanaryColumn(Fact):
    """An encrypted column of pgcrypto and the plain one beside it: a key that fits makes them equal."""

    table: TableText
    encrypted: str
    plain: str


MANY_APART, SHARE_APART = 5, 0.1
"""Fewer values, and a smaller share of a column's sample, are somebody's work by hand."""


class CanaryResult(Fact):
    """What a key made of the encrypted `column`: numbers of rows, never a value.

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
    """What is not there, such as `table patients_patient` or `extension pgcrypto`; then all numbers are 0."""
    unread: Unread | None = None
    """Why the table cannot be read; then all numbers are 0, too."""

    @property
    def fits(self) -> bool | None:
        """Whether the key opened every row of the sample as it should; None when no row could tell."""
        if self.missing or self.unread or self.sampled == 0:
            return None
        return self.wrong == 0

    @property
    def apart(self) -> int:
        """Values that all open, and few of which say something else than stands beside them: no other key's work."""
        few = self.differing < MANY_APART and self.differing < self.sampled * SHARE_APART
        return self.differing if few and not self.unreadable else 0

    @property
    def wrong(self) -> int:
        """Values that do not open, or too many of which say something else."""
        return self.unreadable + self.differing - self.apart


class SequenceState(Fact):
    """A sequence that gives a column its keys.

    `next` is what it gives out next, `last` what it gave out last (None when never used), `greatest` the key
    furthest in its direction, the lowest when `step` is negative (None when the table is empty). `alone`: the table
    has one row. `ahead`: rows whose keys it has not passed. `taken`: its next value is the key of a row; `soon`: one
    of its next hundred values is.
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
    """Why its column could not be read; then nothing of it is known."""

    @property
    def behind(self) -> bool:
        """Whether it would give out keys that are taken or passed already."""
        if self.greatest is None:
            return False
        return self.next <= self.greatest if self.step > 0 else self.next >= self.greatest

    @property
    def collides(self) -> bool:
        """Whether saving is about to meet a key that is taken.

        A sequence that stands behind in good order: nobody ever used it and the only row was saved under a key of the
        code's own choice (a singleton), or a single row was given a key far ahead and the next value is free.
        """
        if not self.behind:
            return False
        if self.ahead > 1:  # the table has grown past it
            return self.soon
        return self.taken and not (self.alone and self.last is None)


class ForeignKey(Fact):
    """A foreign key of `table`. `orphans`: rows of the table whose other row is not there.

    `unread`: why they could not be counted, named by the key's own table although the other may be the cause.
    """

    table: str
    name: str
    validated: bool
    orphans: int
    columns: tuple[str, ...] = ()
    other: str = ""
    others: tuple[str, ...] = ()
    """The columns of `table`, and those of the table `other` that they must be found in."""
    unread: Unread | None = None


class UniqueKey(Fact):
    """Columns of `table` that are together in one row only."""

    table: str
    columns: tuple[str, ...]


class PasswordResult(Fact):
    """How many accounts were tried with passwords that everybody can read.

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
        """As the code's migrations are named: `app.name`."""
        return f"{self.app}.{self.name}"


class Session(Fact):
    """Another client's session on the database; no query text, which may hold personal data."""

    pid: int
    user: str
    application: str
    state: str
    started_at: Moment | None = None


class LeftOut(Fact):
    """One object of a dump that a restore does without, and why; `of_platform`: it was never the application's."""

    what: str
    why: str
    of_platform: bool = False


def words_of(left_out: Sequence[LeftOut]) -> str:
    """For a person: `event trigger own (only a superuser may make an event trigger); view near (…) and 3 more`."""
    return first_of([f"{one.what} ({one.why})" for one in left_out], _SHOWN, "; ")
