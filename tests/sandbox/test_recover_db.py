"""The main job as a person does it, looked at with code that the product does not share."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

import forked
from forked import USCDR
from uscdr.pgserver.cluster import Tool

RECOVER = ("--target", "sandbox", "recover", "db", "--backup", "b001")


@dataclass(frozen=True)
class Desk:
    """A state directory with a running sandbox."""

    state: Path

    def call(self, *arguments: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        return self._judged(forked.call(arguments, env=self._environment(env), cwd=Path.cwd()), code)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The installed program itself."""
        done = subprocess.run(
            [USCDR, *arguments], env=self._environment({}), stdin=subprocess.DEVNULL, check=False,
            capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        return self._judged(done, 0)

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != "HEROKU_API_KEY"}
        return {**inherited, "USCDR_STATE_DIR": str(self.state), **more}

    @staticmethod
    def _judged(done: subprocess.CompletedProcess[str], code: int) -> subprocess.CompletedProcess[str]:
        assert done.returncode == code, done.stderr[-3000:]
        assert "Traceback" not in done.stderr + done.stdout
        return done

    @property
    def contract(self) -> dict[str, Any]:
        return dict(json.loads((self.state / "sandbox" / "sandbox.json").read_text()))

    def api(self, path: str, method: str = "GET") -> Any:
        heroku = self.contract["heroku"]
        headers = {"Authorization": f"Bearer {heroku['token']}", "Accept": "application/vnd.heroku+json; version=3"}
        return httpx.request(method, heroku["api_url"] + path, headers=headers, trust_env=False).json()

    def writes(self) -> list[str]:
        lines = self.call("sandbox", "audit", "--json").stdout.splitlines()
        return [f"{one['method']} {one['path']}" for one in map(json.loads, lines) if one["write"]]

    def phrase(self) -> str:
        plan = self.call(*RECOVER, "--dry-run").stdout
        return next(line.removeprefix("phrase").strip() for line in plan.splitlines() if line.startswith("phrase"))

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.api("/apps/usc-pis/config-vars")["DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def content(self) -> str:
        """All rows of the live database, in an order of their own."""
        url = self.api("/apps/usc-pis/config-vars")["DATABASE_URL"]
        done = subprocess.run(
            [Tool.find("pg_dump", minimum_major=17).path, "--data-only", "--no-owner", url],
            capture_output=True,
            check=True,
            text=True,
        )
        return _sorted(done.stdout)

    def backup(self) -> str:
        """All rows of b001, in the same order."""
        link = self.api("/client/v11/apps/usc-pis/transfers/1/actions/public-url", "POST")["url"]
        dump = self.state / "b001.dump"
        trust = ssl.create_default_context(cafile=self.contract["ca_file"])
        dump.write_bytes(httpx.get(link, verify=trust, trust_env=False).content)
        done = subprocess.run(
            [Tool.find("pg_restore", minimum_major=17).path, "--data-only", "--no-owner", "-f", "-", str(dump)],
            capture_output=True,
            check=True,
            text=True,
        )
        dump.unlink()
        return _sorted(done.stdout)


def _sorted(script: str) -> str:
    """A data script without comments, its rows sorted inside each table, its tables sorted by name.

    Sessions are left out: a check that signs in makes one.
    """
    tables: dict[str, list[str]] = {}
    name = ""
    for line in script.splitlines():
        if line.startswith("COPY "):
            name = "" if " public.django_session " in line else line
            if name:
                tables[name] = []
        elif line == "\\.":
            name = ""
        elif name:
            tables[name].append(line)
    return "\n".join(f"{name}\n" + "\n".join(sorted(rows)) for name, rows in sorted(tables.items()))


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="uscdr-recover-") as state:
        desk = Desk(Path(state))
        desk.call("sandbox", "up", "--patients", "60", "--keep", "60")
        try:
            desk.call("sandbox", "break", "db", "--how", "delete-rows")
            yield desk
        finally:
            desk.call("sandbox", "down")


def test_a_dry_run_shows_plan_calls_and_manual_commands_and_writes_nothing(desk: Desk) -> None:
    before = desk.writes()
    plan = desk.call(*RECOVER, "--dry-run").stdout
    for words in (
        "heroku pg:backups:restore b001 DATABASE_URL",
        "/restores",
        "DESTROYS",
        "phrase",
        "9 of 9 invariants",
        "sampled values decrypted correctly",
    ):
        assert words in plan
    assert desk.writes() == before


def test_a_dry_run_in_json_is_one_object_a_line(desk: Desk) -> None:
    lines = desk.call(*RECOVER, "--dry-run", "--json").stdout.splitlines()
    told = [json.loads(line) for line in lines]
    kinds = [one["event"]["kind"] for one in told if one["schema"] == "uscdr.event.v1"]
    assert {"run.started", "plan.ready", "run.finished"} <= set(kinds)
    (plan,) = (one for one in told if one["schema"] == "uscdr.plan.v1")
    assert plan["phrase"].startswith("usc-pis b001 lose ")


