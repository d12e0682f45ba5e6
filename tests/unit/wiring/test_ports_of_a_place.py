"""What the adapters of a place know and leave: secrets that nobody may see, servers that nobody needed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rehearsal import Rehearsal
from uscdr.store.location import STORE_SECRETS
from uscdr.wiring.adapters import TargetAdapters
from uscdr.wiring.context import known_secrets


@pytest.mark.parametrize("name", sorted(STORE_SECRETS))
def test_secrets_of_stores_are_redacted(name: str, quick: Path) -> None:
    place = Rehearsal(quick).target()
    redactor = known_secrets(place, {name: "canary-of-a-store", "HOME": "/home/ada"})
    assert redactor.text("no canary-of-a-store in /home/ada") == f"no [{name}] in /home/ada"


def test_a_scratch_server_that_nobody_needed_goes_with_the_ports(quick: Path) -> None:
    run = Rehearsal(quick)
    context = run.context(run.process(), "r-1", dry_run=True)
    with TargetAdapters(context, quick / "scratch") as adapters:
        adapters.scratch.prepare()
        end = time.monotonic() + 30
        while not any((quick / "scratch").glob("*/*")):
            assert time.monotonic() < end, "no server was begun"
    assert list((quick / "scratch").iterdir()) == []
