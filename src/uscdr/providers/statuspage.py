"""The `ServiceStatus` port on status pages of the Statuspage kind (Cloudinary, GitHub)."""

from __future__ import annotations

import httpx

from uscdr.errors import ProviderError
from uscdr.models.heroku import ServiceColor, StatusReport
from uscdr.providers.exchange import Call, Reply, exchange
from uscdr.providers.json_fields import ShapeError, items, nested, optional_text, record, text
from uscdr.providers.retry import Patience, RetryPolicy

QUICK = RetryPolicy(attempts=2, seconds=5.0)
"""A status page only advises: it must not hold anybody up."""
_BY_INDICATOR = {"none": "green", "minor": "yellow", "maintenance": "yellow", "major": "red", "critical": "red"}
_BY_COMPONENT = {"operational": "green", "partial_outage": "yellow", "degraded_performance": "yellow",
                 "under_maintenance": "yellow", "major_outage": "red"}  # fmt: skip


class StatuspageStatus:
    """`GET /api/v2/summary.json`, without authentication. `client` is open on the page's base URL."""

    def __init__(self, client: httpx.Client, *, service: str, patience: Patience | None = None) -> None:
        self._client = client
        self._service = service
        self._patience = patience or Patience(policy=QUICK)

    def current(self) -> StatusReport:
        """The page as a whole, every component that is not well, and the titles of open incidents."""
        return self._patience.call(self._once, writes=False)

    def _once(self) -> StatusReport:
        call = Call("tell its status", "GET", "/api/v2/summary.json", writes=False)
        reply = exchange(self._client, call, provider=f"{self._service} status page")
        if reply.status != httpx.codes.OK:
            raise self._unusable(reply, f"it answered {reply.status}")
        try:
            return self._report(reply.json())
        except ShapeError as problem:
            raise self._unusable(reply, str(problem)) from None
        except ValueError:
            raise self._unusable(reply, "the body is not JSON") from None

    def _report(self, body: object) -> StatusReport:
        source = record(body)
        whole = _BY_INDICATOR.get(text(nested(source, "status"), "indicator"), "yellow")
        components = items(source.get("components") or [], _component)
        unwell = tuple(part for part in components if part.status != "green")
        return StatusReport(
            systems=(ServiceColor(system=self._service, status=whole), *unwell),
            incidents=items(source.get("incidents") or [], lambda item: text(record(item), "name")),
        )

    def _unusable(self, reply: Reply, why: str) -> ProviderError:
        return ProviderError(
            f"{self._service}'s status page told nothing usable.",
            provider=f"{self._service} status page",
            why=f"{why.capitalize()}.",
            next_action=f"Open {self._client.base_url.host} in a browser.",
            status=reply.status,
            request_id=reply.request_id,
            retryable=reply.status == httpx.codes.TOO_MANY_REQUESTS or not httpx.codes.is_client_error(reply.status),
        )


def _component(body: object) -> ServiceColor:
    source = record(body)
    status = _BY_COMPONENT.get(optional_text(source, "status"), "yellow")
    return ServiceColor(system=text(source, "name"), status=status)
