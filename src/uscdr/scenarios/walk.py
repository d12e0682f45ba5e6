"""Walk back past the damage to the newest backup that restores, keeps every rule and lost nothing since others.

Each is restored on this machine. The walk tells why it passes one over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.errors import BadInput, ProviderError
from uscdr.scenarios.adapters import Walk
from uscdr.scenarios.fitness import OFF_PLATFORM
from uscdr.scenarios.prover import digest_all
from uscdr.scenarios.tried_backups import TriedBackups
from uscdr.words import first_of, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uscdr.backups.loss import DatabaseState
    from uscdr.engine.step import Reporter
    from uscdr.models.postgres import TableDigest
    from uscdr.models.transfers import Transfer
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.results.db import Proof


def walk(deps: Adapters, owner: str, fit: Sequence[Transfer], tell: Reporter) -> Walk:
    """Walk from the newest of `fit` backwards. Afterwards only the chosen one is open in `deps.candidate`."""
    way, other_key = TriedBackups(deps, owner, tell), None
    passed: list[str] = []
    for place, transfer in enumerate(fit):
        if way.spent and not way.known(transfer):
            return _undecided(
                deps, passed, "too many newer backups are damaged, and the time for choosing is used up", transfer
            )
        reason, doubts = _looked_at(way, transfer, fit[place + 1 :])
        if not reason:
            return _taken(way, transfer, fit[place + 1 :], tuple(passed), doubts)
        if other_key is None and way.proofs.get(transfer.id) and way.proofs[transfer.id].key.opens_nothing:
            other_key = transfer
        passed.append(f"{transfer.name} ({reason})")
    if other_key is not None:  # the key is wrong, and the proof says so
        way.keep(other_key)
        return Walk(other_key)
    whole = [
        one
        for one in fit
        if one.id in way.proofs and not way.proofs[one.id].unfit(deps.config.recovery.encryption_key_variable)
    ]
    if not whole:
        return Walk(None, tuple(passed), undecided="no backup restores as it must", advice=OFF_PLATFORM)
    return _undecided(deps, passed, "every backup shows damage", whole[-1])


def judged_against(
    deps: Adapters, owner: str, transfer: Transfer, before: DatabaseState, tell: Reporter
) -> tuple[str, tuple[str, ...]]:
    """Why a backup is not better than `before`, empty when it is; and what to know of it."""
    way = TriedBackups(deps, owner, tell)
    older = [one for one in deps.backups.transfers(deps.old_attachment()) if one.name == before.name]
    reason, doubts = _looked_at(way, transfer, older)
    proof = way.proofs.get(transfer.id)
    if reason or proof is None:
        return reason, doubts
    if older:
        gone = way.gone(transfer, older[0])
        return "", (*doubts, *([f"it lacks rows that {before.name} has: {first_of(gone)}"] if gone else []))
    found = way.signs_since(transfer, proof, before)  # a kit's dump, or one that the platform has no more
    return first_of(found.damage, comma="; "), (*doubts, *found.doubts)


def _taken(
    way: TriedBackups, transfer: Transfer, older: Sequence[Transfer], passed: tuple[str, ...], doubts: tuple[str, ...]
) -> Walk:
    way.opened(transfer)
    equal, question = _beside_live(way, transfer, older) if not passed and _restores_over(way.deps) else ("", None)
    way.keep(transfer)
    if question is not None:
        return question
    remarks = (*doubts, equal) if equal else doubts
    return Walk(transfer, passed, remarks, _since(transfer, passed))


def _looked_at(way: TriedBackups, transfer: Transfer, older: Sequence[Transfer]) -> tuple[str, tuple[str, ...]]:
    """Why it is passed over, empty for a good one; and what to know of it."""
    proof = way.proof(transfer)
    if proof is None:
        return way.refused[transfer.id], ()
    wants = proof.unfit(way.deps.config.recovery.encryption_key_variable)
    wants = wants or _newer_than_live(way, proof)
    if wants:
        return wants, ()
    found = [way.signs_since(transfer, proof, before) for before in _before(way, transfer)]
    for before in _compared_with(way, older):
        found += way.signs_between(transfer, proof, before)
    damage = [one for sign in found for one in sign.damage]
    return first_of(damage, comma="; "), tuple(dict.fromkeys(one for sign in found for one in sign.doubts))


def _newer_than_live(way: TriedBackups, proof: Proof) -> str:
    """Migrations of the backup that neither the deployed code nor the live database knows; empty when it has none."""
    if not proof.code.ahead:
        return ""
    try:
        here = {one.full_name for one in way.deps.old_database().migrations()}
    except (ProviderError, BadInput):
        return ""
    strange = sorted(set(proof.code.ahead) - here) if here else []
    return (
        f"it has migrations that neither the code nor the live database knows: {first_of(strange)}" if strange else ""
    )


def _compared_with(way: TriedBackups, older: Sequence[Transfer]) -> Iterator[Transfer]:
    """The backup before it, and the oldest: all newest ones have damage that nobody noticed for days."""
    older = [one for one in older if not way.deps.memory.is_undone(one.taken_at)]
    for one in dict.fromkeys((*older[:1], *older[-1:], *(one for one in older if way.known(one)))):
        if way.known(one) or not way.spent:
            yield one


def _before(way: TriedBackups, transfer: Transfer) -> Iterator[DatabaseState]:
    """Known states from before it, whether or not the platform still has their backups."""
    for one in way.deps.earlier().states:
        if one.at <= transfer.taken_at and one.name != transfer.name and transfer.taken_at - one.at <= one.counts_for:
            yield one


def _restores_over(deps: Adapters) -> bool:
    """Whether the backup replaces the live database; a new application takes the old one's last state."""
    return deps.request.scenario == "db"


