"""`recover app` as a person gives the command: each kind of damage, and what providers received because of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from test_recover_db import Desk

RECOVER = ("--target", "sandbox", "recover", "app")
KEY = "PGP_ENCRYPTION_KEY"
SHUT, OPEN = "PATCH /apps/usc-pis", "PATCH /apps/usc-pis"
ROLLBACK, DYNO = "POST /apps/usc-pis/releases", "POST /apps/usc-pis/dynos"
SOURCE, BUILD = "POST /sources", "POST /apps/usc-pis/builds"
WRITTEN = ("reports_reporttemplate", "django_session")  # by the release phase; by whoever opens the form of the login


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="uscdr-recover-app-") as state:
        desk = Desk(Path(state))
        desk.call("sandbox", "up", "--patients", "20", "--keep", "60")
        try:
            yield desk
        finally:
            desk.call("sandbox", "down")


def breaks(desk: Desk, how: str, *more: str) -> None:
    desk.call("sandbox", "break", "app", "--how", how, *more)


def phrase(desk: Desk, goal: str) -> str:
    """What must be typed, put together from what will be done and the repository."""
    first = goal.partition(",")[0]
    return f"usc-pis {first} {desk.contract['source']['commit'][:12]}" if first == "deploy" else f"usc-pis {first}"


def recovered(desk: Desk, goal: str, *more: str) -> list[str]:
    """The writes of one recovery that ends as done."""
    before = len(desk.writes())
    done = desk.call(*RECOVER, *more, "--confirm", phrase(desk, goal))
    assert "done and verified" in done.stderr
    return [line.partition("/source-blobs/")[0] for line in desk.writes()[before:]]


def page(desk: Desk) -> int:
    return httpx.get(desk.contract["web_url"], trust_env=False).status_code


def releases(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.api("/apps/usc-pis/releases")
    return sorted(found, key=lambda release: -int(release["version"]))


def rows(desk: Desk) -> str:
    """Every row but those of `WRITTEN`; a row that is taken back leaves its number used."""
    parts = (part for part in desk.content().split("\nCOPY ") if not any(table in part for table in WRITTEN))
    return "\n".join(line for part in parts for line in part.splitlines() if "setval" not in line)


def test_a_healthy_application_and_bad_input_are_refused_and_nothing_is_written(desk: Desk) -> None:
    before = desk.writes()
    healthy = desk.call(*RECOVER, "--confirm", "usc-pis v9: roll back to v8", code=1)
    assert "nothing to recover" in healthy.stderr
    assert "--release vN" in healthy.stderr
    unknown = desk.call(*RECOVER, "--release", "v99", code=2)
    assert "v99 is not listed" in unknown.stderr
    absent = desk.call(*RECOVER, "--ref", "no-such-branch", code=2)
    assert "no-such-branch" in absent.stderr
    assert desk.writes() == before


def test_a_bad_release_is_rolled_back_by_one_release(desk: Desk) -> None:
    data = rows(desk)
    breaks(desk, "bad-release")
    assert page(desk) == 503
    before, goal = desk.writes(), f"roll back to v{releases(desk)[1]['version']}"
    assert phrase(desk, f"{goal}, else deploy") in desk.call(*RECOVER, "--dry-run").stdout
    assert desk.writes() == before
    assert recovered(desk, f"{goal}, else deploy") == [SHUT, ROLLBACK, DYNO, OPEN, DYNO]
    assert releases(desk)[0]["description"] == goal.capitalize().replace("Roll back", "Rollback")
    assert page(desk) == 200
    assert rows(desk) == data
    assert not desk.api("/apps/usc-pis")["maintenance"]


def test_a_release_phase_that_failed_on_top_is_seen_through(desk: Desk) -> None:
    breaks(desk, "failing-release-phase")
    assert page(desk) == 500
    good = releases(desk)[2]["version"]
    assert recovered(desk, f"roll back to v{good}, else deploy") == [SHUT, ROLLBACK, DYNO, OPEN, DYNO]
    assert releases(desk)[0]["description"] == f"Rollback to v{good}"
    assert page(desk) == 200


def change(desk: Desk, statement: str) -> None:
    """By hand, in the live database."""
    with psycopg.connect(desk.api("/apps/usc-pis/config-vars")["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement.encode())


def test_a_migration_that_is_half_done_does_not_close_a_working_application(desk: Desk) -> None:
    breaks(desk, "missing-migration")
    change(desk, "ALTER TABLE authentication_user ADD preferred_name varchar(150)")
    before = desk.writes()
    for more in ((), ("--dry-run",)):
        refused = desk.call(*RECOVER, *more, "--confirm", "usc-pis v0: nothing", code=1)
        assert "the column authentication_user.preferred_name already exists" in refused.stderr
        assert "migrate --fake authentication" in refused.stderr
    assert (desk.writes(), page(desk)) == (before, 200)
    change(desk, "ALTER TABLE authentication_user DROP preferred_name")


def test_a_missing_migration_is_applied_after_a_capture(desk: Desk) -> None:
    asked, written, _, capture, *applied, opened, saved = recovered(desk, "apply pending migrations, else deploy")
    assert (asked, written, saved) == (DYNO, DYNO, DYNO)
    assert capture.endswith("/backups")
    assert (applied, opened) == ([DYNO, DYNO, DYNO], OPEN)
    assert releases(desk)[0]["description"].startswith("Deploy")


def test_a_database_that_the_code_cannot_save_into_is_not_recovered(desk: Desk) -> None:
    breaks(desk, "bad-release")
    change(desk, "ALTER TABLE patients_patient ADD consent text NOT NULL DEFAULT ''")
    change(desk, "ALTER TABLE patients_patient ALTER consent DROP DEFAULT")
    change(desk, "INSERT INTO django_migrations (app, name, applied) VALUES ('patients', '0099_consent', now())")
    good = releases(desk)[1]["version"]
    words = phrase(desk, f"roll back to v{good}, else deploy")
    planned = desk.call(*RECOVER, "--dry-run").stdout
    assert "AHEAD of that code by patients.0099_consent" in planned
    assert "CANNOT SAVE rows: it does not fill patients_patient.consent" in planned
    ended = desk.call(*RECOVER, "--confirm", words, code=1)
    assert "it cannot save: patients.Patient: cannot be saved" in ended.stderr
    assert (
        "unknown to the deployed code, which cannot save rows in that table: patients_patient.consent" in ended.stderr
    )
    assert "done and verified" not in ended.stderr
    assert page(desk) == 200
    change(desk, "DELETE FROM django_migrations WHERE name = '0099_consent'")
    change(desk, "ALTER TABLE patients_patient DROP consent")
    assert "done and verified" in desk.call("runs", "resume").stderr


def test_a_lost_variable_comes_back_with_its_value(desk: Desk) -> None:
    value = desk.api("/apps/usc-pis/config-vars")[KEY]
    good = releases(desk)[0]["version"]
    breaks(desk, "lost-config", "--variable", KEY)
    assert recovered(desk, f"roll back to v{good}, else deploy") == [SHUT, ROLLBACK, DYNO, OPEN, DYNO]
    assert desk.api("/apps/usc-pis/config-vars")[KEY] == value


def test_a_build_that_fails_ends_clearly_and_resume_builds_once_more(desk: Desk) -> None:
    change(desk, "ALTER TABLE authentication_user DROP preferred_name")  # main does not know it, and could save nobody
    change(desk, "DELETE FROM django_migrations WHERE name LIKE '%_user_preferred_name'")
    words = phrase(desk, "deploy")
    before = len(desk.writes())
    desk.call("sandbox", "fault", "add", "build-fails", "--path", "*/builds", "--method", "POST")
    failed = desk.call(*RECOVER, "--ref", "main", "--confirm", words, code=3)
    assert "The build failed" in failed.stderr
    assert "runs resume" in failed.stderr
    assert page(desk) == 200
    assert "done and verified" in desk.call("runs", "resume").stderr
    sent = desk.writes()[before:]
    assert [write for write in sent if write == BUILD] == [BUILD, BUILD]
    assert not [write for write in sent if write == ROLLBACK]
    assert releases(desk)[0]["description"].startswith("Deploy")
