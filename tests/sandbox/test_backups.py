"""Backups off the platform, of the running sandbox: pulled, proven, opened by others, and silent about patients."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typing_extensions import override

import forked
from forked import USCDR
from uscdr.pgserver.cluster import Tool

PATIENT, VALUE = "Canarina Vaultmarker", "canary-of-a-config-value-90210"
CHECK = "0b1c-address-of-the-check"
PASSPHRASE = "canary passphrase of six words"
LOOKS = {"HEROKU_API_KEY", "USCDR_CONFIG", "USCDR_TARGET", "USCDR_AGE_IDENTITY", "USCDR_VAULT_PASSPHRASE_FILE"}


@dataclass(frozen=True)
class Desk:
    """A running sandbox, a vault, and everything that was ever said."""

    state: Path
    public: str
    said: list[str]

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in LOOKS}
        return {**inherited, "USCDR_STATE_DIR": str(self.state), "USCDR_KIT_RECIPIENTS": self.public, **more}

    def call(self, *arguments: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        done = forked.call(arguments, env=self.environment(**env), cwd=self.state)
        self.said.extend((done.stdout, done.stderr))
        assert done.returncode == code, done.stderr[-3000:]
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def backup(self, command: str, *arguments: str, code: int = 0, **env: str) -> list[dict[str, Any]]:
        words = ("--target", "sandbox", "backup", command, "--json", *arguments)
        return [json.loads(line) for line in self.call(*words, code=code, **env).stdout.splitlines()]

    def api(self, path: str, method: str = "GET", body: Mapping[str, Any] | None = None) -> Any:
        heroku = json.loads((self.state / "sandbox" / "sandbox.json").read_text())["heroku"]
        headers = {"Authorization": f"Bearer {heroku['token']}", "Accept": "application/vnd.heroku+json; version=3"}
        address = heroku["api_url"] + path
        return httpx.request(method, address, headers=headers, json=body, trust_env=False, timeout=60).json()

    def sql(self, *queries: str) -> None:
        with psycopg.connect(self.api("/apps/usc-pis/config-vars")["DATABASE_URL"], autocommit=True) as connection:
            for query in queries:
                connection.execute(query.encode())

    def writes(self) -> int:
        lines = self.call("sandbox", "audit", "--json").stdout.splitlines()
        return sum(json.loads(line)["write"] for line in lines)

    @property
    def vault(self) -> Path:
        return self.state / "safe"

    def card(self, copy: str, place: str = "safe") -> dict[str, Any]:
        return dict(json.loads((self.state / place / "backups" / copy / "card.json").read_text()))


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="uscdr-backups-") as place:
        state = Path(place)
        secret = importlib.import_module("pyrage").x25519.Identity.generate()
        (state / "identity.txt").write_text(f"{secret}\n")
        (state / "passphrase.txt").write_text(f"{PASSPHRASE}\n")
        desk = Desk(state, str(secret.to_public()), [])
        desk.call("sandbox", "up", "--patients", "30", "--backup-age", "2h")
        try:
            first, last = PATIENT.split()
            key = desk.api("/apps/usc-pis/config-vars", "PATCH", {"VAULT_CANARY": VALUE})["PGP_ENCRYPTION_KEY"]
            sealed = ", ".join(
                f"{name} = '{value}', {name}_enc = pgp_sym_encrypt('{value}', '{key}')"
                for name, value in (("first_name", first), ("last_name", last))
            )
            desk.sql(f"UPDATE patients_patient SET {sealed}")
            yield desk
        finally:
            desk.call("sandbox", "down")


@pytest.fixture(scope="module")
def pulled(desk: Desk) -> dict[str, Any]:
    """b002 holds the canaries: captured, then copied."""
    assert desk.backup("capture", "--to", "safe")[0]["name"] == "b002"
    before = desk.writes()
    (found,) = desk.backup("pull", "--to", "safe")
    assert desk.writes() == before, "pulling changed something"
    assert (found["backup"], found["fetched"]) == ("b002", True)
    return found


def test_a_backup_that_is_there_is_not_pulled_again(desk: Desk, pulled: dict[str, Any]) -> None:
    (again,) = desk.backup("pull", "--to", "safe", "--backup", "b002")
    assert again == {**pulled, "fetched": False}
    assert len(list((desk.vault / "backups").iterdir())) == 1


def test_the_copy_is_the_platforms_dump_for_the_age_library_and_pg_restore(desk: Desk, pulled: dict[str, Any]) -> None:
    card = desk.card(pulled["copy"])
    pyrage = importlib.import_module("pyrage")
    key = pyrage.x25519.Identity.from_str((desk.state / "identity.txt").read_text().strip())
    plain = pyrage.decrypt((desk.vault / card["dump"]["path"]).read_bytes(), [key])
    link = desk.api("/client/v11/apps/usc-pis/transfers/2/actions/public-url", "POST")["url"]
    ca_file = json.loads((desk.state / "sandbox" / "sandbox.json").read_text())["ca_file"]
    trust = importlib.import_module("ssl").create_default_context(cafile=ca_file)
    assert plain == httpx.get(link, verify=trust, trust_env=False).content
    assert PATIENT.split(maxsplit=1)[0].encode() not in (desk.vault / card["dump"]["path"]).read_bytes()
    program = Tool.find("pg_restore", minimum_major=17).path
    listing = subprocess.run([program, "-l"], input=plain, capture_output=True, check=True).stdout
    assert b"TABLE DATA public patients_patient" in listing


def test_the_copy_is_proven_to_the_top_by_its_key(desk: Desk, pulled: dict[str, Any]) -> None:
    before = desk.writes()
    (proof,) = desk.backup("prove", "--to", "safe", "--identity", "identity.txt")
    assert desk.writes() == before, "a proof changed something at the platform"
    assert (proof["grade"], proof["why"]) == ("encrypted columns decrypt", "")
    assert proof["sha256"] == pulled["sha256"]
    assert (proof["source"], proof["copy_opened"]) == ("vault", True)
    assert proof["canary"]["verdict"] == "pass"
    assert (proof["canary"]["columns"], proof["canary"]["wrong"]) == (9, 0)
    assert proof["migrations"]["verdict"] == "same"
    assert proof["extensions"] == ["pgcrypto", "plpgsql"]
    assert proof["tables"] > 40
    assert (desk.vault / proof["document"]).is_file()


def test_without_the_key_the_platforms_bytes_are_proven_and_the_copy_is_compared(
    desk: Desk, pulled: dict[str, Any]
) -> None:
    (proof,) = desk.backup("prove", "b002", "--to", "safe")
    assert (proof["grade"], proof["source"], proof["copy_opened"]) == ("encrypted columns decrypt", "platform", False)
    assert (proof["sha256"], proof["copy_id"]) == (pulled["sha256"], pulled["copy"])


def test_one_list_with_grades_and_the_objective_met_by_captures(desk: Desk, pulled: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in desk.backup("list", "--to", "safe")}
    assert {name: row["where"] for name, row in rows.items()} == {"b001": "platform", "b002": "both"}
    assert rows["b002"]["grade"] == "encrypted columns decrypt"
    assert rows["b002"]["copies"] == [pulled["copy"]]
    assert not rows["b001"]["proven_at"]
    (seen,) = desk.backup("status", "--to", "safe")
    assert (seen["met"], seen["proven"]) == (True, "b002")
    (alone,) = desk.backup("status", "--to", "elsewhere", code=1)
    assert (alone["met"], alone["proven_age"]) == (False, None)


def metrics(path: Path) -> dict[str, float]:
    """Those without labels of their own."""
    families = text_string_to_metric_families(path.read_text())
    return {one.name: one.value for family in families for one in family.samples if len(one.labels) == 3}


def unknown(path: Path) -> set[str]:
    families = text_string_to_metric_families(path.read_text())
    found = (one for family in families for one in family.samples if one.name == "uscdr_unknown" and one.value)
    return {one.labels["metric"].removeprefix("uscdr_") for one in found}


def test_the_metrics_are_what_the_command_found_and_cost_no_request(desk: Desk, pulled: dict[str, Any]) -> None:
    counts = [len(desk.call("sandbox", "audit", "--all", "--json").stdout.splitlines())]
    for more in ([], ["--metrics", "status.prom"]):
        (seen,) = desk.backup("status", "--to", "safe", *more)
        counts.append(len(desk.call("sandbox", "audit", "--all", "--json").stdout.splitlines()))
    assert counts[2] - counts[1] == counts[1] - counts[0] > 0
    found = metrics(desk.state / "status.prom")
    assert unknown(desk.state / "status.prom") == {"last_recovery_timestamp_seconds", "last_drill_timestamp_seconds"}
    assert (found["uscdr_rpo_met"], found["uscdr_rpo_objective_seconds"]) == (1, seen["objective"])
    assert found["uscdr_newest_backup_age_seconds"] >= seen["newest_age"]
    margin = (datetime.fromisoformat(seen["due"]).timestamp()) - found["uscdr_written_timestamp_seconds"]
    assert found["uscdr_rpo_margin_seconds"] == pytest.approx(margin, abs=0.01)
    desk.backup("status", "--to", "elsewhere", "--metrics", "status.prom", code=1)
    found = metrics(desk.state / "status.prom")
    assert (found["uscdr_rpo_met"], found["uscdr_command_exit_code"]) == (0, 1)
    assert unknown(desk.state / "status.prom") >= {"rpo_margin_seconds", "newest_proof_age_seconds"}


def test_what_a_command_did_is_in_its_own_metrics(desk: Desk, pulled: dict[str, Any]) -> None:
    """Into an empty store: after the pull nothing is proven, after the proof there is time left."""
    (copy,) = desk.backup("pull", "--to", "measured", "--metrics", "pull.prom")
    assert copy["fetched"]
    assert "uscdr_newest_backup_age_seconds" in metrics(desk.state / "pull.prom")
    assert unknown(desk.state / "pull.prom") >= {"rpo_margin_seconds", "newest_proof_age_seconds"}
    desk.backup("prove", "--to", "measured", "--identity", "identity.txt", "--metrics", "prove.prom")
    proven = metrics(desk.state / "prove.prom")
    desk.backup("status", "--to", "measured", "--metrics", "status.prom")
    seen = metrics(desk.state / "status.prom")
    for name in ("written_timestamp_seconds", "newest_proof_age_seconds", "rpo_margin_seconds"):
        assert f"uscdr_{name}" in proven
    later = seen["uscdr_written_timestamp_seconds"] - proven["uscdr_written_timestamp_seconds"]
    for name, sign in (("newest_backup_age", 1), ("newest_proof_age", 1), ("rpo_margin", -1)):
        expected = proven[f"uscdr_{name}_seconds"] + sign * later
        assert seen[f"uscdr_{name}_seconds"] == pytest.approx(expected, abs=0.01), name


def test_a_passphrase_instead_of_a_key(desk: Desk, pulled: dict[str, Any]) -> None:
    file = "passphrase.txt"
    (found,) = desk.backup(
        "pull", "--to", "locked", "--backup", "b002", USCDR_KIT_RECIPIENTS="", USCDR_VAULT_PASSPHRASE_FILE=file
    )
    assert found["sha256"] == pulled["sha256"]
    (proof,) = desk.backup("prove", "--to", "locked", "--passphrase-file", file)
    assert (proof["source"], proof["grade"]) == ("vault", "encrypted columns decrypt")
    wrong = desk.state / "wrong.txt"
    wrong.write_text("another passphrase\n")
    refused = desk.call("--target", "sandbox", "backup", "prove", "--to", "locked", "--passphrase-file", "wrong.txt",
                        code=2)  # fmt: skip
    assert "does not decrypt this copy" in refused.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_pull_that_is_cut_off_leaves_no_copy_and_no_plain_file(desk: Desk, number: int, code: int) -> None:
    desk.call("sandbox", "fault", "add", "slow:6", "--path", "*.dump", "--count", "0")
    place = f"cut-{number}"
    arguments = [USCDR, "--target", "sandbox", "backup", "pull", "--backup", "b001", "--to", place]
    begun = subprocess.Popen(
        arguments, env=desk.environment(), cwd=desk.state, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    try:
        staging, end = desk.state / place / ".staging", time.monotonic() + 60
        while not list(staging.glob("*/*")):
            assert begun.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        begun.send_signal(number)
        _, words = begun.communicate(timeout=60)
    finally:
        desk.call("sandbox", "fault", "clear")
    assert begun.returncode == code, words
    assert not list((desk.state / place).rglob("*.age"))
    assert not list((desk.state / place).rglob("card.json"))
    (found,) = desk.backup("pull", "--backup", "b001", "--to", place)
    assert found["fetched"]
    assert not [path for path in (desk.state / "scratch").rglob("*") if path.is_file()]
    assert not list(staging.iterdir())


def test_a_backup_of_broken_data_is_told_by_name_and_costs_exit_1(desk: Desk, pulled: dict[str, Any]) -> None:
    desk.sql("TRUNCATE patients_patient CASCADE")
    name = desk.backup("capture", "--to", "safe")[0]["name"]
    (proof,) = desk.backup("prove", name, "--to", "safe", code=1)
    assert (proof["grade"], proof["source"]) == ("restores", "platform")
    assert "patients are there" in proof["why"]
    rows = {row["name"]: row for row in desk.backup("list", "--to", "safe")}
    assert rows[name]["grade"] == "restores"
    (seen,) = desk.backup("status", "--to", "safe")
    assert seen["proven"] == "b002"


def test_a_damaged_copy_is_told_and_never_proven(desk: Desk, pulled: dict[str, Any]) -> None:
    path = desk.vault / desk.card(pulled["copy"])["dump"]["path"]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        for key in ([], ["--identity", "identity.txt"]):
            (seen,) = desk.backup("prove", "b002", "--to", "safe", *key, code=1)
            assert "damaged" in seen["why"]
    finally:
        path.write_bytes(whole)


def test_a_named_service_hears_of_a_command_and_no_file_holds_its_address(desk: Desk, pulled: dict[str, Any]) -> None:
    heard: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/{CHECK}"
        desk.backup("capture", "--to", "safe", "--evict", USCDR_PING=url)
        desk.backup("status", "--to", "elsewhere", code=1, USCDR_PING=url)
        server.shutdown()
    assert heard == [f"/{CHECK}/start", f"/{CHECK}", f"/{CHECK}/start", f"/{CHECK}/1"]
    assert not any(CHECK in text for text in desk.said)
    assert not [path for path in (desk.state / "runs").rglob("*") if path.is_file() and CHECK in path.read_text()]


def test_no_patient_and_no_config_value_is_in_anything_said_or_left(desk: Desk, pulled: dict[str, Any]) -> None:
    """Last: over all that the tests before it made and said."""
    marks = (*PATIENT.split(), VALUE, PASSPHRASE)
    seen = {f"output {number}": text for number, text in enumerate(desk.said)}
    places = [desk.state / name for name in ("safe", "locked", "elsewhere", "measured", "scratch", "runs", "source")]
    places += list(desk.state.glob("cut-*"))
    for path in (path for place in places if place.exists() for path in place.rglob("*") if path.is_file()):
        seen[str(path)] = path.read_bytes().decode("latin-1")
    assert len(seen) > 30
    leaks = [where for where, text in seen.items() for mark in marks if mark in text]
    assert leaks == []
    key = desk.api("/apps/usc-pis/config-vars")["PGP_ENCRYPTION_KEY"]
    assert key
    assert not [where for where, text in seen.items() if key in text]
