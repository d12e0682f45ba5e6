"""Adapter of the port `MailAccount` on an OAuth 2.0 token endpoint. Source: RFC 6749 sections 5 and 6."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

import httpx

from uscdr.errors import ProviderError, RateLimited, WriteRefused
from uscdr.providers.http.client import require_private, trust
from uscdr.providers.http.exchange import HttpCall, Reply
from uscdr.providers.http.refusal import may_pass
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy
from uscdr.providers.http.transport import USER_AGENT, KnowingTransport, LimitedTransport, proxy_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import SecretStr

PROVIDER = "the mail account's provider"
GOOGLE = "https://oauth2.googleapis.com/token"
TIMEOUT = 10.0
"""Seconds of silence."""
ONCE_MORE = RetryPolicy(attempts=2, seconds=15.0)
LATER = "Check the provider's status page, then run the command again."
FIELDS = ("client_id", "client_secret", "refresh_token")
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
REASON = re.compile(r"[a-z][a-z0-9_]{1,40}")
"""The form of an error code of section 5.2."""


class MailProbe:
    """`token_url` is https (http on this machine); `ca_file` (PEM) is trusted beside the usual roots."""

    def __init__(
        self,
        token_url: str = GOOGLE,
        *,
        ca_file: Path | None = None,
        timeout: float = TIMEOUT,
        patience: RetryingCaller | None = None,
    ) -> None:
        self._url = require_private(token_url, "The address of the mail account's tokens (mail.token_url)")
        self._ca_file = ca_file
        self._timeout = timeout
        self._patience = patience or RetryingCaller(policy=ONCE_MORE)

    def accepts(self, credentials: Mapping[str, SecretStr]) -> str:
        """`POST` of `grant_type=refresh_token`: it changes nothing, and the returned token is discarded."""
        secrets = tuple(credentials[name] for name in FIELDS)
        form = {name: secret.get_secret_value() for name, secret in zip(FIELDS, secrets, strict=True)}
        body = urlencode({"grant_type": "refresh_token", **form}).encode()
        call = HttpCall("accept the application's mail account", "POST", self._url, writes=False, body=body,
                    headers=FORM, hide=secrets)  # fmt: skip
        with self._open() as client:
            judged = self._patience.call(lambda: _judged(call.send(client, provider=PROVIDER)), writes=False)
        if isinstance(judged, RateLimited):
            raise judged
        return judged

    def _open(self) -> httpx.Client:
        proxy = proxy_for(self._url)
        inner = LimitedTransport(verify=trust(self._ca_file), proxy=proxy)
        knowing = KnowingTransport(inner, direct=proxy is None)
        return httpx.Client(
            transport=_TokenRequestOnly(knowing, httpx.URL(self._url)),
            timeout=self._timeout,
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": USER_AGENT},
        )


class _TokenRequestOnly(httpx.BaseTransport):
    """Sends only the form that requests an access token from one address."""

    def __init__(self, inner: httpx.BaseTransport, url: httpx.URL) -> None:
        self._inner = inner
        self._url = url

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send that request; raise `WriteRefused` for any other."""
        form = parse_qs(request.read().decode("ascii", "replace"), keep_blank_values=True)
        asks_for_token = form.get("grant_type") == ["refresh_token"] and set(form) == {"grant_type", *FIELDS}
        if request.method != "POST" or request.url != self._url or not asks_for_token:
            message = f"This run only reads: uscdr did not send the {request.method} request."
            raise WriteRefused(message, provider=PROVIDER)
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the real transport."""
        self._inner.close()


def _judged(reply: Reply) -> str | RateLimited:
    """The reason of a refusal, empty for none.

    Nothing else of the answer is kept. A rate limit is returned, not raised: a retry would only use up more.
    """
    body = reply.fields()
    if reply.status == httpx.codes.OK and isinstance(body.get("access_token"), str) and body["access_token"]:
        return ""
    reason = body.get("error")
    if reply.status in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED) and isinstance(reason, str):
        return reason if REASON.fullmatch(reason) else "refused"
    if reply.status == httpx.codes.TOO_MANY_REQUESTS:
        return RateLimited(
            "The mail account's provider refused: too many requests.",
            provider=PROVIDER,
            retry_after=reply.retry_after,
            why=f"It answered {reply.status}.",
            next_action=LATER,
            status=reply.status,
        )
    raise ProviderError(
        "The mail account's provider did not say whether it accepts the account.",
        provider=PROVIDER,
        why=f"It answered {reply.status}.",
        next_action=LATER,
        status=reply.status,
        retryable=may_pass(reply.status),
    )
