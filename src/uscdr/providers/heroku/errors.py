"""Heroku's refusals as our errors: the one mapper, keyed on the `id` of the error body, then on the status.

Source: Platform API reference, "Errors". Bodies are never quoted whole; the provider's sentence is quoted
after everything that could be a secret is taken out.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from pydantic import SecretStr

from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.providers.exchange import Call, Reply, answer_lost

PROVIDER = "Heroku"

HOW_TO_GET_ACCESS = (
    "Get a token with `heroku login` and `heroku auth:token` (or Account settings, API Key, in the dashboard) "
    "and set HEROKU_API_KEY to it."
)
_DASHBOARD = "Log in at dashboard.heroku.com and settle what it asks for, then run the command again."


@dataclass(frozen=True)
class Refusal:
    """How one kind of refusal is told: our class, what is wrong, what to do."""

    kind: type[ProviderError]
    says: str
    next_action: str


_BY_ID: Mapping[str, Refusal] = {
    "bad_request": Refusal(ProviderError, "it did not understand the request", "Report this with the request id."),
    "unauthorized": Refusal(CredentialsRefused, "the token is not valid", HOW_TO_GET_ACCESS),
    "delinquent": Refusal(
        ProviderError, "the account has unpaid invoices", "Pay under Account, Billing, at dashboard.heroku.com."
    ),
    "forbidden": Refusal(
        CredentialsRefused,
        "this account has no right to do that",
        "Ask the owner to add this account as a collaborator, or use the token of one who has the right.",
    ),
    "suspended": Refusal(
        CredentialsRefused, "the account or app is suspended", "Open a ticket at help.heroku.com; use the escape kit."
    ),
    "two_factor": Refusal(
        CredentialsRefused,
        "the account wants a second factor for this",
        "Use a token made by `heroku authorizations:create`, and set HEROKU_API_KEY to it.",
    ),
    "not_found": Refusal(NotFound, "", "Check the name, and that this account can see it."),
    "not_acceptable": Refusal(
        ProviderError, "it does not speak the version asked for", "Check the API address of the target."
    ),
    "conflict": Refusal(Conflict, "its present state forbids that", "Look at the app, wait, and try again."),
    "gone": Refusal(NotFound, "it is gone for good", "Check the name; look for its successor."),
    "requested_range_not_satisfiable": Refusal(
        ProviderError, "it does not list in that order", "Report this with the request id."
    ),
    "invalid_params": Refusal(ProviderError, "it does not accept the values sent", "Check the values in the plan."),
    "verification_needed": Refusal(ProviderError, "the account has no verified card", _DASHBOARD),
    "verification_required": Refusal(ProviderError, "the account has no verified card", _DASHBOARD),
    "confirmation_required": Refusal(
        Conflict, "it wants the name of the app as confirmation", "Do this step by hand and confirm it there."
    ),
    "addon_error": Refusal(
        ProviderError,
        "the add-on's provider refused",
        "Read the reason; if the plan has ended, choose another in the configuration.",
    ),
    "rate_limit": Refusal(RateLimited, "the hourly quota of requests is used up", "Wait a minute, then go on."),
}

_ID_BY_STATUS: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    402: "delinquent",
    403: "forbidden",
    404: "not_found",
    406: "not_acceptable",
    409: "conflict",
    410: "gone",
    416: "requested_range_not_satisfiable",
    422: "invalid_params",
    429: "rate_limit",
}

_REFUSED_WHATEVER_THE_BODY = (401, 407, 429)
"""A gateway may answer these before the API, in HTML, and nothing was done."""

_RESOURCES: Mapping[str, str] = {
    "add_on": "add-on",
    "add_on attachment": "add-on attachment",
    "ps": "dyno",
}


def refusal(reply: Reply, call: Call) -> ProviderError:
    """The error for any answer that is not a 2xx.

    A write answered by a 5xx, a redirect or something that is not Heroku's JSON becomes `AnswerLost`.
    """
    body = _body(reply)
    if call.writes and not _surely_refused(reply, body):
        why = f"{_where(reply, call)}: {_nature(reply)}."
        return answer_lost(call, provider=PROVIDER, why=why, status=reply.status, request_id=reply.request_id)
    if httpx.codes.is_server_error(reply.status) or reply.status == httpx.codes.REQUEST_TIMEOUT:
        return _failed(reply, call)
    if not httpx.codes.is_client_error(reply.status):
        return _redirected(reply, call)
    return _refused(reply, call, body)


def retold(error: ProviderError, kind: type[ProviderError], message: str, next_action: str) -> ProviderError:
    """The same refusal in better words, for a caller that knows what the provider's sentence means."""
    return kind(
        message,
        provider=PROVIDER,
        why=error.why,
        next_action=next_action,
        status=error.status,
        error_id=error.error_id,
        request_id=error.request_id,
    )


