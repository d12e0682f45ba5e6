"""Small looks at what stands around the application: its certificate, its queue, its mail account.

Each only reads. Errors as in `platform`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.models.heroku import StatusReport
    from uscdr.models.probes import Certificate, QueueFacts, Sending, WebAnswer


class Tls(Protocol):
    """A hostname as a browser meets it."""

    def certificate(self, hostname: str) -> Certificate:
        """What is served for `hostname`: also when it is not trusted, expired or of another name.

        `Certificate.problem` says why a browser would refuse it. Raises ProviderError when nothing answers, or
        what answers does not come to a TLS connection.
        """
        ...

    def answer(self, hostname: str, address: str = "") -> int:
        """The status of `GET https://hostname/`, asked at `address` (empty: where the name leads).

        Raises ProviderError when nothing answers, and for a certificate that a browser would refuse.
        """
        ...


class Queue(Protocol):
    """The message broker between web and worker."""

    def look(self, url: SecretStr, queues: Sequence[str]) -> QueueFacts:
        """Whether it answers (PING), its version, and how many messages wait in each of `queues`.

        Raises BadInput for a `url` that is none of Redis, CredentialsRefused for its password.
        """
        ...


class MailAccount(Protocol):
    """The account that the application sends its mail with."""

    def accepts(self, credentials: Mapping[str, SecretStr]) -> str:
        """Empty when the provider accepts `client_id`, `client_secret` and `refresh_token`; else its reason.

        The reason is one word, such as `invalid_grant`. Asks for a short-lived access token (OAuth 2.0, RFC 6749
        section 6) and drops it: nothing is sent.
        """
        ...


# This machine, as far as a recovery needs it: programs, room, memory. Reads only.


@dataclass(frozen=True)
class Programs:
    """PostgreSQL's programs that a proof would use; majors, such as 17."""

    pg_restore: int
    server: int | None
    """None for a server of the operator's own, which is asked when it is used."""


@dataclass(frozen=True)
class Room:
    """Free bytes in a place; places on the same `device` share them."""

    place: Path
    free: int
    device: int


class Machine(Protocol):
    """What is asked before anything is changed."""

    def postgres(self, server_major: int) -> Programs:
        """What a dump of a server of that major version (0: unknown) would be restored with.

        Raises MachineError: there is none, or it is too old; the message names the command that installs it.
        """
        ...

    def program(self, name: str) -> Path | None:
        """Where a program is on PATH."""
        ...

    def downloads(self) -> Room:
        """Where dumps and files are downloaded to. Raises MachineError when it cannot be written."""
        ...

    def databases(self) -> Room | None:
        """Where a dump is restored; None when that is a server of the operator's own."""
        ...

    def memory(self) -> int | None:
        """Bytes that programs can have now; None where the system does not tell."""
        ...


# Public pages: the providers' status and the application itself. Errors as in `platform`.


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


class CanaryApplication(Website, Protocol):
    """The application for checks that write and take back what they wrote."""

    def send(self, sending: Sending, token: SecretStr) -> WebAnswer:
        """One request that changes something (write, once). Raises AnswerLost when it may have arrived."""
        ...
