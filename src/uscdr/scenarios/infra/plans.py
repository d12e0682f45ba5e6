"""Add-on plans for the new place: the old ones if they are still sold, else the configured ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uscdr.errors import BadInput
from uscdr.models.heroku import AddOn, service_of
from uscdr.models.provision import Plan

ENDED = ("deprecated", "disabled", "ended", "end_of_life", "eol", "shutdown", "sunset")


@dataclass(frozen=True)
class Order:
    """What to order, what was replaced and why, and the price in cents a month when every price is known."""

    plans: tuple[str, ...]
    replaced: tuple[str, ...]
    cents: int | None


def services(configured: Sequence[str]) -> tuple[str, ...]:
    """The services that are ordered: those of the configured plans."""
    return tuple(dict.fromkeys(service_of(plan) for plan in configured))


def order(old: Sequence[AddOn], configured: Sequence[str], sold: Mapping[str, Sequence[Plan]]) -> Order:
    """One plan a service. Raises BadInput when neither the old nor the configured plan is sold."""
    plans, replaced, cents = [], [], 0
    known_price = True
    for service, offers in sold.items():
        on_offer = {plan.name: plan for plan in offers if plan.state not in ENDED}
        former = next((addon.plan for addon in old if addon.service == service), None)
        fallback = next((plan for plan in configured if service_of(plan) == service), None)
        chosen = _first(on_offer, service, (former, fallback))
        if former is not None and former != chosen.name:
            replaced.append(f"{former} is not sold any more: {chosen.name} takes its place")
        plans.append(chosen.name)
        known_price = known_price and chosen.cents is not None
        cents += chosen.cents or 0
    return Order(tuple(plans), tuple(replaced), cents if known_price else None)


def _first(on_offer: Mapping[str, Plan], service: str, wanted: Sequence[str | None]) -> Plan:
    for name in wanted:
        if name is not None and name in on_offer:
            return on_offer[name]
    named = " and ".join(name for name in wanted if name) or "no plan"
    raise BadInput(
        f"No plan for {service} can be ordered: {named} is not sold.",
        why=f"Sold are: {', '.join(sorted(on_offer)) or 'none'}.",
        next_action="Name one of them under recovery.addons in scenarios.yaml.",
    )
