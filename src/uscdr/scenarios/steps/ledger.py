"""The data-loss ledger: by table and key range, the rows that the restore loses and brings back."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import ProviderError
from uscdr.models.base import is_ours
from uscdr.models.postgres import Unread
from uscdr.scenarios.prover import DumpSource
from uscdr.scenarios.results.db import ChosenBackup, LedgerLine, LossLedger, Proof
from uscdr.scenarios.steps.base import ScenarioStep, sql
from uscdr.words import plural

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from uscdr.backups.loss import DatabaseState
    from uscdr.models.postgres import NewestTime, TableDigest, TableKeys
    from uscdr.providers.ports.database import Database
    from uscdr.scenarios.adapters import Adapters

    _Digests: TypeAlias = tuple[TableDigest | None, TableDigest | None]
    """Of one table: live, and in the backup."""

MOST_RANGES = 12
COMPARED_AT_ONCE = 2
ROWS_AT_ONCE = 100_000
"""Rows whose keys are in memory for each of them, but for a bigger table."""
INTEGER = re.compile("-?[0-9]+")


class LedgerStep(ScenarioStep[LossLedger, LossLedger]):
    """Compares the live database with the proven backup in the scratch database."""

    name = "data.ledger"
    title = "List what will be lost"
    effect = Effect.READ
    manual = ("heroku pg:psql --app {app}   # count(*) and max(id) of each table, against the proof",)
    gives = LossLedger
    needs = (ChosenBackup, Proof)
    waits = "known after the backup is proven"
    slow: ClassVar[bool] = True

    @override
    def probe(self, view: View, tell: Reporter) -> LossLedger:
        proof = view.need(Proof)
        try:
            live = self._deps.database()
            live.facts()
        except ProviderError as error:
            tell.warn(f"uscdr cannot list what the restore will lose: {error.message}")
            return self._unreadable(proof)
        scratch = proven_database(self._deps, view, tell)
        try:
            return self._compare(live, scratch, view, tell)
        except ProviderError as error:
            tell.warn(f"uscdr cannot list what the restore will lose: {error.message}")
            return self._unreadable(proof)

    def _later_states(self, chosen: ChosenBackup) -> list[DatabaseState]:
        return [one for one in self._deps.earlier().states if one.at > chosen.taken_at]

    def _unreadable(self, proof: Proof) -> LossLedger:
        volatile = self._deps.config.app.volatile_tables
        lines = [
            LedgerLine(table=t.name, now=None, backup=t.rows, lost=None, damaged=None, volatile=t.name in volatile)
            for t in proof.tables
        ]
        return LossLedger(
            tables=tuple(lines),
            rows_now=None,
            rows_backup=sum(t.rows for t in proof.tables if t.name not in volatile),
            rows_lost=None,
            readable=False,
        )

    def _compare(self, live: Database, scratch: Database, view: View, tell: Reporter) -> LossLedger:
        tell.progress("reading digests of the live tables")
        found = self._deps.frozen.digests(live)
        now = {digest.name: digest for digest in found.tables}
        then = {digest.name: digest for digest in self._deps.candidate.digests()}
        volatile = set(self._deps.config.app.volatile_tables)
        unread = [_unread_line(live, one, then.pop(one.table, None), volatile) for one in found.unread]
        tell.progress("comparing the tables that differ")
        lines = compared((live, scratch), (now, then), volatile, self._deps.stop.event)
        lines = _with_unseen(lines, self._later_states(view.need(ChosenBackup)))
        lines += unread
        counted = [line for line in lines if not line.volatile]
        return LossLedger(
            tables=tuple(sorted(lines, key=lambda line: line.table)),
            rows_now=sum(line.now or 0 for line in counted),
            rows_backup=sum(line.backup or 0 for line in counted),
            rows_lost=sum((line.lost or 0) + line.unseen for line in counted),
            readable=True,
            now_at_least=any(line.unread and line.now is None for line in counted),
            at_least=any(_is_bound(line) for line in counted),
            last_write=_latest(live.written(self._deps.config.app.freshness).values()),
            undated=_undated(counted, self._deps.config.app.freshness),
        )

    @override
    def plan(self, seen: LossLedger, view: View) -> Action:
        calls = (sql("count, digest and keys of every differing table, on both sides"),)
        return Action("read", _ledger_words(seen), calls)


def proven_database(deps: Adapters, view: View, tell: Reporter) -> Database:
    """The chosen backup, open on this machine; restored again if an earlier process proved it."""
    owner = deps.attachment().owner_app_name
    transfer = deps.backups.transfer(owner, view.need(ChosenBackup).transfer_id)
    deps.candidate.proof(DumpSource.stored(deps.backups, owner, transfer), tell)
    return deps.candidate.open_database()


def compared(
    sides: tuple[Database, Database],
    digests: tuple[Mapping[str, TableDigest], Mapping[str, TableDigest]],
    volatile: Collection[str],
    stop: threading.Event,
) -> list[LedgerLine]:
    """Every table of both sides, by name. Rows that only the first side has are `lost`, only the second `damaged`.

    Raises ProviderError, Interrupted.
    """
    from uscdr.threads import run_all

    now, then = digests
    pairs = {name: (now.get(name), then.get(name)) for name in sorted(now.keys() | then.keys())}
    work = [partial(_keyed_lines, portion, sides, volatile) for portion in _portions(pairs)]
    keyed = {line.table: line for lines in run_all(work, workers=COMPARED_AT_ONCE, stop=stop) for line in lines}
    return [keyed.get(name) or _plain_line(name, pair, volatile=name in volatile) for name, pair in pairs.items()]


def _portions(pairs: Mapping[str, _Digests]) -> list[dict[str, _Digests]]:
    """The tables whose keys must be read, so many at a time that their keys fit into memory; a big table is alone."""
    portions: list[dict[str, _Digests]] = []
    rows = ROWS_AT_ONCE
    for name, (now, then) in pairs.items():
        if now is None or now.same(then) or not (now.rows or then):
            continue
        more = max(now.rows, then.rows if then else 0)
        if rows + more > ROWS_AT_ONCE:
            portions.append({})
            rows = 0
        portions[-1][name] = (now, then)
        rows += more
    return portions


def _ledger_words(ledger: LossLedger) -> str:
    """The ledger in words, for people in the clinic."""
    if not ledger.readable:
        stored = plural(ledger.rows_backup, "row")
        return f"uscdr cannot read the damaged database, so it cannot list the lost rows; the backup has {stored}"
    lost = [f"{line.table} {line.lost:,} ({', '.join(line.ranges)})" for line in _counted(ledger) if line.lost]
    back = [f"{line.table} {line.damaged:,}" for line in _counted(ledger) if line.damaged]
    changed = [f"{line.table} {line.changed:,}" for line in _counted(ledger) if line.changed]
    words = ["the restore loses " + ("; ".join(lost) if lost else "no row, as far as keys show")]
    words += ["It restores rows: " + "; ".join(back)] if back else []
    words += ["It overwrites rows that differ from the backup: " + "; ".join(changed)] if changed else []
    unseen = [f"{line.table} {line.unseen:,}" for line in _counted(ledger) if line.unseen]
    words += (
        ["Rows lost by the damage, known only from a proof or the baseline: " + "; ".join(unseen)] if unseen else []
    )
    words += ["Lost rows newer than the backup cannot be counted"] if ledger.at_least else []
    unknown = [line.unread or line.table for line in _counted(ledger) if line.lost is None]
    words += ["More may be lost in tables that cannot be compared: " + "; ".join(unknown)] if unknown else []
    return ". ".join([*words, f"{plural(ledger.rows_now or 0, 'row')} now, {ledger.rows_backup:,} in the backup"])


def _is_bound(line: LedgerLine) -> bool:
    """Whether the damage may have deleted unknown rows of this table, written since the backup."""
    return line.lost is None or line.now is None or bool(line.damaged) or bool(line.unseen)


def _with_unseen(lines: Iterable[LedgerLine], later: Sequence[DatabaseState]) -> list[LedgerLine]:
    """Adds the rows that a state after the backup had, and that neither side has now."""
    found = []
    for line in lines:
        known = max((state.rows.get(line.table, 0) for state in later), default=0)
        together = (line.now or 0) + (line.damaged or 0)
        found.append(line.model_copy(update={"unseen": max(0, known - together)}))
    return found


def _counted(ledger: LossLedger) -> list[LedgerLine]:
    return [line for line in ledger.tables if not line.volatile]


def _keyed_lines(
    portion: Mapping[str, _Digests], sides: tuple[Database, Database], volatile: Collection[str]
) -> list[LedgerLine]:  # fmt: skip
    """The lines of tables that differ: the keys of all of them are asked together. Raises ProviderError."""
    wanted = {name: _differing(now, then) if now and then else None for name, (now, then) in portion.items()}
    live = _live_keys(sides[0], wanted)
    twofold = {name: wanted[name] for name, (_, then) in portion.items() if then}
    stored = sides[1].keys(twofold) if twofold else {}
    return [
        _line(name, pair, (live[name], stored[name]), volatile=name in volatile)
        if name in stored
        else _plain_line(name, pair, live[name], volatile=name in volatile)
        for name, pair in portion.items()
    ]


def _live_keys(
    live: Database, wanted: Mapping[str, Sequence[int] | None]
) -> Mapping[str, TableKeys | Unread]:  # fmt: skip
    try:
        return live.keys(wanted)
    except ProviderError as error:  # the digests could be read a moment ago
        return {name: Unread(table=name, why=error.message) for name in wanted}


def _line(
    name: str, digests: _Digests, keys: tuple[TableKeys | Unread, TableKeys | Unread], *, volatile: bool
) -> LedgerLine:  # fmt: skip
    now, then = (one.rows if one else 0 for one in digests)
    live, stored = keys
    if isinstance(stored, Unread):
        raise ProviderError(f"The proven backup cannot be read: {stored.words('compared')}.", provider="postgres")
    if isinstance(live, Unread):
        return LedgerLine(
            table=name, now=now, backup=then, lost=None, damaged=None, volatile=volatile, unread=live.words("compared")
        )
    if live.keys is None or stored.keys is None:
        return LedgerLine(
            table=name, now=now, backup=then, lost=max(0, now - then), damaged=max(0, then - now), volatile=volatile
        )
    only_live, only_stored = _difference(live, stored)
    return LedgerLine(
        table=name, now=now, backup=then, lost=len(only_live), damaged=len(only_stored), ranges=_ranges(only_live),
        changed=_changed(live, stored), volatile=volatile,
    )  # fmt: skip


def _plain_line(
    name: str, digests: _Digests, keys: TableKeys | Unread | None = None, *, volatile: bool
) -> LedgerLine:  # fmt: skip
    """A table that is the same on both sides, or that only one side has. Its digest has the number of rows."""
    now, then = digests
    both = now is not None and then is not None
    known = keys.keys if keys is not None and not isinstance(keys, Unread) else ()
    return LedgerLine(
        table=name,
        now=now.rows if now else None,
        backup=then.rows if then else None,
        lost=now.rows if now and not both else 0,
        damaged=then.rows if then and not both else 0,
        ranges=_ranges(known or ()),
        volatile=volatile,
    )


def _difference(live: TableKeys, stored: TableKeys) -> tuple[list[str], list[str]]:
    mine, theirs = set(live.keys or ()), set(stored.keys or ())
    return [key for key in live.keys or () if key not in theirs], [key for key in stored.keys or () if key not in mine]


def _differing(now: TableDigest, then: TableDigest) -> list[int] | None:
    """The buckets in which the two sides differ; None if the table has none."""
    if not now.buckets and not then.buckets:
        return None
    return [
        part for part in now.buckets.keys() | then.buckets.keys() if now.buckets.get(part) != then.buckets.get(part)
    ]


def _changed(live: TableKeys, stored: TableKeys) -> int:
    """The number of rows with the same key and different content."""
    theirs = dict(zip(stored.keys or (), stored.prints, strict=True))
    return sum(1 for key, mine in zip(live.keys or (), live.prints, strict=True) if theirs.get(key, mine) != mine)


def _ranges(keys: Sequence[str]) -> tuple[str, ...]:
    """Sorted integer keys as ranges such as `812-840`, at most twelve.

    Keys that are not integers may be personal data, so only their number is shown.
    """
    if not keys:
        return ()
    if not all(INTEGER.fullmatch(key) for key in keys):
        return ("1 key that is not a number" if len(keys) == 1 else f"{len(keys):,} keys that are not numbers",)
    numbers = sorted(int(key) for key in keys)
    runs = [[value for _, value in group] for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    words = [f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    more = len(words) - MOST_RANGES
    return (*words[:MOST_RANGES], f"and {more:,} more ranges") if more > 0 else tuple(words)


def _unread_line(live: Database, unread: Unread, then: TableDigest | None, volatile: Collection[str]) -> LedgerLine:
    """A line for a table whose rows cannot be read; they may still be counted."""
    try:
        rows = live.counted([unread.table]).rows.get(unread.table)
    except ProviderError:
        rows = None
    return LedgerLine(
        table=unread.table, now=rows, backup=then.rows if then else None, lost=None, damaged=None,
        volatile=unread.table in volatile, unread=unread.words("compared"),
    )  # fmt: skip


def _undated(lines: Iterable[LedgerLine], freshness: Iterable[str]) -> tuple[str, ...]:
    dated = {column.rpartition(".")[0] for column in freshness}
    losing = (one for one in lines if one.lost or one.lost is None or one.unseen)
    return tuple(one.table for one in losing if one.table not in dated)


def _latest(columns: Iterable[NewestTime]) -> datetime | None:
    """The newest time; None also if a column cannot be read, because it may hold a newer one."""
    written = tuple(columns)
    if any(one.unread for one in written):
        return None
    known = [datetime.fromisoformat(one.newest) for one in written if one.newest]
    aware = [time for time in known if time.tzinfo is not None and is_ours(time)]
    return max(aware, default=None)
