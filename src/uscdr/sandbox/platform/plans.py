"""The add-on plans that can be had, and those that are gone."""

from __future__ import annotations

from dataclasses import dataclass

from uscdr.sandbox.web.errors import ApiError, invalid

POSTGRES = "heroku-postgresql"
REDIS = "heroku-redis"
_ENDED = ("mini", "basic", "dev", "hobby-dev", "hobby-basic")
_DEFAULTS = {POSTGRES: "essential-0", REDIS: "mini"}


_SOLD, _OVER = "public", "disabled"


@dataclass(frozen=True)
class Plan:
    """`cents` a month; `connections` a role may have (0: no database)."""

    name: str
    cents: int
    connections: int = 0
    state: str = _SOLD

    @property
    def service(self) -> str:
        """The add-on service."""
        return self.name.partition(":")[0]


PLANS = {
    plan.name: plan
    for plan in (
        Plan(f"{POSTGRES}:essential-0", 500, 20),
        Plan(f"{POSTGRES}:essential-1", 900, 20),
        Plan(f"{POSTGRES}:essential-2", 2000, 40),
        Plan(f"{POSTGRES}:standard-0", 5000, 120),
        Plan(f"{POSTGRES}:standard-2", 20000, 400),
        Plan(f"{POSTGRES}:premium-0", 20000, 120),
        Plan(f"{REDIS}:mini", 300),
        Plan(f"{REDIS}:premium-0", 1500),
    )
}
_HISTORY = [Plan(f"{POSTGRES}:{level}", 0, 20, _OVER) for level in _ENDED]


def listed(service: str) -> list[Plan]:
    """The plans of a service as the catalogue lists them, those that are not sold any more last."""
    return [one for one in (*PLANS.values(), *_HISTORY) if one.service == service]


def is_default(plan: Plan) -> bool:
    """Whether it is what the service gives when no plan is named."""
    return plan.name == f"{plan.service}:{_DEFAULTS[plan.service]}"


def choose(name: str) -> Plan:
    """The plan of that name, or a service's default plan. Raises 422 as the provider does."""
    service, _, level = name.partition(":")
    level = level or _DEFAULTS.get(service, "")
    full = f"{service}:{level}"
    if service == POSTGRES and level in _ENDED:
        raise ApiError(
            422,
            "addon_error",
            f"We tried to create {full}, but received an error from the add-on provider, which said: "
            f"The {level} plan has reached end-of-life and is no longer available.",
        )
    if full not in PLANS:
        raise invalid(f'Couldn\'t find either the add-on service or the add-on plan of "{name}".')
    return PLANS[full]
