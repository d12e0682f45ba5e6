"""One race: a holder that is stopped or slow, a successor, and a provider that counts what was done to it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .locks_s3 import BUCKET, Bucket, Front, front
from .product import LIVE
from .serving import served

SECONDS, GRACE = 1.0, 0.4
"""Of the leases: short, so that a night has room for many."""
LASTS = SECONDS + GRACE + SECONDS
_LIMIT = 60.0
STORES = ("directory", "directory without hard links", "directory without any", "S3", "S3 without conditions")
MOMENTS = ("held", "looked", "connected", "look", "checked", "sending", "any", "alive")
"""Where the holder stands still: with the lease in hand, before its request, when its connection stands, while
the store answers, after each look of the last two, anywhere; or it does not stand still at all."""
CLOCKS = (0.0, -3600.0, 3600.0, 5400.0)
"""Seconds by which the store's clock is off; the last one is a jump in the middle, as are times of writers."""
JUMP = 5400.0
ACTED, LOCKED, UNFIT = 0, 6, 2


@dataclass(frozen=True)
class Race:
    """One case."""

    number: int
    store: str
    moment: str
    clock: float
    takes_over: bool
    seed: int

    @property
    def name(self) -> str:
        """For a person."""
        how = "taken over" if self.takes_over else "begun anew"
        return f"{self.number}: {self.store}, stopped at {self.moment}, clock {self.clock:+.0f} s, {how}"


@dataclass
class Provider:
    """What was done to it, and by whom; `connected` is told when a front takes the second connection of a process."""

    done: list[str] = field(default_factory=list)


class _Door(ThreadingHTTPServer):
    """One process's way to the provider."""

    daemon_threads = True

    def __init__(self, provider: Provider) -> None:
        super().__init__(("127.0.0.1", 0), _Hand)
        self.provider = provider
        self.connections = 0
        self.connected: Callable[[int], None] = lambda number: None

    def process_request(self, request: object, client_address: object) -> None:
        self.connections += 1
        self.connected(self.connections)
        super().process_request(request, client_address)  # type: ignore[arg-type]


class _Hand(BaseHTTPRequestHandler):
    server: _Door

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _answer(self) -> None:
        body = json.dumps({"done": len(self.server.provider.done)}).encode()
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.provider.done.append(asked["by"])
        self._answer()


class Machine:
    """A process of the race, and what it says."""

    def __init__(self, asked: dict[str, object], env: dict[str, str]) -> None:
        worker = str(Path(__file__).with_name("locks_worker.py"))
        self.process = subprocess.Popen(
            [sys.executable, worker, json.dumps(asked)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env={**os.environ, **env}, start_new_session=True,
        )  # fmt: skip
        LIVE.add(self.process)
        self.said: list[str] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip())
        self._lines.put("")

    def says(self, limit: float = _LIMIT) -> str:
        """Its next line; nothing when it ended, or said none in time."""
        with contextlib.suppress(queue.Empty):
            if line := self._lines.get(timeout=limit):
                self.said.append(line)
            return line
        return ""

    def go(self) -> None:
        """Let it do its work."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write("go\n")
            self.process.stdin.flush()

    def send(self, number: int) -> None:
        """A signal to its whole group, if it lives."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    @property
    def stands_still(self) -> bool:
        """Whether it was stopped."""
        try:
            return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except OSError:
            return False

    def stopped(self, limit: float = 10.0) -> bool:
        """Wait until it stands still; False when it ended, or does not."""
        until = time.monotonic() + limit
        while time.monotonic() < until and self.process.poll() is None:
            if self.stands_still:
                return True
            time.sleep(0.005)
        return False

    def ended(self) -> int:
        """Its exit code; killed when it hangs."""
        code = 1000
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.wait(_LIMIT)
        self.send(signal.SIGKILL)
        self.process.wait()
        LIVE.discard(self.process)
        self._reader.join(_LIMIT)
        while not self._lines.empty():
            self.says(0.0)
        return code


@dataclass
class Scene:
    """What a race runs on."""

    race: Race
    place: Path
    stack: ExitStack
    provider: Provider = field(default_factory=Provider)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.race.seed)
        unfit = self.race.store == STORES[-1]
        conditions = self.chance.choice(("ignored", "refused")) if unfit else "honoured"
        skew = 0.0 if self.race.clock == JUMP else self.race.clock
        self.bucket = Bucket(conditions, skew)  # type: ignore[arg-type]
        (self.place / "shared").mkdir()

    def machine(self, user: str, *, takes_over: bool, persists: bool, stops: str = "") -> tuple[Machine, Front, _Door]:
        """A process with fronts of its own."""
        bucket, door = (
            self.stack.enter_context(front(self.bucket)),
            self.stack.enter_context(served(_Door(self.provider))),
        )
        (self.place / user).mkdir()
        directory = not self.race.store.startswith("S3")
        asked: dict[str, object] = {
            "user": user, "state": str(self.place / user), "provider": f"http://127.0.0.1:{door.server_address[1]}",
            "store": str(self.place / "shared") if directory else f"s3://{BUCKET}/state", "seconds": SECONDS,
            "grace": GRACE, "takes_over": takes_over, "persists": persists, "stops": stops,
            "links": self.race.store not in STORES[1:3], "renames": self.race.store != STORES[2],
        }  # fmt: skip
        made = Machine(asked, bucket.environment)
        self.stack.callback(made.ended)
        self.stack.callback(made.send, signal.SIGKILL)
        return made, bucket, door

    def clock_jumps(self) -> None:
        """An hour and a half forth, or what that is on a disk: times of writers whose clock is behind."""
        if self.race.clock != JUMP:
            return
        self.bucket.skew = JUMP
        for path in (self.place / "shared").rglob("*.json"):
            with contextlib.suppress(OSError):
                os.utime(path, (time.time() - JUMP, time.time() - JUMP))


