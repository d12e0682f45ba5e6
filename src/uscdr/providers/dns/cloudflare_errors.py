"""Cloudflare's refusals as our errors: the table, by the first code in `errors`, then by status.

Source: Cloudflare API v4, "Errors", "DNS records: API errors". The provider's sentence is quoted cleaned.
"""

from __future__ import annotations

from collections.abc import Mapping

from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.providers.exchange import Call, Reply
from uscdr.providers.refusal import Provider, Reading, Refusal, clean, refused

PROVIDER = "Cloudflare"
CLOUDFLARE = Provider(
    PROVIDER, "See www.cloudflarestatus.com; run the command again when it is well.", surely=frozenset({403})
)
"""Its own edge may refuse rights with a page instead of the API's envelope."""

HOW_TO_GET_ACCESS = (
    "Make an API token with the right Zone > DNS > Edit for this zone (My Profile, API Tokens), and give it anew."
)
_LOOK = "Look at the zone's records at Cloudflare, then plan again."


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


def refusal(reply: Reply, call: Call, body: Mapping[str, object]) -> ProviderError:
    """The error for any answer that is not a success."""
    code = first_code(body)
    row = _BY_CODE.get(code) or _BY_STATUS.get(reply.status, _VALUES)
    own = body.get("success") is False
    reading = Reading(row, own, quote=_quote(body, call), error_id=str(code or ""))
    return refused(CLOUDFLARE, reply, call, reading)


def first_code(body: Mapping[str, object]) -> int:
    """The code of the first entry of `errors`; 0 when there is none."""
    code = _first(body).get("code")
    return code if isinstance(code, int) else 0


def _first(body: Mapping[str, object]) -> Mapping[str, object]:
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return errors[0]
    return {}


def _quote(body: Mapping[str, object], call: Call) -> str:
    entry = _first(body)
    text = clean(str(entry.get("message") or ""), call.hide)
    code = f" (code {first_code(body)})" if first_code(body) else ""
    return f'{code}: "{text}"' if text else f"{code}."
