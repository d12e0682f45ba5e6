"""The last lines of an app's log: a log session, then its event stream, read to the end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator

import httpx

from uscdr.errors import ProviderError
from uscdr.providers.exchange import describe
from uscdr.providers.heroku.client import Ask, HerokuClient
from uscdr.providers.heroku.errors import PROVIDER
from uscdr.providers.http import is_private, open_client, segment
from uscdr.providers.json_fields import record, web_address

STREAM_SECONDS = 30.0
"""A stream that is not followed ends by itself; this is for one that does not."""


def last_lines(client: HerokuClient, app: str, lines: int) -> tuple[str, ...]:
    """The last `lines` lines, oldest first. A failed stream is begun again with a new session."""
    return client.patience.call(lambda: _session(client, app, lines), writes=False)


def _session(client: HerokuClient, app: str, lines: int) -> tuple[str, ...]:
    body = {"lines": lines, "tail": False}
    ask = Ask("open the log", "POST", f"/apps/{segment(app)}/log-sessions", body=body, sdk=True)
    url, _ = client.once(ask, lambda answer: web_address(record(answer), "logplex_url"))
    if not is_private(url):
        raise _failed("the stream would travel in clear text", retryable=False)
    with open_client(url, provider=PROVIDER, verify=client.verify, read_only=True) as stream:
        return tuple(deque(_events(stream, url), maxlen=lines))


def _events(client: httpx.Client, url: str) -> Iterator[str]:
    try:
        with client.stream("GET", url, headers={"Accept": "text/event-stream"}) as response:
            kind = response.headers.get("Content-Type", "")
            if response.status_code != httpx.codes.OK or not kind.startswith("text/event-stream"):
                raise _failed(f"the stream answered {response.status_code}", retryable=True)
            yield from event_data(_until(response, time.monotonic() + STREAM_SECONDS))
    except httpx.HTTPError as error:
        raise _failed(describe(error), retryable=True) from None


def _until(response: httpx.Response, end: float) -> Iterator[bytes]:
    for chunk in response.iter_bytes():
        yield chunk
        if time.monotonic() > end:
            return


def event_data(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each server-sent event; the last one counts even when its blank line is missing."""
    data: list[str] = []
    for line in _lines(chunks):
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines ended by LF or CR LF only: a log line may hold any other separator."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.removesuffix(b"\r").decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


def _failed(why: str, *, retryable: bool) -> ProviderError:
    return ProviderError(
        f"{PROVIDER} did not give the log.",
        provider=PROVIDER,
        why=f"Log stream: {why}.",
        next_action="Try again, or read it with `heroku logs`.",
        retryable=retryable,
    )
