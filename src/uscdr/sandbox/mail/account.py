"""The mail account of the clinic at its provider: one OAuth client with one refresh token."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_SCOPE = "https://www.googleapis.com/auth/gmail.send"
_LIFETIME = 3599  # seconds of an access token
_OK, _BAD, _UNAUTHORIZED = 200, 400, 401


@dataclass
class MailAccount:
    """`token_url` is where access tokens are asked for; while `revoked` is set none is given."""

    token_url: str
    client_id: str = "sandbox.apps.example"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    refresh_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    revoked: bool = False

    def config(self, relay: str) -> dict[str, str]:
        """What an application that mails from this account has in its config vars; `relay` is `host:port`."""
        return {
            "GMAIL_CLIENT_ID": self.client_id,
            "GMAIL_CLIENT_SECRET": self.client_secret,
            "GMAIL_REFRESH_TOKEN": self.refresh_token,
            "GMAIL_TOKEN_URL": self.token_url,
            "GMAIL_RELAY": relay,
        }

    def exchange(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and body for a form asking for an access token (RFC 6749, sections 5 and 6)."""
        if form.get("grant_type") != "refresh_token":
            return _refused(_BAD, "unsupported_grant_type", "Invalid grant_type")
        if form.get("client_id") != self.client_id:
            return _refused(_UNAUTHORIZED, "invalid_client", "The OAuth client was not found.")
        if not _same(form.get("client_secret", ""), self.client_secret):
            return _refused(_UNAUTHORIZED, "invalid_client", "The provided client secret is invalid.")
        known = _same(form.get("refresh_token", ""), self.refresh_token)
        if self.revoked or not known:
            return _refused(_BAD, "invalid_grant", "Token has been expired or revoked." if known else "Bad Request")
        token = f"ya29.{secrets.token_urlsafe(40)}"
        return _OK, {"access_token": token, "expires_in": _LIFETIME, "scope": _SCOPE, "token_type": "Bearer"}


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def _refused(status: int, error: str, description: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": error, "error_description": description}
