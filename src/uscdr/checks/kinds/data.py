"""The numbers of rows of the tables, counted exactly in one transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr
from typing_extensions import override

from uscdr.checks.baseline import NO_BASELINE
from uscdr.checks.check import CheckSpec, Provider
from uscdr.checks.verdict import Finding
from uscdr.models.base import Duration, aged
from uscdr.models.data_settings import ColumnName, ColumnText, TableName, TableText
from uscdr.redaction import fingerprint
from uscdr.words import duration, first_of, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.checks.context import CheckContext
    from uscdr.models.postgres import CanaryResult, TableDigest


class RowsCheck(CheckSpec):
    """Compares exact counts with the baseline and with minimums."""

    kind: Literal["rows"]
    tables: tuple[TableText, ...] = ()
    """Empty: the tables that scenarios.yaml expects, without the volatile ones."""
    minimum: dict[TableText, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Table -> the minimum number of rows. Every table in `tables` must exist."""
    shrink: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The share of its rows that a table may lose since the baseline; losing all of them always fails."""

    provider: ClassVar[Provider] = "database"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        named = self.tables or tuple(one for one in context.expected.tables if one not in context.expected.volatile)
        wanted = tuple(dict.fromkeys((*named, *self.minimum)))
        if not wanted:
            return Finding("inconclusive", "no table is named, neither here nor in `expected_tables`")
        database = context.database()
        gone = database.lacking(wanted)
        found = database.counted([table for table in wanted if table not in gone])
        counts = found.rows
        before: Mapping[str, int] = {
            str(TableName.parse(table)): rows for table, rows in context.before(name).get("rows", {}).items()
        }
        problems = [
            *([f"missing: {first_of(gone)}"] if gone else []),
            *_too_few(self, counts),
            *_lost(self, counts, before),
        ]
        words = f"{plural(sum(counts.values()), 'row')} in {plural(len(counts), 'table')}"
        finding = Finding.weighed(problems, [], f"{words}; {_against(counts, before)}", {"rows": dict(counts)})
        return finding.as_far_as_read(found.unread, "counted")


def _too_few(spec: RowsCheck, counts: Mapping[str, int]) -> list[str]:
    return [
        f"{table} has {plural(counts[table], 'row')}, expected at least {least:,}"
        for table, least in spec.minimum.items()
        if table in counts and counts[table] < least
    ]


def _lost(spec: RowsCheck, counts: Mapping[str, int], before: Mapping[str, int]) -> list[str]:
    lost = [
        f"{table} {before[table]:,} -> {now:,}"
        for table, now in counts.items()
        if before.get(table, 0) and (now == 0 or (before[table] - now) / before[table] > spec.shrink)
    ]
    return [f"rows lost since the baseline: {first_of(lost)}"] if lost else []


def _against(counts: Mapping[str, int], before: Mapping[str, int]) -> str:
    known = [table for table in counts if table in before]
    if not known:
        return NO_BASELINE
    new = f", {plural(len(counts) - len(known), 'table')} not in it" if len(known) < len(counts) else ""
    return f"the baseline has {sum(before[table] for table in known):,}{new}"


# Compares the content of tables with the baseline, row by row.


class ContentCheck(CheckSpec):
    """Compares digests of whole tables with the baseline: for tables that daily work does not change."""

    kind: Literal["content"]
    tables: Annotated[tuple[TableText, ...], Field(min_length=1)]
    may_grow: bool = False
    """Rows may be added and changed; only fewer rows are a failure."""

    provider: ClassVar[Provider] = "database"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        database = context.database()
        gone = database.lacking(self.tables)
        found = database.digested([table for table in dict.fromkeys(self.tables) if table not in gone])
        digests = found.tables
        before: Mapping[str, Mapping[str, Any]] = {
            str(TableName.parse(table)): told for table, told in context.before(name).get("tables", {}).items()
        }
        compared = [one for one in digests if one.name in before]
        new = [one for one in digests if one.name not in before]
        problems = [
            *([f"missing: {first_of(gone)}"] if gone else []),
            *_changed(self, compared, before),
            *([f"empty: {first_of(_empty(new))}"] if _empty(new) else []),
        ]
        measured = {"tables": {one.name: {"rows": one.rows, "digest": one.digest} for one in digests}}
        return Finding.weighed(problems, [], _content_good(compared, new, self), measured).as_far_as_read(
            found.unread, "read"
        )


def _empty(digests: list[TableDigest]) -> list[str]:
    return [one.name for one in digests if not one.rows]


def _changed(spec: ContentCheck, digests: list[TableDigest], before: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lost, other = [], []
    for one in digests:
        rows, digest = before[one.name]["rows"], before[one.name]["digest"]
        if one.rows < rows or (one.rows > rows and not spec.may_grow):
            lost.append(f"{one.name} {rows:,} -> {one.rows:,}")
        elif one.digest != digest and not spec.may_grow:
            other.append(one.name)
    return [
        *([f"rows differ from the baseline: {first_of(lost)}"] if lost else []),
        *([f"as many rows as in the baseline, but other content: {first_of(other)}"] if other else []),
    ]


def _content_good(compared: list[TableDigest], new: list[TableDigest], spec: ContentCheck) -> str:
    rows = plural(sum(one.rows for one in new), "row")
    fresh = f"no baseline: {rows} in {plural(len(new), 'table')} not compared" if new else ""
    same = "nothing lost" if spec.may_grow else "the same"
    rows = plural(sum(one.rows for one in compared), "row")
    words = f"{rows} in {plural(len(compared), 'table')}: {same} since the baseline" if compared else ""
    return "; ".join(filter(None, (words, fresh)))


# The newest times in the data: they never decrease, and are never in the future.


class FreshnessCheck(CheckSpec):
    """The time of the last write, from the rows themselves."""

    kind: Literal["freshness"]
    columns: tuple[ColumnText, ...] = ()
    """`table.column` with a time. Empty: those of `freshness` in scenarios.yaml."""
    max_age: Duration | None = None
    """The greatest age of each column's newest time."""

    provider: ClassVar[Provider] = "database"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        columns = self.columns or context.expected.freshness
        told = context.database().written(columns) if columns else {}
        newest = {column: one.newest for column, one in told.items() if one.newest}
        times = {column: datetime.fromisoformat(text) for column, text in newest.items()}
        then: Mapping[str, str] = context.before(name).get("newest", {})
        before = {
            str(ColumnName.parse(column)): at for column, text in then.items() if (at := _time(text, context.now()))
        }
        read = tuple(column for column in columns if told[column].unread is None)
        problems = [
            *filter(None, (one.problem(column) for column, one in told.items() if one.unread is None)),
            *_backwards(read, times, before),
            *_old(times, self.max_age, context.now()),
        ]
        finding = _judged(problems, self, [column for column in read if column not in times], times)
        if finding.verdict == "pass":
            finding = replace(finding, evidence=_times_good(times, finding.evidence, before, context.now()))
        return replace(finding, measures={"newest": newest}).as_far_as_read(
            (one.unread for one in told.values()), "read"
        )


