"""Running a command in an attached one-off dyno, to its end and exit status."""

from __future__ import annotations

import codecs
import math
import re
import socket
import ssl
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.errors import AnswerLost, Interrupted, NotFound, ProviderError
from uscdr.models.heroku import Dyno, OneOffResult
from uscdr.providers.heroku.client import PROVIDER, HerokuCall, HerokuClient
from uscdr.providers.http.client import segment
from uscdr.providers.http.exchange import LOOK_FIRST
from uscdr.providers.http.json import JsonObject
from uscdr.spent import WATCH
from uscdr.words import duration
from uscdr.write_guard import ANYHOW, WriteGuard

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator

# Listing and stopping dynos.


def running(client: HerokuClient, app: str) -> tuple[Dyno, ...]:
    """`GET /apps/{app}/dynos`: every dyno that exists now, by name."""
    ask = HerokuCall("list the dynos", "GET", f"/apps/{segment(app)}/dynos", sdk=True, range_="id ..; max=1000")
    return tuple(sorted(client.pages(ask, _dyno), key=lambda dyno: dyno.name))


def stop(client: HerokuClient, app: str, name: str) -> None:
    """`POST /apps/{app}/dynos/{name}/actions/stop` (write). A dyno that no longer exists is not an error."""
    path = f"/apps/{segment(app)}/dynos/{segment(name)}/actions/stop"
    try:
        client.ask(HerokuCall(f"stop dyno {name}", "POST", path, writes=True), JsonObject.of)
    except NotFound:
        # The app may be missing, or Heroku may be wrong: check the list of dynos.
        if any(dyno.name == name for dyno in running(client, app)):
            raise


# Finds the exit status in a dyno's output: the shell prints a marker after the command.


MARK = "\uffff heroku-command-exit-status: "
_WHOLE = re.compile(re.escape(MARK) + r"([0-9]{1,3})\n")
_BEGUN = re.compile(re.escape(MARK) + r"[0-9]{0,3}")


def _with_mark(command: str) -> str:
    """`command` in a subshell, so that its own `exit` does not skip the marker, and with an empty stdin.

    A command that asks a question then fails at once; otherwise it would hang until the time limit.
    """
    return f'({command}) </dev/null ; echo "{MARK}$?"'


class _ExitMark:
    """Splits a byte stream into output and exit status, wherever the chunks end.

    Terminal line ends become plain ones. A marker without its line end does not count: digits may be missing.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._held = ""
        self.exit_status: int | None = None

    def feed(self, received: bytes) -> str:
        """Take bytes and return the output they complete; nothing after the marker."""
        if self.exit_status is not None:
            return ""
        self._held = (self._held + self._decode(received)).replace("\r\n", "\n")
        whole = _WHOLE.search(self._held)
        if whole:
            self.exit_status = int(whole[1])
            return self._release(whole.start())
        return self._release(_safe_end(self._held))

    def finish(self) -> str:
        """The output held back until the stream ended."""
        return "" if self.exit_status is not None else self._release(len(self._held))

    def _release(self, end: int) -> str:
        output, self._held = self._held[:end], self._held[end:]
        return output


def _safe_end(text: str) -> int:
    """The length of `text` that cannot be part of an incomplete marker or line end."""
    start = text.rfind(MARK[0])
    if start >= 0 and _may_become_mark(text[start:]):
        return start
    return len(text) - 1 if text.endswith("\r") else len(text)


def _may_become_mark(tail: str) -> bool:
    tail = tail.removesuffix("\r")
    return MARK.startswith(tail) or _BEGUN.fullmatch(tail) is not None


# The raw TLS connection to an attached dyno.


BANNER = b"rendezvous"
_CONNECT_SECONDS = 10.0
_LOOK_UP_SECONDS = 0.5
"""Seconds between checks of the deadline and the stop token on a silent connection."""
_CHUNK = 65536


class _TimeLimitReached(Exception):
    """The deadline passed before the process ended."""


class _Deadline:
    """A point in time, `seconds` from now on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; `TimeLimitReached` when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise _TimeLimitReached
        return left


