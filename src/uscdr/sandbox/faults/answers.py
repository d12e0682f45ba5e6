"""The broken answers that need no application behind them."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Send

_JSON = "application/json"
_HTML = b"<!DOCTYPE html><html><head><title>Application Error</title></head><body>503</body></html>"
_WORDS = {
    "401": ("unauthorized", "Invalid credentials provided."),
    "403": ("forbidden", "You do not have access to this resource."),
    "403-two-factor": ("two_factor", "A second authentication factor is required."),
    "423-confirmation": ("confirmation_required", "Confirmation required: resend with the app's name."),
    "429-bare": ("rate_limit", "Your account reached the API rate limit."),
    "404": ("not_found", "Couldn't find that app."),
    "409": ("conflict", "The resource is busy."),
    "420": ("rate_limit", "Rate Limit Exceeded. Limit of 500 api operations reached."),
    "422": ("invalid_params", "The request could not be processed."),
    "429": ("rate_limit", "Your account reached the API rate limit."),
    "429-odd": ("rate_limit", "Your account reached the API rate limit."),
    "500": ("server_error", "Internal server error."),
}
_CODES = {"401": 10000, "403": 9109, "404": 7003, "429": 971}
"""Cloudflare's error codes."""


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes
    content_type: str = _JSON
    headers: dict[str, str] = field(default_factory=dict)


def canned(kind: str, *, provider: str = "heroku") -> Answer:
    """The answer of a fault kind, in the provider's own shape."""
    if kind in ("html-200", "503-html"):
        return Answer(200 if kind == "html-200" else 503, _HTML, "text/html")
    if kind == "empty-200":
        return Answer(200, b"")
    if kind == "redirect":
        return Answer(302, b"", headers={"location": "https://elsewhere.invalid/"})
    status = kind.partition("-")[0]
    error_id, message = _WORDS[kind]
    limited = {"429": {"retry-after": "1", "ratelimit-remaining": "0"}, "429-odd": ODD}.get(kind, {})
    shapes: dict[str, object] = {
        "cloudinary": {"error": {"message": message}},
        "mail": {"error": error_id, "error_description": message},
        "dns": {"success": False, "errors": [{"code": _CODES.get(status, 1000), "message": message}], "result": None},
    }
    body = shapes.get(provider, {"id": error_id, "message": message})
    return Answer(int(status), json.dumps(body).encode(), headers=limited)


ODD = dict.fromkeys(("retry-after", "ratelimit-remaining", "x-featureratelimit-limit", "x-request-id"), "\u00b2")
"""What `str.isdigit` takes for a number, in latin-1, as headers are."""
BYTE_SECONDS = 1.0


async def send_slowly(answer: Answer, to: Send, *, gone: Callable[[], Awaitable[bool]], endless: bool) -> None:
    """A byte a second of it; or, when it is endless, white space as fast as it is taken."""
    length = len(answer.body) if not endless else 1 << 50
    await to({"type": "http.response.start", "status": answer.status, "headers": _head(answer, length)})
    pieces = itertools.repeat(b" " * 65536) if endless else (answer.body[n : n + 1] for n in range(len(answer.body)))
    for piece in pieces:
        if await gone():
            return
        await to({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0 if endless else BYTE_SECONDS)
    await to({"type": "http.response.body", "body": b""})


def _head(answer: Answer, length: int) -> list[tuple[bytes, bytes]]:
    named = {"content-type": answer.content_type, "content-length": str(length), **answer.headers}
    return [(key.encode("latin-1"), value.encode("latin-1")) for key, value in named.items()]


async def send(answer: Answer, to: Send) -> None:
    """Send it whole."""
    head = _head(answer, len(answer.body))
    await to({"type": "http.response.start", "status": answer.status, "headers": head})
    await to({"type": "http.response.body", "body": answer.body})


async def send_truncated(answer: Answer, to: Send) -> None:
    """Promise the whole body, with its own headers, and send half of it."""
    head = _head(answer, len(answer.body))
    await to({"type": "http.response.start", "status": answer.status, "headers": head})
    await to({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
