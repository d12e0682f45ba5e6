"""The `Deploys` port on Heroku's Platform API (v3)."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import httpx
from pydantic import SecretStr

from uscdr.errors import AnswerLost, Interrupted, MachineError, ProviderError, RateLimited
from uscdr.models.heroku import Build
from uscdr.providers.heroku import decode
from uscdr.providers.heroku.client import PROVIDER, HerokuCall, HerokuClient
from uscdr.providers.http.client import is_private, segment
from uscdr.providers.http.exchange import NetworkFailure
from uscdr.providers.http.json import JsonObject, about
from uscdr.providers.http.refusal import may_pass
from uscdr.providers.http.transport import open_client
from uscdr.words import duration, plural

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from uscdr.models.heroku import Release
    from uscdr.models.migrations import SourceArchive

# A build from an archive: get an upload address, upload, and build the uploaded archive.


CHECKSUM = "SHA256:"
_CHUNK = 256 * 1024
_NOT_BUILT = "No build was started. Resume the run: uscdr runs resume"


def _start(client: HerokuClient, app: str, archive: SourceArchive) -> Build:
    """`POST /sources`, `PUT` of the archive, `POST /apps/{app}/builds` (write, findable).

    Raises `AnswerLost` when the build may have started. A failed upload starts no build and raises a plain
    `ProviderError`. Raises `MachineError` for an archive that cannot be read or has changed.
    """
    put_url, get_url = client.patience.call(lambda: _address(client), writes=False)
    client.patience.call(lambda: _upload(client, put_url, archive), writes=True)
    blob = {"url": get_url.get_secret_value(), "version": archive.commit, "checksum": f"{CHECKSUM}{archive.sha256}"}
    path, body = f"/apps/{segment(app)}/builds", {"source_blob": blob}
    ask = HerokuCall("start a build", "POST", path, writes=True, body=body, hide=(get_url, put_url))
    return client.ask(ask, _build)


def _address(client: HerokuClient) -> tuple[SecretStr, SecretStr]:
    """An unused upload address does no harm, so a lost answer is requested again."""
    try:
        return client.once(HerokuCall("open an upload", "POST", "/sources", writes=True), _upload_addresses)[0]
    except AnswerLost as error:
        raise _build_failed(error.why.rstrip("."), retryable=True, status=error.status) from None


def _upload(client: HerokuClient, put_url: SecretStr, archive: SourceArchive) -> None:
    url = put_url.get_secret_value()
    if not is_private(url):
        raise _build_failed("the address is not https", retryable=False)
    try:
        with (
            Path(archive.path).open("rb") as file,
            # Sent without the token: storage refuses a second credential beside the signed address.
            open_client(
                url,
                provider=PROVIDER,
                verify=client.verify,
                read_only=client.read_only,
                record=client.record,
                for_writes=True,
                leave=client.leave,
            ) as http,
        ):
            _put(http, url, _pieces(file, archive, client.patience.stop), archive.size)
    except OSError as error:
        raise MachineError(
            f"uscdr could not read {archive.path}.", why=f"{error.strerror}.", next_action=_NOT_BUILT
        ) from error


def _put(http: httpx.Client, url: str, pieces: Iterator[bytes], size: int) -> None:
    """One `PUT` with the exact length and no content type, as the address was signed."""
    try:
        response = http.put(url, content=pieces, headers={"Content-Length": str(size)})
    except httpx.HTTPError as error:
        failure = NetworkFailure(error)
        raise _build_failed(failure.words, retryable=not failure.is_untrusted, sent=not failure.never_arrived) from None
    _accept(response)


def _accept(response: httpx.Response) -> None:
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        message = f"{PROVIDER}'s storage refused the upload for now."
        raise RateLimited(message, provider=PROVIDER, status=status, next_action=_NOT_BUILT)
    if not response.is_success:
        raise _build_failed(f"storage answered {status}", retryable=may_pass(status), status=status)


def _pieces(file: BinaryIO, archive: SourceArchive, stop: threading.Event) -> Iterator[bytes]:
    """The file, which must still have its packed size: a wrong length would corrupt the upload."""
    sent = 0
    while chunk := file.read(_CHUNK):
        if stop.is_set():
            raise Interrupted("Interrupted during the upload of the source; no build was started.")
        sent += len(chunk)
        if sent > archive.size:
            break
        yield chunk
    if sent != archive.size:
        raise MachineError(
            f"{archive.path} has changed since it was packed.",
            why=f"It should have {plural(archive.size, 'byte')}.",
            next_action="Pack the source again.",
        )


def _build_failed(why: str, *, retryable: bool, sent: bool = True, status: int | None = None) -> ProviderError:
    return ProviderError(
        "uscdr could not upload the source archive.",
        provider=PROVIDER,
        why=f"Upload: {why}.",
        next_action=_NOT_BUILT,
        status=status,
        retryable=retryable,
        sent=sent,
    )


# Follows the output of a build or a release phase: growing text, resumed where the connection was cut.


IDLE_SECONDS = 900.0
"""Seconds without a byte before giving up. Heroku ends a build after 15 minutes."""
GLANCE_SECONDS = 3.0
"""Seconds between reconnections of a silent stream, to notice a stop or a dead connection."""
LONGEST_LINE = 16 * 1024


@dataclass
class _OutputReader:
    """The position in the output, in bytes, and the current incomplete line."""

    on_line: Callable[[str], None]
    position: int = 0
    rest: bytes = field(default=b"", repr=False)
    heard: float = field(default_factory=time.monotonic)

    def take(self, chunk: bytes) -> None:
        """Pass on complete lines; an endless line is passed on in pieces."""
        self.position += len(chunk)
        self.heard = time.monotonic()
        *whole, self.rest = (self.rest + chunk).split(b"\n")
        for line in whole:
            self._tell(line)
        while len(self.rest) > LONGEST_LINE:
            self._tell(self.rest[:LONGEST_LINE])
            self.rest = self.rest[LONGEST_LINE:]

    def end(self) -> None:
        """Pass on a last line without a line end."""
        if self.rest:
            self._tell(self.rest)
        self.rest = b""

    def _tell(self, line: bytes) -> None:
        self.on_line(line.removesuffix(b"\r").decode("utf-8", "replace"))


def _follow_output(
    client: HerokuClient, url: str, on_line: Callable[[str], None], *, idle: float = IDLE_SECONDS
) -> None:
    """`GET` of an `output_stream_url` until it ends, `Range: bytes=N-` after a cut.

    Raises `ProviderError` when it stays unreachable or silent for `idle` seconds, and `Interrupted` when stopped.
    """
    if not is_private(url):
        raise _stream_failed("the stream's address is not https", retryable=False)
    reader = _OutputReader(on_line)
    with open_client(url, provider=PROVIDER, verify=client.verify, read_only=True, record=client.record) as http:
        while not client.patience.call(lambda: _some(client, http, url, reader), writes=False):
            if time.monotonic() - reader.heard > idle:
                raise _stream_failed(f"no output for {duration(idle)}", retryable=False)
    reader.end()


def _some(client: HerokuClient, http: httpx.Client, url: str, reader: _OutputReader) -> bool:
    """Read more; whether the stream has ended. A connection that ends without new output raises a retryable error."""
    before = reader.position
    try:
        with http.stream("GET", url, headers=_headers(before), timeout=_patient()) as response:
            if _is_over(response, before):
                return True
            for chunk in _after(response, before):
                reader.take(chunk)
                _heed_stop(client)
    except httpx.ReadTimeout:
        _heed_stop(client)
        return False
    except httpx.HTTPError as error:
        _heed_stop(client)
        if reader.position > before:
            return False
        failure = NetworkFailure(error)
        raise _stream_failed(failure.words, retryable=not failure.is_untrusted) from None
    return True


def _headers(position: int) -> dict[str, str]:
    # Compressed bytes could not be counted.
    headers = {"Accept": "text/plain", "Accept-Encoding": "identity"}
    return headers | {"Range": f"bytes={position}-"} if position else headers


def _patient() -> httpx.Timeout:
    return httpx.Timeout(10.0, read=GLANCE_SECONDS)


def _is_over(response: httpx.Response, position: int) -> bool:
    """Whether there is nothing after `position`; any answer without text raises."""
    status = response.status_code
    if position and status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        return True
    if status in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        return False
    # 404: Heroku gives the address before the first line exists.
    passing = status == httpx.codes.NOT_FOUND or may_pass(status)
    raise _stream_failed(f"the stream answered {status}", retryable=passing)


def _after(response: httpx.Response, position: int) -> Iterator[bytes]:
    """The bytes after `position`; an answer that ignores the range starts at the first byte."""
    skip = 0 if response.status_code == httpx.codes.PARTIAL_CONTENT else position
    for chunk in response.iter_raw():
        yield chunk[skip:]
        skip = max(0, skip - len(chunk))


def _heed_stop(client: HerokuClient) -> None:
    if client.patience.stop.is_set():
        raise Interrupted("Interrupted while following the output; the build or release continues on Heroku.")


def _stream_failed(why: str, *, retryable: bool) -> ProviderError:
    return ProviderError(
        f"{PROVIDER} did not return the output.",
        provider=PROVIDER,
        why=f"Output stream: {why}.",
        next_action="Check the build or release in the dashboard, under Activity.",
        retryable=retryable,
    )


NEWEST = "started_at ..; max=100, order=desc"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class HerokuDeploys:
    """Builds and releases on Heroku; each method implements `ports.Deploys`.

    `idle` is the number of silent seconds that `follow` accepts.
    """

    def __init__(self, client: HerokuClient, *, idle: float = IDLE_SECONDS) -> None:
        self._client = client
        self._idle = idle

    def release(self, app: str, ref: str) -> Release:
        """`GET /apps/{app}/releases/{ref}`; `ref` is an id, `12` or `v12`."""
        return self._client.ask(_describe_release(app, ref), about(ref.removeprefix("v"), decode.release, _names))

    def rollback(self, app: str, release_id: str) -> Release:
        """`POST /apps/{app}/releases` with `release` (write, findable)."""
        path, body = f"/apps/{segment(app)}/releases", {"release": release_id}
        ask = HerokuCall("roll back", "POST", path, writes=True, body=body, sdk=True)
        return self._client.ask(ask, decode.release)

    def builds(self, app: str) -> tuple[Build, ...]:
        """`GET /apps/{app}/builds`: the newest hundred, newest first."""
        ask = HerokuCall("list the builds", "GET", f"/apps/{segment(app)}/builds", range_=NEWEST)
        found = self._client.page(ask, _build)
        return tuple(sorted(found, key=lambda build: build.created_at or _LONG_AGO, reverse=True))

    def build(self, app: str, build_id: str) -> Build:
        """`GET /apps/{app}/builds/{build_id}`."""
        path = f"/apps/{segment(app)}/builds/{segment(build_id)}"
        return self._client.ask(
            HerokuCall("describe the build", "GET", path), about(build_id, _build, lambda one: (one.id,))
        )

    def start_build(self, app: str, archive: SourceArchive) -> Build:
        """`POST /sources`, `PUT` of the archive, `POST /apps/{app}/builds` (write, findable)."""
        return _start(self._client, app, archive)

    def follow(self, url: str, on_line: Callable[[str], None]) -> None:
        """`GET` of an `output_stream_url` to its end, resumed where it is cut."""
        _follow_output(self._client, url, on_line, idle=self._idle)

    def release_output(self, app: str, ref: str) -> str | None:
        """`output_stream_url` of `GET /apps/{app}/releases/{ref}`."""
        return self._client.ask(_describe_release(app, ref), _output_stream)


def _names(found: Release) -> tuple[object, ...]:
    return found.id, found.version


def _describe_release(app: str, ref: str) -> HerokuCall:
    number = re.fullmatch(r"v(\d+)", ref)
    path = f"/apps/{segment(app)}/releases/{segment(number[1] if number else ref)}"
    return HerokuCall(f"describe release {ref}", "GET", path, sdk=True)


def _build(body: object) -> Build:
    """One item of `GET /apps/{app}/builds`."""
    source = JsonObject.of(body)
    blob = source.nested("source_blob")
    return Build(
        id=source.text("id"),
        status=source.text("status"),
        commit=blob.optional_text("version"),
        checksum=blob.optional_text("checksum"),
        created_at=source.optional_moment("created_at"),
        slug_id=source.nested("slug").optional_text("id") or None,
        release_id=source.nested("release").optional_text("id") or None,
        output_url=source.optional_web_address("output_stream_url") or None,
    )


def _output_stream(body: object) -> str | None:
    """Where a release's output is streamed; null when it has no release phase."""
    return JsonObject.of(body).optional_web_address("output_stream_url") or None


def _upload_addresses(body: object) -> tuple[SecretStr, SecretStr]:
    """`POST /sources`: the upload address and the address that the build reads. Both are secrets: they grant access."""
    source = JsonObject.of(body).nested("source_blob")
    return SecretStr(source.web_address("put_url")), SecretStr(source.web_address("get_url"))
