"""One HTTP request and its whole answer; tells apart every way in which it can fail.

After a failure, `ProviderError.sent` says whether the request may have arrived.
"""

from __future__ import annotations

import email.utils
import json
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

from uscdr.digits import whole
from uscdr.errors import AnswerLost, ProviderError
from uscdr.providers.http.json import JsonObject
from uscdr.providers.http.outages import GIVEN_UP, answer_seconds
from uscdr.providers.http.transport import GivenUp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import SecretStr

ANSWER_BYTES = 64 * 1024 * 1024
CODINGS = frozenset({"", "identity", "gzip", "deflate"})
"""Accepted compressions, and only one of them: two nested ones could turn a few kilobytes into gigabytes."""


_NEVER_ARRIVED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

LOOK_FIRST = "It may have taken effect. Check at the provider before you repeat it."


@dataclass(frozen=True)
class HttpCall:
    """One request: `what` describes it for messages (`start a backup`); `path` contains no secret."""

    what: str
    method: str
    path: str
    writes: bool
    body: object = field(default=None, repr=False)
    """Bytes are sent as they are, anything else as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hide: tuple[SecretStr, ...] = ()
    """Secrets in the request; a provider may echo them."""


@dataclass(frozen=True)
class Reply:
    """A complete answer. `content` is bytes and hidden in repr: it may contain secrets."""

    status: int
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def request_id(self) -> str:
        """The provider's id of this request, for a support ticket."""
        told = self.headers.get("Request-Id") or self.headers.get("X-Request-Id", "")
        return str(told).rpartition(",")[2].strip()[:64]

    def json(self) -> object:
        """The decoded body; ValueError when it is not JSON, or contains lone surrogates."""
        try:
            document = json.loads(self.content, parse_constant=_no_number)
            if b"\\u" in self.content or b"\xed" in self.content:
                # A lone surrogate cannot be written to a file or screen: raises UnicodeEncodeError, a ValueError.
                json.dumps(document, ensure_ascii=False).encode()
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return document

    def fields(self) -> JsonObject:
        """The decoded body where it is a JSON object; empty for anything else."""
        try:
            body = self.json()
        except ValueError:
            return JsonObject()
        return JsonObject(body) if isinstance(body, dict) else JsonObject()


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def exchange(client: httpx.Client, call: HttpCall, *, provider: str) -> Reply:
    """Send one request once and read the whole answer.

    Raises `AnswerLost` for a write that may have arrived, else `ProviderError` (retryable when the network
    failed). The provider's status code is not judged here.
    """
    try:
        with client.stream(call.method, call.path, headers=call.headers, content=_content(call)) as response:
            return Reply(response.status_code, response.headers, b"".join(_bounded(response)))
    except (httpx.InvalidURL, UnicodeError):
        raise unanswered(
            call, provider=provider, why="Its address or a header is malformed.", never_arrived=True,
            final=True, untrusted=False,
        ) from None  # fmt: skip
    except httpx.HTTPError as error:
        # `from None`: the cause may quote what the peer sent.
        why = f"{call.method} {call.path}: {describe(error)}."
        raise unanswered(
            call, provider=provider, why=why, never_arrived=never_arrived(error), final=_will_not_pass(error),
            untrusted=is_untrusted(error),
        ) from None  # fmt: skip


def _content(call: HttpCall) -> bytes | None:
    return call.body if call.body is None or isinstance(call.body, bytes) else json.dumps(call.body).encode()


def _bounded(response: httpx.Response) -> Iterator[bytes]:
    if response.headers.get("Content-Encoding", "").strip().lower() not in CODINGS:
        raise httpx.DecodingError("an unsupported compression")
    limit = answer_seconds()
    started, size = time.monotonic(), 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > ANSWER_BYTES or time.monotonic() - started > limit:
            raise _Endless("the answer is too long")
        yield chunk


class _Endless(httpx.ReadTimeout):
    """An answer that was too large or took too long: a retry would end the same way."""


