"""A suite started in the background inherits an ignored Ctrl-C, and so would every process it starts.

What tests write lies in memory where there is room: a journal's fsync and a server's files then cost nothing.
"""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
from campaigns import orphans

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that must be free, of the file system and of the machine's memory."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="every case of what is drawn a third of otherwise")


def pytest_configure() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if "TMPDIR" not in os.environ and _has_room(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None
    orphans.watch()


def _has_room(place: Path) -> bool:
    """Whether it is a file system in memory that programs may be run from, with room for sandboxes and servers."""
    try:
        found, memory = os.statvfs(place), Path("/proc/meminfo").read_text()
    except OSError:
        return False
    free = next(int(line.split()[1]) << 10 for line in memory.splitlines() if line.startswith("MemAvailable:"))
    return min(found.f_bavail * found.f_frsize, free) >= ROOM and not found.f_flag & os.ST_NOEXEC


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--all` only is what repeats, at some length, what another test finds, too."""
    if not config.getoption("--all"):
        left = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=left)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = _dealt(items, workers)


def _dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Files that share a sandbox at the head of each worker's part: what others steal is at its end."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path if item.path.parent.name == "sandbox" else Path(), []).append(item)
    rest = files.pop(Path(), [])
    if not files:
        return items
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for number, of_a_file in enumerate(files.values()):
        hands[number % workers].extend(of_a_file)
    # xdist gives the first worker the first tests, the next the next, and each as many.
    for number, hand in enumerate(hands):
        share = (len(items) - sum(map(len, hands[:number]))) // (workers - number)
        filling = max(0, share - len(hand))
        hand.extend(rest[:filling])
        del rest[:filling]
    return [*(item for hand in hands for item in hand), *rest]
