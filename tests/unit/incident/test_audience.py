"""The list of recipients: encrypted, whole or unchanged, one message a person, and no address outside of it."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from kit_world import new_key
from uscdr.errors import BadInput, CheckFailed, UscdrError
from uscdr.incident.audience import HEADER, LIST, Audience, AudienceFiles, Gathered, Person
from uscdr.store.encryption import Identity, Recipient, WrongIdentity, seal

AT = datetime(2026, 11, 2, 8, tzinfo=UTC)
ANN = Person(group="team", address="ann.planted@USC.example", name="Ann Planted", role="database")


@pytest.fixture
def keys(tmp_path: Path) -> tuple[tuple[Recipient, ...], tuple[Identity, ...]]:
    return key_pair(tmp_path / "identity.txt")


def key_pair(file: Path) -> tuple[tuple[Recipient, ...], tuple[Identity, ...]]:
    public, private = new_key()
    file.write_text(private)
    return Recipient.read([public]), Identity.read(file)


def hides(error: UscdrError) -> None:
    assert "planted" not in f"{error.message} {error.why} {error.next_action} {error!r} {error.__cause__}".lower()


def test_it_is_read_as_it_was_written(tmp_path: Path, keys: tuple[tuple[Recipient, ...], tuple[Identity, ...]]) -> None:
    to, identities = keys
    files = AudienceFiles(tmp_path / "config")
    users = Gathered.of_addresses(["bob.planted@x.example", "BOB.planted@X.example"], "users").people
    audience = Audience.of([*users, ANN], "database", AT)
    files.write(audience, to)
    assert files.read(identities) == audience
    assert [one.address for one in audience.people] == ["ann.planted@usc.example", "bob.planted@x.example"]
    for name in (LIST, HEADER):
        assert (tmp_path / "config" / name).stat().st_mode & 0o777 == 0o600
        assert b"planted" not in (tmp_path / "config" / name).read_bytes()
    header = files.header()
    assert header is not None
    assert header.counts == {"team": 1, "stakeholders": 0, "users": 1}
    assert (header.imported_at, header.key_id) == (AT, audience.key_id)


def test_a_key_of_somebody_else_and_damage_are_told_apart(
    tmp_path: Path, keys: tuple[tuple[Recipient, ...], tuple[Identity, ...]]
) -> None:
    to, identities = keys
    files = AudienceFiles(tmp_path)
    with pytest.raises(BadInput, match="no list of recipients"):
        files.read(identities)
    files.write(Audience.of([ANN], "file", AT), to)
    with pytest.raises(WrongIdentity, match="list of recipients") as wrong:
        files.read(key_pair(tmp_path / "other.txt")[1])
    hides(wrong.value)
    whole = files.path.read_bytes()
    files.path.write_bytes(whole[:-3])
    with pytest.raises(CheckFailed):
        files.read(identities)
    sealed = io.BytesIO()
    seal(io.BytesIO(b'{"version": 1, "key": "planted", "people": [{"address": "not planted"}]}'), sealed, to)
    files.path.write_bytes(sealed.getvalue())
    with pytest.raises(CheckFailed) as damaged:
        files.read(identities)
    hides(damaged.value)


def test_a_header_of_another_list_says_nothing(
    tmp_path: Path, keys: tuple[tuple[Recipient, ...], tuple[Identity, ...]]
) -> None:
    files = AudienceFiles(tmp_path)
    assert files.header() is None
    files.write(Audience.of([ANN], "file", AT), keys[0])
    files.path.write_bytes(b"another")
    assert files.header() is None
    (tmp_path / HEADER).write_text("[]")
    assert files.header() is None


def test_the_age_counts_from_the_import(
    tmp_path: Path, keys: tuple[tuple[Recipient, ...], tuple[Identity, ...]]
) -> None:
    files = AudienceFiles(tmp_path)
    files.write(Audience.of([ANN], "file", AT), keys[0])
    header = files.header()
    assert header is not None
    assert not header.is_stale(AT + timedelta(days=31))
    assert header.is_stale(AT + timedelta(days=31, seconds=1))


def test_one_message_for_a_person_in_several_groups() -> None:
    twice = Person(group="users", address="Ann.Planted@usc.example")
    audience = Audience.of([ANN, twice, Person(group="users", address="bob@x.example")], "file", AT)
    assert [one.address for one in audience.recipients("team", "users")] == ["ann.planted@usc.example", "bob@x.example"]
    assert len(audience.recipients("users")) == 2
    assert audience.recipients("stakeholders") == ()


def test_digests_stand_for_a_mailbox_and_need_the_key() -> None:
    audience, other = Audience.of([ANN], "file", AT), Audience.of([ANN], "file", AT)
    assert audience.digest("ANN.planted@usc.example") == audience.digest(ANN.address)
    assert len(audience.digest(ANN.address)) == 16
    assert audience.digest(ANN.address) != other.digest(ANN.address)
    assert audience.key_id != other.key_id
    kept = Audience.of([], "file", AT, audience.key)
    assert (kept.digest(ANN.address), kept.key_id) == (audience.digest(ANN.address), audience.key_id)
    assert "planted" not in repr(audience).lower()


def test_a_published_digest() -> None:
    audience = Audience.of([], "file", AT, SecretStr("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
    assert audience.digest("Ann@Example.org") == "7bfe6be90050b256", "as openssl computes it"


def test_groups_are_replaced_one_by_one() -> None:
    audience = Audience.of([ANN, Person(group="users", address="bob@x.example")], "file", AT)
    new = audience.with_groups([Person(group="users", address="eve@x.example")], ["users"])
    assert [one.address for one in new.people] == [ANN.address, "eve@x.example"]
    assert new.key == audience.key


@pytest.mark.parametrize(
    "address",
    [
        "", "ann", "@x.example", "ann@", "ann@x.example\n", "ann@x.example,eve@x.example", "ann@x.example;e@x.example",
        "ann@x.example\r\nBcc: e@x.example", "Ann <ann@x.example>", "a b@x.example", "ann@x..example",
        "ann@-x.example", "ann@x.example.", "ann@[127.0.0.1]", "ann@127.0.0.1", "änn@x.example", "ann@ü.example",
        ".ann@x.example", "a..b@x.example", "a" * 65 + "@x.example", "ann@" + "x" * 64 + ".example",
        "ann@" + ("x" * 60 + ".") * 5 + "example", '"ann"@x.example',
    ],
)  # fmt: skip
def test_what_is_no_single_address(address: str) -> None:
    with pytest.raises(ValidationError):
        Person(group="team", address=address)


@pytest.mark.parametrize(
    "address", ["a+usc@x.example", "o'neil@x.example", "a.b-c_d@xn--bcher-kva.example", "a@localhost"]
)
def test_what_is_one(address: str) -> None:
    assert Person(group="team", address=f" {address}").address == address


def test_a_list_of_lines() -> None:
    found = Gathered.of_text("\ufeff# the team\nann@x.example\n\n  bob@x.example\nnobody\n", "stakeholders")
    assert [(one.group, one.address) for one in found.people] == [
        ("stakeholders", "ann@x.example"), ("stakeholders", "bob@x.example"),
    ]  # fmt: skip
    assert (found.unusable, found.lines, found.groups) == (1, (5,), ("stakeholders",))


def test_a_table_with_a_header() -> None:
    text = (
        "Name,Email,Group,Role\n\"Planted, Ann\",ann@x.example,team,DBA\nBob,bob@x.example,,\n"
        "Eve,eve@x.example,everybody,\n,,,\nMal,mal@x.example,team,a,b\n"
    )  # fmt: skip
    found = Gathered.of_text(text, "users")
    assert [(one.group, one.address, one.name, one.role) for one in found.people] == [
        ("team", "ann@x.example", "Planted, Ann", "DBA"), ("users", "bob@x.example", "Bob", ""),
    ]  # fmt: skip
    assert found.lines == (4, 5, 6)
    assert Gathered.of_text("", "users").people == ()


def test_an_older_list_stays_readable() -> None:
    document = {
        "version": 1, "key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "imported_at": "2026-01-01T00:00:00Z",
        "source": "database", "people": [{"group": "users", "address": "bob@x.example"}],
    }  # fmt: skip
    assert Audience.model_validate_json(json.dumps(document)).counts() == {"team": 0, "stakeholders": 0, "users": 1}
