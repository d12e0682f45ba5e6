"""Backups that failed, were deleted, or whose file is lost or damaged: none is ever restored, nothing is written."""

from __future__ import annotations

from pathlib import Path

from .product import Product
from .scale import drawn
from .stand import Stand
from .tally import Tally

REFUSED = (1, 2, 3)
"""A check failed, bad input, or the storage did not deliver: by what was wrong with the backup."""
_DAMAGES = ("lost", "empty", "truncated", "flipped", "a web page")


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Each as a dry run and with a phrase; the phrase of b001, which no other backup may pass with."""
    phrase = stand.phrase("none")
    for what in drawn(("failed", "deleted", *_DAMAGES), count, seed):
        name = _capture(stand, faulty=what == "failed")
        if what == "deleted":
            stand.api("DELETE", f"/client/v11/apps/{stand.app}/transfers/{int(name[1:])}")
        elif what in _DAMAGES:
            _spoil(_file(stand, name), what)
        _refused(stand, tally, what, name, phrase)
    left = stand.complaints()
    tally.case("nothing was changed", wrong=left)
    if left:
        stand.heal()


def _capture(stand: Stand, *, faulty: bool = False) -> str:
    """A new backup's name."""
    if faulty:
        stand.errand("sandbox", "fault", "add", "transfer-fails", "--method", "POST", "--path", "*/backups")
    product = stand.case("capture")
    ended = product.run("--target", "sandbox", "backup", "capture")
    if (ended.code == 0) is faulty:
        raise RuntimeError("the capture did not end as arranged: " + ended.text[-400:])
    stand.errand("sandbox", "fault", "clear")
    stand.done_with(product)
    return f"b{int(stand.transfers()[-1]['num']):03d}"


def _file(stand: Stand, name: str) -> Path:
    uuid = next(one["uuid"] for one in stand.transfers() if int(one["num"]) == int(name[1:]))
    return stand.home / "sandbox" / "backups" / f"{uuid}.dump"


def _spoil(dump: Path, damage: str) -> None:
    data = dump.read_bytes()
    middle = len(data) // 2
    spoilt = {
        "empty": b"",
        "truncated": data[:middle],
        "flipped": data[:middle] + bytes(byte ^ 255 for byte in data[middle : middle + 64]) + data[middle + 64 :],
        "a web page": b"<!DOCTYPE html><html><body>Sorry</body></html>",
    }
    if damage == "lost":
        dump.unlink()
    else:
        dump.write_bytes(spoilt[damage])


def _refused(stand: Stand, tally: Tally, what: str, name: str, phrase: str) -> None:
    recover = ("--target", "sandbox", "recover", "db", "--backup", name)
    product = stand.case("wrong")
    mark = stand.mark()
    ended = product.run(*recover, "--dry-run")
    wrong = ended.complaints(*REFUSED)
    if stand.writes(mark):
        wrong.append("the dry run wrote")
    tally.case(f"{what}: dry run", wrong=wrong)
    tally.leak(what, stand.done_with(product))
    _confirmed(stand, tally, what, (*recover, "--confirm", phrase.replace("b001", name)))


def _confirmed(stand: Stand, tally: Tally, what: str, command: tuple[str, ...]) -> None:
    """With a phrase: the database is not touched; what had been stopped can be started by the way that is named."""
    product: Product = stand.case("wrong")
    mark = stand.mark()
    ended = product.run(*command)
    wrong = ended.complaints(*REFUSED, 4)
    sent = stand.writes(mark)
    if any(one["path"].endswith("/restores") for one in sent):
        wrong.append("it was restored")
    if stand.differences():
        wrong.append("the data changed")
    if sent and "Next:" not in ended.err:
        wrong.append("the application was stopped and no next action named")
    tally.case(f"{what}: confirmed", wrong=wrong)
    tally.leak(what, stand.done_with(product))
    if sent:
        stand.heal()
