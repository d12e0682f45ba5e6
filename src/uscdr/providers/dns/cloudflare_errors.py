"""Cloudflare's refusals as our errors: the one mapper, by the first code in `errors`, then by status.

Source: Cloudflare API v4, "Errors", "DNS records: API errors". The provider's sentence is quoted cleaned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.providers.exchange import Call, Reply, answer_lost
from uscdr.providers.heroku.errors import clean, retry_after

PROVIDER = "Cloudflare"

HOW_TO_GET_ACCESS = (
    "Make an API token with the right Zone > DNS > Edit for this zone (My Profile, API Tokens), and give it anew."
)
_LOOK = "Look at the zone's records at Cloudflare, then plan again."


@dataclass(frozen=True)
class Refusal:
    """How one kind of refusal is told."""

    kind: type[ProviderError]
    says: str
    next_action: str


_RIGHTS = Refusal(CredentialsRefused, "the token is not valid, or has no right to this zone", HOW_TO_GET_ACCESS)
_TWIN = Refusal(Conflict, "such a record is there already", _LOOK)
_BESIDE = Refusal(Conflict, "a CNAME and other records cannot share a name", _LOOK)
_GONE = Refusal(NotFound, "it knows no such zone or record", _LOOK)
_VALUES = Refusal(ProviderError, "it does not accept the values sent", "Check value and TTL in the plan.")
_RATE = Refusal(RateLimited, "its quota of requests is used up", "Wait five minutes, then go on.")

_BY_CODE: Mapping[int, Refusal] = {
    1001: _GONE,
    1004: _VALUES,
    6003: _RIGHTS,
    7000: _GONE,
    7003: _GONE,
    9106: _RIGHTS,
    9109: _RIGHTS,
    9021: Refusal(ProviderError, "it does not accept this TTL", "Use a TTL from 60 s up, in the target or step."),
    10000: _RIGHTS,
    10001: _RIGHTS,
    81044: _GONE,
    81053: _BESIDE,
    81054: _BESIDE,
    81056: _BESIDE,
    81057: _TWIN,
    81058: _TWIN,
    971: _RATE,
}
_BY_STATUS: Mapping[int, Refusal] = {401: _RIGHTS, 403: _RIGHTS, 404: _GONE, 409: _TWIN, 429: _RATE}
_REFUSED_WHATEVER_THE_BODY = (401, 403, 407, 429)


def refusal(reply: Reply, call: Call, body: Mapping[str, object]) -> ProviderError:
    """The error for any answer that is not a success.

    A write answered by a 5xx, a redirect or something that is not the API's envelope becomes `AnswerLost`.
    """
    code = first_code(body)
    if not _surely_refused(reply, body):
        if call.writes:
            return answer_lost(call, provider=PROVIDER, why=f"{_where(reply, call)}.", status=reply.status)
        return _failed(reply, call)
    row = _BY_CODE.get(code) or _BY_STATUS.get(reply.status, _VALUES)
    message = f"{PROVIDER} refused to {call.what}: {row.says}."
    why = f"{_where(reply, call)}{_quote(body, call)}"
    if row.kind is RateLimited:
        wait = retry_after(reply.headers.get("Retry-After"), now=datetime.now(UTC))
        return RateLimited(
            message, provider=PROVIDER, retry_after=wait, why=why, next_action=row.next_action, status=reply.status
        )
    return row.kind(
        message,
        provider=PROVIDER,
        why=why,
        next_action=row.next_action,
        status=reply.status,
        error_id=str(code or ""),
    )


def unreadable(reply: Reply, call: Call, problem: str) -> ProviderError:
    """The error for a success whose body is not as documented."""
    why = f"{_where(reply, call)}: {problem}."
    if call.writes:
        return answer_lost(call, provider=PROVIDER, why=why, status=reply.status)
    return ProviderError(
        f"{PROVIDER}'s answer could not be understood when asked to {call.what}.",
        provider=PROVIDER,
        why=why,
        next_action="Run the command again; if it stays so, check the API address of the target.",
        status=reply.status,
        retryable=True,
    )


def first_code(body: Mapping[str, object]) -> int:
    """The code of the first entry of `errors`; 0 when there is none."""
    code = _first(body).get("code")
    return code if isinstance(code, int) else 0


def _surely_refused(reply: Reply, body: Mapping[str, object]) -> bool:
    if httpx.codes.is_success(reply.status):
        return True  # the envelope says no
    if not httpx.codes.is_client_error(reply.status) or reply.status == httpx.codes.REQUEST_TIMEOUT:
        return False
    return body.get("success") is False or reply.status in _REFUSED_WHATEVER_THE_BODY


def _failed(reply: Reply, call: Call) -> ProviderError:
    return ProviderError(
        f"{PROVIDER} failed when asked to {call.what}.",
        provider=PROVIDER,
        why=f"{_where(reply, call)}.",
        next_action="See www.cloudflarestatus.com; run the command again when it is well.",
        status=reply.status,
        retryable=httpx.codes.is_server_error(reply.status) or reply.status == httpx.codes.REQUEST_TIMEOUT,
    )


def _first(body: Mapping[str, object]) -> Mapping[str, object]:
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return errors[0]
    return {}


def _where(reply: Reply, call: Call) -> str:
    return f"{call.method} {call.path.partition('?')[0]} answered {reply.status}"


def _quote(body: Mapping[str, object], call: Call) -> str:
    entry = _first(body)
    text = clean(str(entry.get("message") or ""), call.hide)
    code = f" (code {first_code(body)})" if first_code(body) else ""
    return f'{code}: "{text}"' if text else f"{code}."
