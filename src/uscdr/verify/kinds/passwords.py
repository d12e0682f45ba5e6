"""Whether a privileged account has a password that stands in the application's public repository."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr

from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World
from uscdr.words import first_of, plural

PART = 0.7
"""The share of the check's time that may go into hashing: a slow hash must not look like a database that hangs."""


class PasswordsCheck(CheckSpec):
    """No active privileged account has a published password."""

    kind: Literal["passwords"]
    published: Annotated[tuple[SecretStr, ...], Field(min_length=1)]
    """Default passwords as the repository has them."""
    query: Annotated[str, Field(min_length=1)]
    """Gives (id, hash) of the active privileged accounts."""

    provider: ClassVar[Provider] = "database"


def run(name: str, spec: PasswordsCheck, world: World) -> Finding:  # noqa: ARG001 - as every kind
    """Try each published password on each account."""
    result = world.database().published_passwords(spec.query, spec.published, seconds=spec.timeout * PART)
    if result.matching:
        number = len(result.matching)
        words = f"{plural(number, 'active account')} {'has' if number == 1 else 'have'} a password that is published"
        return Finding("fail", f"{words}: id {first_of(result.matching)}")
    if result.untestable:
        total = result.tested + result.untestable
        return Finding("inconclusive", f"{result.untestable} of {plural(total, 'account')} could not be tried")
    if not result.tested:
        return Finding("inconclusive", "the query found no account")
    tried = plural(len(spec.published), "published password")
    return Finding("pass", f"{plural(result.tested, 'account')}, none has one of {tried}", {"accounts": result.tested})
