"""The HTTP connection for the SDK's calls.

The SDK's own connection is created once for each process from global settings. It trusts no private authority, follows
redirects with a signed body, and drops the headers of an error. The SDK accepts another one (`http_connector`): this
one.
"""

from __future__ import annotations

import http.client
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import urllib3
import urllib3.connection
import urllib3.response
from typing_extensions import override
from urllib3.fields import format_multipart_header_param, guess_content_type

from uscdr.errors import ProviderError, WriteRefused
from uscdr.providers.cloudinary.decode import PROVIDER
from uscdr.providers.http.exchange import ANSWER_BYTES, CODINGS, HttpCall, Reply
from uscdr.providers.http.outages import GIVEN_UP, Outages, answer_seconds
from uscdr.providers.http.transport import Cut, Record, proxy_for
from uscdr.threads import MOST
from uscdr.write_guard import ANYHOW, SHORT, WriteGuard

if TYPE_CHECKING:
    import socket
    import ssl

READING_POSTS = frozenset({"/resources/search"})
"""Requests with a body that change nothing."""
CONNECT_SECONDS, READ_SECONDS, WRITE_SECONDS = 10.0, 30.0, 60.0
_PIECE = 64 * 1024
_HEAD = 8 * 1024
"""More bytes than the head of a request has."""
_USUAL = re.compile(
    rb"HTTP/1\.1 (?P<status>20[0-3]) (?P<reason>[ -~]*)\r\n(?P<headers>(?:[\w-]+:[ -~]*\r\n){1,50})\r\n", re.ASCII
)
_HEADER = re.compile(rb"([\w-]+): *([ -~]*)\r\n", re.ASCII)
_UNUSUAL = frozenset({b"connection", b"transfer-encoding", b"keep-alive", b"proxy-connection"})
"""They say where an answer ends, or what becomes of its connection."""
_NEVER_ARRIVED = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
    urllib3.exceptions.LocationParseError,
)


def form(fields: Mapping[str, str], file_name: str, content: bytes) -> tuple[bytes, str]:
    """A form with one file, and its content type. It is made in one piece: the file's bytes are copied once."""
    boundary = secrets.token_hex(16)
    mark = f"--{boundary}\r\n"
    plain = "".join(f"{mark}{_named(name)}\r\n\r\n{value}\r\n" for name, value in fields.items())
    of_file = f"{_named('file')}; {format_multipart_header_param('filename', file_name)}"
    head = f"{plain}{mark}{of_file}\r\nContent-Type: {guess_content_type(file_name)}\r\n\r\n"
    body = b"".join((head.encode(), content, f"\r\n--{boundary}--\r\n".encode()))
    return body, f"multipart/form-data; boundary={boundary}"


@lru_cache(maxsize=64)
def _named(field: str) -> str:
    return f"Content-Disposition: form-data; {format_multipart_header_param('name', field)}"


class Answer(Reply):
    """A whole answer in the form that the SDK reads: `data` is the body."""

    @property
    def data(self) -> bytes:
        """The body."""
        return self.content


