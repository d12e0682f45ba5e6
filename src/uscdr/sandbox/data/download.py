"""Fetching a file from a URL that a client named."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import httpx

_TIMEOUT = 30.0


class DownloadFailed(Exception):
    """The URL did not give a file. The message never holds the URL, which may be a bearer secret."""


async def download(url: str, target: Path, *, trust: ssl.SSLContext) -> None:
    """Stream `url` to `target` (0600). Raises DownloadFailed."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    client = httpx.AsyncClient(verify=trust, timeout=_TIMEOUT, follow_redirects=True, trust_env=False)
    try:
        with os.fdopen(descriptor, "wb") as file:
            async with client, client.stream("GET", url) as response:
                if response.status_code != httpx.codes.OK:
                    raise DownloadFailed(f"download failed with HTTP status {response.status_code}")
                async for chunk in response.aiter_bytes():
                    file.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadFailed(f"download failed: {type(error).__name__}") from None
