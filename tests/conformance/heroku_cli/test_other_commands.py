"""The other commands that an operator reaches for in a recovery, by the official client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sandbox_under_test import SandboxUnderTest, eventually

pytestmark = pytest.mark.official

APP = "--app usc-pis"


@pytest.fixture
def spare_app(sandbox: SandboxUnderTest) -> Iterator[str]:
    """An app for one test."""
    name = "usc-pis-spare"
    assert sandbox.run(f"heroku create {name} --no-remote").code == 0
    yield name
    assert sandbox.run(f"heroku apps:destroy {name} --confirm {name}").code == 0
    assert name not in {app["name"] for app in sandbox.get("/apps")}


@pytest.mark.parametrize(
    ("command", "texts"),
    [
        ("heroku auth:whoami", ["@"]),
        ("heroku auth:token", []),
        ("heroku status", ["No known issues"]),
        (f"heroku maintenance {APP}", ["off"]),
        (f"heroku config {APP}", ["DATABASE_URL:"]),
        (f"heroku config:get DATABASE_URL {APP}", ["postgres://"]),
        (f"heroku config:get NOTHING_OF_THIS_NAME {APP}", []),
        (f"heroku addons {APP}", ["heroku-postgresql", "essential-0", "as DATABASE"]),
        (f"heroku addons:info heroku-postgresql {APP}", ["essential-0"]),
        (f"heroku pg:backups:info b001 {APP}", ["Status:", "Completed", "Backup Size:"]),
        (f"heroku pg:backups:info {APP}", ["=== Backup b", "Status:"]),
        (f"heroku pg:wait {APP}", []),
        (f"heroku ps {APP}", ["web", "worker", "beat", "up "]),
        (f"heroku ps:scale {APP}", ["web=1"]),
        (f"heroku releases:info {APP}", ["Release v", "heroku-postgresql:essential-0"]),
        (f"heroku domains {APP}", ["Heroku Domain"]),
        (f"heroku logs --num 5 {APP}", ["]: "]),
        ("heroku authorizations", []),
        ("heroku apps", ["usc-pis"]),
    ],
)
def test_reading(sandbox: SandboxUnderTest, command: str, texts: list[str]) -> None:
    before = sandbox.writes()
    answer = sandbox.run(command)
    assert answer.code == 0, answer
    for text in texts:
        assert text in answer.said, answer
    assert sandbox.writes() == before


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("heroku pg:info --app no-such-app", "Couldn't find that app"),
        (f"heroku pg:backups:restore b999 DATABASE_URL {APP} --confirm usc-pis", "not found"),
        (f"heroku addons:create heroku-postgresql:hobby-dev {APP}", "end-of-life"),
        (f"heroku releases:info v9999 {APP}", "Couldn't find that release"),
        ("heroku create usc-pis", "already taken"),
    ],
)
def test_refusals_are_reported(sandbox: SandboxUnderTest, command: str, text: str) -> None:
    answer = sandbox.run(command)
    assert answer.code in {1, 2}, answer
    assert text.lower() in answer.said.lower(), answer


def test_capture_makes_a_backup(sandbox: SandboxUnderTest) -> None:
    before = len(sandbox.transfers())
    answer = sandbox.run(f"heroku pg:backups:capture {APP}")
    assert answer.code == 0, answer
    *earlier, last = sandbox.transfers()
    assert len(earlier) == before
    assert (last["from_type"], last["to_type"], last["succeeded"]) == ("pg_dump", "gof3r", True)
    name = f"b{int(last['num']):03d}"
    assert name in answer.said
    assert name in sandbox.run(f"heroku pg:backups {APP}").out
    assert sandbox.run(f"heroku pg:backups:delete {name} {APP} --confirm usc-pis").code == 0
    assert name not in sandbox.run(f"heroku pg:backups {APP}").out


def test_backup_downloads(sandbox: SandboxUnderTest) -> None:
    """The client insists on https for its own download."""
    answer = sandbox.run(f"heroku pg:backups:download b001 --output latest.dump {APP}")
    assert answer.code == 0, answer
    dump = sandbox.checkout / "latest.dump"
    assert dump.read_bytes().startswith(b"PGDMP")
    dump.unlink()


def test_schedule_life(sandbox: SandboxUnderTest) -> None:
    answer = sandbox.run(["heroku", "pg:backups:schedule", "DATABASE_URL", "--at", "02:00 UTC", *APP.split()])
    assert answer.code == 0, answer
    listed = sandbox.run(f"heroku pg:backups:schedules {APP}")
    assert "DATABASE_URL: daily at 2:00 UTC" in listed.out
    assert sandbox.run(f"heroku pg:backups:unschedule DATABASE_URL {APP}").code == 0
    assert "No backup schedules found" in sandbox.run(f"heroku pg:backups:schedules {APP}").said


def test_scaling_and_restarting_are_real(sandbox: SandboxUnderTest) -> None:
    def workers() -> int:
        dynos = sandbox.get("/apps/usc-pis/dynos")
        return sum(dyno["type"] == "worker" and dyno["state"] == "up" for dyno in dynos)

    assert sandbox.run(f"heroku ps:scale worker=0 {APP}").code == 0
    assert eventually(lambda: workers() == 0)
    assert sandbox.run(f"heroku ps:scale worker+1 {APP}").code == 0
    assert eventually(lambda: workers() == 1)
    asked = datetime.now(UTC)
    assert sandbox.run(f"heroku ps:restart {APP}").code == 0

    def restarted() -> bool:
        dynos = sandbox.get("/apps/usc-pis/dynos")
        return all(
            dyno["state"] == "up" and datetime.fromisoformat(dyno["updated_at"]) > asked
            for dyno in dynos
            if dyno["type"] in {"web", "worker", "beat"}
        )

    assert eventually(restarted)
    assert eventually(lambda: sandbox.web_status() == 200)


def test_detached_run_tells_its_end_in_the_logs(sandbox: SandboxUnderTest) -> None:
    argv = ["heroku", "run:detached", *APP.split(), "--", "sh", "-c", "'echo from afar; exit 3'"]
    answer = sandbox.run(argv)
    assert answer.code == 0, answer

    def ended() -> bool:
        return "Process exited with status" in sandbox.run(f"heroku logs --dyno run {APP}").out

    assert eventually(ended)


def test_setting_and_unsetting_config(sandbox: SandboxUnderTest) -> None:
    assert sandbox.run(f"heroku config:set ONE=1 TWO=2 {APP}").code == 0
    assert sandbox.run(f"heroku config:get TWO {APP}").out == "2\n"
    assert sandbox.run(f"heroku config:unset ONE TWO {APP}").code == 0
    assert {"ONE", "TWO"}.isdisjoint(sandbox.get("/apps/usc-pis/config-vars"))


def test_rollback_to_a_named_release(sandbox: SandboxUnderTest) -> None:
    version = next(r["version"] for r in reversed(sandbox.releases()) if r["eligible_for_rollback"])
    answer = sandbox.run(f"heroku rollback v{version} {APP}")
    assert answer.code == 0, answer
    assert sandbox.releases()[-1]["description"] == f"Rollback to v{version}"


def test_domains_and_certificates(sandbox: SandboxUnderTest, spare_app: str) -> None:
    added = sandbox.run(f"heroku domains:add clinic.example.org --app {spare_app}")
    assert added.code == 0, added
    assert "clinic.example.org" in sandbox.run(f"heroku domains --app {spare_app}").out
    assert sandbox.run(f"heroku certs:auto:enable --app {spare_app}").code == 0
    assert sandbox.get(f"/apps/{spare_app}")["acm"] is True
    assert sandbox.run(f"heroku certs:auto --app {spare_app}").code == 0
    assert sandbox.run(f"heroku domains:remove clinic.example.org --app {spare_app}").code == 0


def test_run_before_the_first_release_is_refused(sandbox: SandboxUnderTest, spare_app: str) -> None:
    answer = sandbox.run(["heroku", "run", "--exit-code", "--app", spare_app, "--", "true"])
    assert answer.code in {1, 2}, answer


def test_a_second_database_can_be_promoted(sandbox: SandboxUnderTest, spare_app: str) -> None:
    create = f"heroku addons:create heroku-postgresql:essential-0 --app {spare_app} --wait"
    assert sandbox.run(create).code == 0
    first = sandbox.get(f"/apps/{spare_app}/config-vars")["DATABASE_URL"]
    assert sandbox.run(create).code == 0
    variables = sandbox.get(f"/apps/{spare_app}/config-vars")
    (colour,) = (name for name in variables if name.startswith("HEROKU_POSTGRESQL_"))
    promoted = sandbox.run(f"heroku pg:promote {colour} --app {spare_app}")
    assert promoted.code == 0, promoted
    after = sandbox.get(f"/apps/{spare_app}/config-vars")
    assert after["DATABASE_URL"] == variables[colour] != first


def test_reset_empties_the_database(sandbox: SandboxUnderTest, spare_app: str) -> None:
    assert sandbox.run(f"heroku addons:create heroku-postgresql:essential-0 --app {spare_app} --wait").code == 0
    sandbox.sql("CREATE TABLE something (id int)", spare_app)
    answer = sandbox.run(f"heroku pg:reset DATABASE_URL --app {spare_app} --confirm {spare_app}")
    assert answer.code == 0, answer
    assert eventually(lambda: sandbox.sql("SELECT to_regclass('something')", spare_app) is None)