def test_without_a_terminal_and_without_the_phrase_nothing_is_changed(desk: Desk) -> None:
    before = desk.writes()
    refused = desk.call(*RECOVER, code=4)
    assert "--dry-run" in refused.stderr
    wrong = desk.call(*RECOVER, "--confirm", "usc-pis b009 lose 1 row", code=4)
    assert "does not match" in wrong.stderr
    assert desk.writes() == before


def test_bad_names_and_credentials_are_refused_and_nothing_is_changed(desk: Desk) -> None:
    before = desk.writes()
    unknown = desk.call("--target", "sandbox", "recover", "db", "--backup", "b099", "--dry-run", code=2)
    assert "There is no backup “b099”" in unknown.stderr
    refused = desk.call(*RECOVER, "--dry-run", code=3, HEROKU_API_KEY="HRKU-wrong-token")
    assert "token" in refused.stderr
    assert "HRKU-wrong-token" not in refused.stderr + refused.stdout
    assert desk.writes() == before


def test_the_recovery_brings_every_table_back_with_one_restore(desk: Desk) -> None:
    done = desk.run(*RECOVER, "--confirm", desk.phrase())
    assert "done and verified" in done.stderr
    assert desk.content() == desk.backup()
    assert len([write for write in desk.writes() if write.endswith("/restores")]) == 1
    app = desk.api("/apps/usc-pis")
    assert app["maintenance"] is False
    formation = {one["type"]: one["quantity"] for one in desk.api("/apps/usc-pis/formation")}
    assert formation == {"web": 1, "worker": 1, "beat": 1}
    assert {one["state"] for one in desk.api("/apps/usc-pis/dynos")} == {"up"}
    assert not (desk.state / "scratch").exists()


def test_the_journal_tells_it_all(desk: Desk) -> None:
    assert "done" in desk.call("runs", "list").stdout
    report = desk.call("runs", "report").stdout
    for words in ("RTO", "RPO", "b001", "SHA-256"):
        assert words in report
    again = desk.call("runs", "resume", code=2)
    assert "no unfinished run" in again.stderr or "finished" in again.stderr


def test_after_a_recovery_from_the_wrong_backup_one_command_puts_every_row_back(desk: Desk) -> None:
    desk.call("sandbox", "break", "db", "--how", "scramble-text")
    before, backup = desk.content(), desk.backup()
    assert before != backup
    done = desk.call(*RECOVER, "--confirm", desk.phrase())
    assert desk.content() == backup
    way_back = next(line for line in done.stderr.splitlines() if "Way back to the state before" in line)
    command = way_back.partition(": uscdr ")[2].split()
    assert command[:5] == ["--target", "sandbox", "recover", "db", "--backup"]
    plan = desk.call(*command, "--dry-run").stdout.splitlines()
    phrase = next(line.removeprefix("phrase").strip() for line in plan if line.startswith("phrase"))
    assert f" {command[5]} DAMAGED lose " in phrase
    assert any(line.startswith("Expected: done ") and "earlier run" in line for line in plan)
    put_back = desk.call(*command, "--confirm", phrase, code=1)  # the checks at the end see what was damaged before
    assert f"{command[5]}, which is DAMAGED" in put_back.stderr
    assert "uscdr --target sandbox recover db --backup NAME --new" in put_back.stderr
    assert desk.content() == before
    desk.call(*RECOVER, "--new", "--confirm", desk.phrase())
    assert desk.content() == backup


@pytest.mark.parametrize(
    "how",
    [  # all kinds: the campaign `breaks`; here other tests recover from the slow ones, too
        "wrong-data-load",
        pytest.param("drop-table", marks=pytest.mark.slow),
        pytest.param("unreachable", marks=pytest.mark.slow),
    ],
)
def test_every_other_damage_is_undone_in_every_table_with_one_restore(desk: Desk, how: str) -> None:
    backup, before = desk.backup(), desk.writes()
    desk.call("sandbox", "break", "db", "--how", how)
    desk.call(*RECOVER, "--confirm", desk.phrase())
    assert desk.content() == backup
    assert len([write for write in desk.writes()[len(before) :] if write.endswith("/restores")]) == 1


def test_an_outage_of_three_hours_misses_the_rto_although_service_is_back(desk: Desk) -> None:
    desk.call("sandbox", "break", "db", "--how", "delete-rows")
    began, since = datetime.now(UTC), ("--since", "3 hours ago")
    plan = desk.call(*RECOVER, *since, "--dry-run").stdout
    assert re.search(r"RTO 2 h from the outage, .* UTC: 3 h have passed", plan)
    done = desk.call(*RECOVER, *since, "--confirm", desk.phrase(), code=1)
    assert "RTO: missed: 3 h of 2 h (from the outage" in done.stderr
    assert "do not repeat the recovery" in done.stderr
    assert not re.search(r"uscdr (--target sandbox )?runs resume", done.stderr)
    status = json.loads(desk.call("--target", "sandbox", "incident", "status", "--json").stdout)
    assert datetime.fromisoformat(status["restored_at"]) > began


