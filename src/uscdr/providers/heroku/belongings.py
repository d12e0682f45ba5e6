"""What hangs on an app beside code, data and config; each asked by itself, so that one refusal hides nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from uscdr.errors import NotFound, ProviderError
from uscdr.models.belongings import Belongings
from uscdr.providers.heroku.client import Ask, HerokuClient
from uscdr.providers.http import segment
from uscdr.providers.json_fields import items, nested, optional_text, record, text

T = TypeVar("T")
ALL = "id ..; max=1000"


def of(client: HerokuClient, app: str) -> Belongings:
    """Everything; what could not be asked is in `unknown`. Raises ProviderError when the app itself cannot be read."""
    path, unknown = f"/apps/{segment(app)}", dict[str, str]()

    def ask(what: str, question: Callable[[], T], otherwise: T) -> T:
        try:
            return question()
        except NotFound:
            return otherwise  # the app is there: it has none, or this kind of app cannot have any
        except ProviderError as error:
            unknown[what] = error.message
            return otherwise

    def listed(what: str, part: str, decode: Callable[[object], str]) -> tuple[str, ...]:
        def question() -> tuple[str, ...]:
            return client.pages(Ask(f"list the {what}", "GET", f"{path}/{part}", range_=ALL), decode)

        nothing: tuple[str, ...] = ()
        return tuple(sorted(filter(None, ask(what, question, nothing))))

    described = client.ask(Ask("describe the app", "GET", path), record)
    coupled = Ask("find its pipeline", "GET", f"{path}/pipeline-couplings")
    return Belongings(
        features=listed("features", "features", _feature),
        webhooks=listed("webhooks", "webhooks", _host),
        certificates=listed("certificates", "sni-endpoints", _certificate),
        pipeline=ask("pipeline", lambda: client.ask(coupled, _pipeline), ""),
        team=optional_text(nested(described, "team"), "name"),
        space=optional_text(nested(described, "space"), "name"),
        unknown=unknown,
    )


def _feature(body: object) -> str:
    source = record(body)
    return text(source, "name") if source.get("enabled") is True else ""


def _host(body: object) -> str:
    try:
        return urlsplit(optional_text(record(body), "url")).hostname or "an address that cannot be read"
    except ValueError:
        return "an address that cannot be read"


def _certificate(body: object) -> str:
    source = record(body)
    managed: Mapping[str, object] = nested(source, "ssl_cert")
    if managed.get("acm") is True:
        return ""
    names = items(managed.get("cert_domains") or [], str)
    return ", ".join(names) or optional_text(source, "display_name") or optional_text(source, "name") or "one"


def _pipeline(body: object) -> str:
    source = record(body)
    inner = nested(source, "pipeline")
    return f"{optional_text(inner, 'name') or optional_text(inner, 'id')} ({optional_text(source, 'stage')})"
