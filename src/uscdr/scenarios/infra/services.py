"""Add-ons of the old place: which are made anew, and what becomes of their variables and addresses. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

from uscdr.models.heroku import POSTGRES, REDIS, AddOn, Attachment
from uscdr.scenarios.infra.addresses import NEW, Address, address_of
from uscdr.scenarios.infra.config import ATTACH, NOT_MADE, Fate, Known
from uscdr.vault.content import AppFacts

REDIS_URL = "REDIS_URL"
OF_QUEUE = (REDIS_URL, "REDIS_TLS_URL")


@dataclass(frozen=True)
class Had:
    """One add-on that the old application saw, under which variables, and what becomes of it."""

    addon: AddOn
    variables: tuple[str, ...]
    fate: Fate

    @property
    def words(self) -> str:
        """`postgresql-flat-1 (heroku-postgresql:essential-0, ANALYTICS_URL)`."""
        return f"{self.addon.name} ({', '.join((self.addon.plan, *self.variables))})"


@dataclass(frozen=True)
class Held:
    """What an application was given, and the add-ons that gave it."""

    facts: AppFacts | None
    config: Mapping[str, SecretStr] = field(repr=False)


def had(facts: AppFacts | None, app: str, configured: Collection[str], database: str) -> tuple[Had, ...]:
    """Every add-on; `configured` are the services that are ordered, `database` the main database's variable."""
    if facts is None:
        return ()
    main = (database, *OF_QUEUE)
    names = {
        addon.id: tuple(sorted(_variables(addon, facts.attachments, app), key=lambda name: name not in main))
        for addon in facts.addons
    }
    anew = {found.id for service in configured if (found := _main(facts.addons, names, service, database, app))}
    return tuple(Had(one, names[one.id], _fate(one, anew, app)) for one in facts.addons)


def _fate(addon: AddOn, anew: Collection[str], app: str) -> Fate:
    if addon.id in anew:
        return Fate.ANEW
    return Fate.GONE if addon.owned_by(app) else Fate.STAYS


def _variables(addon: AddOn, attachments: Sequence[Attachment], app: str) -> tuple[str, ...]:
    """As the application sees them; an add-on names those that its owner sees."""
    mine = [one for one in attachments if one.addon_id == addon.id]
    names = [name for one in mine for name in one.config_vars or (f"{one.name}_URL",)]
    return tuple(dict.fromkeys((*names, *(addon.config_vars if addon.owned_by(app) else ()))))


def _main(
    addons: Sequence[AddOn], names: Mapping[str, Sequence[str]], service: str, database: str, app: str
) -> AddOn | None:
    """The add-on of a service that the new one takes the place of: by its variable, else the first of its own."""
    there = [one for one in addons if one.service == service]
    variable = {POSTGRES: database, REDIS: REDIS_URL}.get(service)
    by_name = next((one for one in there if variable in names[one.id]), None)
    return by_name or next((one for one in there if one.owned_by(app)), None)


def made_by(found: Sequence[Had], configured: Collection[str], database: str) -> frozenset[str]:
    """Variables that new add-ons will set; of further names of the database or the queue they set none."""
    names = {database} | (set(OF_QUEUE) if REDIS in configured else set())
    for one in found:
        if one.fate is Fate.ANEW and one.addon.service not in (POSTGRES, REDIS):
            names |= set(one.variables)
    return frozenset(names)


def given(found: Sequence[Had]) -> frozenset[str]:
    """Every variable that an add-on sets."""
    return frozenset(name for one in found for name in one.variables)


def not_made(found: Sequence[Had]) -> dict[str, str]:
    """Variables of add-ons that are not made anew -> why they are not set."""
    gone = {name: NOT_MADE.format(one.words) for one in found if one.fate is Fate.GONE for name in one.variables}
    theirs = [one for one in found if one.fate is Fate.STAYS]
    return gone | {name: ATTACH.format(one.words, one.addon.app_name) for one in theirs for name in one.variables}


def known(
    held: Held, found: Sequence[Had], new: Sequence[AddOn], there: Mapping[str, SecretStr]
) -> Iterator[Known]:  # fmt: skip
    """Every address of the old add-ons. `there` is what the new application has; empty before it is made."""
    for one in found:
        given_ = {name: address_of(text) for name in one.variables if (text := _text(held.config, name))}
        first = next(iter(given_.values()), Address())
        for name, old in given_.items():
            # a further credential is not made again, and its holder is not to get the owner's
            fate = Fate.GONE if one.fate is Fate.ANEW and old.user != first.user else one.fate
            yield Known(one.addon.name, fate, old, _successor(name, old, one, new, there))


def _text(config: Mapping[str, SecretStr], name: str) -> str:
    return config[name].get_secret_value() if name in config else ""


def _successor(
    name: str, old: Address, had_: Had, new: Sequence[AddOn], there: Mapping[str, SecretStr]
) -> Address | None:  # fmt: skip
    """Where the new add-on of the service is reached: by the same variable, else by one of the same scheme.

    A stand-in before anything is made; None when there is none where there should be one.
    """
    if not new:
        return NEW
    service = had_.addon.service
    names = [one for addon in new if addon.service == service for one in addon.config_vars if one in there]
    found = {one: address_of(there[one].get_secret_value()) for one in names}
    if name in found:
        return found[name]
    return next((one for one in found.values() if one.scheme == old.scheme), next(iter(found.values()), None))
