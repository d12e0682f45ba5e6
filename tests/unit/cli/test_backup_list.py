"""Listing backups waits for nobody: another command's workplace is its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from rehearsal import Rehearsal
from uscdr import cleanup
from uscdr.backups.proofs import PROOFS
from uscdr.cli import main
from uscdr.store.directory import LocalStore


def test_two_listings_do_not_share_a_workplace(
    quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    monkeypatch.chdir(quick)
    run = Rehearsal(quick)
    used: list[str] = []
    real = cleanup.workplace

    def workplace(state: Path, name: str) -> AbstractContextManager[Path]:
        used.append(name)
        return real(state, name)

    monkeypatch.setattr(cleanup, "workplace", workplace)
    with run._in_haste():
        assert main.run(["backup", "list"]) == 0
        assert main.run(["backup", "list", "--json"]) == 0
    assert "b001" in capsys.readouterr().out
    assert len(set(used)) == 2


@pytest.mark.parametrize("command", ["list", "status"])
def test_each_look_is_taken_once_and_those_of_one_need_at_the_same_time(
    quick: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    monkeypatch.chdir(quick)
    run, together, documents = Rehearsal(quick), threading.Barrier(2), Counter[str]()
    real_call, real_names = run.world.call, LocalStore.names

    def call(name: str, effect: Callable[[], Any]) -> Any:
        if name in ("app", "database"):
            together.wait(30)  # breaks unless both are under way at once
        return real_call(name, effect)

    def names(store: LocalStore, below: str) -> Any:
        documents[below] += 1
        return real_names(store, below)

    monkeypatch.setattr(run.world, "call", call)
    monkeypatch.setattr(LocalStore, "names", names)
    with run._in_haste():
        main.run(["backup", command])
    assert {name: run.world.calls[name] for name in ("app", "database", "transfers")} == {
        "app": 1, "database": 1, "transfers": 1,
    }  # fmt: skip
    assert documents[PROOFS] == 1
