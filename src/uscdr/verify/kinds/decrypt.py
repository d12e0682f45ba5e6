"""Whether the application's key opens the encrypted columns: tried in the database on a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr

from uscdr.fingerprint import fingerprint
from uscdr.models.postgres import CanaryResult
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding, as_far_as_read, judged
from uscdr.verify.world import World
from uscdr.words import first_of, plural


class DecryptCheck(CheckSpec):
    """Encrypted columns decrypt to what stands beside them, and are filled."""

    kind: Literal["decrypt"]
    sample: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Rows of each column."""
    unencrypted: Annotated[int, Field(ge=0)] = 0
    """Without a baseline: so many values may stand there in plain text only."""

    provider: ClassVar[Provider] = "database"


def run(name: str, spec: DecryptCheck, world: World) -> Finding:
    """Try the configured key."""
    variable, columns = world.expected.key, world.expected.canaries
    if not variable or not columns:
        return Finding("inconclusive", "scenarios.yaml names no encrypted column, or no key for it")
    key = world.facts.config().get(variable, SecretStr(""))
    if not key.get_secret_value():
        return Finding("fail", f"the config variable {variable} is not set: nothing can be decrypted, or encrypted")
    results = world.database().canary(columns, key, sample=spec.sample)
    bare = {f"{one.table}.{one.column}": one.unencrypted for one in results if not (one.missing or one.unread)}
    before: Mapping[str, int] = world.before(name).get("unencrypted", {})
    problems = [
        *(f"there is no {one.missing}" for one in results if one.missing),
        *_unreadable(results, variable),
        *_unencrypted(bare, before, spec.unencrypted),
    ]
    sampled = sum(one.sampled for one in results)
    if not problems and not sampled:
        nothing = Finding("inconclusive", "no encrypted value was found, so the key could not be tried")
        return as_far_as_read(nothing, (one.unread for one in results), "read")
    measured = {"unencrypted": bare, "key": fingerprint(key, world.app)}
    finding = judged(problems, _good(variable, results, sampled, bare), measured)
    return as_far_as_read(finding, (one.unread for one in results), "read")


def _unreadable(results: tuple[CanaryResult, ...], variable: str) -> list[str]:
    wrong = [f"{one.wrong} of {one.sampled} in {one.table}.{one.column}" for one in results if one.fits is False]
    other = "" if any(one.unreadable for one in results) else ": they decrypt to something else than stands beside them"
    return [f"{variable} does not fit {first_of(wrong)}{other}"] if wrong else []


def _unencrypted(bare: Mapping[str, int], before: Mapping[str, int], allowed: int) -> list[str]:
    """Against the baseline by column, else all together against the bound."""
    grown = [
        f"{name} {before[name]:,} -> {now:,}" for name, now in bare.items() if name in before and now > before[name]
    ]
    new = {name: now for name, now in bare.items() if name not in before and now}
    problems = [f"more values in plain text only than in the baseline: {first_of(grown)}"] if grown else []
    if sum(new.values()) > allowed:
        words = f"{plural(sum(new.values()), 'value')} in plain text only, allowed are {allowed:,}"
        problems.append(f"{words}: {first_of([f'{name} ({now:,})' for name, now in new.items()])}")
    return problems


def _good(variable: str, results: tuple[CanaryResult, ...], sampled: int, bare: Mapping[str, int]) -> str:
    tried = [one for one in results if one.sampled]
    words = f"{variable} opens all of {plural(sampled, 'sampled value')} in {plural(len(tried), 'column')}"
    empty = [f"{one.table}.{one.column}" for one in results if not (one.sampled or one.unread)]
    words += f"; nothing encrypted in {first_of(empty)}" if empty else ""
    apart = [f"{one.apart} of {one.sampled} in {one.table}.{one.column}" for one in results if one.apart]
    words += f"; LOOK AT {first_of(apart)}: opened, they say something else than stands beside them" if apart else ""
    return words + (f"; {sum(bare.values()):,} in plain text only" if any(bare.values()) else "")
