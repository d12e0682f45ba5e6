"""Public pages: the providers' status and the application itself. Errors as in `platform`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import SecretStr

from uscdr.models.heroku import StatusReport
from uscdr.models.web import Sending, WebAnswer


class ServiceStatus(Protocol):
    """A provider's public status page."""

    def current(self) -> StatusReport:
        """Its colours and open incidents now."""
        ...


class Website(Protocol):
    """The application as its users reach it."""

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: SecretStr | None = None,
        json_body: Mapping[str, object] | None = None,
        empty_form: bool = False,
        once: bool = False,
    ) -> WebAnswer:
        """One request, redirects followed on the same host only; the adapter has its time-outs.

        `empty_form` sends a multipart form without fields, instead of `json_body`. `once`: it is not sent again,
        unless it surely never arrived. An unreachable application raises ProviderError, 429 RateLimited; any other
        HTTP status is an answer.
        """
        ...

    def fetch(self, address: str) -> WebAnswer:
        """GET a public address, of any host or relative to the application; no credentials go with it.

        Errors as of `ask`.
        """
        ...

    def sign_in(self, email: str, password: SecretStr) -> SecretStr:
        """The check account's token. Creates it once and notes the login (write). Sent once, as a refused one counts.

        Raises ProviderError for an account that the application does not take.
        """
        ...


class Application(Website, Protocol):
    """The application for checks that write and take back what they wrote."""

    def send(self, sending: Sending, token: SecretStr) -> WebAnswer:
        """One request that changes something (write, once). Raises AnswerLost when it may have arrived."""
        ...
