"""A copy of the tree in which one fault at a time is put, and tests are run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tools.mutate import failing
from tools.mutate.mutant import Mutant, Place, mutated

_FAILED, _UNREAD = 1, 2
"""What pytest says when a test failed, and when a module of uscdr could not read tests."""
_LACKING = re.compile(r"^ERROR: (?:file or directory )?not found: (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """One call of pytest. `failed`: the tests that did; `lacking`: those that were named and are not there."""

    code: int
    seconds: float
    failed: tuple[str, ...]
    lacking: tuple[str, ...]
    out_of_time: bool

    @property
    def green(self) -> bool:
        """Whether tests ran, and all of them passed."""
        return self.code == 0

    @property
    def caught(self) -> str:
        """What found a fault: a test, or how the process ended; empty when nothing did."""
        if self.out_of_time:
            return "(time limit)"
        if self.code < 0:
            return f"(signal {-self.code})"
        return (self.failed or ("(no test)",))[0] if self.code in (_FAILED, _UNREAD) else ""


class Stand:
    """One copy."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self._moment = int(time.time())

    @contextmanager
    def with_fault(self, mutant: Mutant, at: Place) -> Iterator[None]:
        """The fault is there until the context ends. Raises NotApplicable."""
        path = self.tree / at.path
        sound = path.read_text()
        self._write(path, mutated(mutant, sound, at))
        try:
            yield
        finally:
            self._write(path, sound)

    def _write(self, path: Path, text: str) -> None:
        """Compiled modules are kept by size and by whole seconds: each version gets a second of its own."""
        path.write_text(text)
        self._moment += 1
        os.utime(path, (self._moment, self._moment))

    def run(self, tests: Sequence[str], limit: float, *, to_the_end: bool = False) -> Outcome:
        """Run those of the tests that are there, until one fails, for `limit` seconds at most."""
        outcome = self._run(tests, limit, to_the_end=to_the_end)
        there = [one for one in tests if one not in outcome.lacking]
        if not outcome.lacking or not there:
            return outcome
        again = self._run(there, limit, to_the_end=to_the_end)
        return replace(again, seconds=outcome.seconds + again.seconds, lacking=outcome.lacking)

    def _run(self, tests: Sequence[str], limit: float, *, to_the_end: bool) -> Outcome:
        options = (
            "-q",
            "--tb=no",
            "--assert=plain",
            "-p",
            "no:cacheprovider",
            "-p",
            failing.__name__,
            *(() if to_the_end else ("-x",)),
        )
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as place:
            notes, said = Path(place) / "failed", Path(place) / "said"
            notes.touch()
            with said.open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "pytest", *options, *tests], cwd=self.tree, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, start_new_session=True,
                    env=_environment(self.tree) | {failing.VARIABLE: str(notes)},
                )  # fmt: skip
                out_of_time = not _ended(process, limit)
            return Outcome(
                process.returncode, round(time.monotonic() - begun, 1), tuple(notes.read_text().splitlines()),
                tuple(_from_the_top(self.tree, one) for one in _LACKING.findall(said.read_text(errors="replace"))),
                out_of_time,
            )  # fmt: skip


def _environment(tree: Path) -> dict[str, str]:
    """The copy's product comes before the one that is installed."""
    return {**os.environ, "PYTHONPATH": str(tree / "src")}


def _ended(process: subprocess.Popen[bytes], limit: float) -> bool:
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        for how, patience in ((signal.SIGINT, 20.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, None)):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)
                break
        return False
    return True


def _from_the_top(tree: Path, node: str) -> str:
    return node.removeprefix(f"{tree}/")


@contextmanager
def stand(origin: Path) -> Iterator[Stand]:
    """A copy of all that the repository holds or would hold, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="mutate-") as place:
        tree = Path(place).resolve()
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=origin, check=True,
            capture_output=True,
        ).stdout.decode()  # fmt: skip
        for name in filter(None, listed.split("\0")):
            if (origin / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(origin / name, tree / name)
        _require_own(tree)
        yield Stand(tree)


def _require_own(tree: Path) -> None:
    """Faults in a product that is not imported would survive all."""
    asked = [sys.executable, "-c", "import uscdr, uscdr.errors; print(uscdr.errors.__file__)"]
    there = subprocess.run(asked, cwd=tree, env=_environment(tree), check=True, capture_output=True, text=True).stdout
    if not Path(there.strip()).is_relative_to(tree):
        raise RuntimeError(f"The tests would import {there.strip()} and not the copy in {tree}.")
