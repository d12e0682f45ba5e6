"""Ordering add-ons, and what is sold. An order that is refused is told with the plans that can be had."""

from __future__ import annotations

from collections.abc import Iterable

from uscdr.errors import ProviderError
from uscdr.models.heroku import AddOn
from uscdr.models.provision import Plan
from uscdr.providers.heroku import decode
from uscdr.providers.heroku.client import Ask, HerokuClient
from uscdr.providers.heroku.errors import retold
from uscdr.providers.http import segment
from uscdr.providers.json_fields import about

EXPANSION = {"Accept-Expansion": "addon_service,plan"}
_REFUSALS_OF_A_PLAN = ("addon_error", "invalid_params", "not_found")
_ENDED = ("deprecated", "disabled", "ended", "end_of_life", "eol", "shutdown", "sunset")
_ALL = "id ..; max=1000"


def plans(client: HerokuClient, service: str) -> tuple[Plan, ...]:
    """`GET /addon-services/{service}/plans`."""
    path = f"/addon-services/{segment(service)}/plans"
    return client.pages(Ask("list the plans of an add-on service", "GET", path, range_=_ALL), decode.plan)


def _names(found: AddOn) -> tuple[str, str]:
    return found.id, found.name


def addon(client: HerokuClient, app: str, name: str) -> AddOn:
    """`GET /apps/{app}/addons/{name}`."""
    path = f"/apps/{segment(app)}/addons/{segment(name)}"
    return client.ask(
        Ask("describe the add-on", "GET", path, sdk=True, headers=EXPANSION), about(name, decode.addon, _names)
    )


def order(client: HerokuClient, app: str, plan: str, *, name: str | None = None) -> AddOn:
    """`POST /apps/{app}/addons` (write, findable). A plan that is not sold is named, with those that are."""
    body: dict[str, object] = {"plan": plan, "confirm": app}
    if name:
        body["name"] = name
    path = f"/apps/{segment(app)}/addons"
    ask = Ask(f"order {plan}", "POST", path, writes=True, body=body, sdk=True, headers=EXPANSION)
    try:
        return client.ask(ask, decode.addon)
    except ProviderError as refused:
        if refused.error_id not in _REFUSALS_OF_A_PLAN:
            raise
        raise _judged(client, plan, refused) from None


def _judged(client: HerokuClient, plan: str, refused: ProviderError) -> ProviderError:
    """The refusal in words about the plan, unless the plan is sold and something else was the matter."""
    try:
        known = plans(client, plan.partition(":")[0])
    except ProviderError:
        known = ()
    sold = [one for one in known if one.state not in _ENDED]
    if refused.error_id != "addon_error" and (not known or any(one.name == plan for one in sold)):
        return refused
    choice = _choice(one for one in sold if one.name != plan)
    return retold(
        refused,
        ProviderError,
        f"Heroku does not give {plan}: it has ended, is not known, or its provider refused.",
        f"Name one of these in the configuration: {choice}." if choice else refused.next_action,
    )


def _choice(sold: Iterable[Plan]) -> str:
    cheapest_first = sorted(sold, key=lambda plan: (plan.cents is None, plan.cents, plan.name))
    return ", ".join(plan.name + _price(plan) for plan in cheapest_first[:8])


def _price(plan: Plan) -> str:
    return "" if plan.cents is None else f" (${plan.cents / 100:g} a month)"
