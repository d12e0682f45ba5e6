"""Cloudinary's refusals as our errors: the table, keyed on the status.

Source: Admin API reference, "Error handling", and Upload API reference. The provider's sentence is never quoted:
it can hold a file's name or the string that was signed.
"""

from __future__ import annotations

from collections.abc import Mapping

from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.providers.exchange import Call, Reply
from uscdr.providers.refusal import Provider, Reading, Refusal, refused
from uscdr.words import duration

PROVIDER = "Cloudinary"
RATE_LIMITED = (420, 429)
CREDENTIALS = (
    "Look up the key and secret of this cloud in the console (Settings, API Keys) and set CLOUDINARY_CLOUD_NAME, "
    "CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET."
)
CLOUDINARY = Provider(
    PROVIDER, "See status.cloudinary.com; run the command again when it is well.", frozenset(RATE_LIMITED)
)

_RATE = Refusal(
    RateLimited,
    "the hourly allowance of Admin API calls is used up",
    "Wait for the next hour, then: uscdr runs resume (what is done is not done again).",
)
_BY_STATUS: Mapping[int, Refusal] = {
    400: Refusal(ProviderError, "it does not accept what was sent", "Report this with the request id."),
    401: Refusal(CredentialsRefused, "key or secret are not valid for this cloud", CREDENTIALS),
    403: Refusal(CredentialsRefused, "these credentials have no right to do that", CREDENTIALS),
    404: Refusal(NotFound, "it knows no such asset", "Check the cloud's name, and look at the console."),
    409: Refusal(Conflict, "its present state forbids that", "Look at the asset in the console, and try again."),
    413: Refusal(
        ProviderError, "the file is larger than the plan allows", "See the plan's limits: uscdr recover media"
    ),
    **dict.fromkeys(RATE_LIMITED, _RATE),
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


def refusal(reply: Reply, call: Call, *, wait: float | None) -> ProviderError:
    """The error for any answer that is not a usable 2xx. `wait` is in seconds, to the end of the hourly allowance."""
    sentence = _sentence(reply)
    row = _BY_STATUS.get(reply.status, _BY_STATUS[400])
    if row is _RATE:
        renewed = "." if wait is None else f". It is renewed in {duration(wait)}."
        return refused(CLOUDINARY, reply, call, Reading(row, own=True, quote=renewed, wait=wait))
    says = next((ours for theirs, ours in _KNOWN_SENTENCES if theirs in (sentence or "").lower()), "")
    return refused(CLOUDINARY, reply, call, Reading(row, own=sentence is not None, says=says))


def _sentence(reply: Reply) -> str | None:
    """The provider's own sentence, only to recognise it; None when the body is not its error JSON."""
    error = reply.fields().get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None
