"""What a killed process only reserved, on a directory without hard links, locks nobody out for ever."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from team_machines import Machine, Pair, middle, same_end

from uscdr.errors import ExitCode
from uscdr.store import exclusive
from uscdr.store.directory import LocalStore


@dataclass
class Directory:
    """A directory with the switches of the stores in memory."""

    root: Path
    seconds: float = 0.0
    down: bool = False
    store: LocalStore = field(init=False)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True)
        self.store = LocalStore(self.root)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@pytest.fixture
def pair(quick: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    def no_links(source: object, target: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(exclusive, "_rename", lambda file, target: False)
    monkeypatch.setattr(exclusive, "RESERVED", 0.1)
    return Pair(quick / "machines", cast("Any", Directory(quick / "shared")))


def next_piece(machine: Machine) -> Path:
    """The name under which the team gets the run's next lines."""
    pieces = sorted((Path(machine.store.place) / "runs" / machine.run).iterdir())
    lines = sum(piece.read_bytes().count(b"\n") for piece in pieces)
    return pieces[0].with_name(f"{lines:08d}.jsonl")


def test_a_piece_of_the_journal(whole: Pair, pair: Pair) -> None:
    pair.ada.at(middle(whole, "step.started", "restore"), "after", lambda: next_piece(pair.ada).touch())
    ending = pair.ada.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert same_end(pair, whole) == []
    pieces = sorted((Path(pair.store.place) / "runs" / pair.ada.run).iterdir())
    assert b"".join(piece.read_bytes() for piece in pieces) == pair.ada.journal_path.read_bytes()


def reserved_by_the_dead(pair: Pair) -> None:
    """A machine that was killed as it took the lease."""
    (scope,) = (Path(pair.store.place) / "leases").iterdir()
    number = int(max(path.stem for path in scope.iterdir()))
    (scope / f"{number + 1:012d}.json").touch()


@pytest.mark.parametrize("take_over", [True, False])
def test_a_lease(whole: Pair, pair: Pair, take_over: bool) -> None:
    def dies() -> None:
        reserved_by_the_dead(pair)
        pair.ada.dies()

    pair.ada.at(middle(whole, "step.accepted", "restore"), "after", dies)
    assert pair.ada.begin() is None
    pair.store.down = False
    if take_over:
        pair.bob.run = pair.ada.run
        ending = pair.bob.resume(take_over=True)
    else:
        os.utime(next(iter((Path(pair.store.place) / "leases").rglob("*2.json"))), (0, 0))
        ending = pair.ada.resume()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert same_end(pair, whole) == []