class Connection:
    """Pooled connections to one API address; thread-safe.

    `read_only` refuses everything except GET and a search, before anything is sent. `leave` is asked before each write,
    once its connection is open.
    """

    def __init__(
        self,
        api_url: str,
        *,
        verify: ssl.SSLContext,
        read_only: bool,
        record: Record | None = None,
        leave: WriteGuard = ANYHOW,
    ) -> None:
        proxy = proxy_for(api_url)
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(api_url))
        self._pool: urllib3.PoolManager = (
            urllib3.PoolManager(ssl_context=verify, maxsize=MOST)
            if proxy is None
            else urllib3.ProxyManager(proxy, ssl_context=verify, maxsize=MOST)
        )
        self.leave = leave
        self._sending = _Sending(leave)
        self._pool.pool_classes_by_scheme = _pools(self._sending)
        self._direct = self._pool.connection_from_url(api_url) if proxy is None else None
        self.read_only = read_only
        self._record = record

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()

    def send(self, call: HttpCall, url: str, *, body: bytes | None = None, headers: Mapping[str, str]) -> Answer:
        """Send one request once and read the whole answer; its status is not judged here.

        Raises `WriteRefused`, `AnswerLost` for a write that may have arrived, else `ProviderError`.
        """
        self._sending.begin(writes=self._permit(call, url), body=body)
        place, begun = urlsplit(url).netloc, time.monotonic()
        timeout = _timeout(call, place)
        try:
            response = self._request(call.method, url, body, headers, timeout)
            answer = self._read(response)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            _note(place, begun)
            # `from None`: the cause may contain the signed address, or what the peer sent.
            raise _lost(self._sending.cause(error), call) from None
        else:
            _note(place)
            return answer
        finally:
            self._sending.answered()

    def _request(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout: urllib3.Timeout
    ) -> urllib3.BaseHTTPResponse:
        """By the connections of the one origin that there is; only a proxy needs the whole address."""
        if self._direct is None or not url.startswith(f"{self._origin}/"):
            return self._pool.request(
                method, url, body=body, headers=headers, timeout=timeout, retries=False, redirect=False,
                preload_content=False,
            )  # fmt: skip
        return self._direct.urlopen(
            method, url[len(self._origin) :], body=body, headers=headers, timeout=timeout, retries=False,
            redirect=False, preload_content=False,
        )  # fmt: skip

    def _read(self, response: urllib3.BaseHTTPResponse) -> Answer:
        """The whole answer, which came in its time; the connection is free again."""
        try:
            headers = httpx.Headers(list(response.headers.items()), encoding="latin-1")
            answer = Answer(response.status, headers, _whole(response))
            self._sending.require_time_left()
            return answer
        finally:
            response.release_conn()

    def _permit(self, call: HttpCall, url: str) -> bool:
        """Whether it writes."""
        reads = call.method == "GET" or (call.path in READING_POSTS and not call.writes)
        if self.read_only and not reads:
            message = f"This run only reads: uscdr did not send {call.method} {call.path}."
            raise WriteRefused(message, provider=PROVIDER)
        if self._record is not None:
            self._record(call.method, urlsplit(url).path, not reads)
        return not reads


