"""The `ServiceStatus` port on Heroku's public status page."""

from __future__ import annotations

import httpx

from uscdr.errors import ProviderError
from uscdr.models.heroku import ServiceColor, StatusReport
from uscdr.providers.exchange import Call, Reply, exchange
from uscdr.providers.json_fields import ShapeError, items, record, text
from uscdr.providers.retry import Patience

PROVIDER = "Heroku status page"


class HerokuStatus:
    """`GET /api/v4/current-status`, without authentication.

    `client` is open on the page's base URL (`https://status.heroku.com`).
    """

    def __init__(self, client: httpx.Client, *, patience: Patience | None = None) -> None:
        self._client = client
        self._patience = patience or Patience()

    def current(self) -> StatusReport:
        """Its colours and the titles of open incidents now."""
        return self._patience.call(self._once, writes=False)

    def _once(self) -> StatusReport:
        call = Call("tell its status", "GET", "/api/v4/current-status", writes=False)
        reply = exchange(self._client, call, provider=PROVIDER)
        if reply.status != httpx.codes.OK:
            raise _unusable(reply, f"it answered {reply.status}")
        try:
            return _report(reply.json())
        except ShapeError as problem:
            raise _unusable(reply, str(problem)) from None
        except ValueError:
            raise _unusable(reply, "the body is not JSON") from None


def _report(body: object) -> StatusReport:
    source = record(body)
    return StatusReport(
        systems=items(source.get("status"), _system),
        incidents=items(source.get("incidents") or [], lambda item: text(record(item), "title")),
    )


def _system(body: object) -> ServiceColor:
    source = record(body)
    return ServiceColor(system=text(source, "system"), status=text(source, "status"))


def _unusable(reply: Reply, why: str) -> ProviderError:
    return ProviderError(
        "Heroku's status page told nothing usable.",
        provider=PROVIDER,
        why=f"{why.capitalize()}.",
        next_action="Open status.heroku.com in a browser.",
        status=reply.status,
        request_id=reply.request_id,
        retryable=reply.status == httpx.codes.TOO_MANY_REQUESTS or not httpx.codes.is_client_error(reply.status),
    )
