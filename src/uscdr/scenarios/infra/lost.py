"""What the old place had and the new one gets or does without: add-ons, and the config that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.errors import ProviderError
from uscdr.models.heroku import POSTGRES, REDIS, AddOn
from uscdr.scenarios.deps import Deps
from uscdr.scenarios.infra.addresses import address_of
from uscdr.scenarios.infra.config import Fate, NewConfig, Surroundings, new_config
from uscdr.scenarios.infra.old import OldPlace
from uscdr.scenarios.infra.plans import services
from uscdr.scenarios.infra.services import Had, Held, given, had, known, made_by, not_made


@dataclass(frozen=True)
class NewPlace:
    """What is known of the new place: nothing before it is made."""

    addons: Sequence[AddOn] = ()
    config: Mapping[str, SecretStr] | None = None
    url: str | None = None


def rebuilt_in_place(deps: Deps, old: OldPlace) -> bool:
    """Whether the application itself is brought back: what it still has stays."""
    return deps.request.app is None and old.answers


def lost(deps: Deps, old: OldPlace) -> tuple[Held, tuple[Had, ...]]:
    """The old place's add-ons that are not there any more, or not in the new place, and what it was given by them.

    Of an application that is rebuilt in place only a kit knows what it has lost.
    """
    held, there = Held(old.facts, old.config), set[str]()
    if rebuilt_in_place(deps, old):
        kept = deps.old.kept()
        there = {one.id for one in old.facts.addons} if old.facts else set()
        held = Held(kept.facts, kept.config) if kept else Held(None, {})
    configured, database = services(deps.config.recovery.addons), deps.target.heroku.database
    return held, tuple(one for one in had(held.facts, deps.old_app, configured, database) if one.addon.id not in there)


def new_place(deps: Deps) -> NewPlace:
    """As it stands now."""
    platform, app = deps.platform, deps.app
    return NewPlace(platform.addons(app), platform.config_vars(app), platform.app(app).web_url or "")


def planned(deps: Deps, new: NewPlace) -> NewConfig:
    """What each variable of the old place becomes."""
    old = deps.old.place(deps.old_app)
    held, found = lost(deps, old)
    configured, database = services(deps.config.recovery.addons), deps.target.heroku.database
    made = {name for addon in new.addons if addon.owned_by(deps.app) for name in addon.config_vars}
    made |= {database} if new.addons else made_by(found, configured, database)
    in_place = rebuilt_in_place(deps, old)
    kept = given(had(old.facts, deps.old_app, configured, database)) if in_place else frozenset()
    around = Surroundings(
        known=tuple(known(held, found, new.addons, new.config or {})),
        living=[address_of(old.config[name].get_secret_value()) for name in kept & old.config.keys()],
        made=frozenset(made | kept),
        not_made={} if in_place else not_made(found),
        hosts=() if in_place else _hosts(old),
        names=(*(old.facts.hostnames if old.facts else ()), *(deps.target.dns.hostnames if deps.target.dns else ())),
        new_url=new.url,
    )
    return new_config(old.config, deps.config.recovery, around)


def _hosts(old: OldPlace) -> tuple[str, ...]:
    """Names of the old application at the platform; one without a number is of the time before there were any."""
    if old.facts is None:
        return ()
    own = urlsplit(old.facts.app.web_url or "").netloc.lower()
    told = (one.hostname.lower() for one in old.facts.domains if one.kind == "heroku")
    return tuple(dict.fromkeys(filter(None, (own, *told, f"{old.facts.app.name}.herokuapp.com"))))


def staying(deps: Deps, old: OldPlace) -> tuple[str, ...]:
    """Other applications that use add-ons of the old place, which lives: they go on with those, in words."""
    if not old.answers or old.facts is None or rebuilt_in_place(deps, old):
        return ()
    own = [one for one in old.facts.addons if one.owned_by(deps.old_app) and one.service in (POSTGRES, REDIS)]
    return tuple(words for one in own for words in _users(deps, one))


def _users(deps: Deps, addon: AddOn) -> tuple[str, ...]:
    try:
        there = deps.platform.attachments_of(addon.id)
    except ProviderError as error:
        return (f"who else uses {addon.name} is NOT known ({error.message})",)
    apps = sorted({(one.app_name, one.name) for one in there if one.app_name != deps.old_app})
    return tuple(
        f"{app} (as {name}) goes on with the OLD {addon.name}, and its dynos are NOT stopped" for app, name in apps
    )


def left_out(found: Sequence[Had]) -> tuple[str, ...]:
    """Add-ons of the old place that nothing orders again, in words."""
    return tuple(one.words for one in found if one.fate is Fate.GONE)


def attached(found: Sequence[Had]) -> tuple[str, ...]:
    """Add-ons of other applications, which the new place must be given again, in words."""
    return tuple(f"{one.words} of {one.addon.app_name}" for one in found if one.fate is Fate.STAYS)