class _Sending(threading.local):
    """This thread's current request, and the permission that it needs."""

    def __init__(self, leave: WriteGuard) -> None:
        self._leave = leave
        self.writes = False
        self.in_one = False
        """Whether head and body leave together: one permission, one packet for the peer to wake up for."""
        self._has_left = False
        """Whether the first part of a writing request was let go."""
        self._watch: Cut | None = None

    def begin(self, *, writes: bool, body: bytes | None) -> None:
        """Another request."""
        self.writes, self._has_left = writes, False
        self.in_one = body is not None and 0 < len(body) <= SHORT - _HEAD

    def awaits(self, connection: socket.socket | None) -> None:
        """The request was sent: the time limit of the whole answer starts now."""
        self.answered()
        if connection is not None:
            self._watch = Cut(answer_seconds(), connection)

    def require_time_left(self) -> None:
        """Raises TimeoutError when the answer is incomplete because of its time limit."""
        if self._watch is not None:
            self._watch.require_time_left()

    def cause(self, error: Exception) -> Exception:
        """The reason for a failure: a connection that this process ended itself was not cut by the peer."""
        try:
            self.require_time_left()
        except TimeoutError as ours:
            return ours
        return error

    def answered(self) -> None:
        """Stop the timer of the answer."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    @contextmanager
    def asking(self, data: object) -> Iterator[None]:
        """Around the sending of some bytes."""
        if not self.writes:
            yield
            return
        more, self._has_left = self._has_left, True
        if isinstance(data, bytes) and len(data) <= SHORT:
            with self._leave.sending(more=more):
                yield
        else:
            self._leave(more=more)
            yield


class _Begun(http.client.HTTPResponse):
    """An answer whose head, where nothing is unusual in it, is read at a quarter of the cost.

    Usual is what a service answers to a success: all of the head is there, each line is well formed, and it says how
    many bytes follow. Everything else is left to the library.
    """

    _method: str | None

    @override
    def begin(self) -> None:
        found = None if self._method == "HEAD" else _USUAL.match(self.fp.peek())
        named: list[tuple[bytes, bytes]] = [] if found is None else _HEADER.findall(found["headers"])
        sizes = [value for name, value in named if name.lower() == b"content-length"]
        odd = len(sizes) != 1 or not sizes[0].isdigit() or any(name.lower() in _UNUSUAL for name, _ in named)
        if found is None or odd:
            super().begin()
            return
        self.fp.read(found.end())
        self.version, self.code, self.status = 11, int(found["status"]), int(found["status"])
        self.reason = found["reason"].decode("ascii")
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in named:
            self.msg.set_raw(name.decode("ascii"), value.decode("ascii"))
        self.chunked, self.chunk_left, self.will_close, self.length = False, None, False, int(sizes[0])


class _Asking(urllib3.connection.HTTPConnection):
    """Asks for permission when it is open and before each part that it sends; its answers have a time limit."""

    sending: _Sending
    response_class = _Begun
    _waits = False
    """Whether what is sent now waits for the body."""
    _head = b""

    @override
    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        _connect(self)  # before: a proxy is sent a head of its own
        self._head, self._waits = b"", self.sending.in_one
        try:
            super().endheaders(message_body, encode_chunked=encode_chunked)
        finally:
            self._waits = False

    @override
    def send(self, data: Any) -> None:
        _connect(self)
        if self._waits:
            self._head += data
            return
        if self._head:
            data, self._head = self._head + data, b""
        with self.sending.asking(data):
            super().send(data)

    @override
    def getresponse(self) -> urllib3.response.HTTPResponse:  # type: ignore[override]  # as theirs
        self.sending.awaits(self.sock)
        return super().getresponse()


def _pools(to_send: _Sending) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Pools of such connections."""

    class Plain(_Asking):
        sending = to_send

    class Secure(Plain, urllib3.connection.HTTPSConnection):
        """The same over TLS."""

    class Plains(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class Secures(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": Plains, "https": Secures}


def _connect(connection: urllib3.connection.HTTPConnection) -> None:
    """Connects as `send` would, before asking for permission."""
    if connection.sock is None and connection.auto_open:
        connection.connect()


Judge = Callable[[Answer, HttpCall], None]
"""Checks an answer before the SDK does; raises for an unusable one."""


class Wire:
    """The connector that the SDK gets for one call; `judge` sees every answer."""

    def __init__(self, connection: Connection, call: HttpCall, judge: Judge) -> None:
        self._connection = connection
        self._call = call
        self._judge = judge

    def request(
        self,
        method: str,
        url: str,
        fields: None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send and judge. The call determines the method; the Admin API takes no form fields."""
        del method, fields
        answer = self._connection.send(self._call, url, body=body, headers=headers or {})
        self._judge(answer, self._call)
        return answer


def _timeout(call: HttpCall, place: str) -> urllib3.Timeout:
    """The time limit; raises ProviderError for a host that a read-only command no longer tries."""
    outages = Outages.known()
    left = READ_SECONDS + WRITE_SECONDS if outages is None else outages.left(place)
    if left <= 0:
        why = f"{call.method} {call.path}: {GIVEN_UP}."
        raise call.unanswered(provider=PROVIDER, why=why, never_arrived=True, untrusted=False, final=True)
    return urllib3.Timeout(min(CONNECT_SECONDS, left), min(WRITE_SECONDS if call.writes else READ_SECONDS, left))


def _note(place: str, begun: float | None = None) -> None:
    """Record that the host answered, or did not answer the request of `begun`."""
    outages = Outages.known()
    if outages is None:
        return
    if begun is None:
        outages.answered(place)
    else:
        outages.silent(place, begun)


def _whole(response: urllib3.BaseHTTPResponse) -> bytes:
    if response.headers.get("Content-Encoding", "").strip().lower() not in CODINGS:
        raise urllib3.exceptions.DecodeError("an unsupported compression")
    pieces, size = [], 0
    for piece in response.stream(_PIECE):
        size += len(piece)
        if size > ANSWER_BYTES:
            raise urllib3.exceptions.ProtocolError("the answer is too long")
        pieces.append(piece)
    return b"".join(pieces)


def _lost(error: Exception, call: HttpCall) -> ProviderError:
    untrusted = isinstance(error, urllib3.exceptions.SSLError) and "CERTIFICATE" in str(error).upper()
    why = f"{call.method} {call.path}: {_describe(error, untrusted=untrusted)}."
    never = isinstance(error, _NEVER_ARRIVED) or untrusted
    return call.unanswered(provider=PROVIDER, why=why, never_arrived=never, untrusted=untrusted)


def _describe(error: Exception, *, untrusted: bool) -> str:
    if untrusted:
        return "the certificate is not trusted"
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "the connection failed")


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "the answer is too long"),
    (urllib3.exceptions.ConnectTimeoutError, "no connection within the time limit"),
    (urllib3.exceptions.TimeoutError, "no answer within the time limit"),
    (urllib3.exceptions.ProxyError, "the proxy refused the connection"),
    (urllib3.exceptions.NewConnectionError, "no connection"),
    (urllib3.exceptions.IncompleteRead, "the answer was incomplete"),
    (urllib3.exceptions.DecodeError, "uscdr could not decompress the answer"),
    (urllib3.exceptions.ProtocolError, "the connection was cut while waiting for the answer"),
    (urllib3.exceptions.SSLError, "the TLS connection failed"),
)
