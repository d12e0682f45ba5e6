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

from uscdr.errors import AnswerLost, ProviderError
from uscdr.providers.http.json import JsonObject
from uscdr.providers.http.outages import GIVEN_UP, answer_seconds
from uscdr.providers.http.transport import GivenUp
from uscdr.spent import WATCH
from uscdr.words import whole

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

_REACH_ACTION = "Check this machine's network and the provider's status page, then run the command again."
_TRUST_ACTION = "Check this machine's clock. If the network inspects TLS, set `ca_file`."
LOOK_FIRST = "It may have taken effect. Check at the provider before you repeat it."


@dataclass(frozen=True)
class HttpCall:
    """One request: `what` describes it for messages (`start a backup`); `path` contains no secret, or has a `shown`."""

    what: str
    method: str
    path: str
    writes: bool
    body: object = field(default=None, repr=False)
    """Bytes are sent as they are, anything else as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hide: tuple[SecretStr, ...] = ()
    """Secrets in the request; a provider may echo them."""
    shown: str = ""
    """What messages show instead of a path that is a secret itself."""

    @property
    def named(self) -> str:
        """Method and path for messages, without the query, which may contain a signature."""
        return f"{self.method} {self.shown or self.path.partition('?')[0]}"

    def send(self, client: httpx.Client, *, provider: str) -> Reply:
        """Send the request once and read the whole answer.

        Raises `AnswerLost` for a write that may have arrived, else `ProviderError` (retryable when the network
        failed). The provider's status code is not judged here.
        """
        try:
            with (
                WATCH.provider(),
                client.stream(self.method, self.path, headers=self.headers, content=self._content()) as response,
            ):
                return Reply(response.status_code, response.headers, b"".join(_bounded(response)))
        except (httpx.InvalidURL, UnicodeError):
            raise self.unanswered(
                provider=provider, why="Its address or a header is malformed.", never_arrived=True,
                final=True, untrusted=False,
            ) from None  # fmt: skip
        except httpx.HTTPError as error:
            failure = NetworkFailure(error)
            # `from None`: the cause may quote what the peer sent.
            raise self.unanswered(
                provider=provider, why=f"{self.named}: {failure.words}.",
                never_arrived=failure.never_arrived, final=failure.will_not_pass, untrusted=failure.is_untrusted,
            ) from None  # fmt: skip

    def unanswered(
        self, *, provider: str, why: str, never_arrived: bool, untrusted: bool, final: bool = False
    ) -> ProviderError:
        """The error for this request when no answer came.

        `untrusted`: the peer's certificate is not trusted. `final`: a retry would fail too.
        """
        error = self._silence(provider, why, never_arrived=never_arrived, untrusted=untrusted, final=final)
        error.no_answer = True
        return error

    def _silence(self, provider: str, why: str, *, never_arrived: bool, untrusted: bool, final: bool) -> ProviderError:
        if never_arrived:
            return ProviderError(
                f"uscdr could not reach {provider} to {self.what}.",
                provider=provider,
                why=why,
                next_action=_TRUST_ACTION if untrusted else _REACH_ACTION,
                retryable=not (untrusted or final),
                sent=False,
            )
        if self.writes:
            return self.answer_lost(provider=provider, why=why)
        message = f"{provider} did not answer when asked to {self.what}."
        return ProviderError(message, provider=provider, why=why, next_action=_REACH_ACTION, retryable=not final)

    def answer_lost(self, *, provider: str, why: str, status: int | None = None, request_id: str = "") -> AnswerLost:
        """The error for this write when its outcome is unknown."""
        return AnswerLost(
            f"uscdr asked {provider} to {self.what}; the outcome is unknown.",
            provider=provider,
            why=why,
            next_action=LOOK_FIRST,
            status=status,
            request_id=request_id,
        )

    def _content(self) -> bytes | None:
        return self.body if self.body is None or isinstance(self.body, bytes) else json.dumps(self.body).encode()


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

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait by the `Retry-After` header; None when it is absent or unusable."""
        return _retry_after(self.headers.get("Retry-After"), now=datetime.now(UTC))

    def time(self, header: str) -> datetime | None:
        """A header's HTTP date, as an aware UTC datetime; None when it is absent or malformed."""
        return _http_date(self.headers.get(header, ""))

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


# Times in an answer's headers. Anything malformed is ignored: the peer may send anything.


def _http_date(value: str) -> datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(value)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds, given as a number or as an HTTP date."""
    seconds = whole(value)
    if value is None or seconds is not None:
        return seconds
    until = _http_date(value)
    return None if until is None else max(0.0, (until - now).total_seconds())


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


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


@dataclass(frozen=True)
class NetworkFailure:
    """Why a request got no answer, by the library's error."""

    error: BaseException

    @property
    def never_arrived(self) -> bool:
        """Whether the request surely was not sent."""
        return isinstance(self.error, _NEVER_ARRIVED)

    @property
    def is_untrusted(self) -> bool:
        """Whether the peer's certificate is not trusted: waiting does not help."""
        return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in self.causes())

    @property
    def will_not_pass(self) -> bool:
        """Whether a retry would end the same way."""
        return isinstance(self.error, _Endless | GivenUp)

    @property
    def words(self) -> str:
        """The failure in our own words; the library's words may quote the peer's bytes."""
        for cause in self.causes():
            if isinstance(cause, ssl.SSLCertVerificationError):
                return f"the certificate is not trusted ({cause.verify_message})"
            if isinstance(cause, ssl.SSLError):
                return "the TLS connection failed"
            if isinstance(cause, OSError) and cause.strerror:
                return cause.strerror.lower()
        return next((words for kind, words in _WORDS if isinstance(self.error, kind)), "the connection failed")

    def causes(self) -> Iterator[BaseException]:
        """The error and its causes, nearest first."""
        seen: set[int] = set()
        cause: BaseException | None = self.error
        while cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            cause = cause.__cause__ or cause.__context__


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
