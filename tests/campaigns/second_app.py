"""Any other Django application is recovered with the packaged configuration."""

from __future__ import annotations

import sys
from pathlib import Path

from .kill import RECOVER, finish
from .scale import drawn
from .stand import DAMAGES, standing
from .tally import Tally

SOURCE = Path(__file__).parent / "otherapp"
FORMATION = {"web": 1, "clock": 1, "notifier": 1}


def run(tally: Tally, *, count: int, seed: int) -> None:
    """A small library, deployed from its source, broken in every way and recovered."""
    files = ("--env-file", str(SOURCE / "sandbox.env"), "--procfile", str(SOURCE / "Procfile.sandbox"))
    deployed = ("--app-source", str(SOURCE), "--python", sys.executable, *files)
    with standing(*deployed, formation=FORMATION) as stand:
        for how in drawn(DAMAGES, count, seed):
            wrong = stand.damage(how)
            phrase, mark, product = stand.phrase(how), stand.mark(), stand.case(how)
            ended = product.run(*RECOVER, "--confirm", phrase)
            finish(stand, tally, product, mark, how, [*wrong, *ended.complaints(0)])
