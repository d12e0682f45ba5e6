"""Single writes killed between request and answer, and at any moment: `runs resume` finds the one effect."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass

from .kill import NOTHING_TO_RESUME
from .product import Product, Running
from .stand import Stand
from .tally import Tally

_LIMIT = 60.0  # seconds
_LONGEST = 3.0  # seconds after which a kill at any moment comes


@dataclass(frozen=True)
class Write:
    """A command, the end of the path that it posts to, and where what it makes is listed."""

    command: tuple[str, ...]
    posts_to: str
    listed: str


CAPTURE = Write(("backup", "capture"), "/backups", "/client/v11/apps/{app}/transfers")
SCHEDULE = Write(
    ("backup", "schedule", "--apply"), "/transfer-schedules", "/client/v11/databases/{database}/transfer-schedules"
)


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """`count` of each between request and answer, and half as many at any moment."""
    chance = random.Random(seed)
    for number in range(count):
        for write in (CAPTURE, SCHEDULE):
            if not tally.goes_on():
                return
            _case(stand, tally, write, None)
            if number % 2:
                _case(stand, tally, write, chance.uniform(0.0, _LONGEST))


def _case(stand: Stand, tally: Tally, write: Write, moment: float | None) -> None:
    """Without a moment the request has taken effect, and its answer never comes."""
    _forget_schedules(stand)
    before, mark, product = _made(stand, write), stand.mark(), stand.case("write")
    if moment is None:
        fault = ("--method", "POST", "--path", f"*{write.posts_to}", "--count", "1")
        stand.errand("sandbox", "fault", "add", "timeout-after", *fault)
    running = product.start("--target", "sandbox", *write.command)
    wrong = _killed(stand, running, write, before, moment)
    stand.errand("sandbox", "fault", "clear")
    wrong += _resumed(product, write, must=moment is None)
    made = len(_made(stand, write) - before)
    sent = [one for one in stand.writes(mark) if one["method"] == "POST" and str(one["path"]).endswith(write.posts_to)]
    doubles = [f"{made} made, {len(sent)} sent"] if made > 1 or len(sent) > 1 else []
    if made == 0:
        wrong.append("nothing was made")
    name = f"{write.command[1]} killed {'between request and answer' if moment is None else f'after {moment:.2f} s'}"
    tally.case(name, wrong=wrong, doubles=doubles)
    tally.leak(name, stand.done_with(product))


def _killed(stand: Stand, running: Running, write: Write, before: set[str], moment: float | None) -> list[str]:
    """SIGKILL at its moment; complaints when that was missed."""
    begun = time.monotonic()

    def due() -> bool:
        return bool(_made(stand, write) - before) if moment is None else time.monotonic() - begun >= moment

    seen = running.wait_for(due, _LIMIT)
    if seen:
        running.send(signal.SIGKILL)
    ended = running.wait()
    if moment is None and not seen:
        return [f"it was not between request and answer: {ended.last()}"]
    return ended.complaints(-signal.SIGKILL, 0)


def _resumed(product: Product, write: Write, *, must: bool) -> list[str]:
    """Resume; where nothing was begun, or all was done, the command again or nothing."""
    ended = product.run("runs", "resume")
    if must or ended.code != NOTHING_TO_RESUME:
        return ended.complaints(0)
    listed = product.run("--json", "runs", "list").out
    return [] if '"done"' in listed else product.run("--target", "sandbox", *write.command).complaints(0)


def _database(stand: Stand) -> str:
    body = {"app": stand.app, "addon_attachment": "DATABASE_URL"}
    return str(stand.api("POST", "/actions/addon-attachments/resolve", body)[0]["addon"]["id"])


def _made(stand: Stand, write: Write) -> set[str]:
    """Ids of what the platform has."""
    database = _database(stand) if "{database}" in write.listed else ""
    return {str(one["uuid"]) for one in stand.api("GET", write.listed.format(app=stand.app, database=database))}


def _forget_schedules(stand: Stand) -> None:
    for schedule in _made(stand, SCHEDULE):
        stand.api("DELETE", f"/client/v11/databases/{_database(stand)}/transfer-schedules/{schedule}")