def _connect(url: SecretStr, verify: ssl.SSLContext, deadline: _Deadline) -> ssl.SSLSocket:
    """Open the TLS connection. The secret is not sent yet, so this may be repeated.

    Raises `ProviderError` with `sent=False`.
    """
    host, port = _address(url)
    limit = min(_CONNECT_SECONDS, deadline.left())
    try:
        plain = socket.create_connection((host, port), timeout=limit)
    except OSError as error:
        raise _unreachable(error.strerror or "no connection within the time limit", retryable=True) from None
    _keep_alive(plain)
    try:
        return verify.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        why = f"the certificate is not trusted ({error.verify_message})"
        raise _unreachable(why, retryable=False) from None
    except OSError:
        plain.close()
        raise _unreachable("the TLS connection failed", retryable=True) from None


def _keep_alive(plain: socket.socket) -> None:
    """Keep-alive: a router must not drop the connection of a long silent command, and a dead one must be noticed."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10)):
        if hasattr(socket, option):
            plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)


def _stream(
    connection: ssl.SSLSocket, url: SecretStr, deadline: _Deadline, stop: threading.Event, leave: WriteGuard = ANYHOW
) -> Generator[bytes, None, None]:
    """Send the secret, skip the banner, and yield the process's output until the connection ends.

    A broken connection ends the stream like a closed one: the exit marker tells them apart.
    """
    connection.settimeout(_LOOK_UP_SECONDS)
    try:
        with leave.sending():  # the command runs once the secret is sent
            connection.sendall(_secret(url) + b"\r\n")
        received = _received(connection, deadline, stop)
        yield _after_banner(received)
        yield from received
    except OSError:
        return


def _received(connection: ssl.SSLSocket, deadline: _Deadline, stop: threading.Event) -> Iterator[bytes]:
    while True:
        deadline.left()
        if stop.is_set():
            raise Interrupted("Interrupted while a one-off dyno was running.")
        try:
            with WATCH.provider():
                chunk = connection.recv(_CHUNK)
        except TimeoutError:
            continue
        if not chunk:
            return
        yield chunk


def _after_banner(received: Iterator[bytes]) -> bytes:
    """The bytes after the banner's line; all of them when there was no banner."""
    start = b""
    for chunk in received:
        start += chunk
        line, end, rest = start.partition(b"\n")
        if not BANNER.startswith(line.rstrip(b"\r")[: len(BANNER)]):
            return start
        if end:
            return rest
    return b""


def _address(url: SecretStr) -> tuple[str, int]:
    try:
        parts = urlsplit(url.get_secret_value())
        host, port = parts.hostname, parts.port or 5000
    except ValueError:
        raise _unreachable("the address is malformed", retryable=False) from None
    if parts.scheme != "rendezvous" or not host:
        raise _unreachable("the app runs in a private space, which is not supported", retryable=False)
    return host, port


def _secret(url: SecretStr) -> bytes:
    parts = urlsplit(url.get_secret_value())
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.path.removeprefix('/')}{query}".encode()


def _unreachable(why: str, *, retryable: bool) -> ProviderError:
    return ProviderError(
        "uscdr could not reach the one-off dyno's terminal.",
        provider=PROVIDER,
        why=f"Rendezvous: {why}.",
        next_action="Allow outgoing TLS to port 5000. If this network inspects TLS, check `ca_file`.",
        retryable=retryable,
        sent=False,
    )


LONGEST = 86400
"""Seconds; Heroku's own limit for a one-off dyno."""
KEPT_CHARACTERS = 4 * 1024 * 1024
"""Only the end of the output is kept: a runaway command must not fill the memory."""