def unreadable(reply: Reply, call: Call, problem: str) -> ProviderError:
    """The error for a 2xx whose body is not what the endpoint documents."""
    why = f"{_where(reply, call)}: {problem}."
    if call.writes:
        return answer_lost(call, provider=PROVIDER, why=why, status=reply.status, request_id=reply.request_id)
    return ProviderError(
        f"{PROVIDER}'s answer could not be understood when asked to {call.what}.",
        provider=PROVIDER,
        why=why,
        next_action="Run the command again; if it stays so, see status.heroku.com and the API address.",
        status=reply.status,
        request_id=reply.request_id,
        retryable=True,
    )


def _surely_refused(reply: Reply, body: Mapping[str, object]) -> bool:
    if not httpx.codes.is_client_error(reply.status) or reply.status == httpx.codes.REQUEST_TIMEOUT:
        return False
    return bool(_error_id(body)) or reply.status in _REFUSED_WHATEVER_THE_BODY


def _refused(reply: Reply, call: Call, body: Mapping[str, object]) -> ProviderError:
    error_id = _error_id(body) or _ID_BY_STATUS.get(reply.status, "")
    row = _BY_ID.get(error_id) or _BY_ID.get(_ID_BY_STATUS.get(reply.status, "bad_request"))
    row = row or _BY_ID["bad_request"]
    says = row.says or f"it knows no such {_resource(body)}"
    message = f"{PROVIDER} refused to {call.what}: {says}."
    why = f"{_where(reply, call)}{_quote(body, call.hide)}"
    if row.kind is RateLimited:
        return _rate_limited(reply, message, why, row.next_action)
    return row.kind(
        message,
        provider=PROVIDER,
        why=why,
        next_action=row.next_action,
        status=reply.status,
        error_id=error_id,
        request_id=reply.request_id,
    )


def _rate_limited(reply: Reply, message: str, why: str, next_action: str) -> RateLimited:
    remaining = reply.headers.get("RateLimit-Remaining")
    return RateLimited(
        message,
        provider=PROVIDER,
        retry_after=retry_after(reply.headers.get("Retry-After"), now=datetime.now(UTC)),
        why=f"{why} {remaining} requests remain." if remaining is not None else why,
        next_action=next_action,
        status=reply.status,
        error_id="rate_limit",
        request_id=reply.request_id,
    )


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header: a number of seconds or an HTTP date; None when unusable."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def _failed(reply: Reply, call: Call) -> ProviderError:
    return ProviderError(
        f"{PROVIDER} failed when asked to {call.what}.",
        provider=PROVIDER,
        why=f"{_where(reply, call)}: {_nature(reply)}.",
        next_action="See status.heroku.com; run the command again when it is well.",
        status=reply.status,
        request_id=reply.request_id,
        retryable=True,
    )


def _redirected(reply: Reply, call: Call) -> ProviderError:
    return ProviderError(
        f"{PROVIDER} sent us elsewhere when asked to {call.what}; we did not follow with the token.",
        provider=PROVIDER,
        why=f"{_where(reply, call)}.",
        next_action="Check the API address of the target, and that no captive portal is in the way.",
        status=reply.status,
        request_id=reply.request_id,
    )


def _body(reply: Reply) -> Mapping[str, object]:
    try:
        body = reply.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _error_id(body: Mapping[str, object]) -> str:
    value = body.get("id")
    return value if isinstance(value, str) and re.fullmatch(r"[a-z_0-9]{1,60}", value) else ""


def _where(reply: Reply, call: Call) -> str:
    request = f", request {reply.request_id}" if reply.request_id else ""
    return f"{call.method} {call.path} answered {reply.status}{request}"


def _nature(reply: Reply) -> str:
    start = reply.content[:200].lstrip().lower()
    return "a web page, not the API" if start.startswith(b"<") else "no usable answer"


def _resource(body: Mapping[str, object]) -> str:
    resource = str(body.get("resource") or "name")
    return clean(_RESOURCES.get(resource, resource.replace("_", " ")))


def _quote(body: Mapping[str, object], hide: tuple[SecretStr, ...]) -> str:
    text = clean(str(body.get("message") or ""), hide)
    return f': "{text}"' if text else "."


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