def _judged(problems: list[str], spec: FreshnessCheck, empty: list[str], times: Mapping[str, datetime]) -> Finding:
    """The evidence of a pass has remarks beside the newest time."""
    said = f"no time in {first_of(empty)}" if empty else ""
    if problems:
        return Finding("fail", "; ".join(problems))
    if not times or (empty and spec.max_age is not None):
        return Finding("inconclusive", said or "no column is named")
    return Finding("pass", said)


def _time(text: str, now: datetime) -> datetime | None:
    """Parse a time; None for an impossible one, which baselines of earlier versions may contain."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:  # a year beyond 9999
        return None
    return at if at <= now else None


def _backwards(columns: tuple[str, ...], times: Mapping[str, datetime], before: Mapping[str, datetime]) -> list[str]:
    known = [column for column in columns if column in before]
    lost = [column for column in known if column not in times]
    older = [
        f"{column} by {_span(before[column] - times[column])}"
        for column in known
        if column in times and times[column] < before[column]
    ]
    return [
        *([f"no time left in {first_of(lost)}"] if lost else []),
        *([f"older than in the baseline: {first_of(older)}"] if older else []),
    ]


def _old(times: Mapping[str, datetime], max_age: float | None, now: datetime) -> list[str]:
    if max_age is None:
        return []
    allowed = timedelta(seconds=max_age)
    old = [f"{column} {aged(newest, now)}" for column, newest in times.items() if now - newest > allowed]
    return [f"older than {_span(allowed)}: {first_of(old)}"] if old else []


def _times_good(times: Mapping[str, datetime], said: str, before: Mapping[str, datetime], now: datetime) -> str:
    column = max(times, key=lambda one: times[one])
    words = f"the newest of {len(times)}: {column}, {aged(times[column], now)} ago"
    words += f"; {said}" if said else ""
    return words if any(one in before for one in times) else f"{words}; {NO_BASELINE}"


def _span(span: timedelta) -> str:
    return duration(span.total_seconds())


# Tries the application's key on a sample of the encrypted columns, in the database.


class DecryptCheck(CheckSpec):
    """Encrypted columns decrypt to their plain columns, and are not empty."""

    kind: Literal["decrypt"]
    sample: Annotated[int, Field(ge=1, le=10_000)] = 200
    """The sample size per column."""
    unencrypted: Annotated[int, Field(ge=0)] = 0
    """Without a baseline: the largest allowed number of values in plain text only."""

    provider: ClassVar[Provider] = "database"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        variable, columns = context.expected.key, context.expected.canaries
        if not variable or not columns:
            return Finding("inconclusive", "scenarios.yaml names no encrypted column, or no key for it")
        key = context.facts.config().get(variable, SecretStr(""))
        if not key.get_secret_value():
            return Finding(
                "fail", f"the config variable {variable} is not set: the application can neither decrypt nor encrypt"
            )
        results = context.database().canary(columns, key, sample=self.sample)
        bare = {f"{one.table}.{one.column}": one.unencrypted for one in results if not (one.missing or one.unread)}
        before: Mapping[str, int] = context.before(name).get("unencrypted", {})
        problems = [
            *(f"there is no {one.missing}" for one in results if one.missing),
            *_unreadable(results, variable),
            *_unencrypted(bare, before, self.unencrypted),
        ]
        sampled = sum(one.sampled for one in results)
        if not problems and not sampled:
            nothing = Finding("inconclusive", "the sample has no encrypted value to try the key on")
            return nothing.as_far_as_read((one.unread for one in results), "read")
        measured = {"unencrypted": bare, "key": fingerprint(key, context.app)}
        finding = Finding.weighed(problems, [], _key_good(variable, results, sampled, bare), measured)
        return finding.as_far_as_read((one.unread for one in results), "read")


def _unreadable(results: tuple[CanaryResult, ...], variable: str) -> list[str]:
    wrong = [f"{one.wrong} of {one.sampled} in {one.table}.{one.column}" for one in results if one.fits is False]
    other = (
        "" if any(one.unreadable for one in results) else ": they decrypt to something else than their plain columns"
    )
    return [f"{variable} does not fit {first_of(wrong)}{other}"] if wrong else []


def _unencrypted(bare: Mapping[str, int], before: Mapping[str, int], allowed: int) -> list[str]:
    """Compare with the baseline by column, or all together with the maximum."""
    grown = [
        f"{name} {before[name]:,} -> {now:,}" for name, now in bare.items() if name in before and now > before[name]
    ]
    new = {name: now for name, now in bare.items() if name not in before and now}
    problems = [f"more values in plain text only than in the baseline: {first_of(grown)}"] if grown else []
    if sum(new.values()) > allowed:
        words = f"{plural(sum(new.values()), 'value')} in plain text only, allowed are {allowed:,}"
        problems.append(f"{words}: {first_of([f'{name} ({now:,})' for name, now in new.items()])}")
    return problems


def _key_good(variable: str, results: tuple[CanaryResult, ...], sampled: int, bare: Mapping[str, int]) -> str:
    tried = [one for one in results if one.sampled]
    words = f"{variable} decrypts all of {plural(sampled, 'sampled value')} in {plural(len(tried), 'column')}"
    empty = [f"{one.table}.{one.column}" for one in results if not (one.sampled or one.unread)]
    words += f"; nothing encrypted in {first_of(empty)}" if empty else ""
    apart = [f"{one.apart} of {one.sampled} in {one.table}.{one.column}" for one in results if one.apart]
    words += f"; INSPECT {first_of(apart)}: they decrypt to something else than their plain columns" if apart else ""
    return words + (f"; {sum(bare.values()):,} in plain text only" if any(bare.values()) else "")


# Whether a privileged account has a password from the application's public repository.


PART = 0.7
"""The share of the check's time for hashing, so that a slow hash does not look like a hanging database."""


class PasswordsCheck(CheckSpec):
    """No active privileged account has a published password."""

    kind: Literal["passwords"]
    published: Annotated[tuple[SecretStr, ...], Field(min_length=1)]
    """Default passwords from the repository."""
    query: Annotated[str, Field(min_length=1)]
    """Returns (id, hash) of the active privileged accounts."""

    provider: ClassVar[Provider] = "database"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        result = context.database().published_passwords(self.query, self.published, seconds=self.timeout * PART)
        if result.matching:
            number = len(result.matching)
            words = f"{plural(number, 'active account')} {'has' if number == 1 else 'have'} a publicly known password"
            return Finding("fail", f"{words}: id {first_of(result.matching)}")
        if result.untestable:
            total = result.tested + result.untestable
            return Finding("inconclusive", f"uscdr could not test {result.untestable} of {plural(total, 'account')}")
        if not result.tested:
            return Finding("inconclusive", "the query found no account")
        tried = plural(len(self.published), "published password")
        return Finding(
            "pass", f"{plural(result.tested, 'account')}, none has one of {tried}", {"accounts": result.tested}
        )
