"""The `ServiceStatus` port on public pages: Heroku's own, and the Statuspage kind (Cloudinary, GitHub)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from uscdr.errors import ProviderError
from uscdr.models.probes import ServiceColor, StatusReport
from uscdr.providers.http.exchange import HttpCall, Reply
from uscdr.providers.http.json import JsonObject, ShapeError, items
from uscdr.providers.http.refusal import may_pass
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK = RetryPolicy(attempts=2, seconds=5.0)
"""A status page is advice only: it must not delay a command."""
_BY_INDICATOR = {"none": "green", "minor": "yellow", "maintenance": "yellow", "major": "red", "critical": "red"}
_BY_COMPONENT = {"operational": "green", "partial_outage": "yellow", "degraded_performance": "yellow",
                 "under_maintenance": "yellow", "major_outage": "red"}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """How one kind of page is requested, and how its body is decoded for a service (raises ShapeError)."""

    path: str
    decode: Callable[[object, str], StatusReport]


class StatusPage:
    """One page, read without authentication. `client` is open on its base URL."""

    def __init__(
        self, client: httpx.Client, page: Page, *, service: str, patience: RetryingCaller | None = None
    ) -> None:
        self._client = client
        self._page = page
        self._service = service
        self._patience = patience or RetryingCaller(policy=QUICK)

    def current(self) -> StatusReport:
        """Its colours and the titles of open incidents now."""
        return self._patience.call(self._once, writes=False)

    def _once(self) -> StatusReport:
        call = HttpCall("report its status", "GET", self._page.path, writes=False)
        reply = call.send(self._client, provider=f"{self._service} status page")
        if reply.status != httpx.codes.OK:
            raise self._unusable(reply, f"it answered {reply.status}", retryable=may_pass(reply.status))
        try:
            return self._page.decode(reply.json(), self._service)
        except ShapeError as problem:
            raise self._unusable(reply, str(problem), retryable=True) from None
        except ValueError:
            raise self._unusable(reply, "the body is not JSON", retryable=True) from None

    def _unusable(self, reply: Reply, why: str, *, retryable: bool) -> ProviderError:
        return ProviderError(
            f"{self._service}'s status page sent no usable answer.",
            provider=f"{self._service} status page",
            why=f"{why.capitalize()}.",
            next_action=f"Open {self._client.base_url.host} in a browser.",
            status=reply.status,
            request_id=reply.request_id,
            retryable=retryable,
        )


def _heroku(body: object, _service: str) -> StatusReport:
    source = JsonObject.of(body)
    return StatusReport(
        systems=items(source.get("status"), _system),
        incidents=items(source.get("incidents") or [], lambda item: JsonObject.of(item).text("title")),
    )


def _system(body: object) -> ServiceColor:
    source = JsonObject.of(body)
    return ServiceColor(system=source.text("system"), status=source.text("status"))


def _statuspage(body: object, service: str) -> StatusReport:
    """The page as a whole, every component with a problem, and the titles of open incidents."""
    source = JsonObject.of(body)
    whole = _BY_INDICATOR.get(source.nested("status").text("indicator"), "yellow")
    components = items(source.get("components") or [], _component)
    unwell = tuple(part for part in components if part.status != "green")
    return StatusReport(
        systems=(ServiceColor(system=service, status=whole), *unwell),
        incidents=items(source.get("incidents") or [], lambda item: JsonObject.of(item).text("name")),
    )


def _component(body: object) -> ServiceColor:
    source = JsonObject.of(body)
    status = _BY_COMPONENT.get(source.optional_text("status"), "yellow")
    return ServiceColor(system=source.text("name"), status=status)


HEROKU = Page("/api/v4/current-status", _heroku)
STATUSPAGE = Page("/api/v2/summary.json", _statuspage)
