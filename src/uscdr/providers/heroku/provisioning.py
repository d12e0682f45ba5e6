"""The `Provisioning` port on Heroku's Platform API (v3) and data API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.errors import BadInput, Conflict, CredentialsRefused, NotFound, ProviderError
from uscdr.models.heroku import AddOn, AddonPlan, App, Belongings, Domain, LogDrain, Schedule
from uscdr.providers.heroku import backups, decode
from uscdr.providers.heroku.client import PROVIDER, HerokuCall, HerokuClient
from uscdr.providers.http.client import segment
from uscdr.providers.http.json import JsonObject, about, items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


# Orders add-ons and lists plans. The error of a refused order names the available plans.


EXPANSION = {"Accept-Expansion": "addon_service,plan"}
_REFUSALS_OF_A_PLAN = ("addon_error", "invalid_params", "not_found")
_ENDED = ("deprecated", "disabled", "ended", "end_of_life", "eol", "shutdown", "sunset")
_ALL = "id ..; max=1000"


def _list_plans(client: HerokuClient, service: str) -> tuple[AddonPlan, ...]:
    """`GET /addon-services/{service}/plans`."""
    path = f"/addon-services/{segment(service)}/plans"
    return client.pages(HerokuCall("list the plans of an add-on service", "GET", path, range_=_ALL), _plan)


def _names(found: AddOn) -> tuple[str, str]:
    return found.id, found.name


def _order_addon(client: HerokuClient, app: str, name: str) -> AddOn:
    """`GET /apps/{app}/addons/{name}`."""
    path = f"/apps/{segment(app)}/addons/{segment(name)}"
    return client.ask(
        HerokuCall("describe the add-on", "GET", path, sdk=True, headers=EXPANSION), about(name, decode.addon, _names)
    )


def _order(client: HerokuClient, app: str, plan: str, *, name: str | None = None) -> AddOn:
    """`POST /apps/{app}/addons` (write, findable). The error for an unavailable plan names the available ones."""
    body: dict[str, object] = {"plan": plan, "confirm": app}
    if name:
        body["name"] = name
    path = f"/apps/{segment(app)}/addons"
    ask = HerokuCall(f"order {plan}", "POST", path, writes=True, body=body, sdk=True, headers=EXPANSION)
    try:
        return client.ask(ask, decode.addon)
    except ProviderError as refused:
        if refused.error_id not in _REFUSALS_OF_A_PLAN:
            raise
        raise _judged(client, plan, refused) from None


def _judged(client: HerokuClient, plan: str, refused: ProviderError) -> ProviderError:
    """An error about the plan, unless the plan is available and the order failed for another reason."""
    try:
        known = _list_plans(client, plan.partition(":")[0])
    except ProviderError:
        known = ()
    sold = [one for one in known if one.state not in _ENDED]
    if refused.error_id != "addon_error" and (not known or any(one.name == plan for one in sold)):
        return refused
    choice = _choice(one for one in sold if one.name != plan)
    return _retold(
        refused,
        ProviderError,
        f"Heroku refused {plan}: the plan was discontinued or is unknown, or the add-on's provider refused.",
        f"Choose one of these plans in scenarios.yaml: {choice}." if choice else refused.next_action,
    )


def _choice(sold: Iterable[AddonPlan]) -> str:
    cheapest_first = sorted(sold, key=lambda plan: (plan.cents is None, plan.cents, plan.name))
    return ", ".join(plan.name + _price(plan) for plan in cheapest_first[:8])


def _price(plan: AddonPlan) -> str:
    return "" if plan.cents is None else f" (${plan.cents / 100:g} a month)"


# What belongs to an app beside code, data and config. Each kind is a separate call, so one refusal hides only that
# kind.


T = TypeVar("T")


def _belongings(client: HerokuClient, app: str) -> Belongings:
    """All kinds; those that Heroku refused are in `unknown`.

    Raises ProviderError when the app itself cannot be read.
    """
    path, unknown = f"/apps/{segment(app)}", dict[str, str]()

    def ask(what: str, question: Callable[[], T], otherwise: T) -> T:
        try:
            return question()
        except NotFound:
            return otherwise  # the app exists: it has none, or this kind of app cannot have any
        except ProviderError as error:
            unknown[what] = error.message
            return otherwise

    def listed(what: str, part: str, decode: Callable[[object], str]) -> tuple[str, ...]:
        def question() -> tuple[str, ...]:
            return client.pages(HerokuCall(f"list the {what}", "GET", f"{path}/{part}", range_=_ALL), decode)

        nothing: tuple[str, ...] = ()
        return tuple(sorted(filter(None, ask(what, question, nothing))))

    described = client.ask(HerokuCall("describe the app", "GET", path), JsonObject.of)
    coupled = HerokuCall("find its pipeline", "GET", f"{path}/pipeline-couplings")
    return Belongings(
        features=listed("features", "features", _feature),
        webhooks=listed("webhooks", "webhooks", _host),
        certificates=listed("certificates", "sni-endpoints", _certificate),
        pipeline=ask("pipeline", lambda: client.ask(coupled, _pipeline), ""),
        team=described.nested("team").optional_text("name"),
        space=described.nested("space").optional_text("name"),
        unknown=unknown,
    )


def _feature(body: object) -> str:
    source = JsonObject.of(body)
    return source.text("name") if source.get("enabled") is True else ""


def _host(body: object) -> str:
    try:
        return urlsplit(JsonObject.of(body).optional_text("url")).hostname or "an address that cannot be read"
    except ValueError:
        return "an address that cannot be read"


def _certificate(body: object) -> str:
    source = JsonObject.of(body)
    managed: Mapping[str, object] = source.nested("ssl_cert")
    if managed.get("acm") is True:
        return ""
    names = items(managed.get("cert_domains") or [], str)
    return ", ".join(names) or source.optional_text("display_name") or source.optional_text("name") or "one"


def _pipeline(body: object) -> str:
    source = JsonObject.of(body)
    inner = source.nested("pipeline")
    return f"{inner.optional_text('name') or inner.optional_text('id')} ({source.optional_text('stage')})"


# Hostnames of an app, and their certificates.


_HELD = re.compile(r"in use|another app|already (?:taken|added|exists)", re.IGNORECASE)
_MAY_BE_HELD = ("invalid_params", "conflict")


def _listed(client: HerokuClient, app: str) -> tuple[Domain, ...]:
    """`GET /apps/{app}/domains`."""
    ask = HerokuCall("list the hostnames", "GET", f"/apps/{segment(app)}/domains", range_=_ALL)
    return client.pages(ask, _domain)


def _add(client: HerokuClient, app: str, hostname: str) -> Domain:
    """`POST /apps/{app}/domains` (write, findable). `Conflict` when an app already has the hostname."""
    body = {"hostname": hostname, "sni_endpoint": None}
    ask = HerokuCall(f"add {hostname}", "POST", f"/apps/{segment(app)}/domains", writes=True, body=body)
    try:
        return client.ask(ask, _domain)
    except ProviderError as refused:
        if refused.error_id in _MAY_BE_HELD and _HELD.search(refused.why):
            raise _held(refused, app, hostname) from None
        raise


def _held(refused: ProviderError, app: str, hostname: str) -> ProviderError:
    if "this app" in refused.why:
        message, action = (
            f"{app} already has the hostname {hostname}.",
            f"Check with `heroku domains --app {app}`, then run the command again.",
        )
    else:
        message = f"Another app has the hostname {hostname}."
        action = f"Remove it there (`heroku domains:remove {hostname} --app THE_OLD_APP`), then run the command again."
    return _retold(refused, Conflict, message, action)


def _remove(client: HerokuClient, app: str, hostname: str) -> None:
    """`DELETE /apps/{app}/domains/{hostname}` (write); a missing one is not an error."""
    path = f"/apps/{segment(app)}/domains/{segment(hostname)}"
    try:
        client.ask(HerokuCall(f"remove {hostname}", "DELETE", path, writes=True), JsonObject.of)
    except NotFound:
        # The app itself may be missing; then this call raises too.
        if any(one.hostname == hostname for one in _listed(client, app)):
            raise


def _order_certificates(client: HerokuClient, app: str) -> None:
    """`POST /apps/{app}/acm` (write); already enabled is not an error."""
    path = f"/apps/{segment(app)}"
    ask = HerokuCall("enable certificate management", "POST", f"{path}/acm", writes=True, body={})
    try:
        client.ask(ask, JsonObject.of)
    except ProviderError as refused:
        if refused.error_id not in _MAY_BE_HELD:
            raise
        seen = client.ask(HerokuCall("describe the app", "GET", path), JsonObject.of)
        if seen.get("acm") is not True:
            raise


_LAST_HOUR = 23


class HerokuProvisioning:
    """New apps and everything that belongs to them; each method implements `ports.Provisioning`."""

    def __init__(self, client: HerokuClient) -> None:
        self._client = client

    def create_app(self, name: str, *, region: str | None = None, stack: str | None = None) -> App:
        """`POST /apps` (write, findable). `Conflict` for a name that is taken."""
        wishes = {"name": name, "region": region, "stack": stack}
        body = {key: value for key, value in wishes.items() if value}
        try:
            return self._client.ask(
                HerokuCall(f"create the app {name}", "POST", "/apps", writes=True, body=body), decode.about_app(name)
            )
        except ProviderError as refused:
            raise self._why_no_app(name, refused) from None

    def plans(self, service: str) -> tuple[AddonPlan, ...]:
        """`GET /addon-services/{service}/plans`."""
        return _list_plans(self._client, service)

    def create_addon(self, app: str, plan: str, *, name: str | None = None) -> AddOn:
        """`POST /apps/{app}/addons` (write, findable)."""
        return _order(self._client, app, plan, name=name)

    def addon(self, app: str, addon: str) -> AddOn:
        """`GET /apps/{app}/addons/{addon}`."""
        return _order_addon(self._client, app, addon)

    def buildpacks(self, app: str) -> tuple[str, ...]:
        """`GET /apps/{app}/buildpack-installations`."""
        ask = HerokuCall("list the buildpacks", "GET", _of(app, "buildpack-installations"))
        return self._client.ask(ask, _in_order)

    def set_buildpacks(self, app: str, buildpacks: Sequence[str]) -> tuple[str, ...]:
        """`PUT /apps/{app}/buildpack-installations` (write)."""
        body = {"updates": [{"buildpack": name} for name in buildpacks]}
        path = _of(app, "buildpack-installations")
        return self._client.ask(HerokuCall("set the buildpacks", "PUT", path, writes=True, body=body), _in_order)

    def set_config(self, app: str, values: Mapping[str, SecretStr | None]) -> None:
        """`PATCH /apps/{app}/config-vars` (write). Errors contain no value, even if Heroku echoes one."""
        if not values:
            raise BadInput("No config variable was given to set.")
        body = {name: None if value is None else value.get_secret_value() for name, value in values.items()}
        hide = tuple(value for value in values.values() if value is not None)
        path = _of(app, "config-vars")
        ask = HerokuCall("set the config variables", "PATCH", path, writes=True, body=body, hide=hide)
        self._client.ask(ask, JsonObject.of)

    def domains(self, app: str) -> tuple[Domain, ...]:
        """`GET /apps/{app}/domains`."""
        return _listed(self._client, app)

    def add_domain(self, app: str, hostname: str) -> Domain:
        """`POST /apps/{app}/domains` (write, findable)."""
        return _add(self._client, app, hostname)

    def remove_domain(self, app: str, hostname: str) -> None:
        """`DELETE /apps/{app}/domains/{hostname}` (write)."""
        _remove(self._client, app, hostname)

    def enable_certificates(self, app: str) -> None:
        """`POST /apps/{app}/acm` (write)."""
        _order_certificates(self._client, app)

    def collaborators(self, app: str) -> tuple[str, ...]:
        """`GET /apps/{app}/collaborators`."""
        ask = HerokuCall("list the collaborators", "GET", _of(app, "collaborators"), range_=_ALL)
        return self._client.pages(ask, _collaborator)

    def add_collaborator(self, app: str, email: str) -> None:
        """`POST /apps/{app}/collaborators`, silent (write); an existing collaborator is not an error."""
        body = {"user": email, "silent": True}
        ask = HerokuCall("add a collaborator", "POST", _of(app, "collaborators"), writes=True, body=body)
        try:
            self._client.ask(ask, JsonObject.of)
        except ProviderError as refused:
            if refused.error_id not in ("invalid_params", "conflict"):
                raise
            if email.casefold() not in (known.casefold() for known in self.collaborators(app)):
                raise

    def log_drains(self, app: str) -> tuple[LogDrain, ...]:
        """`GET /apps/{app}/log-drains`."""
        ask = HerokuCall("list the log drains", "GET", _of(app, "log-drains"), range_=_ALL)
        return self._client.pages(ask, _log_drain)

    def add_log_drain(self, app: str, url: SecretStr) -> LogDrain:
        """`POST /apps/{app}/log-drains` (write, findable by host)."""
        body = {"url": url.get_secret_value()}
        ask = HerokuCall("add a log drain", "POST", _of(app, "log-drains"), writes=True, body=body, hide=(url,))
        return self._client.ask(ask, _log_drain)

    def belongings(self, app: str) -> Belongings:
        """`GET /apps/{app}` and its `features`, `webhooks`, `sni-endpoints`, `pipeline-couplings`."""
        return _belongings(self._client, app)

    def schedule_backups(self, addon_id: str, name: str, *, hour: int, timezone: str) -> Schedule:
        """`POST /client/v11/databases/{id}/transfer-schedules` (write, findable); the hour is sent as two digits."""
        if isinstance(hour, bool) or not 0 <= hour <= _LAST_HOUR:
            raise BadInput(f"{hour!r} is not an hour of the day.", next_action="Give 0 to 23.")
        body = {"hour": f"{hour:02d}", "timezone": timezone, "schedule_name": name}
        path = f"/client/v11/databases/{segment(addon_id)}/transfer-schedules"
        ask = HerokuCall("schedule backups", "POST", path, data=True, writes=True, body=body)
        return self._client.ask(ask, backups.schedule)

    def _why_no_app(self, name: str, refused: ProviderError) -> ProviderError:
        if refused.error_id == "invalid_params" and re.search(r"\btaken\b", refused.why):
            action = "Choose another name with `--app`, or use that app if it is yours."
            return _retold(refused, Conflict, f"The app name {name} is taken{self._by_whom(name)}.", action)
        if re.search(r"\blimit of \S+ apps\b|\bapp limit\b", refused.why):
            action = "Delete an unused app, or ask help.heroku.com to raise the limit."
            return _retold(refused, ProviderError, "The account has reached its limit of apps.", action)
        return refused

    def _by_whom(self, name: str) -> str:
        try:
            self._client.ask(HerokuCall("describe the app", "GET", f"/apps/{segment(name)}"), decode.app)
        except (CredentialsRefused, NotFound):
            return ", by an app that this account cannot see"
        except ProviderError:
            return ""
        return ", by an app of this account"


def _of(app: str, part: str) -> str:
    return f"/apps/{segment(app)}/{part}"


def _in_order(body: object) -> tuple[str, ...]:
    return tuple(name for _, name in sorted(items(body, _buildpack), key=lambda one: one[0]))


def _plan(body: object) -> AddonPlan:
    """One item of `GET /addon-services/{service}/plans`; a price that is not monthly is None."""
    source = JsonObject.of(body)
    price = source.nested("price")
    monthly = price.optional_text("unit") in ("", "month")
    return AddonPlan(
        name=source.text("name"),
        state=source.optional_text("state"),
        cents=price.optional_number("cents") if monthly else None,
        default=source.get("default") is True,
    )


def _buildpack(body: object) -> tuple[int, str]:
    """One item of `/apps/{app}/buildpack-installations`: its position and its name, or else its address."""
    source = JsonObject.of(body)
    inner = source.nested("buildpack")
    return source.optional_number("ordinal") or 0, inner.optional_text("name") or inner.text("url")


def _domain(body: object) -> Domain:
    """One item of `GET /apps/{app}/domains`."""
    source = JsonObject.of(body)
    endpoint = source.nested("sni_endpoint")
    return Domain(
        id=source.text("id"),
        hostname=source.text("hostname"),
        kind=source.text("kind"),
        status=source.optional_text("status"),
        cname=source.optional_text("cname") or None,
        acm_status=source.optional_text("acm_status") or None,
        acm_reason=source.optional_text("acm_status_reason"),
        sni_endpoint=endpoint.optional_text("name") or endpoint.optional_text("id") or None,
    )


def _collaborator(body: object) -> str:
    """The e-mail address of one item of `GET /apps/{app}/collaborators`."""
    return JsonObject.of(body).nested("user").text("email")


def _log_drain(body: object) -> LogDrain:
    """One item of `GET /apps/{app}/log-drains`; its address is a secret, except the host."""
    source = JsonObject.of(body)
    url = source.optional_text("url")
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    addon = source.nested("addon").optional_text("name") if source.get("addon") else ""
    return LogDrain(id=source.text("id"), host=host or "", url=SecretStr(url) if url else None, addon=addon)


def _retold(error: ProviderError, kind: type[ProviderError], message: str, next_action: str) -> ProviderError:
    """The same error with a better message, for a caller that knows what the provider's text means."""
    return kind(
        message,
        provider=PROVIDER,
        why=error.why,
        next_action=next_action,
        status=error.status,
        error_id=error.error_id,
        request_id=error.request_id,
    )
