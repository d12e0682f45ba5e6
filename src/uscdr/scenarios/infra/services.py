"""Add-ons of the old application: which are ordered again, and what happens to their variables and addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from uscdr.errors import BadInput, ProviderError
from uscdr.models.data_settings import POSTGRES, REDIS, service_of
from uscdr.scenarios.infra.config import (
    ATTACH,
    NEW,
    NOT_MADE,
    AddonFate,
    ConfigInputs,
    KnownAddress,
    NewConfig,
    ServiceAddress,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pydantic import SecretStr

    from uscdr.kit.content import AppFacts
    from uscdr.models.heroku import AddOn, AddonPlan, Attachment
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.infra.old import OldApplication

REDIS_URL = "REDIS_URL"
OF_QUEUE = (REDIS_URL, "REDIS_TLS_URL")


@dataclass(frozen=True)
class OldAddon:
    """One add-on of the old application, its variables, and what happens to it."""

    addon: AddOn
    variables: tuple[str, ...]
    fate: AddonFate

    @property
    def words(self) -> str:
        """`postgresql-flat-1 (heroku-postgresql:essential-0, ANALYTICS_URL)`."""
        return f"{self.addon.name} ({', '.join((self.addon.plan, *self.variables))})"


def _had(facts: AppFacts | None, app: str, configured: Collection[str], database: str) -> tuple[OldAddon, ...]:
    """Every add-on. `configured`: the services that are ordered; `database`: the main database's variable."""
    if facts is None:
        return ()
    main = (database, *OF_QUEUE)
    names = {
        addon.id: tuple(sorted(_variables(addon, facts.attachments, app), key=lambda name: name not in main))
        for addon in facts.addons
    }
    anew = {found.id for service in configured if (found := _main(facts.addons, names, service, database, app))}
    return tuple(OldAddon(one, names[one.id], _fate(one, anew, app)) for one in facts.addons)


def _fate(addon: AddOn, anew: Collection[str], app: str) -> AddonFate:
    if addon.id in anew:
        return AddonFate.ANEW
    return AddonFate.GONE if addon.owned_by(app) else AddonFate.STAYS


def _variables(addon: AddOn, attachments: Sequence[Attachment], app: str) -> tuple[str, ...]:
    """The variables that the application sees; an add-on itself names those of its owner."""
    mine = [one for one in attachments if one.addon_id == addon.id]
    names = [name for one in mine for name in one.config_vars or (f"{one.name}_URL",)]
    return tuple(dict.fromkeys((*names, *(addon.config_vars if addon.owned_by(app) else ()))))


def _main(
    addons: Sequence[AddOn], names: Mapping[str, Sequence[str]], service: str, database: str, app: str
) -> AddOn | None:
    """The add-on of a service that the new one replaces: by its variable, else the first that the app owns."""
    there = [one for one in addons if one.service == service]
    variable = {POSTGRES: database, REDIS: REDIS_URL}.get(service)
    by_name = next((one for one in there if variable in names[one.id]), None)
    return by_name or next((one for one in there if one.owned_by(app)), None)


def _made_by(found: Sequence[OldAddon], configured: Collection[str], database: str) -> frozenset[str]:
    """Variables that new add-ons will set; they set no further names of the database or the queue."""
    names = {database} | (set(OF_QUEUE) if REDIS in configured else set())
    for one in found:
        if one.fate is AddonFate.ANEW and one.addon.service not in (POSTGRES, REDIS):
            names |= set(one.variables)
    return frozenset(names)


def _given(found: Sequence[OldAddon]) -> frozenset[str]:
    """Every variable that an add-on sets."""
    return frozenset(name for one in found for name in one.variables)


def _not_made(found: Sequence[OldAddon]) -> dict[str, str]:
    """Variables of add-ons that are not ordered again -> why they are not set."""
    gone = {name: NOT_MADE.format(one.words) for one in found if one.fate is AddonFate.GONE for name in one.variables}
    theirs = [one for one in found if one.fate is AddonFate.STAYS]
    return gone | {name: ATTACH.format(one.words, one.addon.app_name) for one in theirs for name in one.variables}


