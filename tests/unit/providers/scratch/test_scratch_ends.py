"""However a scratch ends, by its owner's death too, nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from uscdr.errors import Interrupted
from uscdr.pgserver.process import birth
from uscdr.providers.postgres.scratch import LocalScratch

OWNER = """
import sys
from pathlib import Path
from uscdr.providers.postgres.scratch import LocalScratch
with LocalScratch(Path(sys.argv[1])).restore(Path(sys.argv[2]), lambda done, total: None) as database:
    print(database.facts().size, flush=True)
    sys.stdin.read()
"""


def ignore(done: int, total: int | None) -> None:
    """Takes no notice of progress."""


@pytest.fixture
def owned(base: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a process with an open scratch, and waits for its first line."""
    made: list[subprocess.Popen[bytes]] = []

    def begin(dump: Path, script: str = OWNER) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", script, str(base), str(dump)]
        owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        made.append(owner)
        assert owner.stdout is not None
        assert int(owner.stdout.readline()) > 1_000_000
        return owner

    yield begin
    for owner in made:
        owner.kill()
        owner.communicate()


def restores_of(dump: Path) -> list[str]:
    answer = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in answer.stdout.splitlines() if "--no-owner" in line and str(dump) in line]


def test_prepared_server_that_is_not_needed_is_removed(base: Path) -> None:
    scratch = LocalScratch(base)
    scratch.prepare()
    scratch.prepare()
    scratch.close()
    scratch.close()
    assert list(base.iterdir()) == []


def test_stop_token_kills_the_restore(source: Any, base: Path, tmp_path: Path) -> None:
    dump = source.slow_dump(tmp_path / "slow.dump")
    stop = threading.Event()
    began = time.monotonic()
    with pytest.raises(Interrupted), LocalScratch(base, stop=stop).restore(dump, lambda done, total: stop.set()):
        pytest.fail("the restore should have been stopped")
    assert time.monotonic() - began < 20


def test_failing_progress_kills_the_restore(source: Any, base: Path, tmp_path: Path) -> None:
    """As Ctrl-C does: an exception in the midst."""

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        LocalScratch(base).restore(source.slow_dump(tmp_path / "slow.dump"), interrupt),
    ):
        pytest.fail("the restore should have been interrupted")
    assert not restores_of(tmp_path / "slow.dump")


def test_kill_9_leaves_neither_server_nor_directory(
    good: Path, base: Path, homes: Any, eventually: Any, owned: Any
) -> None:
    owner = owned(good)
    (home,) = homes()
    pid = int((home / "data" / "postmaster.pid").read_text().split()[0])
    assert birth(pid) is not None
    owner.kill()
    owner.wait()
    assert eventually(lambda: birth(pid) is None)
    assert eventually(lambda: not home.exists())
    assert eventually(lambda: list(base.iterdir()) == [])


def test_kill_9_in_the_midst_of_a_restore(
    source: Any, base: Path, tmp_path: Path, homes: Any, eventually: Any, owned: Any
) -> None:
    dump = source.slow_dump(tmp_path / "slow.dump")
    script = OWNER.replace("lambda done, total: None", "lambda done, total: print(done, flush=True)")
    owner = owned(dump, script)
    (home,) = homes()
    assert restores_of(dump)
    owner.kill()
    owner.wait()
    assert eventually(lambda: not home.exists())
    assert eventually(lambda: list(base.iterdir()) == [])
    assert eventually(lambda: not restores_of(dump))


def test_term_signal_leaves_nothing(good: Path, base: Path, eventually: Any, owned: Any) -> None:
    owner = owned(good)
    owner.terminate()
    owner.wait()
    assert eventually(lambda: list(base.iterdir()) == [])
