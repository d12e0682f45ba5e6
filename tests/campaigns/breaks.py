"""Every kind of damage is recovered from: each table is as it was in the backup, by one restore."""

from __future__ import annotations

from .kill import RECOVER, finish
from .scale import drawn
from .stand import DAMAGES, Stand
from .tally import Tally


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """One recovery of each damage that is drawn."""
    for how in drawn(DAMAGES, count, seed):
        wrong = stand.damage(how)
        phrase, mark, product = stand.phrase(how), stand.mark(), stand.case(how)
        ended = product.run(*RECOVER, "--confirm", phrase)
        finish(stand, tally, product, mark, how, [*wrong, *ended.complaints(0)])