@dataclass(frozen=True)
class OneOffJob:
    """The command, its app, its limit of `time_limit` seconds, and the callback for its start."""

    app: str
    command: str
    time_limit: float
    on_started: Callable[[str], None]
    on_output: Callable[[str], None]

    def run(self, client: HerokuClient) -> OneOffResult:
        """Start, attach, wait. After any failure following the start, the dyno is stopped."""
        deadline = _Deadline(self.time_limit)
        started = client.ask(_start(self), _started)
        try:
            self.on_started(started.name)
            return _attend(client, self, started, deadline)
        except _TimeLimitReached:
            raise _time_limit(self, started.name, stopped=_stop(client, self.app, started.name)) from None
        except ProviderError as error:
            _stop(client, self.app, started.name)
            raise _not_attached(started.name, error) from error
        except BaseException:
            # Also after the operator's interrupt: otherwise nobody sees how the command ends.
            _stop(client, self.app, started.name)
            raise


@dataclass(frozen=True)
class _StartedDyno:
    """An accepted one-off dyno. `terminal` is a secret: it allows anyone to attach."""

    name: str
    terminal: SecretStr


def _start(job: OneOffJob) -> HerokuCall:
    body = {
        "attach": True,
        "command": _with_mark(job.command),
        "env": {"TERM": "dumb"},
        "time_to_live": min(max(math.ceil(job.time_limit), 1), LONGEST),
    }
    path = f"/apps/{segment(job.app)}/dynos"
    return HerokuCall("run a one-off dyno", "POST", path, writes=True, body=body, sdk=True)


def _started(body: object) -> _StartedDyno:
    source = JsonObject.of(body)
    return _StartedDyno(source.text("name"), SecretStr(source.optional_text("attach_url")))


def _attend(client: HerokuClient, job: OneOffJob, started: _StartedDyno, deadline: _Deadline) -> OneOffResult:
    url = started.terminal
    patience = client.patience
    connection = patience.call(lambda: _connect(url, client.verify, deadline), writes=True)
    mark, output = _ExitMark(), ""
    with connection, closing(_stream(connection, url, deadline, patience.stop, client.leave)) as chunks:
        for chunk in chunks:
            output = _keep(output, mark.feed(chunk), job)
            if mark.exit_status is not None:
                break
    output = _keep(output, mark.finish(), job)
    return OneOffResult(name=started.name, exit_status=mark.exit_status, output=output)


def _keep(output: str, new: str, job: OneOffJob) -> str:
    if new:
        job.on_output(new)
    return (output + new)[-KEPT_CHARACTERS:]


def _stop(client: HerokuClient, app: str, name: str) -> bool:
    """Whether Heroku accepted the request to stop the dyno."""
    try:
        stop(client, app, name)
    except ProviderError:
        return False
    return True


def _time_limit(job: OneOffJob, name: str, *, stopped: bool) -> ProviderError:
    message = f"The one-off dyno {name} reached its time limit of {duration(job.time_limit)}"
    if stopped:
        action = "Check how far it got with `heroku logs`, then decide whether to run it again."
        return ProviderError(f"{message}; uscdr stopped it.", provider=PROVIDER, next_action=action)
    action = f"Stop it with `heroku ps:stop {name} --app {job.app}`, then check how far it got with `heroku logs`."
    return AnswerLost(f"{message}; it may still be running.", provider=PROVIDER, next_action=action)


def _not_attached(name: str, error: ProviderError) -> AnswerLost:
    return AnswerLost(
        f"Heroku started the one-off dyno {name}, but uscdr could not attach to it; its command may have run.",
        provider=PROVIDER,
        why=error.why,
        next_action=LOOK_FIRST,
        request_id=error.request_id,
    )


def _dyno(body: object) -> Dyno:
    """One item of `GET /apps/{app}/dynos`."""
    source = JsonObject.of(body)
    return Dyno(
        id=source.optional_text("id"),
        name=source.text("name"),
        type=source.text("type"),
        state=source.text("state"),
        size=source.optional_text("size"),
        command=source.optional_text("command"),
        release_version=source.nested("release").optional_number("version"),
        created_at=source.optional_moment("created_at"),
        updated_at=source.optional_moment("updated_at"),
    )
