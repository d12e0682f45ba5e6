"""Probes of the application's surroundings: certificate, queue, mail account, machine, status pages, website.

Each only reads, unless marked (write). Errors as in `platform`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.models.probes import Certificate, LinkAnswer, QueueFacts, Sending, StatusReport, WebAnswer


class Tls(Protocol):
    """A hostname as a browser sees it."""

    def certificate(self, hostname: str) -> Certificate:
        """The certificate served for `hostname`, even if it is untrusted, expired or for another name.

        `Certificate.problem` says why a browser would refuse it. Raises ProviderError when nothing answers, or when no
        TLS connection can be made.
        """
        ...

    def answer(self, hostname: str, address: str = "") -> int:
        """The status of `GET https://hostname/`, sent to `address` (empty: the name's own address).

        Raises ProviderError when nothing answers, or for a certificate that a browser would refuse.
        """
        ...


class Queue(Protocol):
    """The message broker between web and worker."""

    def look(self, url: SecretStr, queues: Sequence[str]) -> QueueFacts:
        """Test whether it answers (PING); its version, and the number of waiting messages in each of `queues`.

        Raises BadInput when `url` is not a Redis URL, CredentialsRefused when its password is refused.
        """
        ...


class MailAccount(Protocol):
    """The account by which the application sends its mail."""

    def accepts(self, credentials: Mapping[str, SecretStr]) -> str:
        """Empty when the provider accepts `client_id`, `client_secret` and `refresh_token`; else its reason.

        The reason is one word, such as `invalid_grant`. Requests a short-lived access token (OAuth 2.0, RFC 6749
        section 6) and discards it; sends no mail.
        """
        ...


# What a recovery needs of this machine: programs, disk space, memory.


@dataclass(frozen=True)
class Programs:
    """The PostgreSQL programs that a proof would use, by major version, such as 17."""

    pg_restore: int
    server: int | None
    """None for the operator's own server: its version is read when it is used."""


@dataclass(frozen=True)
class Room:
    """Free bytes in a directory; directories on the same `device` share them."""

    place: Path
    free: int
    device: int


class Machine(Protocol):
    """This machine; it is checked before anything is changed."""

    def postgres(self, server_major: int) -> Programs:
        """The programs for a dump of a server of that major version (0: unknown).

        Raises MachineError when there is none, or it is too old; the message names the command that installs it.
        """
        ...

    def program(self, name: str) -> Path | None:
        """The path of a program on PATH; None when it is not installed."""
        ...

    def downloads(self) -> Room:
        """The directory for downloads. Raises MachineError when it is not writable."""
        ...

    def databases(self) -> Room | None:
        """The directory of private databases; None when dumps are restored on the operator's own server."""
        ...

    def memory(self) -> int | None:
        """Bytes of available memory now; None when the system does not report it."""
        ...


class Heartbeat(Protocol):
    """A monitoring service that expects to hear of each run of a command, such as healthchecks.io."""

    def tell(self, part: str) -> None:
        """Call the address of this check, with `/part` after its path; an empty `part` calls the address itself.

        Takes a few seconds at most. Raises ProviderError, whose texts name the service's host only.
        """
        ...


# Public pages: the providers' status and the application itself. Errors as in `platform`.


class ServiceStatus(Protocol):
    """A provider's public status page."""

    def current(self) -> StatusReport:
        """The colour of each system and the open incidents now."""
        ...


class Links(Protocol):
    """Public pages that the runbook names."""

    def look(self, url: str) -> LinkAnswer:
        """Ask for the page and follow its redirects. Sends no credentials. A page without an answer is no error."""
        ...


class Website(Protocol):
    """The application at its public address."""

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
        """Send one request; redirects are followed on the same host only.

        `empty_form` sends a multipart form without fields, instead of `json_body`. With `once` it is sent again only
        if it certainly never arrived. Raises ProviderError when the application is unreachable, RateLimited for 429;
        any other HTTP status is an answer.
        """
        ...

    def fetch(self, address: str) -> WebAnswer:
        """GET a public address, of any host or relative to the application, without credentials.

        Errors as in `ask`.
        """
        ...

    def sign_in(self, email: str, password: SecretStr) -> SecretStr:
        """The token of the check account; the application creates it once and records the login (write).

        Sent once, because the application counts refused logins. Raises ProviderError when it refuses the account.
        """
        ...


class CanaryApplication(Website, Protocol):
    """The application, for checks that write and then undo it."""

    def send(self, sending: Sending, token: SecretStr) -> WebAnswer:
        """Send one request that changes something (write, once). Raises AnswerLost when it may have arrived."""
        ...
