"""The application over HTTP, as its users reach it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx
from pydantic import SecretStr

from uscdr.errors import ProviderError, RateLimited
from uscdr.models.probes import Sending, WebAnswer
from uscdr.providers.http.client import require_private, trust
from uscdr.providers.http.exchange import HttpCall, Reply
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy
from uscdr.providers.http.transport import EMPTY_FORM, EMPTY_FORM_TYPE, open_client

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROVIDER = "the application"
GATEWAY_ERRORS = (502, 503, 504)
LIMITED = 429
"""Always raised as RateLimited, never returned as an answer."""
LOGIN = "/api/auth/login/"


class ApplicationWebsite:
    """Adapter of the port `Website` for one base address.

    A gateway error (502, 503, 504) is retried for a short while: the platform's router may lag behind.
    """

    def __init__(
        self, address: str, *, ca_file: Path | None = None, read_only: bool, empty_posts: frozenset[str] = frozenset()
    ) -> None:
        self._address = address
        self._client = open_client(
            address, provider=PROVIDER, verify=trust(ca_file), read_only=read_only, empty_posts=empty_posts
        )
        self._patience = RetryingCaller(policy=RetryPolicy(attempts=5, seconds=15.0, first=0.3, longest=4.0))

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
        """One request; the caller judges the status, except LIMITED."""
        headers = {} if token is None else self._signed(token)
        if empty_form or json_body is not None:
            headers["Content-Type"] = EMPTY_FORM_TYPE if empty_form else "application/json"
        hide = () if token is None else (token,)
        # Checks send only POSTs that the application refuses: a retry changes nothing, unless it counts requests.
        call = HttpCall(f"answer {method} {path.partition('?')[0]}", method, path, writes=once,
                    body=EMPTY_FORM if empty_form else json_body, headers=headers, hide=hide)  # fmt: skip
        return self._answer(call)

    def fetch(self, address: str) -> WebAnswer:
        """GET a public address, of any host or relative to the application; no credentials go with it."""
        try:
            where = urljoin(self._address, address)
            urlsplit(where)
        except ValueError:
            raise ProviderError("The application returned a malformed address.", provider=PROVIDER) from None
        return self._answer(HttpCall(f"give what {urlsplit(where).netloc} holds", "GET", where, writes=False))

    def send(self, sending: Sending, token: SecretStr) -> WebAnswer:
        """One request that changes something; it is sent once. Raises AnswerLost when it may have arrived."""
        body, kind = _encoded(sending)
        headers = {**self._signed(token), **({"Content-Type": kind} if kind else {})}
        what = f"{sending.method} {sending.path.partition('?')[0]}"
        return self._answer(
            HttpCall(what, sending.method, sending.path, writes=True, body=body, headers=headers, hide=(token,))
        )

    def _signed(self, token: SecretStr) -> dict[str, str]:
        self._require_private()
        return {"Authorization": f"Token {token.get_secret_value()}"}

    def _require_private(self) -> None:
        """Checked before the check account's credentials are sent. Raises ConfigError."""
        require_private(self._address, "The application's address, where the check account signs in,")

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _answer(self, call: HttpCall) -> WebAnswer:
        started = time.monotonic()
        try:
            reply = self._patience.call(lambda: self._once(call), writes=call.writes)
        except _StillAway as error:
            reply = error.reply
        if reply.status == LIMITED:
            raise _limited(reply, call)
        kind = reply.headers.get("Content-Type", "")
        spent = time.monotonic() - started
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return WebAnswer(status=reply.status, content_type=kind, seconds=spent, body=reply.content, headers=headers)

    def _once(self, call: HttpCall) -> Reply:
        reply = call.send(self._client, provider=PROVIDER)
        if reply.status in GATEWAY_ERRORS and not call.writes:
            raise _StillAway(reply)
        return reply

    def sign_in(self, email: str, password: SecretStr) -> SecretStr:
        """`POST` to LOGIN with the check account; its token."""
        self._require_private()
        body = {"email": email, "password": password.get_secret_value()}
        answer = self.ask("POST", LOGIN, json_body=body, once=True)  # the application counts refused logins
        try:
            token = json.loads(answer.body)["token"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ProviderError(
                f"The application refused the check account's login (status {answer.status}).",
                provider=PROVIDER,
                status=answer.status,
                next_action="Check USCDR_CHECK_EMAIL and USCDR_CHECK_PASSWORD. Five failures lock an account.",
            ) from None
        return SecretStr(str(token))


def _limited(reply: Reply, call: HttpCall) -> RateLimited:
    """The error for a rate limit, which says nothing about the requested page."""
    return RateLimited(
        f"{call.path.partition('?')[0]}: {LIMITED}, the application refused: too many requests",
        provider=PROVIDER,
        retry_after=reply.retry_after,
        next_action="Wait for the end of the rate limit, then run the command again.",
        status=LIMITED,
    )


def _encoded(sending: Sending) -> tuple[bytes | None, str]:
    """The body and its type; httpx writes the multipart form."""
    if not sending.field:
        return (None, "") if sending.json_body is None else (json.dumps(sending.json_body).encode(), "application/json")
    files = {sending.field: (sending.file_name, sending.content, sending.content_type)}
    request = httpx.Request(sending.method, "http://form.invalid", files=files, data=dict(sending.form))
    return request.read(), request.headers["Content-Type"]


class _StillAway(ProviderError):
    def __init__(self, reply: Reply) -> None:
        super().__init__(f"The application answered {reply.status}.", provider=PROVIDER, retryable=True)
        self.reply = reply
