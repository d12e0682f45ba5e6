"""A provider's refusals as our errors: what a refusal is, what may be tried again, what is in doubt.

Each adapter has a table of what its own codes mean, and says whether it was the API that spoke.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

from uscdr.errors import ProviderError, RateLimited
from uscdr.providers.http.exchange import HttpCall, Reply, answer_lost, retry_after

if TYPE_CHECKING:
    from pydantic import SecretStr

_REFUSED_WHATEVER_THE_BODY = frozenset({401, 407, 429})
"""A gateway may answer these before the API, in HTML, and nothing was done."""
_ADDRESS = "Check the API address of the target, and that no captive portal is in the way."


@dataclass(frozen=True)
class Provider:
    """Who refuses. `failing` is what to do when it is unwell; `surely` are more statuses that need no body."""

    name: str
    failing: str
    surely: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Refusal:
    """How one kind of refusal is told: our class, what is wrong, what to do."""

    kind: type[ProviderError]
    says: str
    next_action: str


@dataclass(frozen=True)
class AnswerReading:
    """What an adapter read out of an answer: which refusal it would be, and whether the body is the API's own.

    `quote` ends the sentence that says what was answered. `wait` is in seconds, where the provider tells it
    otherwise than by `Retry-After`.
    """

    row: Refusal
    own: bool
    says: str = ""
    quote: str = "."
    error_id: str = ""
    wait: float | None = None


def refused(provider: Provider, reply: Reply, call: HttpCall, reading: AnswerReading) -> ProviderError:
    """The error for an answer that is no success.

    Only what surely is a refusal is told by its row. Anything else is `AnswerLost` for a write; a read failed.
    """
    if not _surely_refused(provider, reply.status, reading):
        return _failed(provider, reply, call)
    message = f"{provider.name} refused to {call.what}: {reading.says or reading.row.says}."
    why = f"{_where(reply, call)}{reading.quote}"
    if issubclass(reading.row.kind, RateLimited):
        wait = retry_after(reply.headers.get("Retry-After"), now=datetime.now(UTC))
        return RateLimited(
            message,
            provider=provider.name,
            retry_after=wait if reading.wait is None else reading.wait,
            why=why,
            next_action=reading.row.next_action,
            status=reply.status,
            error_id=reading.error_id,
            request_id=reply.request_id,
        )
    return reading.row.kind(
        message,
        provider=provider.name,
        why=why,
        next_action=reading.row.next_action,
        status=reply.status,
        error_id=reading.error_id,
        request_id=reply.request_id,
    )


def unreadable(provider: Provider, reply: Reply, call: HttpCall, problem: str) -> ProviderError:
    """The error for a success whose body is not what the endpoint documents."""
    again = "Run the command again; if it stays so, check the API address of the target."
    message = f"{provider.name}'s answer could not be understood when asked to {call.what}."
    return _unusable(provider, reply, call, message, problem, again, retryable=True)


def may_pass(status: int) -> bool:
    """Whether the same request may be answered otherwise a moment later."""
    return httpx.codes.is_server_error(status) or status in (
        httpx.codes.REQUEST_TIMEOUT,
        httpx.codes.TOO_MANY_REQUESTS,
    )


def _where(reply: Reply, call: HttpCall) -> str:
    """`GET /ping answered 503, request abc`; without the query, which may hold a signature."""
    request = f", request {reply.request_id}" if reply.request_id else ""
    return f"{call.method} {call.path.partition('?')[0]} answered {reply.status}{request}"


def _surely_refused(provider: Provider, status: int, reading: AnswerReading) -> bool:
    """Whether nothing was done. A success can be one too, where the body is what says no."""
    final = httpx.codes.is_success(status) or httpx.codes.is_client_error(status)
    if not final or status == httpx.codes.REQUEST_TIMEOUT:
        return False
    return reading.own or status in _REFUSED_WHATEVER_THE_BODY | provider.surely


def _failed(provider: Provider, reply: Reply, call: HttpCall) -> ProviderError:
    if httpx.codes.is_redirect(reply.status):
        message = f"{provider.name} sent us elsewhere when asked to {call.what}; we did not follow."
    else:
        message = f"{provider.name} failed when asked to {call.what}."
    passes = may_pass(reply.status)
    action = provider.failing if passes else _ADDRESS
    return _unusable(provider, reply, call, message, _nature(reply), action, retryable=passes)


def _unusable(
    provider: Provider, reply: Reply, call: HttpCall, message: str, problem: str, next_action: str, *, retryable: bool
) -> ProviderError:
    """An answer that tells nothing of what was done: a write is in doubt."""
    why = f"{_where(reply, call)}: {problem}."
    if call.writes:
        return answer_lost(call, provider=provider.name, why=why, status=reply.status, request_id=reply.request_id)
    return ProviderError(
        message,
        provider=provider.name,
        why=why,
        next_action=next_action,
        status=reply.status,
        request_id=reply.request_id,
        retryable=retryable,
    )


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
    (re.compile(r"[^\x20-\x7e\xa0-\uffff]+"), " "),
)


def clean(text: str, hide: tuple[SecretStr, ...] = ()) -> str:
    """A provider's sentence, fit to be shown: no address, token or long opaque word, at most 300 characters."""
    # All at once and the longest first: one value may be part of another, or of the word that replaces it.
    values = sorted({value for secret in hide if (value := secret.get_secret_value())}, key=len, reverse=True)
    if values:
        text = re.sub("|".join(map(re.escape, values)), "[hidden]", text)
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text.strip()[:300]