def test_a_role_that_was_taken_and_an_address_that_changed_stay_so(desk: Desk) -> None:
    role = "SELECT role FROM authentication_user WHERE email = 'staff1@clinic.usc-pis.example'"
    ((was, key),) = desk.sql(role.replace("role", "role, id"))
    assert was == "DOCTOR"
    desk.sql(f"UPDATE authentication_user SET role = 'STUDENT', is_verified = false WHERE id = {key} RETURNING 1")
    moved = "UPDATE authentication_user SET email = 'new.owner@clinic.example' WHERE email LIKE 'staff2@%' RETURNING id"
    ((other,),) = desk.sql(moved)
    desk.call("sandbox", "break", "db", "--how", "drop-table")
    plan = desk.call(*RECOVER, "--dry-run").stdout
    words = (
        f"1 account without is_verified now ({key})",
        f"role DOCTOR -> STUDENT since the backup: 1 account ({key})",
        f"email changed since the backup: 1 account ({other})",
    )
    for one in words:
        assert one in " ".join(plan.split())
    done = desk.call(*RECOVER, "--confirm", desk.phrase())
    assert "done and verified" in done.stderr
    for one in words:
        assert one in " ".join(done.stderr.split())
    assert "new.owner" not in plan + done.stderr + done.stdout
    found = desk.sql(f"SELECT role, is_verified FROM authentication_user WHERE id = {key}")
    assert found == [("STUDENT", False)]
    assert desk.sql("SELECT id FROM authentication_user WHERE email = 'new.owner@clinic.example'") == [(other,)]
    assert desk.sql("SELECT count(*) FROM authentication_user WHERE role = 'DOCTOR'") == [(1,)]


@pytest.fixture(scope="module")
def ahead(desk: Desk) -> None:
    """The database as in b001, whatever ran before on this worker, and code with one migration more."""
    if desk.content() != desk.backup():
        desk.call(*RECOVER, "--new", "--confirm", desk.phrase())
    desk.call("sandbox", "break", "app", "--how", "missing-migration")


@pytest.mark.usefixtures("ahead")
def test_a_migration_that_fails_on_the_backup_is_seen_before_users_are_shut_out(desk: Desk) -> None:
    """Somebody made a table by hand that a later release's new column cannot live with."""
    by_hand(desk, "CREATE TABLE nicknames (preferred_name integer) INHERITS (authentication_user)")
    desk.call("--target", "sandbox", "backup", "capture")
    newest = max(one["num"] for one in desk.api("/client/v11/apps/usc-pis/transfers") if one["to_type"] == "gof3r")
    by_hand(desk, "DROP TABLE nicknames")
    recover, before = (*RECOVER[:-1], f"b{newest:03}"), desk.writes()
    plan = desk.call(*recover, "--dry-run").stdout
    assert "user_preferred_name" in plan
    assert "NOT TRIED, because a dry run starts no dyno" in plan
    assert desk.writes() == before
    phrase = next(line.removeprefix("phrase").strip() for line in plan.splitlines() if line.startswith("phrase"))
    refused = desk.call(*recover, "--confirm", phrase, code=1).stderr
    assert f"user_preferred_name fails on the data of b{newest:03}: datatype mismatch" in refused
    assert "This run did not block users, and changed nothing." in refused
    assert "recover app --ref REF --new" in refused
    assert desk.writes()[len(before) :] == ["POST /apps/usc-pis/dynos"] * 2
    assert desk.api("/apps/usc-pis")["maintenance"] is False


@pytest.mark.usefixtures("ahead")
def test_one_that_runs_on_the_backup_is_applied_after_the_restore(desk: Desk) -> None:
    before = desk.writes()
    done = desk.call(*RECOVER, "--new", "--confirm", desk.phrase()).stderr
    assert "the SQL of 1 pending migration runs on the copy of b001" in done
    assert "done and verified" in done
    writes = desk.writes()[len(before) :]
    assert writes.index("POST /apps/usc-pis/dynos") < writes.index("PATCH /apps/usc-pis")
    assert len([write for write in writes if write.endswith("/restores")]) == 1
    shown = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'preferred_name'"
    assert by_hand(desk, shown) == [(1,)]


def by_hand(desk: Desk, statement: str) -> list[tuple[Any, ...]]:
    """In the live database."""
    url = desk.api("/apps/usc-pis/config-vars")["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


def test_a_drill_leaves_a_report_and_no_sandbox(tmp_path: Path) -> None:
    reports, state = tmp_path / "reports", tmp_path / "state"
    desk = Desk(state)
    done = desk.run("drill", "db", "--how", "unreachable", "--patients", "40", "--report", str(reports))
    assert "passed" in done.stdout
    facts = json.loads((reports / "drill-db.json").read_text())
    assert facts["sound"]
    assert facts["restores"] == 1
    assert facts["rows_before"] - facts["rows_lost"] == facts["rows_after"]
    assert (reports / "drill-db.md").read_text().startswith("# Drill")
    assert not (state / "scratch").exists()
