"""Hostnames of an app, and their certificates."""

from __future__ import annotations

import re

from uscdr.errors import Conflict, NotFound, ProviderError
from uscdr.models.provision import Domain
from uscdr.providers.heroku import decode
from uscdr.providers.heroku.client import Ask, HerokuClient
from uscdr.providers.heroku.errors import retold
from uscdr.providers.http import segment
from uscdr.providers.json_fields import record

_ALL = "id ..; max=1000"
_HELD = re.compile(r"in use|another app|already (?:taken|added|exists)", re.IGNORECASE)
_MAY_BE_HELD = ("invalid_params", "conflict")


def listed(client: HerokuClient, app: str) -> tuple[Domain, ...]:
    """`GET /apps/{app}/domains`."""
    ask = Ask("list the hostnames", "GET", f"/apps/{segment(app)}/domains", range_=_ALL)
    return client.pages(ask, decode.domain)


def add(client: HerokuClient, app: str, hostname: str) -> Domain:
    """`POST /apps/{app}/domains` (write, findable). `Conflict` for a hostname that is held."""
    body = {"hostname": hostname, "sni_endpoint": None}
    ask = Ask(f"add {hostname}", "POST", f"/apps/{segment(app)}/domains", writes=True, body=body)
    try:
        return client.ask(ask, decode.domain)
    except ProviderError as refused:
        if refused.error_id in _MAY_BE_HELD and _HELD.search(refused.why):
            raise _held(refused, app, hostname) from None
        raise


def _held(refused: ProviderError, app: str, hostname: str) -> ProviderError:
    if "this app" in refused.why:
        message, action = f"{hostname} is a hostname of {app} already.", "Look at `heroku domains`, then go on."
    else:
        message = f"{hostname} is held by another app."
        action = f"Remove it there (`heroku domains:remove {hostname} --app THE_OLD_APP`), then go on."
    return retold(refused, Conflict, message, action)


def remove(client: HerokuClient, app: str, hostname: str) -> None:
    """`DELETE /apps/{app}/domains/{hostname}` (write); one that is not there is no error."""
    path = f"/apps/{segment(app)}/domains/{segment(hostname)}"
    try:
        client.ask(Ask(f"remove {hostname}", "DELETE", path, writes=True), record)
    except NotFound:
        # The app itself may be what is missing; then this raises in its turn.
        if any(one.hostname == hostname for one in listed(client, app)):
            raise


def enable_certificates(client: HerokuClient, app: str) -> None:
    """`POST /apps/{app}/acm` (write); on already is no error."""
    path = f"/apps/{segment(app)}"
    ask = Ask("turn on certificate management", "POST", f"{path}/acm", writes=True, body={})
    try:
        client.ask(ask, record)
    except ProviderError as refused:
        if refused.error_id not in _MAY_BE_HELD:
            raise
        seen = client.ask(Ask("describe the app", "GET", path), record)
        if seen.get("acm") is not True:
            raise
