"""Signed, expiring links to stored dumps and uploads, as an object store gives them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode


@dataclass(frozen=True)
class SignedLink:
    """A URL and the moment from which it is refused."""

    url: str
    expires_at: datetime


class LinkSigner:
    """Signs paths with a key that lives as long as the daemon."""

    def __init__(self, base_url: str, *, lifetime: float) -> None:
        self._base = base_url.rstrip("/")
        self._lifetime = lifetime
        self._key = secrets.token_bytes(32)

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()

    def sign(self, path: str) -> SignedLink:
        """A link to `path`, valid for the lifetime given (seconds)."""
        expires = time.time() + self._lifetime
        text = f"{expires:.3f}"
        query = urlencode({"X-Expires": text, "X-Signature": self._signature(path, text)})
        return SignedLink(f"{self._base}{path}?{query}", datetime.fromtimestamp(expires, UTC))

    def refusal(self, path: str, expires: str, signature: str) -> str:
        """Why a link is refused; empty when it is good."""
        if not hmac.compare_digest(self._signature(path, expires), signature):
            return "SignatureDoesNotMatch"
        return "" if time.time() < float(expires) else "AccessDenied"


def refusal_document(code: str) -> bytes:
    """The XML an object store answers with."""
    message = "Request has expired" if code == "AccessDenied" else "The signature does not match."
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()
