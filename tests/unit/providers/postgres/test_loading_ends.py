"""However a load ends early, the database is unchanged and nothing runs on."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from live_target import Owned, loader

from uscdr.errors import Interrupted, LockHeld, ProviderError
from uscdr.write_guard import WriteGuard


@pytest.mark.parametrize("how", ["stop", "exception"])
def test_interrupted_load_leaves_the_old_content(owned: Owned, slow: Path, how: str) -> None:
    owned.run("CREATE TABLE crawl (old int); INSERT INTO crawl VALUES (1), (2)")
    before = owned.digests(["crawl"])
    stop = threading.Event()

    def interrupt(done: int, total: int | None) -> None:
        if done and how == "exception":
            raise KeyboardInterrupt
        if done:
            stop.set()

    began = time.monotonic()
    with pytest.raises(Interrupted if how == "stop" else KeyboardInterrupt):
        loader(stop=stop).load(owned.url, slow, interrupt)
    assert time.monotonic() - began < 10
    assert owned.digests(["crawl"]) == before
    assert not running(slow)


def test_a_load_whose_run_was_taken_over_meanwhile_leaves_the_old_content(owned: Owned, good: Path) -> None:
    """Asked once, at the end: when all is sent and nothing is committed."""
    before = owned.names()
    asked: list[list[str]] = []

    def taken() -> str:
        asked.append(owned.names())
        raise LockHeld("Run r-1 is no longer this process's.")

    leave = WriteGuard()
    with leave.of(taken), pytest.raises(LockHeld, match="no longer"):
        loader(leave=leave).load(owned.url, good, lambda done, total: None)
    assert asked == [before]
    assert owned.names() == before
    loader(leave=leave).load(owned.url, good, lambda done, total: None)
    assert owned.names() != before


def running(path: Path) -> list[str]:
    answer = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in answer.stdout.splitlines() if str(path) in line and "--no-owner" in line]


def test_a_session_that_is_cut_leaves_the_old_content(owned: Owned, slow: Path) -> None:
    owned.run("CREATE TABLE crawl (old int); INSERT INTO crawl VALUES (1), (2)")
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'uscdr load' AND datname = current_database()"
    )
    with pytest.raises(ProviderError, match="ended the connection") as caught:
        loader().load(owned.url, slow, lambda done, total: owned.clinic.run(cut) if done else None)
    assert caught.value.retryable
    assert owned.clinic.adapter().counts(["crawl"]) == {"crawl": 2}


LOAD = """
import sys
from pathlib import Path
from pydantic import SecretStr
from uscdr.providers.postgres.loading import PostgresLoader
say = lambda done, total: print(done, flush=True) if done else None
PostgresLoader(read_only=False).load(SecretStr(sys.stdin.readline().strip()), Path(sys.argv[1]), say)
"""


def test_kill_9_leaves_the_old_content_and_no_work_at_the_server(owned: Owned, slow: Path) -> None:
    """The server notices within seconds that nobody waits for the index."""
    owned.run("CREATE TABLE crawl (old int); INSERT INTO crawl VALUES (1), (2)")
    with subprocess.Popen(
        [sys.executable, "-c", LOAD, str(slow)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(owned.url.get_secret_value() + "\n")
        process.stdin.flush()
        assert int(process.stdout.readline()) > 0
        process.kill()
    deadline = time.monotonic() + 20
    with psycopg.connect(owned.url.get_secret_value(), autocommit=True) as looking:
        while looking.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'uscdr load'").fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.1)  # an interval between two looks
    assert owned.clinic.adapter().counts(["crawl"]) == {"crawl": 2}
    assert not running(slow)
