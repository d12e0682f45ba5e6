"""The `Provisioning` port on Heroku's Platform API (v3) and data API."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from uscdr.errors import BadInput, Conflict, CredentialsRefused, NotFound, ProviderError
from uscdr.models.belongings import Belongings
from uscdr.models.heroku import AddOn, App, Schedule
from uscdr.models.provision import Domain, LogDrain, Plan
from uscdr.providers.heroku import addons, belongings, decode, domains, transfers
from uscdr.providers.heroku.client import Ask, HerokuClient
from uscdr.providers.heroku.errors import retold
from uscdr.providers.http import segment
from uscdr.providers.json_fields import items, record

ALL = "id ..; max=1000"
_LAST_HOUR = 23


class HerokuProvisioning:
    """New apps and all that hangs off them; every method as `ports.Provisioning` has it."""

    def __init__(self, client: HerokuClient) -> None:
        self._client = client

    def create_app(self, name: str, *, region: str | None = None, stack: str | None = None) -> App:
        """`POST /apps` (write, findable). `Conflict` for a name that is taken."""
        wishes = {"name": name, "region": region, "stack": stack}
        body = {key: value for key, value in wishes.items() if value}
        try:
            return self._client.ask(
                Ask(f"create the app {name}", "POST", "/apps", writes=True, body=body), decode.about_app(name)
            )
        except ProviderError as refused:
            raise self._why_no_app(name, refused) from None

    def plans(self, service: str) -> tuple[Plan, ...]:
        """`GET /addon-services/{service}/plans`."""
        return addons.plans(self._client, service)

    def create_addon(self, app: str, plan: str, *, name: str | None = None) -> AddOn:
        """`POST /apps/{app}/addons` (write, findable)."""
        return addons.order(self._client, app, plan, name=name)

    def addon(self, app: str, addon: str) -> AddOn:
        """`GET /apps/{app}/addons/{addon}`."""
        return addons.addon(self._client, app, addon)

    def buildpacks(self, app: str) -> tuple[str, ...]:
        """`GET /apps/{app}/buildpack-installations`."""
        ask = Ask("list the buildpacks", "GET", _of(app, "buildpack-installations"))
        return self._client.ask(ask, _in_order)

    def set_buildpacks(self, app: str, buildpacks: Sequence[str]) -> tuple[str, ...]:
        """`PUT /apps/{app}/buildpack-installations` (write)."""
        body = {"updates": [{"buildpack": name} for name in buildpacks]}
        path = _of(app, "buildpack-installations")
        return self._client.ask(Ask("set the buildpacks", "PUT", path, writes=True, body=body), _in_order)

    def set_config(self, app: str, values: Mapping[str, SecretStr | None]) -> None:
        """`PATCH /apps/{app}/config-vars` (write); no value is in an error, be it echoed by the provider."""
        if not values:
            raise BadInput("No config variable was named to set.")
        body = {name: None if value is None else value.get_secret_value() for name, value in values.items()}
        hide = tuple(value for value in values.values() if value is not None)
        path = _of(app, "config-vars")
        ask = Ask("set the config variables", "PATCH", path, writes=True, body=body, hide=hide)
        self._client.ask(ask, record)

    def domains(self, app: str) -> tuple[Domain, ...]:
        """`GET /apps/{app}/domains`."""
        return domains.listed(self._client, app)

    def add_domain(self, app: str, hostname: str) -> Domain:
        """`POST /apps/{app}/domains` (write, findable)."""
        return domains.add(self._client, app, hostname)

    def remove_domain(self, app: str, hostname: str) -> None:
        """`DELETE /apps/{app}/domains/{hostname}` (write)."""
        domains.remove(self._client, app, hostname)

    def enable_certificates(self, app: str) -> None:
        """`POST /apps/{app}/acm` (write)."""
        domains.enable_certificates(self._client, app)

    def collaborators(self, app: str) -> tuple[str, ...]:
        """`GET /apps/{app}/collaborators`."""
        ask = Ask("list the collaborators", "GET", _of(app, "collaborators"), range_=ALL)
        return self._client.pages(ask, decode.collaborator)

    def add_collaborator(self, app: str, email: str) -> None:
        """`POST /apps/{app}/collaborators`, silent (write); one who is in already is no error."""
        body = {"user": email, "silent": True}
        ask = Ask("add a collaborator", "POST", _of(app, "collaborators"), writes=True, body=body)
        try:
            self._client.ask(ask, record)
        except ProviderError as refused:
            if refused.error_id not in ("invalid_params", "conflict"):
                raise
            if email.casefold() not in (known.casefold() for known in self.collaborators(app)):
                raise

    def log_drains(self, app: str) -> tuple[LogDrain, ...]:
        """`GET /apps/{app}/log-drains`."""
        ask = Ask("list the log drains", "GET", _of(app, "log-drains"), range_=ALL)
        return self._client.pages(ask, decode.log_drain)

    def add_log_drain(self, app: str, url: SecretStr) -> LogDrain:
        """`POST /apps/{app}/log-drains` (write, findable by host)."""
        body = {"url": url.get_secret_value()}
        ask = Ask("add a log drain", "POST", _of(app, "log-drains"), writes=True, body=body, hide=(url,))
        return self._client.ask(ask, decode.log_drain)

    def belongings(self, app: str) -> Belongings:
        """`GET /apps/{app}` and its `features`, `webhooks`, `sni-endpoints`, `pipeline-couplings`."""
        return belongings.of(self._client, app)

    def schedule_backups(self, addon_id: str, name: str, *, hour: int, timezone: str) -> Schedule:
        """`POST /client/v11/databases/{id}/transfer-schedules` (write, findable); the hour goes as two digits."""
        if isinstance(hour, bool) or not 0 <= hour <= _LAST_HOUR:
            raise BadInput(f"{hour!r} is no hour of the day.", next_action="Give 0 to 23.")
        body = {"hour": f"{hour:02d}", "timezone": timezone, "schedule_name": name}
        path = f"/client/v11/databases/{segment(addon_id)}/transfer-schedules"
        ask = Ask("schedule backups", "POST", path, data=True, writes=True, body=body)
        return self._client.ask(ask, transfers.schedule)

    def _why_no_app(self, name: str, refused: ProviderError) -> ProviderError:
        if refused.error_id == "invalid_params" and re.search(r"\btaken\b", refused.why):
            action = "Choose another name (`--app`); or, if that app is yours to use, go on with it."
            return retold(refused, Conflict, f"The app name {name} is taken{self._by_whom(name)}.", action)
        if re.search(r"\blimit of \S+ apps\b|\bapp limit\b", refused.why):
            action = "Delete an app that is not needed, or have the limit raised at help.heroku.com."
            return retold(refused, ProviderError, "The account may not have another app: its limit is reached.", action)
        return refused

    def _by_whom(self, name: str) -> str:
        try:
            self._client.ask(Ask("describe the app", "GET", f"/apps/{segment(name)}"), decode.app)
        except (CredentialsRefused, NotFound):
            return ", by an app that this account cannot see"
        except ProviderError:
            return ""
        return ", by an app of this account"


def _of(app: str, part: str) -> str:
    return f"/apps/{segment(app)}/{part}"


def _in_order(body: object) -> tuple[str, ...]:
    return tuple(name for _, name in sorted(items(body, decode.buildpack), key=lambda one: one[0]))
