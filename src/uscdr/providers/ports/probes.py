"""Small looks at what stands around the application: its certificate, its queue, its mail account.

Each only reads. Errors as in `platform`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import SecretStr

from uscdr.models.probes import Certificate, QueueFacts


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
