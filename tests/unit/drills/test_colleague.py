"""A colleague's process holds the lock as another run does, and lets go at the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from uscdr.drills.colleague import MESSAGE, colleague
from uscdr.errors import LockHeld, MachineError
from uscdr.journal.lock import HeldLock
from uscdr.settings import Operator

TARGET = "sandbox usc-pis"


def test_the_lock_is_refused_while_the_colleague_works_and_free_afterwards(tmp_path: Path) -> None:
    me = Operator.of(os.environ)
    with colleague(tmp_path, TARGET), pytest.raises(LockHeld) as caught, HeldLock.hold(tmp_path, TARGET, me, "mine"):
        pass
    assert MESSAGE in caught.value.why
    assert caught.value.next_action
    with HeldLock.hold(tmp_path, TARGET, me, "mine"):
        pass


def test_a_colleague_who_cannot_take_the_lock_ends_the_drill(tmp_path: Path) -> None:
    with (
        HeldLock.hold(tmp_path, TARGET, Operator.of(os.environ), "mine"),
        pytest.raises(MachineError, match="could not take the lock"),
        colleague(tmp_path, TARGET),
    ):
        pass
