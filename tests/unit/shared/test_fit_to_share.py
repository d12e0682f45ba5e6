"""A store that tells two operators that they are alone is no shared state: it is tried before anything is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from clocked_store import EPOCH, Clocked
from team_machines import Pair

from uscdr.errors import BadInput, ExitCode
from uscdr.shared.team import Team
from uscdr.store.directory import LocalStore
from uscdr.store.store import ChecksumRefused, NotExclusive, ObjectInfo


class Overwriting(Clocked):
    """As S3 was for years: the condition is not looked at."""

    def put_once(self, name: str, data: bytes) -> None:
        self.objects[name] = (data, self.seconds)


class Lagging(Clocked):
    """What was stored is listed some time later."""

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        return tuple(
            ObjectInfo(name, len(data), EPOCH) for name, (data, at) in self.objects.items() if at < self.seconds - 5
        )


class Refusing(Clocked):
    """The condition is refused."""

    error: Exception = NotExclusive("s3://bucket cannot do that.", why="The store answered 501.")

    def put_once(self, name: str, data: bytes) -> None:
        raise self.error


class Choosy(Refusing):
    """The same, in the words of another store."""

    error = ChecksumRefused("s3://bucket refuses what was to be written.", why="It answered 400 NotImplemented.")


UNFIT = [
    (Overwriting, "the same name twice"),
    (Lagging, "at once"),
    (Refusing, "answered 501"),
    (Choosy, "NotImplemented"),
]


@pytest.mark.parametrize(("kind", "why"), UNFIT)
def test_it_is_refused_before_anything_is_done(quick: Path, kind: type[Clocked], why: str) -> None:
    store = kind()
    pair = Pair(quick, store)
    for work in (pair.ada.begin, lambda: Team(cast("Any", store)).settle(pair.ada.state)):
        error = pair.ada.refused(cast("Any", work))
        assert isinstance(error, BadInput)
        assert error.exit_code is ExitCode.BAD_INPUT
        assert error.message == "A team cannot use s3://bucket as its shared state."
        assert why in error.why
        assert "conditional writes" in error.next_action
    assert pair.world.writes == []
    assert store.objects == {}
    assert not list((pair.ada.state / "runs").glob("*/*"))


def test_whoever_reads_there_is_not_kept_from_it(quick: Path) -> None:
    store = Overwriting()
    Team(cast("Any", store)).refresh(quick)
    assert store.objects == {}


def test_what_is_fit_keeps_nothing_of_the_trial(tmp_path: Path, store: Clocked) -> None:
    Team(cast("Any", store)).require_fit()
    assert store.objects == {}
    Team(LocalStore(tmp_path)).require_fit()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_it_is_tried_once_a_process(quick: Path, store: Clocked) -> None:
    tried = []
    put = store.put_once

    def counted(name: str, data: bytes) -> None:
        tried.append("/probe-" in name)
        put(name, data)

    store.put_once = counted  # type: ignore[method-assign]
    ending = Pair(quick, store).ada.begin()
    assert ending is not None
    assert ending.code is ExitCode.DONE
    assert tried.count(True) == 2