def run(race: Race, place: Path) -> tuple[list[str], list[str]]:
    """What was wrong, and what was done twice."""
    with ExitStack() as stack:
        scene = Scene(race, place, stack)
        if race.store == STORES[-1]:
            return _unfit(scene)
        return _raced(scene)


def _unfit(scene: Scene) -> tuple[list[str], list[str]]:
    ada, _, _ = scene.machine("ada", takes_over=False, persists=False)
    ada.go()
    code = ada.ended()
    wrong = [] if code == UNFIT else [f"exit {code}: {ada.said}"]
    if not any("A team cannot use" in line for line in ada.said):
        wrong.append(f"it does not say that the store is unfit: {ada.said}")
    wrong += ["it changed something"] if scene.provider.done else []
    return wrong, []


def _raced(scene: Scene) -> tuple[list[str], list[str]]:
    race = scene.race
    own = race.moment if race.moment in ("checked", "sending") else ""
    own = "lookless" if race.moment == "looked" else own
    own = "look" if race.moment == "look" and not race.store.startswith("S3") else own
    ada, bucket, door = scene.machine("ada", takes_over=False, persists=False, stops=own)
    if ada.says() != "held":
        return [f"the first did not get the lease: {ada.said}"], []
    _stand_still(scene, ada, bucket, door)
    scene.clock_jumps()
    bob, _, _ = scene.machine("bob", takes_over=race.takes_over or race.moment == "alive", persists=True)
    bob.go()
    _continue(scene, ada, bob)
    codes = ada.ended(), bob.ended()
    return _wrong(race, ada, bob, codes), _twice(scene)


def _stand_still(scene: Scene, ada: Machine, bucket: Front, door: _Door) -> None:
    def stop(*_: object) -> None:
        ada.send(signal.SIGSTOP)

    moment = scene.race.moment
    if moment == "held":
        ada.send(signal.SIGSTOP)
    if moment == "connected":
        door.connected = lambda number: stop() if number > 1 else None
    if moment == "look" and scene.race.store.startswith("S3"):
        armed = [True]
        bucket.answered = lambda method, key: stop(armed.pop()) if armed and method == "GET" else None
    if moment != "alive":
        if moment not in ("held", "any"):
            time.sleep(SECONDS / 5)  # what it saw when it took the lease is old by then, and is looked at again
        ada.go()
    if moment == "any":
        time.sleep(scene.chance.uniform(0.0, 0.15))
        ada.send(signal.SIGSTOP)
    if moment not in ("alive", "any"):
        ada.stopped()


def _continue(scene: Scene, ada: Machine, bob: Machine) -> None:
    """At any time: before the other one has it, while it waits, as it acts, and long after."""
    if scene.race.moment == "alive":
        time.sleep(scene.chance.uniform(0.0, 2 * LASTS))
        ada.go()
        return
    if scene.chance.random() < 0.6:
        bob.says(LASTS * 6)  # it has it
        if scene.chance.random() < 0.7:
            bob.says(10.0)  # it is done
    else:
        time.sleep(scene.chance.uniform(0.0, LASTS + 1.0))
    ada.send(signal.SIGCONT)


def _wrong(race: Race, ada: Machine, bob: Machine, codes: tuple[int, int]) -> list[str]:
    cut_off = (-signal.SIGALRM,) if race.moment in ("sending", "any", "connected", "look") else ()
    wrong = []
    if codes[0] not in (ACTED, LOCKED, *cut_off):
        wrong.append(f"the first ended with {codes[0]}: {ada.said}")
    if codes[1] not in (ACTED, LOCKED):
        wrong.append(f"the second ended with {codes[1]}: {bob.said}")
    if codes[0] == LOCKED and not any("Another process took over run" in line for line in ada.said):
        wrong.append(f"the first does not say who took over: {ada.said}")
    if ACTED not in codes:
        wrong.append(f"nobody finished: {codes} {ada.said} {bob.said}")
    text = "\n".join((*ada.said, *bob.said))
    return [*wrong, *(["a traceback: " + text[-600:]] if "Traceback" in text else [])]


def _twice(scene: Scene) -> list[str]:
    done = scene.provider.done
    return [] if len(done) == 1 else [f"{len(done)} changes: {done}"]
