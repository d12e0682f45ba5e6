"""Whether accounts have a published password: candidates are hashed as Django does; the result is counts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from uscdr.errors import BadInput
from uscdr.models.postgres import PasswordResult
from uscdr.threads import run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import SecretStr

    from uscdr.providers.postgres.connection import Connection

Account = tuple[str, object]
"""An id, which may be shown, and the hash, which may not."""

MOST = 200
_MOST_ITERATIONS = 10_000_000
_MOST_MEMORY = 128 * 1024 * 1024
_MOST_LANES = 64
"""The most work for one hash: a damaged row must not keep this machine busy for hours."""
_ID, _HASH = 0, 1
_UNUSABLE = "!"


def accounts(connection: Connection, query: str) -> list[Account]:
    """The rows of `query`, which returns (id, hash). Raises BadInput when it returns something else."""
    with connection.cursor(binary=True) as cursor:
        # A binary result uses the extended protocol, which refuses a second statement.
        cursor.execute(query.encode())
        width = len(cursor.description or ())
        if width != _HASH + 1:
            raise BadInput(
                f"The query for accounts returns {width} columns, not two.",
                next_action="Write it as SELECT id, password FROM …",
            )
        return [(_shown(row[_ID]), row[_HASH]) for row in cursor.fetchall()]


def _shown(key: object) -> str:
    """A number or UUID; any other key may be a person's name or address, and is hashed."""
    if isinstance(key, int | UUID):
        return str(key)
    return hashlib.sha256(str(key).encode()).hexdigest()[:16]


def try_passwords(found: Sequence[Account], candidates: Sequence[SecretStr], *, seconds: float) -> PasswordResult:
    """Try every candidate on each of at most `MOST` accounts, for `seconds`."""
    deadline = time.monotonic() + seconds
    plain = [one.get_secret_value() for one in candidates]
    tasks = [partial(_has_one, encoded, plain, deadline) for _, encoded in found[:MOST]]
    verdicts = run_all(tasks, workers=os.cpu_count() or 1)
    return PasswordResult(
        tested=sum(verdict is not None for verdict in verdicts),
        matching=tuple(key for (key, _), verdict in zip(found, verdicts, strict=False) if verdict),
        untestable=sum(verdict is None for verdict in verdicts) + len(found[MOST:]),
    )


def _has_one(encoded: object, candidates: Sequence[str], deadline: float) -> bool | None:
    """Whether one of the candidates matches; None when that cannot be determined."""
    if encoded is None or (isinstance(encoded, str) and (not encoded or encoded.startswith(_UNUSABLE))):
        return False
    compute = _COMPUTE.get(encoded.partition("$")[0]) if isinstance(encoded, str) else None
    if compute is None or not isinstance(encoded, str):
        return None
    *parts, kept = encoded.split("$")
    for candidate in candidates:
        if time.monotonic() > deadline:
            return None
        try:
            made = compute(candidate, parts)
        except (ValueError, OverflowError):  # malformed, or too expensive
            return None
        if hmac.compare_digest(made.encode(), kept.encode()):
            return True
    return False


def _pbkdf2(digest: str, password: str, parts: list[str]) -> str:
    _, iterations, salt = parts
    if int(iterations) > _MOST_ITERATIONS:
        raise ValueError
    return _base64(hashlib.pbkdf2_hmac(digest, password.encode(), salt.encode(), int(iterations)))


def _scrypt(password: str, parts: list[str]) -> str:
    _, cost, salt, size, lanes = parts
    if int(lanes) > _MOST_LANES:
        raise ValueError
    made = hashlib.scrypt(
        password.encode(), salt=salt.encode(), n=int(cost), r=int(size), p=int(lanes), maxmem=_MOST_MEMORY, dklen=64
    )
    return _base64(made)


def _md5(password: str, parts: list[str]) -> str:
    _, salt = parts
    return hashlib.md5((salt + password).encode(), usedforsecurity=False).hexdigest()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


_COMPUTE: Mapping[str, Callable[[str, list[str]], str]] = {
    "pbkdf2_sha256": partial(_pbkdf2, "sha256"),
    "pbkdf2_sha1": partial(_pbkdf2, "sha1"),
    "scrypt": _scrypt,
    "md5": _md5,
}
