"""Listing and stopping dynos."""

from __future__ import annotations

from uscdr.errors import NotFound
from uscdr.models.heroku import Dyno
from uscdr.providers.heroku import decode
from uscdr.providers.heroku.client import Ask, HerokuClient
from uscdr.providers.http import segment
from uscdr.providers.json_fields import record


def running(client: HerokuClient, app: str) -> tuple[Dyno, ...]:
    """`GET /apps/{app}/dynos`: every dyno that exists now, by name."""
    ask = Ask("list the dynos", "GET", f"/apps/{segment(app)}/dynos", sdk=True, range_="id ..; max=1000")
    return tuple(sorted(client.pages(ask, decode.dyno), key=lambda dyno: dyno.name))


def stop(client: HerokuClient, app: str, name: str) -> None:
    """`POST /apps/{app}/dynos/{name}/actions/stop` (write). A dyno that is gone is no error."""
    path = f"/apps/{segment(app)}/dynos/{segment(name)}/actions/stop"
    try:
        client.ask(Ask(f"stop dyno {name}", "POST", path, writes=True), record)
    except NotFound:
        # The app may be what is missing, or the platform may be wrong: the list decides.
        if any(dyno.name == name for dyno in running(client, app)):
            raise