def _beside_live(way: TriedBackups, transfer: Transfer, older: Sequence[Transfer]) -> tuple[str, Walk | None]:
    """What to say of a backup that equals the live database in every row, or the question that ends this walk.

    The backup may be newer than the damage if the one before it has rows that both lack or have with other content:
    then it is not a default.
    """
    live, volatile = _live(way.deps), way.deps.config.app.volatile_tables
    here = {name: one for name, one in live.items() if name not in volatile}
    there = {one.name: one for one in way.deps.candidate.digests() if one.name not in volatile}
    if not here or here.keys() != there.keys() or not all(one.same(there[name]) for name, one in here.items()):
        return "", None
    equal = f"the live database equals {transfer.name} in every row: restoring it changes nothing"
    found = way.main_lines(transfer, older[0]) if older else []
    missing = [line.brought_back for line in found if line.damaged]
    other = [f"{line.changed:,} of {line.table}" for line in found if line.changed]
    if not missing and not other:
        return f"{equal}, and nothing seems to be damaged", None
    kinds = [f"rows that both lack ({first_of(missing)})"] if missing else []
    kinds += [f"rows with other content ({first_of(other)})"] if other else []
    words = f"{equal}. {older[0].name} has {' and '.join(kinds)}. If that is the damage, "
    return "", _undecided(way.deps, [], f"{words}{transfer.name} was taken after it", older[0])


def _live(deps: Adapters) -> dict[str, TableDigest]:
    """Digests of the live tables; empty when the database cannot be read completely."""
    try:
        found = digest_all(deps.old_database())
    except (ProviderError, BadInput):
        return {}
    return {} if found.unread else {one.name: one for one in found.tables}


def _since(chosen: Transfer, passed: Sequence[str]) -> str:
    if not passed:
        return ""
    return f"the damage came after {chosen.name} of {moment(chosen.taken_at)}"


def _undecided(deps: Adapters, passed: Sequence[str], why: str, proposed: Transfer) -> Walk:
    asked = deps.request
    place = f" --app {asked.app}" if asked.app else ""
    command = f"uscdr recover {asked.scenario}{place} --backup {proposed.name}"
    advice = f"Look at them: uscdr backup list. Then name one: {command}"
    return Walk(None, tuple(passed), undecided=why, advice=advice)