def _known(
    lost: LostAddons, new: Sequence[AddOn], there: Mapping[str, SecretStr]
) -> Iterator[KnownAddress]:  # fmt: skip
    """Every address of the old add-ons. `there`: the new application's config; empty before it exists."""
    for one in lost.found:
        given_ = {name: ServiceAddress.of(text) for name in one.variables if (text := _text(lost.config, name))}
        first = next(iter(given_.values()), ServiceAddress())
        for name, old in given_.items():
            # a further credential is not created again, and its holder must not get the owner's
            fate = AddonFate.GONE if one.fate is AddonFate.ANEW and old.user != first.user else one.fate
            yield KnownAddress(one.addon.name, fate, old, _successor(name, old, one, new, there))


def _text(config: Mapping[str, SecretStr], name: str) -> str:
    return config[name].get_secret_value() if name in config else ""


def _successor(
    name: str, old: ServiceAddress, had_: OldAddon, new: Sequence[AddOn], there: Mapping[str, SecretStr]
) -> ServiceAddress | None:  # fmt: skip
    """The address of the service's new add-on: by the same variable, else by one of the same scheme.

    A placeholder before the add-ons exist; None when the new add-on has no address.
    """
    if not new:
        return NEW
    service = had_.addon.service
    names = [one for addon in new if addon.service == service for one in addon.config_vars if one in there]
    found = {one: ServiceAddress.of(there[one].get_secret_value()) for one in names}
    if name in found:
        return found[name]
    return next((one for one in found.values() if one.scheme == old.scheme), next(iter(found.values()), None))


# Add-on plans for the new application: the old ones if they are still sold, else the configured ones. Pure.


ENDED = ("deprecated", "disabled", "ended", "end_of_life", "eol", "shutdown", "sunset")


@dataclass(frozen=True)
class AddonOrder:
    """What to order, what was replaced and why, and the price in cents a month when every price is known."""

    plans: tuple[str, ...]
    replaced: tuple[str, ...]
    cents: int | None

    @classmethod
    def of(cls, old: Sequence[AddOn], configured: Sequence[str], sold: Mapping[str, Sequence[AddonPlan]]) -> AddonOrder:
        """One plan a service. Raises BadInput when neither the old nor the configured plan is sold."""
        plans, replaced, cents = [], [], 0
        known_price = True
        for service, offers in sold.items():
            on_offer = {plan.name: plan for plan in offers if plan.state not in ENDED}
            former = next((addon.plan for addon in old if addon.service == service), None)
            fallback = next((plan for plan in configured if service_of(plan) == service), None)
            chosen = _first(on_offer, service, (former, fallback))
            if former is not None and former != chosen.name:
                replaced.append(f"{former} is no longer sold: {chosen.name} replaces it")
            plans.append(chosen.name)
            known_price = known_price and chosen.cents is not None
            cents += chosen.cents or 0
        return cls(tuple(plans), tuple(replaced), cents if known_price else None)


def _first(on_offer: Mapping[str, AddonPlan], service: str, wanted: Sequence[str | None]) -> AddonPlan:
    for name in wanted:
        if name is not None and name in on_offer:
            return on_offer[name]
    names = [name for name in wanted if name]
    named = (
        f"neither {names[0]} nor {names[1]} is sold" if len(names) > 1 else f"{''.join(names) or 'none'} is not sold"
    )
    raise BadInput(
        f"No plan for {service} can be ordered: {named}.",
        why=f"Heroku sells: {', '.join(sorted(on_offer)) or 'none'}.",
        next_action="Name one of them under recovery.addons in scenarios.yaml.",
    )


# Add-ons and config that the old application had, and that the new one gets or does without.


