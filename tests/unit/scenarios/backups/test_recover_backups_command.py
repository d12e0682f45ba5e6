"""`uscdr recover backups` as a command, and the vault that its steps are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
from pydantic import SecretStr
from unscheduled_clinic import Clinic

from fakes import FakeScratch, World
from kit_world import new_key
from rehearsal import Person
from uscdr.cli import main
from uscdr.engine.wait import Stop
from uscdr.errors import BadInput
from uscdr.report.runbook import Runbook
from uscdr.scenarios.adapters import CopiesAccess, Request
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.config_targets import HerokuTarget, TargetConfig
from uscdr.scenarios.loader import load
from uscdr.store.directory import LocalStore
from uscdr.store.store import StoreRefused
from uscdr.wiring.context import Process
from uscdr.wiring.stores import copies_access
from uscdr.wiring.target import Target

NAMES = ("USCDR_AGE_IDENTITY", "USCDR_KIT_RECIPIENTS", "USCDR_CONFIG", "USCDR_TARGET", "USCDR_VAULT_PASSPHRASE_FILE")


@pytest.fixture
def desk(quick: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USCDR_STATE_DIR", str(quick / "state"))
    monkeypatch.setenv("HEROKU_API_KEY", "token-of-the-operator")
    monkeypatch.chdir(quick)
    return quick


@pytest.mark.parametrize(
    ("option", "text", "why"),
    [
        ("--recipient", "AGE-SECRET-KEY-1CANARY", "The recipient is a private key"),
        ("--recipient", "age1nonsense", "is not an age or SSH public key"),
        ("--to", "s3://CANARYKEY:CANARYSECRET@bucket/backups", "more than a bucket and a prefix"),
        ("--to", "", "is empty, at --to"),
        ("--to", "ftp://host/backups", "does not support ftp"),
    ],
)
def test_what_must_not_be_written_down_is_refused_before_there_is_a_journal(
    desk: Path, capsys: pytest.CaptureFixture[str], option: str, text: str, why: str
) -> None:
    assert main.run(["recover", "backups", option, text]) == 2
    said = "".join(capsys.readouterr())
    assert why in said
    assert "CANARY" not in said
    assert not (desk / "state" / "runs").exists()


def test_a_directory_is_anchored_and_public_keys_are_kept_for_a_resumed_run(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    public, _ = new_key()
    clinic = Clinic(desk / "state")
    with clinic._in_haste():
        assert main.run(["recover", "backups", "--dry-run", "--json", "--to", "safe", "--recipient", public]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])["event"]
    assert first["request"]["to"] == str(desk / "safe")
    assert first["request"]["recipients"] == [public]
    assert clinic.world.writes == []


def test_without_a_terminal_nothing_is_begun(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clinic = Clinic(desk / "state")
    with clinic._in_haste():
        assert main.run(["recover", "backups"]) == 4
    assert "--confirm 'usc-pis capture after b001" in capsys.readouterr().err
    assert clinic.world.writes == []


def test_the_runbook_names_the_command_and_what_is_not_run() -> None:
    config = load(packaged()).config
    assert "With uscdr: `uscdr recover backups`" in Runbook(config, "backups").to_markdown()
    by_hand = {str(row["step"]): row["manual"] for row in Runbook(config, "backups").rows()}
    assert len(by_hand) == 10
    assert all(line.startswith("# not python backend/manage.py") for line in by_hand["backups.commands"])
    others = [line for step, lines in by_hand.items() if step != "backups.commands" for line in lines]
    assert not [line for line in others if "manage.py" in line]
    assert "heroku pg:backups:schedule DATABASE_URL --at '02:00 Asia/Manila' --app usc-pis" in " ".join(others)


def place_of(state: Path, request: Request, env: dict[str, str], *, dry_run: bool = False) -> CopiesAccess:
    config = load(packaged()).config
    target = TargetConfig(heroku=HerokuTarget(app="usc-pis"))
    place = Target("production", target, config, "digest", SecretStr("token"), "test", None, None)
    this = Process(state, env, Person(), lambda _: "", (), lambda _: None, Stop())
    return copies_access(this.on(place, request, "run", dry_run=dry_run), lambda: FakeScratch(World()))


def test_nobody_named_is_told_from_a_name_that_is_none(tmp_path: Path) -> None:
    public, other = new_key()[0], new_key()[0]
    assert place_of(tmp_path, Request("backups"), {}).keyring() is None
    assert place_of(tmp_path, Request("backups"), {"USCDR_KIT_RECIPIENTS": " "}).keyring() is None
    with pytest.raises(BadInput):
        place_of(tmp_path, Request("backups"), {"USCDR_KIT_RECIPIENTS": "age1nonsense"}).keyring()
    listed = cast("tuple[str, ...]", [public])  # as a journal gives it back
    found = place_of(tmp_path, Request("backups", recipients=listed), {"USCDR_KIT_RECIPIENTS": other}).keyring()
    assert found is not None
    assert [one.text for one in found.recipients] == [public]


def test_a_dry_runs_store_reads_and_refuses_every_write(tmp_path: Path) -> None:
    real = LocalStore(tmp_path / "safe")
    real.put_once("proofs/one.json", b"{}")
    file = tmp_path / "file"
    file.write_bytes(b"data")
    request = Request("backups", to=str(tmp_path / "safe"))
    store = place_of(tmp_path, request, {}, dry_run=True).store()
    assert (store.names("proofs"), store.read("proofs/one.json")) == (("proofs/one.json",), b"{}")
    assert (store.size("proofs/one.json"), store.place) == (2, real.place)
    for write in (
        store.staging,
        lambda: store.create("backups/a", file),
        lambda: store.put_once("backups/a", b""),
        lambda: store.delete("proofs/one.json"),
    ):
        with pytest.raises(StoreRefused, match="A dry run tried to"):
            write()
    assert real.names("proofs") == ("proofs/one.json",)
    assert real.names("backups") == ()
    assert not isinstance(place_of(tmp_path, request, {}).store(), type(store))
