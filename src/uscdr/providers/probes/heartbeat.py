"""The `Heartbeat` port over HTTP: healthchecks.io and services like it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import httpx

from uscdr.errors import BadInput, ProviderError
from uscdr.providers.http.client import is_private, trust
from uscdr.providers.http.exchange import HttpCall
from uscdr.providers.http.outages import Outages
from uscdr.providers.http.refusal import may_pass
from uscdr.providers.http.retry import RetryingCaller, RetryPolicy
from uscdr.providers.http.transport import open_client

if TYPE_CHECKING:
    from pydantic import SecretStr

TWICE = RetryPolicy(attempts=2, seconds=5.0, longest=1.0)
SILENCE = httpx.Timeout(3.0)
"""Seconds without an answer: monitoring must not delay a command."""


class HttpHeartbeat:
    """The check at one address. The address is secret: who has it can report for us.

    Raises BadInput, which does not quote it, when it is no https address (http only on this machine).
    """

    def __init__(self, url: SecretStr) -> None:
        self._parts = _parsed(url.get_secret_value())
        self.host = self._parts.hostname or ""

    def tell(self, part: str) -> None:
        """Call it once, or twice if the first answer says that a retry may help."""
        path = f"{self._parts.path.rstrip('/')}/{part}" if part else self._parts.path
        shown = f"…/{part}" if part else "…"
        call = HttpCall(
            "record this command", "GET", self._parts._replace(path=path).geturl(), writes=False, shown=shown
        )
        origin = self._parts._replace(path="", query="").geturl()
        # the limits of a command that only reads: also for the name's lookup, and for an answer that trickles in
        with Outages.shared(), open_client(origin, provider=self.host, verify=trust(), read_only=True) as client:
            client.timeout = SILENCE
            RetryingCaller(policy=TWICE).call(lambda: self._once(client, call), writes=False)

    def _once(self, client: httpx.Client, call: HttpCall) -> None:
        status = call.send(client, provider=self.host).status
        if not httpx.codes.is_success(status):
            raise ProviderError(
                f"{self.host} did not record this command.",
                provider=self.host,
                why=f"{call.method} {call.shown} answered {status}.",
                next_action="Compare the address with the one that the service shows for this check.",
                status=status,
                retryable=may_pass(status),
            )


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        httpx.URL(url)
        usable = parts.port != 0 and bool(parts.hostname) and parts.username is None and not parts.fragment
    except (ValueError, httpx.InvalidURL):
        raise _refused() from None
    if not usable or not is_private(url) or any(character <= " " for character in url):
        raise _refused()
    return parts


def _refused() -> BadInput:
    return BadInput(
        "The address to ping is not a valid https address (http only on this machine).",
        why="It must have no user name and no fragment. uscdr does not show it, because it works like a password.",
        next_action="Copy the address of the check from the monitoring service into --ping or $USCDR_PING.",
    )
