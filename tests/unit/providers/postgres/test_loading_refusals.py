"""What cannot be loaded, or not there, or not from here."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import pytest
from live_target import Owned, ignore, loader, whole
from pydantic import SecretStr

from uscdr.errors import CheckFailed, CredentialsRefused, MachineError, ProviderError, WriteRefused


def test_read_only_wiring_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(WriteRefused):
        loader(read_only=True).load(SecretStr("postgres://u:p@127.0.0.1:1/d"), tmp_path / "none", ignore)


def test_database_that_does_not_answer(good: Path) -> None:
    secret = secrets.token_hex(8)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = SecretStr(f"postgres://u:{secret}@127.0.0.1:{taken.getsockname()[1]}/d")
        with pytest.raises(ProviderError, match="uscdr cannot reach the database server at") as caught:
            loader().load(url, good, ignore)
    assert secret not in whole(caught.value)


def test_wrong_password_and_no_right(owned: Owned, good: Path) -> None:
    with pytest.raises(CredentialsRefused, match="the user or the password"):
        loader().load(SecretStr(owned.clinic.server.dsn(owned.clinic.name, owned.role, "other")), good, ignore)
    owned.clinic.run("CREATE SCHEMA audit")
    with pytest.raises(CredentialsRefused, match="The database user at"):
        loader().load(owned.url, good, ignore)


def test_tls_is_required_of_another_machine(good: Path, owned: Owned) -> None:
    """The test server speaks no TLS: under a name that is not the loopback's it is refused."""
    url = owned.url.get_secret_value().replace("127.0.0.1", "clinic.example")
    with pytest.raises(ProviderError, match="uscdr and the database server at"):
        loader().load(SecretStr(f"{url}?hostaddr=127.0.0.1&sslmode=disable"), good, ignore)


def test_old_tool_and_missing_file(owned: Owned, good: Path, tmp_path: Path) -> None:
    old = tmp_path / "tools" / "pg_restore"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'pg_restore (PostgreSQL) 15.18'\n")
    old.chmod(0o755)
    with pytest.raises(CheckFailed, match="needs pg_restore 17 or newer"):
        loader(tools=old.parent).load(owned.url, good, ignore)
    with pytest.raises(MachineError):
        loader().load(owned.url, tmp_path / "none", ignore)
