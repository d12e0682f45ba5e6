"""How requests are signed: the parameters in order, then the secret, hashed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from uscdr.sandbox.media.errors import bad, unauthorized
from uscdr.words import whole

if TYPE_CHECKING:
    from uscdr.sandbox.media.accounts import Account

Parameters = Mapping[str, str | list[str]]
NEVER_SIGNED = frozenset({"file", "api_key", "signature", "cloud_name", "resource_type"})
NOTIFICATION = frozenset({"notification_url", "batch_id"})  # unsigned at the tags, context and metadata endpoints
_LIFETIME = 3600  # seconds
_HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}


def string_to_sign(parameters: Parameters, *, version: int = 2) -> str:
    """Sorted `name=value` pairs joined with `&`; version 2 escapes `&` inside of them."""
    pairs = []
    for name, value in parameters.items():
        text = ",".join(value) if isinstance(value, list) else value
        if text:
            pair = f"{name}={text}"
            pairs.append(pair.replace("&", "%26") if version > 1 else pair)
    return "&".join(sorted(pairs))


def signature(text: str, secret: str, algorithm: str = "sha1") -> str:
    """The hex digest of the text with the secret after it."""
    return _HASHES[algorithm]((text + secret).encode()).hexdigest()


def check(account: Account, parameters: Parameters, *, unsigned: Iterable[str] = ()) -> None:
    """A signed request's key, signature and age. Raises 400 or 401."""
    account.check_key(_text(parameters, "api_key"))
    left_out = NEVER_SIGNED.union(unsigned)
    signed = {name: value for name, value in parameters.items() if name not in left_out}
    given = _text(parameters, "signature")
    # Clients older than version 2 are still accepted, as their signatures are by the service.
    texts = [string_to_sign(signed, version=version) for version in (2, 1)]
    wanted = [signature(text, account.api_secret, account.algorithm) for text in texts]
    if not any(hmac.compare_digest(given.encode(), one.encode()) for one in wanted):
        raise unauthorized(f"Invalid Signature {given}. String to sign - '{texts[0]}'.")
    _check_age(_text(parameters, "timestamp"))


def _text(parameters: Parameters, name: str) -> str:
    value = parameters.get(name, "")
    if not value:
        raise bad(f"Missing required parameter - {name}")
    return value if isinstance(value, str) else ",".join(value)


def _check_age(timestamp: str) -> None:
    at = whole(timestamp)
    if at is None:
        raise bad("Invalid timestamp")
    if at < time.time() - _LIFETIME:
        told = time.strftime("%Y-%m-%d %H:%M:%S +0000", time.gmtime(at))
        raise bad(f"Stale request - reported time is {told} which is more than 1 hour ago")


def delivery_signature(path: str, secret: str) -> str:
    """What stands between `s--` and `--` in a signed delivery address; `path` has no version."""
    digest = hashlib.sha1((path + secret).encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode()[: len("12345678")]
