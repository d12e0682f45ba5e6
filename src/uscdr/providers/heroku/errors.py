"""Heroku's refusals as our errors: the table, keyed on the `id` of the error body, then on the status.

Source: Platform API reference, "Errors". Bodies are never quoted whole; the provider's sentence is quoted
after everything that could be a secret is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import SecretStr

from uscdr.digits import whole
from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.providers.exchange import Call, Reply
from uscdr.providers.refusal import Provider, Reading, Refusal, clean, refused

PROVIDER = "Heroku"
HEROKU = Provider(PROVIDER, "See status.heroku.com; run the command again when it is well.")

HOW_TO_GET_ACCESS = (
    "Get a token with `heroku login` and `heroku auth:token` (or Account settings, API Key, in the dashboard) "
    "and set HEROKU_API_KEY to it."
)
_DASHBOARD = "Log in at dashboard.heroku.com and settle what it asks for, then run the command again."


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

_RESOURCES: Mapping[str, str] = {
    "add_on": "add-on",
    "add_on attachment": "add-on attachment",
    "ps": "dyno",
}


def refusal(reply: Reply, call: Call) -> ProviderError:
    """The error for any answer that is not a 2xx."""
    body = reply.fields()
    by_status = _ID_BY_STATUS.get(reply.status, "bad_request")
    error_id = _error_id(body) or by_status
    row = _BY_ID.get(error_id) or _BY_ID[by_status]
    says = row.says or f"it knows no such {_resource(body)}"
    quote = _quote(body, call.hide)
    remaining = whole(reply.headers.get("RateLimit-Remaining"))
    if row.kind is RateLimited and remaining is not None:
        quote = f"{quote} {remaining} requests remain."
    own = isinstance(body.get("id"), str)
    return refused(HEROKU, reply, call, Reading(row, own, says, quote, error_id))


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


def _error_id(body: Mapping[str, object]) -> str:
    value = body.get("id")
    return value if isinstance(value, str) and re.fullmatch(r"[a-z_0-9]{1,60}", value) else ""


def _resource(body: Mapping[str, object]) -> str:
    resource = str(body.get("resource") or "name")
    return clean(_RESOURCES.get(resource, resource.replace("_", " ")))


def _quote(body: Mapping[str, object], hide: tuple[SecretStr, ...]) -> str:
    text = clean(str(body.get("message") or ""), hide)
    return f': "{text}"' if text else "."