def _will_not_pass(error: httpx.HTTPError) -> bool:
    """Whether a retry would end the same way."""
    return isinstance(error, _Endless | GivenUp)


def never_arrived(error: httpx.HTTPError) -> bool:
    """Whether the request surely was not sent."""
    return isinstance(error, _NEVER_ARRIVED)


def unanswered(
    call: HttpCall, *, provider: str, why: str, never_arrived: bool, untrusted: bool, final: bool = False
) -> ProviderError:
    """The error for a request without an answer.

    `untrusted`: the peer's certificate is not trusted. `final`: a retry would fail too.
    """
    if never_arrived:
        return ProviderError(
            f"uscdr could not reach {provider} to {call.what}.",
            provider=provider,
            why=why,
            next_action=_TRUST_ACTION if untrusted else _REACH_ACTION,
            retryable=not (untrusted or final),
            sent=False,
        )
    if call.writes:
        return answer_lost(call, provider=provider, why=why)
    message = f"{provider} did not answer when asked to {call.what}."
    return ProviderError(message, provider=provider, why=why, next_action=_REACH_ACTION, retryable=not final)


_REACH_ACTION = "Check this machine's network and the provider's status page, then run the command again."
_TRUST_ACTION = "Check this machine's clock. If the network inspects TLS, set `ca_file`."


def answer_lost(
    call: HttpCall, *, provider: str, why: str, status: int | None = None, request_id: str = ""
) -> AnswerLost:
    """The error for a write with an unknown outcome."""
    return AnswerLost(
        f"uscdr asked {provider} to {call.what}; the outcome is unknown.",
        provider=provider,
        why=why,
        next_action=LOOK_FIRST,
        status=status,
        request_id=request_id,
    )


def is_untrusted(error: BaseException) -> bool:
    """Whether the peer's certificate is not trusted: waiting does not help."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error))


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, nearest first."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def describe(error: httpx.HTTPError) -> str:
    """A network failure in our own words; the library's words may quote the peer's bytes."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return "the TLS connection failed"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "the connection failed")


_WORDS: tuple[tuple[type[httpx.HTTPError], str], ...] = (
    (GivenUp, GIVEN_UP),
    (_Endless, "the answer is too long"),
    (httpx.ConnectTimeout, "no connection within the time limit"),
    (httpx.TimeoutException, "no answer within the time limit"),
    (httpx.ProxyError, "the proxy refused the connection"),
    (httpx.ConnectError, "no connection"),
    (httpx.RemoteProtocolError, "the answer was incomplete or not HTTP"),
    (httpx.ReadError, "the connection was cut while waiting for the answer"),
    (httpx.WriteError, "the connection was cut while sending"),
    (httpx.DecodingError, "uscdr could not decompress the answer"),
)


# Times in an answer's headers. Anything malformed is ignored: the peer may send anything.


def http_date(value: str) -> datetime | None:
    """An HTTP date, in UTC if it names no zone; None when malformed."""
    try:
        found = email.utils.parsedate_to_datetime(value)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header: a number of seconds or an HTTP date; None when unusable."""
    seconds = whole(value)
    if value is None or seconds is not None:
        return seconds
    until = http_date(value)
    return None if until is None else max(0.0, (until - now).total_seconds())


# Limits for following a list's pages: a faulty list may have no end.


LIST_SECONDS = 300.0
ALIKE = 3
"""The most equal pages in a row."""


class Pages:
    """One list's pages: at most `most` within `LIST_SECONDS`, no page twice, few equal ones in a row."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._end = time.monotonic() + LIST_SECONDS
        self._named: set[str] = set()
        self._last: object = None
        self._alike = 0

    def go_on(self, following: str, page: object) -> bool:
        """Whether the page `following` may be requested after `page`."""
        self._alike = self._alike + 1 if page == self._last else 0
        if (
            following in self._named
            or self._alike >= ALIKE
            or len(self._named) >= self._most
            or time.monotonic() > self._end
        ):
            return False
        self._named.add(following)
        self._last = page
        return True
