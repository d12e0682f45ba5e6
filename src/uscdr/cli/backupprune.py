"""Removing copies that retention does not keep: shown first, and done only with the phrase that was shown."""

from __future__ import annotations

from uscdr.assembly import vault
from uscdr.cli.backupdesk import Wiring, desk
from uscdr.cli.context import Globals
from uscdr.engine.gate import Gate
from uscdr.engine.step import Blast
from uscdr.errors import Declined
from uscdr.scenarios.deps import now
from uscdr.ui.console import Output
from uscdr.ui.tables import show_table
from uscdr.vault.backups import pruning
from uscdr.vault.backups.pruning import Pruning
from uscdr.words import moment, size


def prune(given: Globals, to: str | None, confirm: str | None, *, as_json: bool) -> None:
    """The dry run; with the right phrase, the removal. The platform is not asked, and nothing of it removed."""
    output = given.output(json_lines=as_json)
    with desk(given, output, Wiring(to)) as work:
        shelf = work.shelf()
        rule = vault.settings(work.deps.config).retention
        at = now()
        planned = pruning.plan(work.copies(shelf), shelf, rule, at)
        _show(planned, output)
        if confirm is None or not (planned.copies or planned.leftovers):
            _tell(planned, output, done=False)
            return
        Gate(work.around.asker, confirm).confirm(Blast(planned.facts, (planned.phrase,)))
        with work.turn("removing copies", output.say):
            shelf = work.shelf()
            if pruning.plan(work.copies(shelf), shelf, rule, at) != planned:
                raise Declined(
                    "What is in the store changed since this was shown; nothing was removed.",
                    next_action="Look again: uscdr backup prune",
                )
            pruning.carry_out(work.store, planned)
        _tell(planned, output, done=True)


def _show(planned: Pruning, output: Output) -> None:
    if output.json_lines:
        return
    rows = [
        {
            "copy": card.id,
            "backup": card.origin.name,
            "taken": moment(card.origin.taken_at),
            "size": size(card.dump.size),
        }
        for card in planned.copies
    ]
    show_table(rows, output, empty="No copy would be removed.")
    for copy in planned.leftovers:
        output.result(f"left of a pull or removal that was cut off: {copy}")
    for name, value in planned.facts.items():
        output.result(f"{name}: {value}")


def _tell(planned: Pruning, output: Output, *, done: bool) -> None:
    something = bool(planned.copies or planned.leftovers)
    if output.json_lines:
        output.record(
            {
                "removed": done,
                "copies": [card.id for card in planned.copies],
                "leftovers": planned.leftovers,
                "kept": planned.kept,
                "bytes": planned.bytes,
                "newest_proven": planned.proven.id if planned.proven else None,
                "phrase": planned.phrase if something and not done else None,
            }
        )
    elif done:
        output.result(
            f"removed: {len(planned.copies)} of {len(planned.copies) + planned.kept} copies, {size(planned.bytes)}"
        )
    elif something:
        output.result(f"phrase {planned.phrase}")
        output.say("Nothing was removed. To do it: uscdr backup prune --confirm '…' with that phrase.")
    elif planned.proven is None:
        output.say("Without a proven copy nothing is removed: uscdr backup prove")
