"""The `Channel` port on the incoming webhooks of chats, and on any service that takes JSON by POST.

The address of a webhook is a secret: whoever has it can write into the chat. No message shows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from uscdr.errors import ConfigError, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.providers.http.client import is_private
from uscdr.providers.http.exchange import HttpCall, Reply
from uscdr.providers.http.refusal import AnswerReading, Provider, Refusal
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy
from uscdr.providers.http.transport import open_client
from uscdr.providers.notices.forms import FORMS
from uscdr.providers.notices.loopback import require_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ssl import SSLContext

    from pydantic import SecretStr

    from uscdr.providers.notices.forms import Form
    from uscdr.providers.ports.notices import Letter

ONCE_MORE = RetryPolicy(attempts=3, seconds=15.0)
SECONDS = 30.0
"""Of silence, until the answer counts as lost."""
_CHECK = "Check the environment variable with the webhook's address, or create a new webhook in the chat."
_LATER = "Send the notice again later."

_NO_ACCESS = Refusal(CredentialsRefused, "it does not accept the webhook's address", _CHECK)
_GONE = Refusal(NotFound, "it has no such webhook, or its chat was closed", _CHECK)
_RATE = Refusal(RateLimited, "too many messages", _LATER)
_CONTENT = Refusal(ProviderError, "it does not accept the message", "Shorten the message, or change its form.")
_BY_STATUS: Mapping[int, Refusal] = {401: _NO_ACCESS, 403: _NO_ACCESS, 404: _GONE, 410: _GONE, 429: _RATE}
_INNER = re.compile(rb"HTTP error (4\d\d)")
"""Teams answers 200 and tells in words that the message was refused."""
_MESSAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class WebhookChannel:
    """Posts each letter in the `form` of the service: `slack`, `teams`, `discord`, or `json` for any other.

    `url` is https (http on this machine): `ConfigError` otherwise. With `loopback_only`, `WriteRefused` for another
    host. `seconds`: of silence.
    """

    def __init__(
        self, url: SecretStr, form: Form, verify: SSLContext, *, loopback_only: bool = False, seconds: float = SECONDS,
        patience: RetryingCaller | None = None,
    ) -> None:  # fmt: skip
        self._service = FORMS[form]
        self._provider = Provider(self._service.name, "Look into the chat before you repeat the message.")
        self._url = _private(url.get_secret_value(), self._service.name)
        if loopback_only:
            require_loopback(urlsplit(self._url).hostname or "", provider=self._service.name)
        self._hide = url
        self._verify = verify
        self._seconds = seconds
        self._patience = patience or RetryingCaller(policy=ONCE_MORE)

    def send(self, letter: Letter, to: str = "") -> str:
        """Post one letter; only a request that surely was not sent is repeated. `to` is not used."""
        del to
        service = self._service
        call = HttpCall(
            "post a notice", "POST", service.address(self._url), writes=True, body=service.body(letter),
            headers={"Content-Type": "application/json", "Idempotency-Key": letter.id}, hide=(self._hide,),
            shown="to its webhook",
        )  # fmt: skip
        with self._client() as client:
            reply = self._patience.call(lambda: call.send(client, provider=service.name), writes=True)
        status = _refused_inside(reply) or reply.status
        if not httpx.codes.is_success(status):
            row = _BY_STATUS.get(status, _CONTENT)
            raise self._provider.refused(reply, call, AnswerReading(row, own=True, error_id=str(status)))
        return _receipt(reply)

    def close(self) -> None:
        """Nothing stays open: each request has its own connection."""

    def _client(self) -> httpx.Client:
        client = open_client(
            self._url, provider=self._service.name, verify=self._verify, read_only=False, for_writes=True
        )
        client.timeout = httpx.Timeout(min(10.0, self._seconds), read=self._seconds, write=self._seconds)
        return client


def _private(url: str, name: str) -> str:
    """The address without white space around it. Raises ConfigError, which does not show it."""
    if not is_private(url.strip()):
        raise ConfigError(
            f"The address of the webhook ({name}) must begin with https:// (http:// only on this machine).",
            why="Anybody who reads it can write into the chat.",
            next_action=_CHECK,
        )
    return url.strip()


def _refused_inside(reply: Reply) -> int | None:
    """The status that the text of a successful answer tells of; None for an answer that is what it seems."""
    found = _INNER.search(reply.content[:2000]) if httpx.codes.is_success(reply.status) else None
    return int(found[1]) if found else None


def _receipt(reply: Reply) -> str:
    """The status, and the id that the service gave the message."""
    given = reply.fields().get("id")
    named = isinstance(given, str) and _MESSAGE_ID.fullmatch(given)
    return f"{reply.status} {given}" if named else str(reply.status)