@dataclass(frozen=True)
class LostAddons:
    """The old application's add-ons that the new one does not have, and the config that they set."""

    found: tuple[OldAddon, ...]
    config: Mapping[str, SecretStr] = field(repr=False)

    @classmethod
    def of(cls, deps: Adapters, old: OldApplication) -> LostAddons:
        """For an application that is rebuilt in place only a kit knows what it has lost."""
        facts, config, there = old.facts, old.config, set[str]()
        if old.rebuilt_in_place(deps.request.app):
            kept = deps.old.kept()
            there = {one.id for one in old.facts.addons} if old.facts else set()
            facts, config = (kept.facts, kept.config) if kept else (None, {})
        configured, database = deps.config.recovery.services, deps.services.heroku.database
        had = _had(facts, deps.old_app, configured, database)
        return cls(tuple(one for one in had if one.addon.id not in there), config)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Add-ons that nothing orders again, in words."""
        return tuple(one.words for one in self.found if one.fate is AddonFate.GONE)

    @property
    def attached(self) -> tuple[str, ...]:
        """Add-ons of other applications, which a person must attach to the new one, in words."""
        return tuple(f"{one.words} of {one.addon.app_name}" for one in self.found if one.fate is AddonFate.STAYS)


@dataclass(frozen=True)
class NewApplication:
    """What is known of the new application: nothing before it exists."""

    addons: Sequence[AddOn] = ()
    config: Mapping[str, SecretStr] | None = None
    url: str | None = None

    @classmethod
    def now(cls, deps: Adapters) -> NewApplication:
        """The new application as it is now."""
        platform, app = deps.platform, deps.app
        return cls(platform.addons(app), platform.config_vars(app), platform.app(app).web_url or "")

    def planned(self, deps: Adapters) -> NewConfig:
        """The new application's config, from the old one's."""
        old = deps.old.place(deps.old_app)
        lost = LostAddons.of(deps, old)
        configured, database = deps.config.recovery.services, deps.services.heroku.database
        made = {name for addon in self.addons if addon.owned_by(deps.app) for name in addon.config_vars}
        made |= {database} if self.addons else _made_by(lost.found, configured, database)
        in_place = old.rebuilt_in_place(deps.request.app)
        kept = _given(_had(old.facts, deps.old_app, configured, database)) if in_place else frozenset()
        around = ConfigInputs(
            known=tuple(_known(lost, self.addons, self.config or {})),
            living=[ServiceAddress.of(old.config[name].get_secret_value()) for name in kept & old.config.keys()],
            made=frozenset(made | kept),
            not_made={} if in_place else _not_made(lost.found),
            hosts=() if in_place else _hosts(old),
            names=(
                *(old.facts.hostnames if old.facts else ()),
                *(deps.services.dns.hostnames if deps.services.dns else ()),
            ),
            new_url=self.url,
        )
        return NewConfig.of(old.config, deps.config.recovery, around)


def _hosts(old: OldApplication) -> tuple[str, ...]:
    """The old application's names at the platform, including the form without a number that older apps have."""
    if old.facts is None:
        return ()
    own = urlsplit(old.facts.app.web_url or "").netloc.lower()
    told = (one.hostname.lower() for one in old.facts.domains if one.kind == "heroku")
    return tuple(dict.fromkeys(filter(None, (own, *told, f"{old.facts.app.name}.herokuapp.com"))))


def still_using(deps: Adapters, old: OldApplication) -> tuple[str, ...]:
    """Other applications that keep using add-ons of an old application that still answers, in words."""
    if not old.answers or old.facts is None or old.rebuilt_in_place(deps.request.app):
        return ()
    own = [one for one in old.facts.addons if one.owned_by(deps.old_app) and one.service in (POSTGRES, REDIS)]
    return tuple(words for one in own for words in _users(deps, one))


def _users(deps: Adapters, addon: AddOn) -> tuple[str, ...]:
    try:
        there = deps.platform.attachments_of(addon.id)
    except ProviderError as error:
        return (f"who else uses {addon.name} is NOT known ({error.message})",)
    apps = sorted({(one.app_name, one.name) for one in there if one.app_name != deps.old_app})
    return tuple(
        f"{app} (as {name}) keeps using the OLD {addon.name}, and its dynos are NOT stopped" for app, name in apps
    )
