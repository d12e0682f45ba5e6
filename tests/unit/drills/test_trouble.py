"""What a surprise drill does with its sandbox: rules in, rules out, a second attempt where the cause goes away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from uscdr.drills import surprise
from uscdr.drills.baseline import TableContents
from uscdr.drills.environment import DrillRequest, Stage
from uscdr.drills.faults import FaultRule, PlannedFault, Reaction, Sign
from uscdr.drills.surprise import Trouble, destroys
from uscdr.engine.run import Outcome
from uscdr.errors import CredentialsRefused, ExitCode, LockHeld
from uscdr.scenarios.adapters import Request

DONE = Outcome(ExitCode.DONE, None)
REFUSED = Outcome(ExitCode.FAILED, CredentialsRefused("Refused.", provider="Heroku", next_action="Set a token."))
ASKED = Request("db", "b001")


def received(path: str, fault: str = "", method: str = "GET", status: int = 200) -> dict[str, Any]:
    time = datetime(2026, 11, 29, 3, 0, tzinfo=UTC).isoformat(timespec="milliseconds")
    write = method != "GET"
    return {"time": time, "method": method, "path": path, "status": status, "write": write, "fault": fault}


@dataclass
class FakeStage:
    """A stage whose recoveries end as told."""

    request: DrillRequest
    endings: list[Outcome | LockHeld]
    audit: list[dict[str, Any]] = field(default_factory=list)
    controls: list[tuple[str, Any]] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    target: Any = field(default_factory=lambda: SimpleNamespace(key="sandbox usc-pis"))

    def mark(self) -> int:
        return 0

    def requests(self, since: int) -> list[dict[str, Any]]:
        return self.audit[since:]

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        return [one for one in self.audit[since:] if one["write"]]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        self.controls.append((method, body))

    @contextmanager
    def look(self, request: Request) -> Iterator[Any]:
        yield None

    def recover(self, request: Request, run: str, identity: Path | None) -> Outcome:
        return self._ended("recover")

    def resume(self, request: Request, run: str, identity: Path | None) -> Outcome:
        return self._ended("resume")

    def _ended(self, how: str) -> Outcome:
        self.attempts.append(how)
        ending = self.endings.pop(0)
        if isinstance(ending, LockHeld):
            raise ending
        return ending


@pytest.fixture(autouse=True)
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is no part of these tests."""
    monkeypatch.setattr(surprise, "content", lambda deps: TableContents())


def trouble(tmp_path: Path, fault: PlannedFault, *endings: Outcome | LockHeld) -> tuple[Trouble, FakeStage]:
    stage = FakeStage(DrillRequest("drop-table", 20, tmp_path, tmp_path, None, 7), list(endings))
    return Trouble(cast("Stage", stage), "run", (fault,)), stage


def token(expected: Reaction) -> PlannedFault:
    return PlannedFault("token", "", expected, Sign.REFUSED, FaultRule("401", "*", "*", 3, 0), codes=(ExitCode.FAILED,))


@pytest.mark.parametrize(
    ("expected", "attempts"), [(Reaction.AGAIN, ["recover", "resume"]), (Reaction.STOP, ["recover"])]
)
def test_a_stop_is_resumed_only_if_its_cause_goes_away(
    tmp_path: Path, expected: Reaction, attempts: list[str]
) -> None:  # fmt: skip
    one, stage = trouble(tmp_path, token(expected), REFUSED, DONE)
    stage.audit = [received("/apps"), received("/account", "401"), received("/apps/a", "401")]
    ending = one.recover(ASKED, None)
    assert stage.attempts == attempts
    assert ending is (DONE if expected is Reaction.AGAIN else REFUSED)
    assert [(method, body and body["kind"]) for method, body in stage.controls] == [("POST", "401"), ("DELETE", None)]
    assert (one.strikes["token"].request, one.strikes["token"].count) == ("GET /account", 2)
    assert (one.endings[0].code, one.endings[0].next_action) == (ExitCode.FAILED, "Set a token.")


def test_a_fault_that_was_not_reached_did_not_strike_and_nothing_is_tried_again(tmp_path: Path) -> None:
    one, stage = trouble(tmp_path, token(Reaction.AGAIN), DONE)
    stage.audit = [received("/apps", "500"), received("/apps")]
    assert one.recover(ASKED, None) is DONE
    assert (one.strikes, stage.attempts) == ({}, ["recover"])


def test_what_was_destroyed_before_a_stop_is_told(tmp_path: Path) -> None:
    one, stage = trouble(tmp_path, token(Reaction.STOP), REFUSED)
    stage.audit = [received("/client/v11/databases/1/restores", method="POST", status=201), received("/a", "401")]
    one.recover(ASKED, None)
    assert one.destroyed == "it sent POST /client/v11/databases/1/restores"


def test_a_colleague_who_lets_go_after_one_refusal_is_followed_by_the_same_command(tmp_path: Path) -> None:
    held = LockHeld("Another run works on it.", next_action="Talk to that person.")
    lock = PlannedFault("lock", "", Reaction.AGAIN, Sign.LOCKED, codes=(ExitCode.LOCKED,))
    one, stage = trouble(tmp_path, lock, held, DONE)
    assert one.recover(ASKED, None) is DONE
    assert stage.attempts == ["recover", "recover"]
    assert [each.code for each in one.endings] == [ExitCode.LOCKED, ExitCode.DONE]


def test_without_faults_there_is_one_recovery_and_no_result(tmp_path: Path) -> None:
    stage = FakeStage(DrillRequest("drop-table", 20, tmp_path, tmp_path, None), [DONE])
    one = Trouble.planned(cast("Stage", stage), "db", "run")
    one.prepare()
    assert one.request(ASKED) is ASKED
    assert one.recover(ASKED, None) is DONE
    assert (stage.controls, one.result(None, ())) == ([], None)


@pytest.mark.parametrize(
    ("method", "path", "status", "wanted"),
    [
        ("POST", "/client/v11/databases/1/restores", 201, True),
        ("POST", "/client/v11/databases/1/restores", 0, True),  # the answer was lost
        ("POST", "/client/v11/databases/1/restores", 401, False),
        ("DELETE", "/apps/a", 200, True),
        ("PATCH", "/apps/a", 200, False),
        ("POST", "/client/v11/databases/1/backups", 201, False),
    ],
)
def test_a_destructive_write_overwrites_or_deletes_and_was_taken(
    method: str, path: str, status: int, wanted: bool
) -> None:  # fmt: skip
    assert destroys(received(path, method=method, status=status)) is wanted
