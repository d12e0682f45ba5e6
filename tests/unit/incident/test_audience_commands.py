"""`uscdr incident audience` as a person calls it: counts on the screen, addresses nowhere, no list lost by mistake."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from kit_world import Workshop
from uscdr.cli import main
from uscdr.incident.audience import HEADER, LIST, Audience, AudienceFiles, Person
from uscdr.kit.manifest import KITS
from uscdr.store.encryption import Identity, Recipient
from uscdr.wiring import adapters

Captured = pytest.CaptureFixture[str]


class Desk:
    """One machine with a configuration directory, a key, and the commands."""

    def __init__(self, shop: Workshop, config: Path, capsys: Captured) -> None:
        self.shop = shop
        self.files = AudienceFiles(config / "uscdr")
        self.identity = ("--identity", str(shop.identity_file))
        self.keys = Identity.read(shop.identity_file)
        self._capsys = capsys

    def call(self, *arguments: str, code: int = 0) -> str:
        """The screen of a command; no address is on it."""
        found = main.run(["incident", "audience", *arguments])
        shown = self._capsys.readouterr()
        assert found == code, shown.err
        assert "planted" not in shown.out + shown.err
        return shown.out + shown.err

    def list_of(self, name: str, *addresses: str) -> str:
        path = self.shop.root / name
        path.write_text("\n".join(addresses))
        return str(path)

    def people(self) -> list[tuple[str, str]]:
        return [(one.group, one.address) for one in self.files.read(self.keys).people]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Desk:
    shop = Workshop(tmp_path / "shop")
    for name in ("HEROKU_API_KEY", "USCDR_AGE_IDENTITY", "USCDR_CONFIG", "USCDR_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USCDR_KIT_RECIPIENTS", shop.public)
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(shop.root)
    return Desk(shop, tmp_path / "config", capsys)


def users(number: int) -> list[str]:
    return [f"user{each}.planted@x.example" for each in range(number)]


def test_a_file_is_imported_and_only_counts_are_shown(desk: Desk) -> None:
    shown = desk.call(
        "import", "--from", desk.list_of("users.txt", *users(3), "nobody.planted", "user0.PLANTED@x.example")
    )
    assert "left out 1 entry without a usable address (line 4)" in shown
    assert [line.split() for line in shown.splitlines() if line.startswith("users")] == [["users", "0", "3"]]
    assert desk.people() == [("users", one) for one in users(3)]
    listed = desk.call("list")
    assert "from the file" in listed
    assert [line.split() for line in listed.splitlines() if line.startswith("users")] == [["users", "3"]]


def test_without_a_list_the_command_to_make_one_is_named(desk: Desk) -> None:
    assert "uscdr incident audience import" in desk.call("list", code=2)


def test_a_much_shorter_list_is_refused(desk: Desk) -> None:
    desk.call("import", "--from", desk.list_of("users.txt", *users(10)))
    before = desk.files.path.read_bytes()
    shorter = desk.list_of("fewer.txt", *users(4), users(1)[0])
    assert "would shrink from 10 to 4" in desk.call("import", "--from", shorter, code=2)
    assert desk.files.path.read_bytes() == before
    desk.call("import", "--from", desk.list_of("half.txt", *users(5)))
    assert len(desk.people()) == 5
    desk.call("import", "--from", desk.list_of("two.txt", *users(2)), "--accept-fewer")
    assert len(desk.people()) == 2
    assert "unchanged" in desk.call("import", "--from", desk.list_of("empty.txt", ""), "--accept-fewer", code=2)


def test_other_groups_are_kept_or_the_import_is_refused(desk: Desk) -> None:
    desk.call("import", "--from", desk.list_of("team.txt", "ann.planted@x.example"), "--group", "team")
    users_file = desk.list_of("users.txt", *users(2))
    assert "--identity FILE" in desk.call("import", "--from", users_file, code=2)
    assert desk.people() == [("team", "ann.planted@x.example")]
    key = desk.files.read(desk.keys).key
    desk.call("import", "--from", users_file, *desk.identity)
    assert desk.people() == [("team", "ann.planted@x.example"), *(("users", one) for one in users(2))]
    assert desk.files.read(desk.keys).key == key, "receipts stay comparable"


def test_a_new_key_is_said(desk: Desk) -> None:
    file = desk.list_of("users.txt", *users(2))
    assert "new key" not in desk.call("import", "--from", file)
    assert "new key" in desk.call("import", "--from", file)
    assert "new key" not in desk.call("import", "--from", file, *desk.identity)


def test_team_people_are_added_and_removed(desk: Desk) -> None:
    desk.call("add", "ann.planted@x.example", "--role", "DBA")
    desk.call("add", "bob.planted@x.example", "--group", "stakeholders", *desk.identity)
    desk.call("add", "ANN.planted@x.example", "--role", "lead", *desk.identity)
    assert [(one.role, one.group) for one in desk.files.read(desk.keys).people] == [
        ("lead", "team"),
        ("", "stakeholders"),
    ]
    assert "identity" in desk.call("remove", "ann.planted@x.example", code=2)
    desk.call("remove", "ann.planted@x.example", *desk.identity)
    assert desk.people() == [("stakeholders", "bob.planted@x.example")]
    desk.call("remove", "ann.planted@x.example", *desk.identity, code=2)
    desk.call("add", "not-planted", *desk.identity, code=2)
    assert "imported" in desk.call("add", "u.planted@x.example", "--group", "users", *desk.identity, code=2)


def test_an_old_list_is_said(desk: Desk) -> None:
    at = datetime.now(UTC) - timedelta(days=40)
    people = [Person(group="users", address="bob.planted@x.example")]
    desk.files.write(Audience.of(people, "database", at), Recipient.read([desk.shop.public]))
    assert "40 d" in desk.call("list")
    record = json.loads(desk.call("list", "--json"))
    assert (record["stale"], record["counts"]["users"]) == (True, 1)
    (desk.files.directory / HEADER).unlink()
    assert "header" in desk.call("list", code=2)


def test_the_sandbox_has_a_list_of_its_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USCDR_TARGET", "sandbox")
    desk.call("import", "--from", desk.list_of("users.txt", *users(3)))
    assert not desk.files.present
    desk.call("list")
    monkeypatch.delenv("USCDR_TARGET")
    desk.call("list", code=2)


def test_the_database_is_asked_by_the_configured_query(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Database:
        def mail_addresses(self, query: str) -> tuple[str, ...]:
            asked.append(query)
            return (*users(2), "broken planted")

    @contextmanager
    def opened(*_: object) -> Any:
        deps = SimpleNamespace(
            platform=SimpleNamespace(config_vars=lambda _: {"DATABASE_URL": SecretStr("postgres://planted")}),
            open_database=lambda _: Database(),
        )
        yield deps

    monkeypatch.setattr(adapters, "opened", opened)
    monkeypatch.setenv("HEROKU_API_KEY", "HRKU-11111111-2222-3333-4444-555555555555")
    shown = desk.call("import")
    assert "left out 1 entry without a usable address" in shown
    assert asked == ["SELECT email FROM authentication_user WHERE is_active AND is_verified"]
    assert desk.people() == [("users", one) for one in users(2)]
    assert desk.files.read(desk.keys).source == "database"


def test_a_kit_gives_the_list_back(desk: Desk) -> None:
    desk.call("import", "--from", desk.list_of("users.txt", *users(3)))
    whole = desk.files.read(desk.keys)
    kit = desk.shop.build(audience=desk.files.path).card.kit
    for name in (LIST, HEADER):
        (desk.files.directory / name).unlink()
    place = str(desk.shop.root / "vault" / KITS / kit)
    shown = desk.call("import", "--kit", place, *desk.identity)
    assert [line.split() for line in shown.splitlines() if line.startswith("users")] == [["users", "0", "3"]]
    assert desk.files.read(desk.keys) == whole
    assert desk.files.header() is not None


def test_a_kit_without_a_list_says_so(desk: Desk) -> None:
    kit = desk.shop.build().card.kit
    place = str(desk.shop.root / "vault" / KITS / kit)
    assert LIST in desk.call("import", "--kit", place, *desk.identity, code=2)
    desk.call("import", "--kit", place, "--from", "x", code=2)
