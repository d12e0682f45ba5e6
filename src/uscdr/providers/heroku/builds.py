"""A build from an archive: an upload address, the upload, and the build of what lies there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import httpx
from pydantic import SecretStr

from uscdr.errors import AnswerLost, Interrupted, MachineError, ProviderError, RateLimited
from uscdr.models.provision import Build, SourceArchive
from uscdr.providers.exchange import describe, is_untrusted, never_arrived
from uscdr.providers.heroku import decode
from uscdr.providers.heroku.client import Ask, HerokuClient
from uscdr.providers.heroku.errors import PROVIDER
from uscdr.providers.http import is_private, open_client, segment
from uscdr.providers.refusal import may_pass

CHECKSUM = "SHA256:"
_CHUNK = 256 * 1024
_NOT_BUILT = "No build was started: go on with `uscdr runs resume`."


def start(client: HerokuClient, app: str, archive: SourceArchive) -> Build:
    """`POST /sources`, `PUT` of the archive, `POST /apps/{app}/builds` (write, findable).

    `AnswerLost` when the build may have been made; a failed upload starts no build and
    is a plain `ProviderError`. `MachineError` for an archive that cannot be read or has changed.
    """
    put_url, get_url = client.patience.call(lambda: _address(client), writes=False)
    client.patience.call(lambda: _upload(client, put_url, archive), writes=True)
    blob = {
        "url": get_url.get_secret_value(),
        "version": archive.commit,
        "checksum": f"{CHECKSUM}{archive.sha256}",
    }
    path, body = f"/apps/{segment(app)}/builds", {"source_blob": blob}
    ask = Ask("start a build", "POST", path, writes=True, body=body, hide=(get_url, put_url))
    return client.ask(ask, decode.build)


def _address(client: HerokuClient) -> tuple[SecretStr, SecretStr]:
    """An address that nobody uses does no harm: a lost one is asked for again."""
    try:
        return client.once(Ask("open an upload", "POST", "/sources", writes=True), decode.source_blob)[0]
    except AnswerLost as error:
        raise _failed(error.why.rstrip("."), retryable=True, status=error.status) from None


def _upload(client: HerokuClient, put_url: SecretStr, archive: SourceArchive) -> None:
    url = put_url.get_secret_value()
    if not is_private(url):
        raise _failed("the address is not https", retryable=False)
    try:
        with (
            Path(archive.path).open("rb") as file,
            # Opened without the token: storage refuses a second permission beside the signed address.
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
            f"{archive.path} could not be read.", why=f"{error.strerror}.", next_action=_NOT_BUILT
        ) from error


def _put(http: httpx.Client, url: str, pieces: Iterator[bytes], size: int) -> None:
    """One `PUT` with the exact length and no content type, as the address was signed."""
    try:
        response = http.put(url, content=pieces, headers={"Content-Length": str(size)})
    except httpx.HTTPError as error:
        raise _failed(describe(error), retryable=not is_untrusted(error), sent=not never_arrived(error)) from None
    _accept(response)


def _accept(response: httpx.Response) -> None:
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        message = f"{PROVIDER}'s storage takes no upload for now."
        raise RateLimited(message, provider=PROVIDER, status=status, next_action=_NOT_BUILT)
    if not response.is_success:
        raise _failed(f"storage answered {status}", retryable=may_pass(status), status=status)


def _pieces(file: BinaryIO, archive: SourceArchive, stop: threading.Event) -> Iterator[bytes]:
    """The file, which must have the size it was packed with: a wrong length would end in a strange place."""
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
            why=f"It should have {archive.size} bytes.",
            next_action="Pack the source again.",
        )


def _failed(why: str, *, retryable: bool, sent: bool = True, status: int | None = None) -> ProviderError:
    return ProviderError(
        "The source archive could not be uploaded.",
        provider=PROVIDER,
        why=f"Upload: {why}.",
        next_action=_NOT_BUILT,
        status=status,
        retryable=retryable,
        sent=sent,
    )
