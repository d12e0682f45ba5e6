"""A suite started in the background inherits an ignored Ctrl-C, and so would every process it starts.

What tests write lies in memory where there is room: a journal's fsync and a server's files then cost nothing.
"""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
from campaigns import orphans, printed

from uscdr.pgserver.server import PLACE

MEMORY = Path("/dev/shm")
SHARED = ("media_site", "sandboxed")
"""Fixtures of a session in tests/sandbox; any other sandbox is a file's own."""
COSTS = {
    "test_recover_db": 156, "test_guides_typed": 155, "test_outage_guides_typed": 117, "test_readme_typed": 84,
    "test_surprise_drill": 74, "test_tutorial_typed": 71, "test_recover_infra": 58, "test_recover_app": 55,
    "test_recover_infra_half": 53, "test_last_screens": 90, "test_two_operators": 42, "test_verify": 39,
    "test_three_in_the_morning": 29, "test_backups": 23, "test_clinic": 20, "test_media_damage": 19,
    "test_recover_backups": 17, "test_sandbox_life": 17, "test_single_writes_killed": 14, "test_drill_own_data": 14,
    "test_exit_codes": 12, "test_kit": 20, "test_original_answers": 10, "test_break_infra": 9,
    "test_sandbox_services": 9, "test_verify_damage": 30, "test_break_app": 18, "test_clinic_http": 8,
    "test_media_clinic": 8, "test_clinic_media": 6, "test_media_adapter": 6, "test_sandbox_builds": 6,
    "test_provisioning_adapter": 5, "test_sandbox_transfers": 5, "test_questions": 80, "test_furnishing": 5,
}  # fmt: skip
"""Seconds of the processor that a file of tests/sandbox takes, where it is more than a few."""
ROOM = 4 << 30
"""Bytes that must be free, of the file system and of the machine's memory."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="every case of what is drawn a third of otherwise")


def pytest_configure() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if "TMPDIR" not in os.environ and _has_room(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        os.environ.setdefault(PLACE, str(MEMORY))
        tempfile.tempdir = None
    orphans.watch()
    printed.watch()


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
    """What shares a sandbox at the head of one worker's part: what others steal is at its end."""
    groups, rest = _by_sandbox(items)
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for group in sorted(groups, key=_cost, reverse=True):
        min(hands, key=_cost).extend(group)
    # xdist gives the first worker the first tests, the next the next, and each as many.
    for number, hand in enumerate(hands if groups else []):
        share = (len(items) - sum(map(len, hands[:number]))) // (workers - number)
        filling = max(0, share - len(hand))
        hand.extend(rest[:filling])
        del rest[:filling]
    return [*(item for hand in hands for item in hand), *rest]


def _cost(items: list[pytest.Item]) -> float:
    """About the processor's seconds, so that all workers come to the end of their sandboxes at the same time."""
    return sum(COSTS.get(path.stem, 0.0) for path in {item.path for item in items})


def _by_sandbox(items: list[pytest.Item]) -> tuple[list[list[pytest.Item]], list[pytest.Item]]:
    """Whole files that use one sandbox, and everything else."""
    files: dict[Path, list[pytest.Item]] = {}
    rest = []
    for item in items:
        if item.path.parent.name == "sandbox" and item.path.parents[1].name == "tests":
            files.setdefault(item.path, []).append(item)
        else:
            rest.append(item)
    groups: dict[object, list[pytest.Item]] = {}
    for path, of_a_file in files.items():
        used = {name for item in of_a_file for name in getattr(item, "fixturenames", ())}
        shared = next((name for name in SHARED if name in used), path)
        groups.setdefault(shared, []).extend(of_a_file)
    return list(groups.values()), rest
