"""`recover backups` killed at every record, and with every call gone wrong: one schedule, one capture, one copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from unscheduled_clinic import Clinic, ended

from killed_everywhere import Some, looks, moments, wrong_ends
from uscdr.engine.run import Outcome
from uscdr.errors import ExitCode

SENT = ["schedule_backups DATABASE_URL", "capture"]
WRITES = ("schedule_backups", "capture")
LOOKS = ("app", "database", "transfers", "transfer", "schedules", "config_vars", "public_url", "fetch")
LOOK_KINDS = ("refused", "down", "kill_before", "kill_after")
KINDS = ("refused", "down", "lost_before", "lost_after", "kill_before", "kill_after")


def broken(state: Path) -> Clinic:
    """Nothing is scheduled, the last backup failed, an older one is proven."""
    clinic = Clinic(state)
    clinic.proven_before()
    clinic.world.fail("connection to storage lost")
    return clinic


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    clinic = broken(tmp_path_factory.mktemp("calm") / "clinic")
    assert ended(clinic.begin()) == (ExitCode.DONE, "")
    return clinic


def judged(clinic: Clinic, ending: Outcome | None) -> list[str]:
    problems = []
    if ending is None or ending.code is not ExitCode.DONE:
        problems.append(f"ended with {ending}: {getattr(getattr(ending, 'error', None), 'message', '')}")
    if clinic.world.writes != SENT:
        problems.append(f"sent: {clinic.world.writes}")
    new = [card.origin.name for card in clinic.copies() if card.origin.name != "b001"]
    if new != ["b003"]:
        problems.append(f"copies: {new}")
    sound = [proof.sound for proof in clinic.proofs() if proof.backup == "b003"]
    if sound != [True]:
        problems.append(f"proofs of the new backup: {sound}")
    confirmed = sum(1 for event in clinic.events("gate.answered") if event["confirmed"])
    if confirmed != 1:
        problems.append(f"confirmed {confirmed} times")
    return problems


def test_every_record_boundary_leads_to_the_same_end(calm: Clinic, quick: Path, some: Some) -> None:
    assert len(calm.events()) > 25
    wrong = wrong_ends(
        some(moments(calm)),
        make=lambda name: broken(quick / name),
        begin=lambda clinic: clinic.begin(),
        end=lambda clinic: judged(clinic, clinic.resume()),
    )
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", WRITES)
def test_any_write_goes_wrong(calm: Clinic, quick: Path, write: str, kind: str) -> None:
    assert calm.world.calls[write] == 1
    clinic = broken(quick / "clinic")
    clinic.world.faults[write, 1] = kind
    ending = clinic.begin()
    if kind in ("refused", "down"):
        assert ended(ending)[0] is ExitCode.FAILED
    if kind.startswith("lost"):
        assert ended(ending) == (ExitCode.DONE, "")
    if ending is None or ending.code is not ExitCode.DONE:
        ending = clinic.resume()
    assert judged(clinic, ending) == []


@pytest.mark.parametrize("kind", LOOK_KINDS)
def test_any_look_goes_wrong(calm: Clinic, quick: Path, some: Some, kind: str) -> None:
    assert [look for look in LOOKS if not calm.world.calls[look]] == [], "never asked"
    for look, number in some(looks(calm.world.calls, LOOKS), turn=LOOK_KINDS.index(kind)):
        clinic = broken(quick / f"{look}-{number}")
        clinic.world.faults[look, number] = kind
        ending = clinic.begin()
        if ending is None or ending.code is not ExitCode.DONE:
            ending = clinic.resume()
        assert judged(clinic, ending) == [], f"{look} {number}"


@pytest.mark.parametrize("write", WRITES)
def test_a_lost_answer_and_a_platform_gone_dark_is_an_unknown_outcome(quick: Path, write: str) -> None:
    clinic = broken(quick / "clinic")
    clinic.world.faults[write, 1] = "lost_after_dark"
    code, said = ended(clinic.begin())
    assert code is ExitCode.UNKNOWN
    assert "uscdr does not know whether" in said
    clinic.world.dark = False
    assert judged(clinic, clinic.resume()) == []
