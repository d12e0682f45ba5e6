"""Every kind of damage is recovered from: each table is as it was in the backup, by one restore."""

from __future__ import annotations

from .kill import RECOVER, finish
from .stand import DAMAGES, Stand
from .tally import Tally


def run(stand: Stand, tally: Tally) -> None:
    """One recovery of each damage."""
    for how in DAMAGES:
        wrong = stand.damage(how)
        phrase, mark, product = stand.phrase(how), stand.mark(), stand.case(how)
        ended = product.run(*RECOVER, "--confirm", phrase)
        finish(stand, tally, product, mark, how, [*wrong, *ended.complaints(0)])
