"""Earlier states of a database: the baseline of `verify`, and the proofs of its backups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from uscdr.backups.loss import DatabaseState, Earlier
from uscdr.backups.proofs import ProofDocument, Proofs
from uscdr.checks.baseline import Baseline
from uscdr.errors import UscdrError
from uscdr.models.data_settings import TableName
from uscdr.wiring.stores import open_store

if TYPE_CHECKING:
    from uscdr.backups.catalog import Scope
    from uscdr.wiring.context import RunContext

BASELINE = "the baseline"
PROVEN_FOR = timedelta(days=14)
"""How long a proof counts. Proofs are frequent; a baseline counts until the operator saves a new one."""


def earlier(context: RunContext, of: Scope, undone: Callable[[datetime], bool]) -> Earlier:
    """The earlier states that are readable; an unreadable store or baseline adds none.

    `undone` says whether a restore has replaced the state of that time.
    """
    baseline, proofs = _baseline(context), tuple(_proofs(context, of))
    whole = (one for one in proofs if one.counts and one.sound and one.transfer_id not in of.damaged)
    states = [_proven(one) for one in whole if not undone(one.taken_at)]
    keys = [
        (f"the proof of {one.backup}", one.proven_at, one.canary.fingerprint)
        for one in proofs
        if one.canary.verdict == "pass" and one.canary.fingerprint
    ]
    if baseline is not None:
        states += [] if undone(baseline.taken_at) else [_of_baseline(baseline)]
        keys += [(BASELINE, baseline.taken_at, key) for key in _values(baseline, "key") if isinstance(key, str)]
    ordered = sorted(states, key=lambda one: one.at)
    return Earlier(tuple(ordered), tuple(sorted(keys, key=lambda one: one[1])))


def _baseline(context: RunContext) -> Baseline | None:
    try:
        return Baseline.read(context.state, context.target.key)
    except UscdrError:
        return None


def _proofs(context: RunContext, of: Scope) -> Iterator[ProofDocument]:
    """The proofs of this database's backups, one for each dump."""
    try:
        found = Proofs(open_store(None, context.target.config, context.state, context.env)).all()
    except (UscdrError, OSError):
        return
    yield from (one for one in found if of.owns(one))


def _proven(one: ProofDocument) -> DatabaseState:
    return DatabaseState(one.backup, one.taken_at, one.counts, one.newest, counts_for=PROVEN_FOR)


def _of_baseline(baseline: Baseline) -> DatabaseState:
    rows: dict[str, int] = {}
    newest: dict[str, str | None] = {}
    for counted in _values(baseline, "rows"):
        rows |= {str(TableName.parse(table)): number for table, number in _mapping(counted).items()}
    for times in _values(baseline, "newest"):
        newest |= _mapping(times)
    return DatabaseState(BASELINE, baseline.taken_at, rows, newest)


def _values(baseline: Baseline, name: str) -> Iterator[Any]:
    yield from (measures[name] for measures in baseline.checks.values() if name in measures)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
