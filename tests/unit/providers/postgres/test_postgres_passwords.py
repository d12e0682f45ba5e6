"""Published passwords are tried against hashes that Django itself made; only ids and numbers come back."""

from __future__ import annotations

import hashlib
import secrets
import time
import traceback
from typing import Any

import pytest
from pydantic import SecretStr

from uscdr.errors import BadInput, ProviderError
from uscdr.models.postgres import PasswordResult
from uscdr.providers.postgres import passwords

PUBLISHED = "planted-clinic-ñ-2025"
CANDIDATES = [SecretStr("planted-other"), SecretStr(PUBLISHED)]
QUERY = "SELECT id, password FROM account ORDER BY id"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """Django's own hash of the published password, by kind."""
    from django.conf import settings  # type: ignore[import-untyped]

    if not settings.configured:
        settings.configure()
    from django.contrib.auth import hashers  # type: ignore[import-untyped]

    pbkdf2, sha1 = hashers.PBKDF2PasswordHasher(), hashers.PBKDF2SHA1PasswordHasher()
    return {
        "pbkdf2_sha256": pbkdf2.encode(PUBLISHED, "salt", 1000),
        "pbkdf2_sha256 as Django sets it": pbkdf2.encode(PUBLISHED, "salt"),
        "pbkdf2_sha1": sha1.encode(PUBLISHED, "salt", 1000),
        "scrypt": hashers.ScryptPasswordHasher().encode(PUBLISHED, "salt"),
        "md5": hashers.MD5PasswordHasher().encode(PUBLISHED, "salt"),
    }


@pytest.fixture
def kept(new_database: Any) -> Any:
    clinic = new_database()
    clinic.run("CREATE TABLE account (id serial, password text)")
    return clinic


def ask(clinic: Any, query: str = QUERY, **options: Any) -> PasswordResult:
    found = clinic.adapter().published_passwords(query, CANDIDATES, **options)
    assert isinstance(found, PasswordResult)
    assert "planted" not in f"{found!r}"
    return found


def add(clinic: Any, *hashes: str | None) -> None:
    for one in hashes:
        clinic.run(f"INSERT INTO account (password) VALUES ({'NULL' if one is None else repr(one)})")


def test_every_kind_of_hash(kept: Any, made: dict[str, str]) -> None:
    add(kept, *made.values())
    assert ask(kept) == PasswordResult(tested=5, matching=("1", "2", "3", "4", "5"))


def test_another_password(kept: Any, made: dict[str, str]) -> None:
    other = [one.replace("$salt$", "$pepper$") for one in made.values()]
    add(kept, *other)
    assert ask(kept) == PasswordResult(tested=5)


def test_accounts_that_nobody_can_sign_in_to(kept: Any) -> None:
    add(kept, "!" + secrets.token_hex(8), "", None)
    assert ask(kept) == PasswordResult(tested=3)
    kept.run("TRUNCATE account")
    assert ask(kept) == PasswordResult()


@pytest.mark.parametrize(
    "hash_",
    [
        "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA",
        "bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuv",
        "bcrypt$$2b$12$abc",
        "sha1$salt$abc",
        hashlib.md5(PUBLISHED.encode()).hexdigest(),
        "pbkdf2_sha256$salt$hash",
        "pbkdf2_sha256$many$salt$hash",
        "pbkdf2_sha256$0$salt$hash",
        "pbkdf2_sha256$-5$salt$hash",
        "pbkdf2_sha256$2147483647$salt$hash",
        "pbkdf2_sha256$99999999999999999999$salt$hash",
        "scrypt$16384$salt$8$hash",
        "scrypt$3$salt$8$5$hash",
        "scrypt$1073741824$salt$8$5$hash",
        "scrypt$16384$salt$8$1000000$hash",
        "pbkdf2_sha256",
        "$$$",
    ],
)
def test_a_hash_that_cannot_be_tried_costs_nothing(kept: Any, made: dict[str, str], hash_: str) -> None:
    add(kept, hash_, made["md5"])
    begun = time.monotonic()
    assert ask(kept) == PasswordResult(tested=1, matching=("2",), untestable=1)
    assert time.monotonic() - begun < 10


def test_a_hash_that_is_no_text(kept: Any) -> None:
    add(kept, "x")
    assert ask(kept, "SELECT id, 7 FROM account") == PasswordResult(untestable=1)


def test_too_many_accounts(kept: Any, made: dict[str, str]) -> None:
    kept.run(f"INSERT INTO account (password) SELECT '{made['md5']}x' FROM generate_series(1, 203)")
    add(kept, made["md5"])
    assert ask(kept) == PasswordResult(tested=passwords.MOST, untestable=4)
    assert ask(kept, QUERY + " DESC").matching == ("204",)


def test_time_that_is_over(kept: Any, made: dict[str, str]) -> None:
    add(kept, *[made["pbkdf2_sha256"]] * 3, "!no")
    assert ask(kept, seconds=-1.0) == PasswordResult(tested=1, untestable=3)


def test_ids_that_are_a_persons_are_not_told(kept: Any, made: dict[str, str]) -> None:
    add(kept, made["md5"])
    told = ask(kept, "SELECT 'planted.person@clinic.example', password FROM account").matching
    assert told == (hashlib.sha256(b"planted.person@clinic.example").hexdigest()[:16],)
    uuid = "6f2c1f52-8f3b-4f43-9d6f-3f0f5f1d2a10"
    assert ask(kept, f"SELECT '{uuid}'::uuid, password FROM account").matching == (uuid,)


@pytest.mark.parametrize(
    ("query", "kind", "words"),
    [
        ("SELECT password FROM account", BadInput, "returns 1 columns"),
        ("SELECT id, password, 'planted' FROM account", BadInput, "returns 3 columns"),
        ("SELECT id, gone FROM account", ProviderError, "42703"),
        ("SELECT password::int, password FROM account", ProviderError, "22P02"),
        ("UPDATE account SET password = 'x' RETURNING id, password", ProviderError, "25006"),
        ("SELECT id, password FROM account; COMMIT; DELETE FROM account", ProviderError, "42601"),
        ("SET TRANSACTION READ WRITE", ProviderError, "25001"),
    ],
)
def test_other_queries(kept: Any, made: dict[str, str], query: str, kind: type[Exception], words: str) -> None:
    add(kept, made["md5"])
    with pytest.raises(kind) as caught:
        ask(kept, query)
    told = f"{caught.value} {vars(caught.value)}"
    assert words in told
    assert made["md5"] not in told + "".join(traceback.format_exception(caught.value))
    assert ask(kept).matching == ("1",)
