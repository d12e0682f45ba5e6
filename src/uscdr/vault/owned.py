"""The one list of what an application can own: what a kit keeps of it, and what a rebuilt place gets back.

Config variables, data, media, code and DNS are parts of a kit of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from uscdr.models.belongings import Belongings
from uscdr.vault.content import AppFacts

SCHEDULER = "scheduler"
GRANTED = ("standard", "premium", "private", "shield")
"""Plans of databases that can have further credentials."""


@dataclass(frozen=True)
class Kind:
    """One kind of thing. `found` gives the names of those that an application has."""

    title: str
    found: Callable[[AppFacts], tuple[str, ...]]
    not_kept: str = ""
    """Why a kit does not hold all of it; empty when it does."""
    by_hand: str = ""
    """What a person does to have it again; empty when a recovery sets it."""


def _belonging(pick: Callable[[Belongings], tuple[str, ...]]) -> Callable[[AppFacts], tuple[str, ...]]:
    return lambda facts: pick(facts.belongings) if facts.belongings else ()


def _services(facts: AppFacts, service: str) -> tuple[str, ...]:
    return tuple(one.name for one in facts.addons if one.plan.partition(":")[0] == service)


def _granted(facts: AppFacts) -> tuple[str, ...]:
    databases = [one for one in facts.addons if one.plan.startswith("heroku-postgresql:")]
    return tuple(one.name for one in databases if one.plan.partition(":")[2].startswith(GRANTED))


def _one(name: str) -> tuple[str, ...]:
    return (name,) if name else ()


OWNED: tuple[Kind, ...] = (
    Kind("region", lambda facts: _one(facts.app.region)),
    Kind("stack", lambda facts: _one(facts.app.stack)),
    Kind("process types with number and size", lambda facts: tuple(one.type for one in facts.formation)),
    Kind("buildpacks", lambda facts: facts.buildpacks),
    Kind("hostnames", lambda facts: facts.hostnames),
    Kind("collaborators", lambda facts: facts.collaborators),
    Kind("log drains", lambda facts: tuple(one.host for one in facts.log_drains if not one.addon)),
    Kind("backup schedules", lambda facts: tuple(one.name for one in facts.schedules)),
    Kind(
        "Scheduler jobs",
        lambda facts: _services(facts, SCHEDULER),
        not_kept="No interface tells them: write them down from the add-on's page.",
        by_hand="recreate them on the add-on's page: heroku addons:open scheduler",
    ),
    Kind(
        "features",
        _belonging(lambda held: held.features),
        by_hand="turn them on: heroku features:enable NAME, or heroku labs:enable NAME",
    ),
    Kind(
        "webhooks",
        _belonging(lambda held: held.webhooks),
        not_kept="Their addresses and secrets are told to nobody; the kit has the hosts.",
        by_hand="add them: heroku webhooks:add",
    ),
    Kind(
        "pipeline",
        _belonging(lambda held: _one(held.pipeline)),
        by_hand="put the new application into it: heroku pipelines:add; review apps follow it",
    ),
    Kind(
        "uploaded certificates",
        _belonging(lambda held: held.certificates),
        not_kept="The platform does not give private keys back: keep them where they were made.",
        by_hand="upload them with their keys: heroku certs:add",
    ),
    Kind(
        "team",
        _belonging(lambda held: _one(held.team)),
        by_hand="move the new application into it, and set its members' rights: heroku apps:transfer",
    ),
    Kind(
        "private space",
        _belonging(lambda held: _one(held.space)),
        by_hand="the new application runs outside of it; create one there by hand where that must not be",
    ),
    Kind(
        "further credentials of the database",
        _granted,
        not_kept="Their passwords and grants are not in a dump.",
        by_hand="look whether there were any, and make them again: heroku pg:credentials",
    ),
)


def not_kept(facts: AppFacts) -> tuple[tuple[str, str], ...]:
    """What the application has and a kit does not hold, each with the reason."""
    named = [(one, one.found(facts)) for one in OWNED if one.not_kept]
    missing = [(f"{kind.title} ({', '.join(names)})", kind.not_kept) for kind, names in named if names]
    return (*missing, *_not_asked(facts))


def by_hand(facts: AppFacts) -> tuple[str, ...]:
    """What the application had and a rebuilt place does not get by itself: what, and what a person does, in words."""
    named = [(one, one.found(facts)) for one in OWNED if one.by_hand]
    told = [f"{kind.title} ({', '.join(names)}): {kind.by_hand}" for kind, names in named if names]
    return (*told, *(f"{what}: NOT KNOWN ({why})" for what, why in _not_asked(facts)))


def _not_asked(facts: AppFacts) -> tuple[tuple[str, str], ...]:
    if facts.belongings is None:
        return (("features, webhooks, pipeline, certificates, team", "This kit is of a version that did not ask."),)
    return tuple(facts.belongings.unknown.items())
