"""Copies in the hands of the public programs: `age` opens them, `pg_restore` lists what was dumped."""

from __future__ import annotations

import hashlib
import os
import pty
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from backup_world import PASSPHRASE, Bytes, giving, transfer
from uscdr.backups.copy import CopyOrder, Keyring
from uscdr.backups.manifest import BackupOrigin, CopyCard, inside
from uscdr.pgserver.cluster import Tool
from uscdr.pgserver.server import LocalPostgres
from uscdr.store.directory import LocalStore
from uscdr.store.encryption import Recipient

pytestmark = pytest.mark.skipif(
    shutil.which("age") is None or shutil.which("age-keygen") is None,
    reason="age is not installed: tests/conformance/install_packages.sh",
)
LIMIT = 60.0
"""Seconds for a passphrase's key derivation, which is slow on purpose."""


@dataclass(frozen=True)
class Copied:
    """A real dump, its copy in a store, and the private key that age-keygen made."""

    dump: bytes
    listing: bytes
    root: Path
    card: CopyCard
    identity: Path

    @property
    def sealed(self) -> Path:
        return self.root / self.card.dump.path


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Copied:
    place = tmp_path_factory.mktemp("age")
    identity = place / "identity.txt"
    made = subprocess.run(["age-keygen", "-o", str(identity)], capture_output=True, text=True, check=True)
    public = made.stderr.split()[-1]
    with LocalPostgres.start(place / "server", tied=True) as server:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute(b"CREATE TABLE patient AS SELECT g AS id, md5(g::text) FROM generate_series(1, 5000) g")
        env = {**os.environ, **server.environment("postgres")}
        dump = subprocess.run([server.binaries / "pg_dump", "-Fc"], env=env, capture_output=True, check=True).stdout
        listing = subprocess.run(
            [server.binaries / "pg_restore", "-l"], input=dump, capture_output=True, check=True
        ).stdout
    keys = Keyring(Recipient.read([public]), PASSPHRASE)
    origin = BackupOrigin.of(transfer(processed_bytes=len(dump)), "usc-pis", "addon-1", "17")
    order = CopyOrder(origin, "production", lambda _: None, _never)
    store = LocalStore(place / "safe")
    card = order.pull(giving(Bytes(dump)), store, keys)
    return Copied(dump, listing, place / "safe", card, identity)


def _never(error: object) -> None:
    raise AssertionError(error)


def age(*arguments: str | Path) -> bytes:
    return subprocess.run(["age", "--decrypt", *arguments], capture_output=True, check=True).stdout


def typed(command: Sequence[str | Path], answer: bytes) -> int:
    """Exit code of a program that asks for `answer` at its terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], [str(one) for one in command])
    deadline, asked = time.monotonic() + LIMIT, b""
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1.0)[0]:
            continue
        try:
            asked += os.read(terminal, 1000)
        except OSError:  # the other side of the terminal is closed
            break
        if b"passphrase" in asked:
            os.write(terminal, answer + b"\n")
            asked = b""
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_age_opens_a_copy_and_it_is_the_dump(copied: Copied) -> None:
    plain = age("--identity", copied.identity, copied.sealed)
    assert plain == copied.dump
    assert hashlib.sha256(plain).hexdigest() == copied.card.dump.plain_sha256


def test_pg_restore_lists_what_age_opened(copied: Copied, tmp_path: Path) -> None:
    age("--identity", copied.identity, "--output", tmp_path / "plain.dump", copied.sealed)
    program = Tool.find("pg_restore", minimum_major=17).path
    listing = subprocess.run([program, "-l", tmp_path / "plain.dump"], capture_output=True, check=True).stdout
    assert listing == copied.listing
    assert b"TABLE DATA public patient" in listing


def test_the_passphrase_alone_opens_it_too(copied: Copied, tmp_path: Path) -> None:
    locked, out = copied.root / inside(copied.card.id, "identity.age"), tmp_path / "plain.dump"
    command: list[str | Path] = ["age", "--decrypt", "--identity", locked, "--output", out, copied.sealed]
    assert typed(command, PASSPHRASE.get_secret_value().encode()) == 0
    assert out.read_bytes() == copied.dump
    assert typed([*command[:5], tmp_path / "no.dump", copied.sealed], b"another passphrase") != 0


def test_another_key_opens_nothing(copied: Copied, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    subprocess.run(["age-keygen", "-o", str(other)], capture_output=True, check=True)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        age("--identity", other, copied.sealed)
    assert b"no identity matched" in refused.value.stderr
