"""Config variables: which are set, which values are required or forbidden. Values are never shown."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from uscdr.checks.check import CheckSpec, Provider
from uscdr.checks.verdict import Finding, Measures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from uscdr.checks.context import CheckContext, Expected, PlatformCache

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FINGERPRINT = 16
"""Hexadecimal digits."""


class ConfigCheck(CheckSpec):
    """Required names, and required values of some variables."""

    kind: Literal["config"]
    must: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Name -> allowed values; an empty one: the variable may be unset."""
    published: dict[str, tuple[Digest, ...]] = Field(default_factory=dict)
    """Name -> SHA-256 of public values, such as a default in the source."""
    same: dict[str, Literal["$cloud"]] = Field(default_factory=dict)
    """Name -> the field of the target whose value it must have: `$cloud` is the media cloud."""

    provider: ClassVar[Provider] = "platform"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        facts, before = context.facts, context.before(name)
        problems = [
            *_missing(facts, context.expected),
            *_not_as_they_must(facts, self),
            *_published(facts, self),
            *_of_another(facts, self, context.expected),
            *_gone(facts, before),
        ]
        doubts = [] if context.expected.cloud or not self.same else ["the target names no cloud to compare with"]
        return Finding.weighed(problems, doubts, _good(facts, context.expected, before), _measures(facts))


def _missing(facts: PlatformCache, expected: Expected) -> Iterator[str]:
    names = [name for name in expected.required if not facts.variable(name)]
    if names:
        yield f"not set: {', '.join(names)}"


def _not_as_they_must(facts: PlatformCache, spec: ConfigCheck) -> Iterator[str]:
    for name, allowed in spec.must.items():
        if facts.variable(name) not in allowed:
            yield f"{name} has a wrong value (expected {' or '.join(one or 'unset' for one in allowed)})"


def _published(facts: PlatformCache, spec: ConfigCheck) -> Iterator[str]:
    for name, digests in spec.published.items():
        if sha256(facts.variable(name).encode()).hexdigest() in digests:
            yield f"{name} has a publicly known value: replace it"


def _of_another(facts: PlatformCache, spec: ConfigCheck, expected: Expected) -> Iterator[str]:
    for name in spec.same if expected.cloud else ():
        if facts.variable(name) != expected.cloud:
            yield f"{name} does not name the media cloud of the target"


def _gone(facts: PlatformCache, before: Measures) -> Iterator[str]:
    names = sorted(name for name in _marks(before) if not facts.variable(name))
    if names:
        yield f"missing since the baseline: {', '.join(names)}"


def _good(facts: PlatformCache, expected: Expected, before: Measures) -> str:
    words = f"{len(facts.config())} variables, {len(expected.required)} required ones among them"
    marks = _marks(before)
    if not marks:
        return f"{words}; no baseline to compare with"
    salt = str(before.get("salt", ""))
    now = {name: _mark(facts.variable(name), salt) for name in marks if name not in expected.derived}
    changed = sorted(name for name, mark in now.items() if mark != marks[name])
    return f"{words}; changed since the baseline: {', '.join(changed) or 'none'}"


def _measures(facts: PlatformCache) -> dict[str, Any]:
    """Uses a new salt each time, so that fingerprints of two baselines or targets cannot be compared."""
    salt = secrets.token_hex(16)
    marks = {name: _mark(facts.variable(name), salt) for name in facts.config() if facts.variable(name)}
    return {"salt": salt, "marks": marks}


def _marks(before: Measures) -> Mapping[str, str]:
    marks = before.get("marks")
    return marks if isinstance(marks, dict) else {}


def _mark(value: str, salt: str) -> str:
    return hmac.new(salt.encode(), value.encode(), sha256).hexdigest()[:FINGERPRINT]


# Checks that the application has the add-on services that it needs.


READY, COMING = "provisioned", "provisioning"


class AddonsCheck(CheckSpec):
    """Add-on services with any plan."""

    kind: Literal["addons"]
    services: Annotated[tuple[str, ...], Field(min_length=1)]
    """The platform's names: `heroku-postgresql`."""

    provider: ClassVar[Provider] = "platform"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        addons = context.facts.addons()
        states = {service: {one.state for one in addons if one.service == service} for service in self.services}
        problems = [
            f"{service} is {_shown(found)}" for service, found in states.items() if not found & {READY, COMING}
        ]  # fmt: skip
        doubts = [
            f"{service} is {COMING}" for service, found in states.items() if COMING in found and READY not in found
        ]
        return Finding.weighed(problems, doubts, f"{READY}: {', '.join(self.services)}")


def _shown(states: set[str]) -> str:
    return " and ".join(sorted(states)) or "missing"
