"""The runbook's “Backup System Recovery” on the sandbox, looked at with code that the product does not share."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from forked import USCDR
from test_backups import Desk
from uscdr.pgserver.cluster import Tool

SCHEDULES, BACKUPS = "/client/v11/databases/{}/transfer-schedules", "/client/v11/apps/usc-pis/transfers"
PATIENT = "Canarina Backupmarker"


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="uscdr-recover-backups-") as place:
        state = Path(place)
        secret = importlib.import_module("pyrage").x25519.Identity.generate()
        (state / "identity.txt").write_text(f"{secret}\n")
        desk = Desk(state, str(secret.to_public()), [])
        desk.call("sandbox", "up", "--patients", "30", "--backup-age", "2h")
        try:
            last = PATIENT.split()[1]
            desk.sql(
                f"UPDATE patients_patient SET last_name = '{last}' WHERE id = (SELECT min(id) FROM patients_patient)"
            )
            yield desk
        finally:
            desk.call("sandbox", "down")


def stop_backups(desk: Desk) -> None:
    """The schedule goes, and a backup fails."""
    desk.call("sandbox", "break", "service", "--how", "schedule-gone")
    desk.call("sandbox", "fault", "add", "transfer-fails", "--method", "POST", "--path", "*/backups")
    desk.call("--target", "sandbox", "backup", "capture", code=3)


def recover(desk: Desk, *more: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    words = ("--target", "sandbox", "recover", "backups", "--to", str(desk.vault), "--identity", "identity.txt")
    return desk.call(*words, *more, code=code)


def phrase(desk: Desk, *more: str) -> str:
    shown = recover(desk, "--dry-run", *more).stdout
    return next(line.removeprefix("phrase").strip() for line in shown.splitlines() if line.startswith("phrase"))


def schedules(desk: Desk) -> list[dict[str, Any]]:
    addon = next(one for one in desk.api("/apps/usc-pis/addons") if one["plan"]["name"].startswith("heroku-postgresql"))
    return list(desk.api(SCHEDULES.format(addon["id"])))


def journal(desk: Desk) -> list[dict[str, Any]]:
    newest = max((desk.state / "runs").glob("*-backups-*/journal.jsonl"))
    return [json.loads(line)["event"] for line in newest.read_text().splitlines()]


@pytest.fixture(scope="module")
def recovered(desk: Desk) -> dict[str, Any]:
    """From no schedule and a failed backup to a proven copy."""
    stop_backups(desk)
    before = desk.writes()
    wanted = phrase(desk)
    assert desk.writes() == before, "a dry run changed something"
    assert not desk.vault.exists(), "a dry run stored something"
    assert schedules(desk) == []
    recover(desk, "--confirm", wanted)
    assert desk.writes() == before + 2
    (card,) = (json.loads(path.read_text()) for path in (desk.vault / "backups").glob("*/card.json"))
    return dict(card)


def test_the_schedule_is_back_and_one_backup_was_made(desk: Desk, recovered: dict[str, Any]) -> None:
    (one,) = schedules(desk)
    assert (one["name"], str(one["hour"]), one["timezone"]) == ("DATABASE_URL", "2", "Asia/Manila")
    made = [(one["num"], one["succeeded"]) for one in desk.api(BACKUPS)]
    assert made == [(1, True), (2, False), (3, True)]
    assert recovered["origin"]["name"] == "b003"


def test_the_copy_opens_with_the_age_library_and_is_the_platforms_dump(desk: Desk, recovered: dict[str, Any]) -> None:
    pyrage = importlib.import_module("pyrage")
    key = pyrage.x25519.Identity.from_str((desk.state / "identity.txt").read_text().strip())
    plain = pyrage.decrypt((desk.vault / recovered["dump"]["path"]).read_bytes(), [key])
    link = desk.api(f"{BACKUPS}/3/actions/public-url", "POST")["url"]
    ca_file = json.loads((desk.state / "sandbox" / "sandbox.json").read_text())["ca_file"]
    trust = importlib.import_module("ssl").create_default_context(cafile=ca_file)
    assert plain == httpx.get(link, verify=trust, trust_env=False).content
    program = Tool.find("pg_restore", minimum_major=17).path
    listing = subprocess.run([program, "-l"], input=plain, capture_output=True, check=True).stdout
    assert b"TABLE DATA public patients_patient" in listing


def test_the_proof_is_of_the_copy_itself_and_status_agrees(desk: Desk, recovered: dict[str, Any]) -> None:
    (path,) = (desk.vault / "proofs" / recovered["dump"]["plain_sha256"]).glob("*.json")
    proof = json.loads(path.read_text())
    assert (proof["grade"], proof["copy_opened"]) == ("encrypted columns decrypt", True)
    assert (proof["canary"]["verdict"], proof["migrations"]["verdict"]) == ("pass", "same")
    (seen,) = desk.backup("status", "--to", str(desk.vault))
    assert (seen["met"], seen["proven"]) == (True, "b003")


def test_a_run_that_is_killed_while_it_copies_is_resumed_to_one_copy(desk: Desk, recovered: dict[str, Any]) -> None:
    desk.call("sandbox", "fault", "add", "slow:4", "--path", "*.dump", "--count", "0")
    place = desk.state / "killed"
    words = ("--target", "sandbox", "recover", "backups", "--to", str(place), "--identity", "identity.txt")
    shown = desk.call(*words, "--dry-run").stdout
    wanted = next(line.removeprefix("phrase").strip() for line in shown.splitlines() if line.startswith("phrase"))
    before = desk.writes()
    begun = subprocess.Popen(
        [USCDR, *words, "--confirm", wanted], env=desk.environment(), cwd=desk.state, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while not list((place / ".staging").glob("*/*")):
            assert begun.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        begun.send_signal(signal.SIGKILL)
        begun.wait(timeout=60)
    finally:
        desk.call("sandbox", "fault", "clear")
    assert not list(place.rglob("card.json"))
    desk.call("runs", "resume", "--identity", "identity.txt")
    assert len(list(place.rglob("card.json"))) == 1
    assert desk.writes() == before + 1, "a second backup was captured"
    assert len(list(place.glob("proofs/*/*.json"))) == 1


def test_a_backup_of_broken_data_ends_with_exit_1_and_the_older_copy(desk: Desk, recovered: dict[str, Any]) -> None:
    url = desk.api("/apps/usc-pis/config-vars")["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE patients_patient CASCADE")
    said = recover(desk, "--confirm", phrase(desk), code=1).stderr
    assert "is NOT proven." in said
    assert "patients are there" in said
    assert "Until then, rely on b003, the newest proven backup" in said
    assert f"(copy {recovered['id']})" in said
    ends = [event for event in journal(desk) if event["kind"] == "run.finished"]
    assert ends[-1]["exit_code"] == 1
    (seen,) = desk.backup("status", "--to", str(desk.vault))
    assert seen["proven"] == "b003"


def test_nothing_of_a_patient_and_no_key_is_in_anything_said_or_left(desk: Desk, recovered: dict[str, Any]) -> None:
    """Last: over all that the tests before it made and said."""
    seen = {f"output {number}": text for number, text in enumerate(desk.said)}
    places = [desk.state / name for name in ("safe", "killed", "scratch", "runs")]
    for path in (path for place in places for path in place.rglob("*") if path.is_file()):
        seen[str(path)] = path.read_bytes().decode("latin-1")
    key = desk.api("/apps/usc-pis/config-vars")["PGP_ENCRYPTION_KEY"]
    private = (desk.state / "identity.txt").read_text().strip()
    assert len(seen) > 15
    assert [where for where, text in seen.items() for mark in (PATIENT.split()[1], key, private) if mark in text] == []
    assert not [path for path in (desk.state / "scratch").rglob("*") if path.is_file()]


@pytest.mark.slow  # `make drills` runs it in every case
def test_a_drill_breaks_schedule_and_backup_and_compares_the_copy(tmp_path: Path) -> None:
    reports, state = tmp_path / "reports", tmp_path / "state"
    state.mkdir()
    done = Desk(state, "", []).call("drill", "backups", "--patients", "20", "--report", str(reports))
    assert "passed" in done.stdout
    facts = json.loads((reports / "drill-backups.json").read_text())
    assert facts["sound"]
    assert (facts["damage"]["failed"], facts["beyond"], facts["writes"]) == ("b002", [], 2)
    assert [one["name"] for one in facts["findings"] if one["holds"]] == [
        "every row is the same as before",
        "uscdr sent nothing twice",
        "the platform schedules a daily backup",
        "the copy has the same bytes as the platform's backup",
        "the copy has the highest grade of proof",
    ]
    assert not (state / "scratch").exists()
