"""A real journal with a torn tail or a flipped bit: the tail is dropped and said, other damage is refused."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from .kill import RECOVER
from .product import Product
from .stand import Stand
from .tally import Tally

_DAMAGED = 3
_NOTHING = 2
_LAST = 3  # records whose bytes are cut


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Make one whole journal, then damage copies of it: half cuts of the tail, half flipped bits."""
    chance = random.Random(seed)
    whole = _whole(stand, tally)
    data = whole.read_bytes()
    ends = [index + 1 for index, byte in enumerate(data) if byte == 10]
    for _ in range(count // 2):
        cut = chance.randrange(ends[-_LAST - 1] + 1, len(data))
        _cut(stand, tally, whole, cut, ends)
    for _ in range(count - count // 2):
        _flip(stand, tally, whole, chance.randrange(ends[-1] - 1), 1 << chance.randrange(8))
    shutil.rmtree(whole.parents[2])


def _whole(stand: Stand, tally: Tally) -> Path:
    """The journal of a recovery; its file is kept for damaging."""
    wrong = stand.damage("drop-table")
    phrase, product = stand.phrase("drop-table"), stand.case("journal")
    wrong += product.run(*RECOVER, "--confirm", phrase).complaints(0)
    tally.case("a whole journal", wrong=wrong)
    return product.journals()[0]


def _with(stand: Stand, whole: Path, data: bytes) -> Product:
    product = stand.case("torn")
    run = product.state / "runs" / whole.parent.name
    run.mkdir(parents=True)
    (run / whole.name).write_bytes(data)
    return product


def _cut(stand: Stand, tally: Tally, whole: Path, cut: int, ends: list[int]) -> None:
    """Cut inside the last records: shown, with the tear told; nothing is refused."""
    product = _with(stand, whole, whole.read_bytes()[:cut])
    mark = stand.mark()
    shown = product.run("runs", "show")
    listed = product.run("runs", "list")
    wrong = [*shown.complaints(0), *listed.complaints(0)]
    if "unfinished" not in listed.out and cut not in ends and cut < ends[-1]:
        wrong.append("a run without its end is not listed as unfinished")
    if stand.writes(mark):
        wrong.append("looking wrote something")
    tally.case(f"cut at byte {cut}", wrong=wrong)
    tally.leak("cut", stand.done_with(product))


def _flip(stand: Stand, tally: Tally, whole: Path, place: int, bit: int) -> None:
    """Flip a bit before the last line: refused with its line and byte, by show and by resume, and nothing is sent."""
    data = bytearray(whole.read_bytes())
    data[place] ^= bit
    product = _with(stand, whole, bytes(data))
    mark = len(stand.audit())
    wrong = []
    for command in (("runs", "show"), ("runs", "resume", whole.parent.name), ("runs", "report")):
        ended = product.run(*command)
        last = bytes(data).rstrip(b"\n").rfind(b"\n") < place
        allowed = (_DAMAGED, _NOTHING, 0) if last else (_DAMAGED,)
        wrong += ended.complaints(*allowed)
        if ended.code == _DAMAGED and "line" not in ended.err:
            wrong.append("the place of the damage is not named")
    if "damaged" not in product.run("runs", "list").out and not last:
        wrong.append("runs list does not call it damaged")
    if len(stand.audit()) != mark:
        wrong.append("something was sent")
    if (product.state / "runs" / whole.parent.name / whole.name).read_bytes() != bytes(data):
        wrong.append("the evidence was changed")
    tally.case(f"bit {bit} of byte {place}", wrong=wrong)
    tally.leak("flip", stand.done_with(product))
