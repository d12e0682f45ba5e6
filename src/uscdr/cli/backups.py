"""Listing and capturing backups, on the same ports that a recovery uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from uscdr.cli.backupdesk import Desk, Wiring, desk
from uscdr.cli.context import Globals, state
from uscdr.cli.speech import Speech
from uscdr.engine.step import Intent
from uscdr.errors import AnswerLost, BadInput, CheckFailed, OutcomeUnknown
from uscdr.journal import lock
from uscdr.models.duration import elapsed
from uscdr.models.heroku import Transfer, TransferKind, under_way
from uscdr.scenarios.deps import Deps, now
from uscdr.scenarios.steps import transfers
from uscdr.scenarios.steps.assess import backup_line
from uscdr.settings import operator
from uscdr.team.claim import Wish
from uscdr.team.team import open_team
from uscdr.ui.console import Output
from uscdr.ui.tables import show_table
from uscdr.vault.backups.catalog import Entry, judged
from uscdr.vault.backups.eviction import Eviction, eviction
from uscdr.vault.backups.grade import Judgement
from uscdr.words import duration, moment, plural, size


def show(given: Globals, to: str | None, *, as_json: bool) -> None:
    """The list, oldest first, on stdout: platform and copies together."""
    output = given.output(json_lines=as_json)
    with desk(given, output, Wiring(to)) as work:
        graded = judged(work.entries_if_it_answers(), now(), work.deps.config.objectives.rpo)
    row = _record if output.json_lines else _row
    show_table([row(entry, verdict) for entry, verdict in graded], output, empty="No backup.")


def _row(entry: Entry, verdict: Judgement) -> dict[str, object]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "taken": moment(entry.taken_at),
        "age": duration(entry.age(now())),
        "size": size(entry.size),
        "where": "-" if entry.where == "nowhere" else entry.where,
        "grade": verdict.grade.value,
        "proven": f"{duration(_since_proof(entry))} ago" if entry.proof else "never",
        "why_no_better": "; ".join(filter(None, (verdict.why, *verdict.remarks))),
    }


def _record(entry: Entry, verdict: Judgement) -> dict[str, object]:
    transfer, proof = entry.transfer, entry.proof
    return {
        "name": entry.name,
        "kind": entry.kind,
        "state": transfer.state.value if transfer else "completed",
        "created_at": (transfer.created_at if transfer else entry.copies[0].origin.created_at).isoformat(),
        "taken_at": entry.taken_at.isoformat(),
        "finished_at": entry.finished_at.isoformat() if entry.finished_at else None,
        "age_seconds": entry.age(now()),
        "bytes": entry.size,
        "warnings": entry.warnings,
        "expired": transfer.expired if transfer else False,
        "where": entry.where,
        "grade": verdict.grade.value,
        "why": verdict.why,
        "remarks": verdict.remarks,
        "proven_at": proof.proven_at.isoformat() if proof else None,
        "sha256": proof.sha256 if proof else entry.copies[0].dump.plain_sha256 if entry.copies else None,
        "copies": [card.id for card in entry.copies],
    }


def _since_proof(entry: Entry) -> float:
    return elapsed(entry.proof.proven_at, now()) if entry.proof else 0.0


def capture(given: Globals, to: str | None = None, *, evict: bool = False, as_json: bool) -> None:
    """Start a backup, wait, say its name. A lost answer is looked for, never repeated."""
    output = given.output(json_lines=as_json)
    done = take(given, output, to, evict=evict)
    if output.json_lines:
        output.record(backup_line(done, done.unusable).model_dump(mode="json"))
    else:
        output.result(f"{done.name}  {size(done.processed_bytes)}")


def take(given: Globals, output: Output, to: str | None = None, *, evict: bool = False) -> Transfer:
    """A fresh backup once it is complete; says on stderr how it goes, and before that what it costs."""
    speech = Speech(output)
    with desk(given, output, Wiring(to, read_only=False)) as work:
        work.deps.describe_app()
        with _alone(work):
            _weigh(eviction(work.entries()), output, evict=evict)
            return _capture(work, speech)


@contextmanager
def _alone(work: Desk) -> Iterator[None]:
    """Not beside a recovery of the same target, here or at a colleague's. Raises LockHeld."""
    who, words, key = operator(os.environ), "uscdr backup capture", work.job.place.key
    team = open_team(os.environ)
    with ExitStack() as stack:
        stack.enter_context(lock.hold(state(), key, who, words))
        if team is not None:
            stack.enter_context(team.claim(state(), Wish(key, work.job.run, who, words)))
        yield


def _weigh(goes: Eviction | None, output: Output, *, evict: bool) -> None:
    """Say which backup the platform will drop. Raises CheckFailed for the newest proven one, unless that is wished."""
    if goes is None:
        return
    name = goes.entry.name
    kept = f"The platform keeps {plural(goes.kept, 'manual backup')}, and drops {name} for the new one"
    if goes.newest_proven and not evict:
        raise CheckFailed(
            f"{name} would be lost, and it is the newest proven backup anywhere.",
            why=f"{kept}; there is no copy of it off the platform. The new one is not proven yet.",
            next_action=f"Copy it first: uscdr backup pull --backup {name}. To lose it all the same: --evict",
        )
    if goes.newest_proven:
        output.warn(f"{kept}: THE NEWEST PROVEN BACKUP ANYWHERE (--evict).")
    elif goes.last_proven_here:
        output.warn(f"{kept}: the last proven one that it holds. Prove the new one: uscdr backup prove")
    else:
        output.say(f"{kept}.")


def _capture(work: Desk, speech: Speech) -> Transfer:
    deps: Deps = work.deps
    attachment = deps.attachment()
    owner = attachment.owner_app_name
    before = deps.backups.transfers(attachment)
    running = under_way(before, owner)
    if running:
        raise BadInput(running)
    intent = Intent("", {"newest_transfer": transfers.newest_number(before)}, None)
    try:
        accepted = deps.backups.capture(attachment.addon_id)
    except AnswerLost as error:
        found = transfers.find(deps, attachment, (TransferKind.MANUAL_BACKUP,), intent, speech)
        if found.provider_id is None:
            raise OutcomeUnknown(
                "It is not known whether the backup was started.", why=error.message,
                next_action="Look: uscdr backup list",
            ) from error  # fmt: skip
        return transfers.adopt(deps, owner, found.provider_id, speech)
    return transfers.follow(deps, owner, accepted, speech)
