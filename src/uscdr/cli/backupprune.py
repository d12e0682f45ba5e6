"""Removing copies that retention does not keep: shown first, and done only with the phrase that was shown."""

from __future__ import annotations

from uscdr.cli.backupdesk import Wiring, desk
from uscdr.cli.conduct import operate
from uscdr.cli.invocation import Globals
from uscdr.cli.wishes import lasting
from uscdr.scenarios.backups.prunable import prunable
from uscdr.scenarios.deps import Request
from uscdr.ui.console import Output
from uscdr.ui.tables import show_table
from uscdr.vault.backups.catalog import Shelf
from uscdr.vault.backups.pruning import Pruning
from uscdr.words import moment, size


def prune(given: Globals, to: str | None, confirm: str | None, *, as_json: bool) -> None:
    """The dry run; with the right phrase, the removal. The platform is not asked, and nothing of it removed."""
    output = given.output(json_lines=as_json)
    with desk(given, output, Wiring(to)) as work:
        planned = prunable(work.deps, work.shelf())
        _show(planned, output)
        done = confirm is not None and bool(planned.ids)
        if done:
            operate(given, output, Request("prune", to=lasting(to)[0]), phrase=confirm)
        _tell(planned, output, left=_left(planned, work.shelf()) if done else None)


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


def _left(planned: Pruning, there: Shelf) -> frozenset[str]:
    """What the store's own retention did not let go."""
    return frozenset(planned.ids) & {*there.unfinished, *(card.id for card in there.copies)}


def _tell(planned: Pruning, output: Output, *, left: frozenset[str] | None) -> None:
    """`left`: what is still there after a removal; None: nothing was removed."""
    something, done = bool(planned.ids), left is not None
    gone = [card for card in planned.copies if card.id not in (left or ())]
    if output.json_lines:
        output.record(
            {
                "removed": done,
                "copies": [card.id for card in gone],
                "held": sorted(left or ()),
                "stays": planned.stays,
                "leftovers": planned.leftovers,
                "kept": planned.kept,
                "bytes": planned.bytes,
                "newest_proven": planned.proven.id if planned.proven else None,
                "phrase": planned.phrase if something and not done else None,
            }
        )
    elif done:
        freed = size(sum(card.dump.size for card in gone))
        output.result(f"removed: {len(gone)} of {len(planned.copies) + planned.kept} copies, {freed}")
        if left:
            output.result(f"still there, held by the store's own retention: {', '.join(sorted(left))}")
        if planned.stays and gone:
            output.result(f"of what was removed: {planned.stays}")
    elif something:
        output.result(f"phrase {planned.phrase}")
        output.say("Nothing was removed. To do it: uscdr backup prune --confirm '…' with that phrase.")
    elif planned.proven is None:
        output.say("Without a proven copy nothing is removed: uscdr backup prove")
