"""Maps a provider's refusals to our errors: what is refused, what can be retried, and what has an unknown outcome.

Each adapter has a table of its codes, and says whether the API itself answered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from uscdr.errors import ProviderError, RateLimited
from uscdr.write_guard import ANYHOW, WriteGuard

if TYPE_CHECKING:
    from pydantic import SecretStr

    from uscdr.providers.http.exchange import HttpCall, Reply

_REFUSED_WHATEVER_THE_BODY = frozenset({401, 407, 429})
"""A gateway may send these statuses in HTML instead of the API; the request then had no effect."""
_ADDRESS = "Check the API address of the target, and whether this network has a captive portal."


@dataclass(frozen=True)
class Provider:
    """The provider. `failing` is the next action during its outage; `surely` has more statuses that need no body."""

    name: str
    failing: str
    surely: frozenset[int] = frozenset()

    def refused(
        self, reply: Reply, call: HttpCall, reading: AnswerReading, leave: WriteGuard = ANYHOW
    ) -> ProviderError:
        """The error for an unsuccessful answer to a request that `leave` permitted, if it writes.

        Only a certain refusal uses its row, and had no effect. Anything else is `AnswerLost` for a write, and a failure
        for a read.
        """
        if not self._surely_refused(reply.status, reading):
            return self._failed(reply, call)
        if call.writes:
            leave.refused()
        return self._surely(reply, call, reading)

    def _surely(self, reply: Reply, call: HttpCall, reading: AnswerReading) -> ProviderError:
        """The error of a certain refusal, by its row."""
        message = f"{self.name} refused to {call.what}: {reading.says or reading.row.says}."
        why = f"{_where(reply, call)}{reading.quote}"
        if issubclass(reading.row.kind, RateLimited):
            return RateLimited(
                message,
                provider=self.name,
                retry_after=reply.retry_after if reading.wait is None else reading.wait,
                why=why,
                next_action=reading.row.next_action,
                status=reply.status,
                error_id=reading.error_id,
                request_id=reply.request_id,
            )
        return reading.row.kind(
            message,
            provider=self.name,
            why=why,
            next_action=reading.row.next_action,
            status=reply.status,
            error_id=reading.error_id,
            request_id=reply.request_id,
        )

    def unreadable(self, reply: Reply, call: HttpCall, problem: str) -> ProviderError:
        """The error for a successful status with an undocumented body."""
        again = "Run the command again. If it fails again, check the API address of the target."
        message = f"{self.name} sent an unexpected answer when asked to {call.what}."
        return self._unusable(reply, call, message, problem, again, retryable=True)

    def _surely_refused(self, status: int, reading: AnswerReading) -> bool:
        """Whether the request certainly had no effect. Even a 2xx may be a refusal, when its body says so."""
        final = httpx.codes.is_success(status) or httpx.codes.is_client_error(status)
        if not final or status == httpx.codes.REQUEST_TIMEOUT:
            return False
        return reading.own or status in _REFUSED_WHATEVER_THE_BODY | self.surely

    def _failed(self, reply: Reply, call: HttpCall) -> ProviderError:
        if httpx.codes.is_redirect(reply.status):
            message = f"{self.name} answered with a redirect when asked to {call.what}; uscdr did not follow it."
        else:
            message = f"{self.name} failed when asked to {call.what}."
        passes = may_pass(reply.status)
        action = self.failing if passes else _ADDRESS
        return self._unusable(reply, call, message, _nature(reply), action, retryable=passes)

    def _unusable(
        self, reply: Reply, call: HttpCall, message: str, problem: str, next_action: str, *, retryable: bool
    ) -> ProviderError:
        """The error for an answer that does not say what was done: a write's outcome is unknown."""
        why = f"{_where(reply, call)}: {problem}."
        if call.writes:
            return call.answer_lost(provider=self.name, why=why, status=reply.status, request_id=reply.request_id)
        return ProviderError(
            message,
            provider=self.name,
            why=why,
            next_action=next_action,
            status=reply.status,
            request_id=reply.request_id,
            retryable=retryable,
        )


@dataclass(frozen=True)
class Refusal:
    """One kind of refusal: our error class, the reason, the next action."""

    kind: type[ProviderError]
    says: str
    next_action: str


@dataclass(frozen=True)
class AnswerReading:
    """What an adapter read from an answer: the kind of refusal, and whether the body is the API's own.

    `quote` is appended to the sentence about the answer. `wait` is in seconds, if the provider gives it other than by
    `Retry-After`.
    """

    row: Refusal
    own: bool
    says: str = ""
    quote: str = "."
    error_id: str = ""
    wait: float | None = None


def may_pass(status: int) -> bool:
    """Whether a retry of the same request may succeed."""
    return httpx.codes.is_server_error(status) or status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS)


def _where(reply: Reply, call: HttpCall) -> str:
    """`GET /ping answered 503, request abc`."""
    request = f", request {reply.request_id}" if reply.request_id else ""
    return f"{call.named} answered {reply.status}{request}"


def _nature(reply: Reply) -> str:
    start = reply.content[:200].lstrip().lower()
    if not start:
        return "an empty body"
    return "a web page, not the API" if start.startswith(b"<") else "no usable answer"


_SECRETS = (
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "[address]"),
    (re.compile(r"\bHRKU-\S+"), "[token]"),
    (re.compile(r"\b(?:bearer|basic)\s+\S+", re.IGNORECASE), "[token]"),
    (re.compile(r"(\w*(?:passw|secret|token|key|signature)\w*[\"']?\s*[=:]\s*)\S+", re.IGNORECASE), r"\1[hidden]"),
    (re.compile(r"\S{41,}"), "[hidden]"),
    (re.compile(r"[\x00-\x1f\x7f-\x9f\U00010000-\U0010ffff]+"), " "),
)


def clean(text: str, hide: tuple[SecretStr, ...] = ()) -> str:
    """A provider's text for display: without addresses, tokens and long opaque words, at most 300 characters."""
    # In one pass, longest first: one value may be part of another, or of its replacement.
    values = sorted({value for secret in hide if (value := secret.get_secret_value())}, key=len, reverse=True)
    if values:
        text = re.sub("|".join(map(re.escape, values)), "[hidden]", text)
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text.strip()[:300]
