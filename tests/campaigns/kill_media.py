"""Uploads that are killed in their middle, and resumed: nothing is missing; only what was in flight is sent twice."""

from __future__ import annotations

import random
import re
import signal
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from . import kill_scenes
from .kill import resume
from .product import Product
from .scenes import MediaScene, build_kit
from .stand import Stand
from .tally import Tally

_LIMIT = 60.0  # seconds
_SLOW = "slow:0.05"
_TOLD = re.compile(r"([\d,]+) uploads? (?:was|were) in flight when the last process of this run ended; ([\d,]+) had")
_SHARE = 3  # runs of the whole scenario that are cut short, for each of these
_FEWEST = 2


class UploadScene(MediaScene):
    """Two files in three are gone, also from the service's own backup: all of them come from a kit."""

    name = "uploads"

    def damage(self) -> list[str]:
        """As its base does; then the service loses what it kept."""
        told = super().damage()
        with closing(sqlite3.connect(self.stand.home / "sandbox" / "media" / "media.sqlite3", timeout=30)) as books:
            books.execute("DELETE FROM versions")
            books.execute("DELETE FROM assets WHERE placeholder = 1")
            books.commit()
        return told

    def uploads(self) -> list[tuple[str, str]]:
        """What was stored since the damage, in order; a file twice if it was stored twice."""
        effects = self.control("GET", "media/effects")[self._mark :]
        return [(str(one["resource_type"]), str(one["public_id"])) for one in effects if one["action"] == "upload"]


class FolderScene(UploadScene):
    """The same, from a folder with what the kit holds."""

    name = "folder"

    def __init__(self, stand: Stand, kit: str, env: Mapping[str, str]) -> None:
        super().__init__(stand, kit, env)
        self._folder = Path(tempfile.mkdtemp(prefix="folder-", dir=stand.root)) / "copies"
        identity = env["USCDR_AGE_IDENTITY"]
        where = ("--into", str(self._folder), "--part", "media", "--identity", identity)
        stand.errand("--target", "sandbox", "kit", "restore", kit, *where)

    @property
    def command(self) -> tuple[str, ...]:
        """From the folder; the service has no backup of them."""
        return ("--target", "sandbox", "recover", "media", "--from", str(self._folder / "media"))


@dataclass(frozen=True)
class _Flight:
    """What the resumed run told: how many uploads were in flight at the kill, and how many had arrived."""

    in_flight: int = 0
    arrived: int = 0


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Uploads killed in their middle, then runs of the whole scenario cut short at any moment."""
    chance, kit = random.Random(seed), build_kit(stand)
    scenes = (UploadScene(stand, *kit), FolderScene(stand, *kit))
    for number in range(max(_FEWEST, count // _SHARE)):
        if not tally.goes_on():
            return
        _case(scenes[number % len(scenes)], tally, chance)
    kill_scenes.run(stand, tally, make=kill_scenes.media, count=count, seed=seed)


def _case(scene: UploadScene, tally: Tally, chance: random.Random) -> None:
    stand = scene.stand
    wrong = scene.damage()
    phrase, mark, bare = scene.phrase(), stand.mark(), stand.case("kill-uploads")
    product = Product(bare.state, {**bare.env, **scene.env})
    wanted = chance.randint(1, max(1, _files(phrase) - 8))
    path = ("--provider", "cloudinary", "--method", "POST", "--path", "*/upload", "--count", "0")
    stand.errand("sandbox", "fault", "add", _SLOW, *path)
    running = product.start(*scene.command, "--confirm", phrase)
    if running.wait_for(lambda: _sent(stand, mark) >= wanted, _LIMIT):
        running.send(signal.SIGKILL)
    else:
        wrong.append("it was not killed during its uploads")
    ended = running.wait()
    wrong += ended.complaints(-signal.SIGKILL, 0)
    stand.errand("sandbox", "fault", "clear")
    wrong += resume(product, phrase, scene.command)
    doubles = _twice(scene, product)
    wrong += scene.complaints()
    name = f"{scene.name} killed at number {wanted}: {_told(product)}"
    tally.case(name, wrong=wrong, doubles=doubles)
    tally.leak(name, stand.done_with(product))


def _files(phrase: str) -> int:
    found = re.search(r"restore (\d+) file", phrase)
    return int(found[1]) if found else 1


def _sent(stand: Stand, mark: int) -> int:
    """Uploads that were answered."""
    return sum(str(one["path"]).endswith("/upload") for one in stand.writes(mark))


def _twice(scene: UploadScene, product: Product) -> list[str]:
    """Complaints about files that were stored twice, although they were not in flight at the kill."""
    stored, told = scene.uploads(), _told(product)
    again = len(stored) - len(set(stored))
    if again > told.in_flight - told.arrived:
        return [f"{again} files were sent twice; {told.in_flight} were in flight, of which {told.arrived} had arrived"]
    return []


def _told(product: Product) -> _Flight:
    for note in _notes(product):
        if found := _TOLD.search(note):
            return _Flight(*(int(number.replace(",", "")) for number in found.groups()))
    return _Flight()


def _notes(product: Product) -> Iterator[str]:
    for journal in product.journals():
        yield from journal.read_text(errors="replace").splitlines()
