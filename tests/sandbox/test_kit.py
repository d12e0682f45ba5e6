"""An escape kit of the running sandbox: whole, readable by its identity only, made without one write."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from uscdr.store.encryption import Identity

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance" / "store"))

from s3_server import BUCKET, SECRET, environment, s3

import forked
from forked import USCDR
from uscdr.kit.reader import KitReader
from uscdr.store.directory import LocalStore

LONG = 12
"""Characters; a configuration value that long is a secret or an address, and found by nothing but a leak."""


@dataclass(frozen=True)
class Desk:
    """A running sandbox and a place for kits."""

    state: Path
    public: str

    @property
    def vault(self) -> Path:
        return self.state / "kits"

    def environment(self) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if name not in ("HEROKU_API_KEY", "USCDR_CONFIG")
        }
        return {**inherited, "USCDR_STATE_DIR": str(self.state), "USCDR_KIT_RECIPIENTS": self.public}

    def call(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = forked.call(arguments, env=self.environment(), cwd=self.state)
        assert done.returncode == code, done.stderr[-3000:]
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def build(self, *options: str, code: int = 0) -> dict[str, Any]:
        done = self.call("--target", "sandbox", "kit", "build", "--to", "kits", "--json", *options, code=code)
        return dict(json.loads(done.stdout))

    def api(self, path: str, method: str = "GET", body: dict[str, str] | None = None) -> Any:
        heroku = json.loads((self.state / "sandbox" / "sandbox.json").read_text())["heroku"]
        headers = {"Authorization": f"Bearer {heroku['token']}", "Accept": "application/vnd.heroku+json; version=3"}
        address = heroku["api_url"] + path
        return httpx.request(method, address, headers=headers, json=body, trust_env=False, timeout=60).json()

    def config(self) -> dict[str, str]:
        return dict(self.api("/apps/usc-pis/config-vars"))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.config()["DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def writes(self) -> int:
        lines = self.call("sandbox", "audit", "--json").stdout.splitlines()
        return sum(json.loads(line)["write"] for line in lines)

    def open(self, kit: str, place: str = "kits") -> KitReader:
        work = Path(tempfile.mkdtemp(dir=self.state))
        return KitReader(LocalStore(self.state / place), kit, Identity.read(self.state / "identity.txt"), work)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="uscdr-kit-") as place:
        state = Path(place)
        secret = importlib.import_module("pyrage").x25519.Identity.generate()
        (state / "identity.txt").write_text(f"{secret}\n")
        desk = Desk(state, str(secret.to_public()))
        desk.call("sandbox", "up", "--patients", "5", "--plain")
        yield desk
        desk.call("sandbox", "down")


@pytest.fixture(scope="module")
def built(desk: Desk) -> dict[str, Any]:
    before = desk.writes()
    built = desk.build("--metrics", "kit.prom")
    assert desk.writes() == before, "making a kit changed something"
    return built


@pytest.fixture(scope="module")
def again(desk: Desk, built: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """A second kit, with a fresh backup and many words."""
    return desk.call("--target", "sandbox", "--verbose", "kit", "build", "--to", "kits", "--capture", "--json")


def test_every_part_is_complete(built: dict[str, Any]) -> None:
    assert {part["name"]: part["state"] for part in built["parts"]} == dict.fromkeys(
        ("app", "config", "dns", "dump", "source", "media"), "complete"
    )


def test_the_metrics_have_the_age_of_its_dump(desk: Desk, built: dict[str, Any]) -> None:
    families = text_string_to_metric_families((desk.state / "kit.prom").read_text())
    found = {one.name: one.value for family in families for one in family.samples if len(one.labels) == 3}
    taken_at = desk.open(built["kit"]).manifest.part("dump").taken_at
    assert taken_at is not None
    age = found["uscdr_written_timestamp_seconds"] - taken_at.timestamp()
    assert found["uscdr_newest_backup_age_seconds"] == pytest.approx(age, abs=0.01)
    assert found["uscdr_command_exit_code"] == 0
    assert "uscdr_newest_proof_age_seconds" not in found


def test_the_kit_holds_what_the_providers_hold(desk: Desk, built: dict[str, Any]) -> None:
    kit = desk.open(built["kit"])
    config, app, dump = kit.config(), kit.app(), kit.dump()
    assert config is not None
    assert app is not None
    assert dump is not None
    assert {name: value.get_secret_value() for name, value in config.values.items()} == desk.config()
    assert {one.type: one.quantity for one in app.formation} == {
        one["type"]: one["quantity"] for one in desk.api("/apps/usc-pis/formation")
    }
    assert dump.backup == "b001"
    assert {table.name: table.rows for table in dump.tables}["patients_medicalrecord"] > 0
    assert all(result.holds for result in dump.invariants)
    link = desk.api("/client/v11/apps/usc-pis/transfers/1/actions/public-url", "POST")["url"]
    trust = ssl.create_default_context(cafile=str(desk.state / "sandbox" / "pki" / "ca.pem"))
    with kit.open_object("database.dump") as path:
        assert path.read_bytes() == httpx.get(link, verify=trust, trust_env=False).content
    with kit.open_object("source.tar.gz") as path:
        assert path.read_bytes().startswith(b"\x1f\x8b")


def test_media_are_what_is_delivered(desk: Desk, built: dict[str, Any]) -> None:
    kit = desk.open(built["kit"])
    inventory = kit.media()
    assert inventory is not None
    assert len(kit.inventory()) == len([one for one in inventory.entries if one.asset.present]) > 3
    for entry in inventory.entries[:5]:
        with kit.open(entry.asset.key) as path:
            assert path.read_bytes() == httpx.get(entry.asset.url, trust_env=False).content


def test_no_secret_and_no_person_is_seen_anywhere(desk: Desk, again: subprocess.CompletedProcess[str]) -> None:
    secrets = {value for value in desk.config().values() if len(value) >= LONG}
    people = {str(row[0]) for row in desk.rows("SELECT email FROM authentication_user")}
    files = {str(row[0]) for row in desk.rows("SELECT file FROM file_uploads_patientdocument")}
    assert len(secrets) > 5
    assert people
    checked = desk.call("kit", "check", "--to", "kits", "--identity", "identity.txt")
    seen = {"build": again.stdout + again.stderr, "check": checked.stdout + checked.stderr}
    for path in (*desk.vault.rglob("*"), *(desk.state / "runs").rglob("*")):
        if path.is_file():
            seen[str(path)] = path.read_bytes().decode("latin-1")
    for where, text in seen.items():
        leaked = [one for one in secrets | people | files if one and one in text]
        assert not leaked, f"{where} shows {len(leaked)} secrets or names"


def test_a_second_kit_fetches_no_media(desk: Desk, again: subprocess.CompletedProcess[str]) -> None:
    second = json.loads(again.stdout)
    parts = {part["name"]: part["summary"] for part in second["parts"]}
    assert "(0 downloaded now)" in parts["media"]
    assert parts["dump"].startswith("b002")
    place = desk.vault / "kits" / second["kit"]
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=place, check=True)


def test_the_dump_is_proven_with_the_kits_own_key(desk: Desk, built: dict[str, Any]) -> None:
    assert (built["dump"]["grade"], built["dump"]["origin"]) == ("encrypted columns decrypt", "build")
    assert "NOT PROVEN" not in desk.call("kit", "card", f"kits:{built['kit']}").stdout


def test_a_check_restores_the_dump_with_nothing_but_the_kit(desk: Desk, built: dict[str, Any]) -> None:
    named = ("--kit", f"kits:{built['kit']}", "--restore")
    done = desk.call("kit", "check", *named, "--identity", "identity.txt")
    assert ": encrypted columns decrypt\n" in done.stdout
    assert "from the kit" in done.stdout
    assert "with its own key and code" in done.stdout
    assert list((desk.state / "scratch").glob("*")) == []
    assert "Pass the identity file" in desk.call("kit", "check", *named, code=2).stderr


def test_a_restored_dump_that_lacks_a_table_costs_exit_1(desk: Desk, built: dict[str, Any]) -> None:
    packaged = (Path(__file__).parents[2] / "scenarios.yaml").read_text()
    wanting = desk.state / "wanting.yaml"
    wanting.write_text(packaged.replace("  expected_tables:\n", "  expected_tables:\n    - no_such_table\n", 1))
    named = ("--kit", f"kits:{built['kit']}", "--identity", "identity.txt")
    done = desk.call("--config", str(wanting), "kit", "check", *named, "--restore", "--json", code=1)
    checked, proof = map(json.loads, done.stdout.splitlines())
    assert checked["sound"]
    assert checked["complete"]
    assert (proof["grade"], proof["why"]) == ("restores", "tables are missing: no_such_table")
    desk.call("--config", str(wanting), "kit", "check", *named)


def test_a_check_restores_no_damaged_dump(desk: Desk, built: dict[str, Any]) -> None:
    shutil.copytree(desk.state / "kits", desk.state / "cut")
    reader = desk.open(built["kit"], "cut")
    found = reader.find("database.dump")
    assert found is not None
    (desk.state / "cut" / found.path).write_bytes(b"age-encryption.org/v1")
    done = desk.call(
        "kit", "check", "--kit", f"cut:{built['kit']}", "--restore", "--identity", "identity.txt", code=1
    )  # fmt: skip
    assert "DAMAGE" in done.stdout
    assert "decrypt" not in done.stdout.splitlines()[-1]
    assert found.path in done.stderr


def test_parts_come_out_of_it(desk: Desk, built: dict[str, Any]) -> None:
    named = ("--kit", f"kits:{built['kit']}", "--identity", "identity.txt", "--into", "out")
    desk.call("kit", "restore", *named, "--part", "config", "--part", "media")
    place = desk.state / "out"
    assert json.loads((place / "config.json").read_text()) == desk.config()
    inventory = json.loads((place / "media.json").read_text())
    one = next(entry["asset"] for entry in inventory["entries"] if entry["asset"]["key"]["resource_type"] == "image")
    path = place / "media" / f"{one['key']['public_id']}.{one['format']}"
    assert path.read_bytes() == httpx.get(one["url"], trust_env=False).content
    desk.call("kit", "restore", *named, "--part", "config", code=2)
    assert json.loads((place / "config.json").read_text()) == desk.config()


def test_a_kit_in_a_bucket(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3(tmp_path / "log") as port:
        for name, value in environment(port).items():
            monkeypatch.setenv(name, value)
        place = f"s3://{BUCKET}/usc"
        less = ("--without", "media", "--unproven")
        made = json.loads(desk.call("--target", "sandbox", "kit", "build", "--to", place, *less, "--json").stdout)
        assert (made["complete"], made["dump"]["origin"], made["place"]) == (True, "left out", place)
        done = desk.call("kit", "restore", f"{place}:newest", "--identity", "identity.txt", "--into", "of-bucket")
        assert SECRET not in done.stdout + done.stderr
    with (desk.state / "of-bucket" / "database.dump").open("rb") as file:
        assert file.read(5) == b"PGDMP"


def test_what_the_platform_refuses_is_missing_and_costs_exit_1(desk: Desk, built: dict[str, Any]) -> None:
    desk.call("sandbox", "fault", "add", "403", "--path", "*/buildpack-installations", "--count", "0")
    try:
        partial = desk.build("--without", "media", "--without", "dump", code=1)
    finally:
        desk.call("sandbox", "fault", "clear")
    states = {part["name"]: part["state"] for part in partial["parts"]}
    assert (states["app"], states["config"], states["media"]) == ("partial", "complete", "left out")
    assert desk.call("kit", "check", "--to", "kits", partial["kit"], code=1)


def test_a_killed_build_leaves_no_kit_and_no_plain_file_and_the_next_one_goes_on(desk: Desk) -> None:
    desk.call("sandbox", "fault", "add", "slow:0.3", "--path", "*/upload/*", "--count", "0")
    arguments = [USCDR, "--target", "sandbox", "kit", "build", "--to", "other"]
    begun = subprocess.Popen(arguments, env=desk.environment(), cwd=desk.state, stderr=subprocess.DEVNULL)
    shelf, end = desk.state / "other" / "media", time.monotonic() + 60
    while len(list(shelf.glob("*.note.age"))) < 3:
        assert begun.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    desk.call("sandbox", "fault", "clear")
    assert '"unfinished"' in desk.call("kit", "list", "--to", "other", "--json").stdout
    there = len(list(shelf.glob("*.note.age")))
    done = json.loads(desk.call("--target", "sandbox", "kit", "build", "--to", "other", "--json").stdout)
    assert done["complete"]
    total = len(desk.open(done["kit"], "other").inventory())
    media = next(part for part in done["parts"] if part["name"] == "media")
    assert f"({total - there} downloaded now)" in media["summary"]
    assert not [path for path in (desk.state / "scratch").rglob("*") if path.is_file()]
    assert not list((desk.state / "other" / ".staging").iterdir())


def test_a_changed_variable_is_named_by_a_check_and_its_value_is_not(desk: Desk, built: dict[str, Any]) -> None:
    check = ("--target", "sandbox", "kit", "check", f"kits:{built['kit']}", "--identity", "identity.txt", "--online")
    before = desk.writes()
    same = json.loads(desk.call(*check, "--minimum", "80", "--json").stdout)["freshness"]
    assert desk.writes() == before
    assert same["unknown"] == 0
    desk.api("/apps/usc-pis/config-vars", "PATCH", {"SECRET_KEY": "canary-of-another-key-4711"})
    changed = desk.call(*check, "--minimum", str(same["score"]), code=1)
    assert "changed since the build: SECRET_KEY" in changed.stdout
    assert "canary-of-another-key" not in changed.stdout + changed.stderr
