"""Cloudinary's refusals as our errors: the one mapper, keyed on the status.

Source: Admin API reference, "Error handling", and Upload API reference. The provider's sentence is never quoted:
it can hold a file's name or the string that was signed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.providers.exchange import Call, answer_lost

PROVIDER = "Cloudinary"
RATE_LIMITED = (420, 429)
CREDENTIALS = (
    "Look up the key and secret of this cloud in the console (Settings, API Keys) and set CLOUDINARY_CLOUD_NAME, "
    "CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET."
)
_STATUS = "See status.cloudinary.com; run the command again when it is well."


class Answered(Protocol):
    """What the mapper needs of an answer."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def data(self) -> bytes:
        """The body."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, names in any case."""
        ...

    @property
    def request_id(self) -> str:
        """The provider's id of the request."""
        ...


@dataclass(frozen=True)
class Refusal:
    """How one status is told: our class, what is wrong, what to do."""

    kind: type[ProviderError]
    says: str
    next_action: str


_BY_STATUS: Mapping[int, Refusal] = {
    400: Refusal(ProviderError, "it does not accept what was sent", "Report this with the request id."),
    401: Refusal(CredentialsRefused, "key or secret are not valid for this cloud", CREDENTIALS),
    403: Refusal(CredentialsRefused, "these credentials have no right to do that", CREDENTIALS),
    404: Refusal(NotFound, "it knows no such asset", "Check the cloud's name, and look at the console."),
    409: Refusal(Conflict, "its present state forbids that", "Look at the asset in the console, and try again."),
    413: Refusal(
        ProviderError, "the file is larger than the plan allows", "See the plan's limits: uscdr recover media"
    ),
}

_KNOWN_SENTENCES: tuple[tuple[str, str], ...] = (
    ("file size too large", "the file is larger than the plan allows"),
    ("invalid image file", "the file is no image that it can read"),
    ("unsupported", "it does not take a file of this kind"),
    ("disabled", "the account or the key is disabled"),
    ("stale request", "this machine's clock is wrong by more than an hour"),
    ("signature", "the secret is not the one of this key"),
    ("api_secret mismatch", "the secret is not the one of this key"),
    ("unknown api_key", "it does not know the key"),
    ("cloud_name mismatch", "the key belongs to another cloud"),
)
"""What a sentence of theirs means, in words that cannot hold a name."""


def refusal(answer: Answered, call: Call, *, wait: float | None) -> ProviderError:
    """The error for any answer that is not a usable 2xx. `wait` is in seconds, to the end of the hourly allowance.

    A write answered by a 5xx, a redirect or something that is not JSON becomes `AnswerLost`.
    """
    sentence = _sentence(answer)
    if answer.status in RATE_LIMITED:
        return _rate_limited(answer, call, wait)
    surely = 400 <= answer.status < 500 and answer.status != 408 and (sentence is not None or answer.status == 401)  # noqa: PLR2004 - HTTP's own numbers
    if call.writes and not surely:
        why = f"{where(answer, call)}: {_nature(answer)}."
        return answer_lost(call, provider=PROVIDER, why=why, status=answer.status, request_id=answer.request_id)
    if not surely:
        return _failed(answer, call)
    row = _BY_STATUS.get(answer.status, _BY_STATUS[400])
    says = next((ours for theirs, ours in _KNOWN_SENTENCES if theirs in (sentence or "").lower()), row.says)
    return row.kind(
        f"{PROVIDER} refused to {call.what}: {says}.",
        provider=PROVIDER,
        why=f"{where(answer, call)}.",
        next_action=row.next_action,
        status=answer.status,
        request_id=answer.request_id,
    )


def unreadable(answer: Answered, call: Call, problem: str) -> ProviderError:
    """The error for a 2xx whose body is not what the endpoint documents."""
    why = f"{where(answer, call)}: {problem}."
    if call.writes:
        return answer_lost(call, provider=PROVIDER, why=why, status=answer.status, request_id=answer.request_id)
    return ProviderError(
        f"{PROVIDER}'s answer could not be understood when asked to {call.what}.",
        provider=PROVIDER,
        why=why,
        next_action="Run the command again; if it stays so, check the API address of the target.",
        status=answer.status,
        request_id=answer.request_id,
        retryable=True,
    )


def where(answer: Answered, call: Call) -> str:
    """`GET /ping answered 503 (request abc)`."""
    request = f" (request {answer.request_id})" if answer.request_id else ""
    return f"{call.method} {call.path} answered {answer.status}{request}"


def _rate_limited(answer: Answered, call: Call, wait: float | None) -> RateLimited:
    when = "" if wait is None else f" It is renewed in {wait / 60:.0f} min."
    return RateLimited(
        f"{PROVIDER} refused to {call.what}: the hourly allowance of Admin API calls is used up.",
        provider=PROVIDER,
        retry_after=wait,
        why=f"{where(answer, call)}.{when}",
        next_action="Wait for the next hour, then: uscdr runs resume (what is done is not done again).",
        status=answer.status,
        request_id=answer.request_id,
    )


def _failed(answer: Answered, call: Call) -> ProviderError:
    redirected = 300 <= answer.status < 400  # noqa: PLR2004 - HTTP's own numbers
    return ProviderError(
        f"{PROVIDER} failed when asked to {call.what}.",
        provider=PROVIDER,
        why=f"{where(answer, call)}: {_nature(answer)}.",
        next_action="Check the API address of the target." if redirected else _STATUS,
        status=answer.status,
        request_id=answer.request_id,
        retryable=not redirected,
    )


def _sentence(answer: Answered) -> str | None:
    """The provider's own sentence, only to recognise it; None when the body is not its error JSON."""
    try:
        body = json.loads(answer.data)
    except (ValueError, RecursionError):
        return None
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None


def _nature(answer: Answered) -> str:
    start = answer.data[:200].lstrip().lower()
    if not start:
        return "an empty body"
    return "a web page instead of an answer" if start.startswith(b"<") else "an error without a known reason"
