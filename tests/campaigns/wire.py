"""What goes wrong on the way: late, twice, lagging, lying, slow, endless; and a platform that is dead altogether.

Each case is judged by its end, by the books of the sandbox, and by how long it took.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .kill import NOTHING_TO_RESUME, RECOVER, UNKNOWN, gone_on
from .kill_scenes import application, infrastructure, media
from .product import Ended, Product
from .scenes import Scene
from .stand import Stand, standing
from .tally import Tally

DEAD_LIMIT = 20.0
"""Seconds in which a command that only looks ends when the platform is dead."""
USUAL = 4.0
"""Seconds of a command on an idle machine; what a busy one takes longer is no fault of the command."""
LIMIT = 240.0
SAID = "ran more than one restore"
WRITES = ("late:12", "late:3", "twice", "another-id", "reset-before", "reset-after", "500", "503-html", "slow:6",
          "odd-headers", "wrong-types", "429-odd", "truncated")  # fmt: skip
READS = ("slow:6", "lags:40", "another-id", "listed-twice", "untold", "backwards", "endless", "endless-pages",
         "odd-headers", "429-odd", "wrong-types", "html-200", "empty-200", "truncated", "redirect")  # fmt: skip
LOOKS = (*READS, "drip", "timeout-before", "503-html", "refuse")
"""In a dry run, for ever: what a recovery waits through with patience would take the campaign too long."""
READERS = (
    ("recover", "db", "--dry-run"), ("recover", "app", "--dry-run"), ("recover", "media", "--dry-run"),
    ("recover", "infra", "--app", "usc-pis-other", "--dry-run"), ("recover", "backups", "--dry-run"),
    ("verify", "all"), ("backup", "list"), ("backup", "status"),
)  # fmt: skip
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_RESUMES = 3
DECLINED = 4


@dataclass(frozen=True)
class Call:
    """One request of an undisturbed run: which of those that are alike."""

    provider: str
    method: str
    path: str
    number: int
    write: bool


@dataclass(frozen=True)
class Case:
    """A fault at one call of a recovery, or at a call of a dry run from then on."""

    call: Call
    kind: str
    dry: bool

    @property
    def name(self) -> str:
        """For a person."""
        often = "dry, for ever" if self.dry else "once"
        return f"{self.kind} {self.call.provider} {self.call.method} {self.call.path} #{self.call.number} {often}"


class DataScene:
    """A table is gone: one restore."""

    name, env = "db", {}  # type: ignore[var-annotated]
    command = RECOVER

    def __init__(self, stand: Stand) -> None:
        self.stand = stand

    def damage(self) -> list[str]:
        """Do it."""
        return self.stand.damage("drop-table")

    def phrase(self) -> str:
        """What must be typed now."""
        return self.stand.phrase("drop-table")

    def complaints(self) -> list[str]:
        """What is not as it was."""
        return self.stand.complaints()

    def doubles(self, writes: list[dict[str, Any]]) -> list[str]:
        """Counted by the transfers themselves, in `_restored_twice`."""
        del writes
        return []

    def mend(self) -> None:
        """By the shortest way."""
        self.stand.heal()


AnyScene = Scene | DataScene
MAKERS: tuple[Callable[[Stand], AnyScene], ...] = (DataScene, application, media, infrastructure)
"""The application of the stand is gone for good after the last."""


def run(tally: Tally, *, count: int, seed: int) -> None:
    """On a stand of its own, whose application is gone for good at the end."""
    with standing("--patients", "20") as stand:
        tally.started = time.monotonic()  # to put it up is no case
        _all(stand, tally, count=count, seed=seed)


def _all(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Of `count` cases about half are a dead platform and dry runs of every scenario, the rest recoveries."""
    chance = random.Random(seed)
    begun = time.monotonic()
    stand.errand("--target", "sandbox", "backup", "list")
    slack = max(0.0, time.monotonic() - begun - USUAL)
    dead = [(way, command) for way in WAYS for command in READERS]
    for way, command in chance.sample(dead, min(len(dead), max(1, count // 10))):
        if tally.goes_on():
            _dead(stand, tally, way, command, DEAD_LIMIT + slack)
    dry, real = max(1, count // 12), max(1, count // 8)
    _looked_at(stand, tally, chance, ("recover", "backups"), dry)
    for make in MAKERS:
        if not tally.goes_on():
            return
        scene = make(stand)
        _scene(scene, tally, chance, dry=dry, real=real)


def _scene(scene: AnyScene, tally: Tally, chance: random.Random, *, dry: int, real: int) -> None:
    stand = scene.stand
    wrong = scene.damage()
    phrase, mark = scene.phrase(), stand.mark()
    product = _product(scene)
    ended = product.run(*scene.command, "--confirm", phrase)
    calls = _calls(stand.audit()[mark:])
    tally.case(f"{scene.name} undisturbed", wrong=[*wrong, *ended.complaints(0), *scene.complaints()])
    stand.done_with(product)
    for case in _drawn(calls, chance, real, dry=False):
        if tally.goes_on():
            _recovery(scene, tally, case)
    if not tally.goes_on():
        return
    wrong = scene.damage()
    _looked_at(stand, tally, chance, scene.command, dry, scene.env)
    recovered = _product(scene).run(*scene.command, "--confirm", scene.phrase())
    tally.case(f"{scene.name} after all", wrong=[*wrong, *recovered.complaints(0)])


def _drawn(calls: list[Call], chance: random.Random, count: int, *, dry: bool) -> list[Case]:
    """Half of them at writes, where there are any; every kind has the same chance."""
    kinds = LOOKS if dry else READS
    reads = [Case(call, kind, dry) for call in calls if not call.write for kind in kinds]
    writes = [] if dry else [Case(call, kind, dry) for call in calls if call.write for kind in WRITES]
    half = min(len(writes), (count + 1) // 2)
    return [*chance.sample(writes, half), *chance.sample(reads, min(len(reads), count - half))]


def _calls(audit: list[dict[str, Any]]) -> list[Call]:
    seen: dict[tuple[str, str, str], int] = {}
    found = []
    for one in audit:
        if one["provider"] not in ("heroku", "cloudinary"):
            continue
        key = (str(one["provider"]), str(one["method"]), _UUID.sub("*", str(one["path"])))
        seen[key] = seen.get(key, 0) + 1
        found.append(Call(*key, seen[key], bool(one["write"])))
    return found


def _recovery(scene: AnyScene, tally: Tally, case: Case) -> None:
    """Break, recover under the fault, judge; clear, go on as an operator would, judge the end."""
    stand = scene.stand
    wrong = scene.damage()
    phrase, mark, known = scene.phrase(), stand.mark(), {one["uuid"] for one in _transfers(stand)}
    _add(stand, case)
    product, begun = _product(scene), time.monotonic()
    ended = product.run(*scene.command, "--confirm", phrase, limit=LIMIT)
    took = time.monotonic() - begun
    stand.errand("sandbox", "fault", "clear")
    wrong += _judged(ended, 0, 1, 3, UNKNOWN) + ([f"it took {took:.0f} s"] if took > LIMIT else [])
    if ended.code == 0:
        wrong += [f"false success: {what}" for what in scene.complaints()]
    else:
        wrong += _gone_on(scene, product, phrase)
    wrong += scene.complaints()
    said = SAID in "".join(path.read_text(errors="replace") for path in product.streams())
    twice = _restored_twice(stand, known) if scene.name == "db" and not said else []
    lied = case.kind in ("twice", "late:12", "late:3")
    doubles = [] if lied and scene.name != "db" else scene.doubles(stand.writes(mark))
    tally.case(f"{scene.name}: {case.name}", wrong=wrong, doubles=[*doubles, *twice])
    tally.leak(case.name, stand.done_with(product))
    if wrong or case.kind == "twice":
        scene.mend()


def _gone_on(scene: AnyScene, product: Product, phrase: str) -> list[str]:
    words: tuple[str, ...] = ()
    for _ in range(_RESUMES):
        ended = gone_on(product, *words)
        if ended.code == 0:
            return ended.complaints(0)
        if ended.code == NOTHING_TO_RESUME:
            return product.run(*scene.command, "--confirm", phrase, limit=LIMIT).complaints(0)
        if ended.code == DECLINED:
            words = ("--confirm", scene.stand.asked_for(ended) or phrase)
    return [f"resume does not end: {ended.code} {ended.last()}"]


def _transfers(stand: Stand) -> list[dict[str, Any]]:
    return stand.transfers() if stand.api("GET", "/apps") else []


def _restored_twice(stand: Stand, known: set[str]) -> list[str]:
    made = [one for one in _transfers(stand) if one["uuid"] not in known and one["to_type"] == "pg_restore"]
    good = [one for one in made if one["succeeded"] or one["finished_at"] is None]
    return [f"{len(good)} restores, and nothing was said"] if len(good) > 1 else []


def _looked_at(
    stand: Stand, tally: Tally, chance: random.Random, command: tuple[str, ...], count: int, env: Any = None
) -> None:
    """Dry runs of one scenario, disturbed from some call on: no write, no success by mistake, in time."""
    whole = (*command, "--dry-run") if command[0] == "--target" else ("--target", "sandbox", *command, "--dry-run")
    mark, calm = stand.mark(), Product(stand.case("calm").state, {**stand.case("calm").env, **(env or {})})
    calm.run(*whole)
    calls = _calls(stand.audit()[mark:])
    for case in _drawn(calls, chance, count, dry=True):
        if not tally.goes_on():
            return
        _add(stand, case)
        bare, mark = stand.case("dry"), stand.mark()
        product, begun = Product(bare.state, {**bare.env, **(env or {})}), time.monotonic()
        ended = product.run(*whole, limit=LIMIT)
        took = time.monotonic() - begun
        stand.errand("sandbox", "fault", "clear")
        wrong = _judged(ended, 0, 1, 3, UNKNOWN) + [f"it wrote {one['path']}" for one in stand.writes(mark)]
        tally.case(f"{' '.join(whole)}: {case.name}", wrong=[*wrong, *_slow(took, 3 * DEAD_LIMIT)])
        tally.leak(case.name, stand.done_with(product))


def _judged(ended: Ended, *allowed: int) -> list[str]:
    wrong = ended.complaints(*allowed)
    if ended.code not in (0, *()) and "Next:" not in ended.err:
        wrong.append("no next action was named")
    return wrong


def _slow(took: float, limit: float) -> list[str]:
    return [f"it took {took:.1f} s, {limit:.0f} s are allowed"] if took > limit else []


def _add(stand: Stand, case: Case) -> None:
    call = case.call
    stand.errand(
        "sandbox", "fault", "add", case.kind, "--provider", call.provider, "--method", call.method, "--path", call.path,
        "--call", str(call.number), "--count", "0" if case.dry else "1",
    )  # fmt: skip


def _product(scene: AnyScene) -> Product:
    bare = scene.stand.case(f"wire-{scene.name}")
    return Product(bare.state, {**bare.env, **scene.env})


def _dead(stand: Stand, tally: Tally, way: str, command: tuple[str, ...], limit: float) -> None:
    """The platform is dead before the command begins."""
    product = stand.case("dead")
    with WAYS[way](stand, product.state):
        begun = time.monotonic()
        ended = product.run("--target", "sandbox", *command, limit=LIMIT)
        took = time.monotonic() - begun
    wrong = _judged(ended, 1, 3) + _slow(took, limit)
    tally.case(f"dead ({way}): {' '.join(command)}", wrong=wrong)
    tally.leak(way, stand.done_with(product))


@contextmanager
def _stopped(stand: Stand, state: Path) -> Iterator[None]:
    """It takes connections and never answers."""
    del state
    pid = int(stand.contract["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _elsewhere(stand: Stand, state: Path, address: Callable[[int], str], *, listening: bool) -> Iterator[None]:
    """Every address of the platform's APIs and of the media service leads to one port."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as door:
        port = door.getsockname()[1]
        if not listening:
            door.close()
        contract = stand.contract
        for part, names in (("heroku", ("api_url", "data_url", "status_url")),
                            ("cloudinary", ("api_url", "delivery_url", "status_url"))):  # fmt: skip
            contract[part] |= dict.fromkeys(names, address(port))
        link = state / "sandbox"
        link.unlink()
        link.mkdir(mode=0o700)
        file = link / "sandbox.json"
        file.write_text(json.dumps(contract))
        file.chmod(0o600)
        try:
            yield
        finally:
            shutil.rmtree(link)


@contextmanager
def _refused(stand: Stand, state: Path) -> Iterator[None]:
    """Nobody listens."""
    with _elsewhere(stand, state, lambda port: f"http://127.0.0.1:{port}", listening=False):
        yield


@contextmanager
def _silent_tls(stand: Stand, state: Path) -> Iterator[None]:
    """A handshake that nobody answers."""
    with _elsewhere(stand, state, lambda port: f"https://127.0.0.1:{port}", listening=True):
        yield


WAYS = {"never answers": _stopped, "refused": _refused, "no handshake": _silent_tls}
