"""Adapter of the port `Media` on one Cloudinary cloud."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Self, TypeVar, Unpack
from urllib.parse import quote

import httpx

from uscdr.errors import BadInput, CredentialsRefused, Interrupted, MachineError, NotFound, ProviderError, RateLimited
from uscdr.files import opened
from uscdr.models.media import (
    DELIVERIES,
    Access,
    AccessRule,
    Asset,
    AssetDetails,
    AssetKey,
    MediaAccount,
    MediaDownload,
    MediaUsage,
    Quota,
    RestoredAsset,
)
from uscdr.providers.cloudinary import decode
from uscdr.providers.cloudinary.client import CloudinaryCall, CloudinaryClient, UploadPart
from uscdr.providers.cloudinary.decode import CREDENTIALS, PROVIDER, RATE_LIMITED
from uscdr.providers.http.client import ClientOptions, patience, require_private, trust
from uscdr.providers.http.download import DownloadOrigin, require_new, write
from uscdr.providers.http.exchange import Pages
from uscdr.providers.http.json import JsonObject, ShapeError
from uscdr.providers.http.refusal import may_pass
from uscdr.providers.http.transport import open_client
from uscdr.providers.ports.media import LOOKUP_BATCH, PAGE, RESTORE_BATCH, Delivered
from uscdr.write_guard import ANYHOW

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.models.data_settings import ResourceType
    from uscdr.providers.ports.progress import Progress

T = TypeVar("T")
SEARCH = "/resources/search"
DESCRIBED: Mapping[str, object] = {"tags": True, "context": True, "metadata": True}
"""Fields that a listing returns only on request."""
MAX_PAGES = 4000


class CloudinaryMedia:
    """One cloud; `close()` it, or use it as a context manager. Thread-safe.

    `api_url` and `delivery_url` are base addresses (https, or http on this machine); `ca_file` is trusted beside
    the usual authorities. With `read_only` every write is refused before anything is sent. Raises `ConfigError` for an
    unencrypted address, or when the SDK does not load.
    """

    def __init__(
        self, account: MediaAccount, *, api_url: str, delivery_url: str, **wiring: Unpack[ClientOptions]
    ) -> None:
        from uscdr.providers.cloudinary.client import load_sdk
        from uscdr.providers.cloudinary.connection import Connection

        load_sdk()
        verify, read_only, record = trust(wiring.get("ca_file")), wiring["read_only"], wiring.get("record")
        self._patience = patience(wiring)
        self._connection = Connection(
            api_url, verify=verify, read_only=read_only, record=record, leave=wiring.get("leave", ANYHOW),
        )  # fmt: skip
        self._client = CloudinaryClient(account, api_url, self._connection, self._patience)
        self._delivery = require_private(delivery_url, "The media delivery address").rstrip("/")
        self._secure = self._delivery.startswith("https")
        self._http: httpx.Client = open_client(self._delivery, provider=PROVIDER, verify=verify, read_only=True)
        self._api_http: httpx.Client = open_client(api_url, provider=PROVIDER, verify=verify, read_only=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._connection.close()
        self._http.close()
        self._api_http.close()

    @property
    def cloud(self) -> str:
        """Its name."""
        return self._client.account.cloud

    @property
    def quota(self) -> Quota | None:
        """The last reading of the hourly allowance (`X-FeatureRateLimit-*`)."""
        return self._client.quota

    def ping(self) -> None:
        """`GET /ping`."""
        self._client.ask(CloudinaryCall("answer a ping", "GET", "/ping", ("ping",)), lambda _: None)

    def usage(self) -> MediaUsage:
        """`GET /usage`."""
        found = self._client.ask(CloudinaryCall("report its usage", "GET", "/usage", ("usage",)), decode.usage)
        return found.model_copy(update={"quota": self.quota})

    def list_assets(self, resource_type: ResourceType, *, access: bool = True) -> Iterator[tuple[Asset, ...]]:
        """`GET /resources/{type}/{delivery}` and `POST /resources/search`, pages followed by `next_cursor`."""
        if not access:
            # Whoever wants no access may want no more than the newest files.
            yield from chain.from_iterable(self._listing(resource_type, delivery) for delivery in DELIVERIES)
            return
        with ThreadPoolExecutor(max_workers=len(DELIVERIES) + 1) as pool:
            asked = pool.submit(self.access_of, resource_type)
            coming = self._coming(resource_type, pool)
            told = asked.result()
            for rows in coming:
                yield tuple(row.model_copy(update={"access": row.access or told.get(row.key)}) for row in rows)

    def listing(self, resource_type: ResourceType) -> Iterator[tuple[Asset, ...]]:
        """`GET /resources/{type}/{delivery}`: each next page of each delivery type is asked for ahead."""
        with ThreadPoolExecutor(max_workers=len(DELIVERIES)) as pool:
            yield from self._coming(resource_type, pool)

    def _coming(self, resource_type: ResourceType, pool: ThreadPoolExecutor) -> Iterator[tuple[Asset, ...]]:
        """The pages of all delivery types; the first of each is asked for now."""
        return chain.from_iterable([_ahead(self._listing(resource_type, delivery), pool) for delivery in DELIVERIES])

    def _listing(self, resource_type: ResourceType, delivery: str) -> Iterator[tuple[Asset, ...]]:
        path = ("resources", resource_type, delivery)
        first = CloudinaryCall("list the files", "GET", "/" + "/".join(path), path, {"max_results": PAGE, **DESCRIBED})
        return self._pages(first, lambda body: decode.page(body, secure=self._secure))

    def access_of(self, resource_type: ResourceType) -> Mapping[AssetKey, Access]:
        """`POST /resources/search`: a listing has only a part of the access, a search has all."""
        wanted = {"expression": f"resource_type:{resource_type}", "max_results": PAGE}
        first = CloudinaryCall("list who has access to the files", "POST", SEARCH, ("resources", "search"), wanted)
        told: dict[AssetKey, Access] = {}
        try:
            for page in self._pages(first, decode.access):
                told |= page
        except RateLimited:
            raise
        except ProviderError:
            return {}
        return told

    def _pages(self, first: CloudinaryCall, read: Callable[[object], tuple[T, str]]) -> Iterator[T]:
        ask, pages = first, Pages(MAX_PAGES)
        while True:
            found, cursor = self._client.ask(ask, read)
            yield found
            if not cursor:
                return
            if not pages.go_on(cursor, found):
                raise _endless()
            ask = replace(first, params={**first.params, "next_cursor": cursor})

    def look_up(self, keys: Sequence[AssetKey]) -> Mapping[AssetKey, Asset]:
        """`GET /resources/{type}/{delivery}?public_ids[]=…`."""
        found: dict[AssetKey, Asset] = {}
        for kind, batch in _alike(keys, LOOKUP_BATCH):
            path = ("resources", kind.resource_type, kind.delivery)
            params = {"public_ids": [key.public_id for key in batch], "max_results": LOOKUP_BATCH, **DESCRIBED}
            ask = CloudinaryCall("look up named files", "GET", "/" + "/".join(path), path, params)
            rows, _ = self._client.ask(ask, lambda body: decode.page(body, secure=self._secure))
            found |= {row.key: row for row in rows}
        return found

    def details(self, key: AssetKey) -> AssetDetails:
        """`GET /resources/{type}/{delivery}/{public_id}?versions=true`."""
        path = ("resources", key.resource_type, key.delivery)
        ask = CloudinaryCall(
            "describe a file", "GET", "/" + "/".join((*path, "…")), (*path, key.public_id), {"versions": True}
        )
        return self._client.ask(ask, lambda body: decode.details(body, secure=self._secure))

    def restore(self, keys: Sequence[AssetKey], versions: Sequence[str] | None = None) -> tuple[RestoredAsset, ...]:
        """`POST /resources/{type}/{delivery}/restore`."""
        if not keys:
            return ()
        kinds = {(key.resource_type, key.delivery) for key in keys}
        if len(kinds) != 1 or len(keys) > RESTORE_BATCH or (versions is not None and len(versions) != len(keys)):
            raise BadInput(f"A restore accepts up to {RESTORE_BATCH} files of one kind, each with its version.")
        path = ("resources", *next(iter(kinds)), "restore")
        body: dict[str, object] = {"public_ids": [key.public_id for key in keys]}
        if versions is not None:
            body["versions"] = list(versions)
        ask = CloudinaryCall("restore files from its backup", "POST", "/" + "/".join(path), path, body, writes=True)
        return self._client.ask(ask, lambda answer: decode.restored(answer, keys, secure=self._secure))

    def upload(self, key: AssetKey, file: Path | bytes, *, like: Asset | None = None) -> Asset:
        """`POST /{type}/upload`, in chunks when it is large."""
        return _upload(self._client, key, file, like)

    def set_access(self, key: AssetKey, access: Access) -> None:
        """`POST /resources/{type}/{delivery}/{public_id}`, or `…/update_access_mode` for the older switch."""
        path = ("resources", key.resource_type, key.delivery)
        rules = json.dumps(_access_options(access)["access_control"]) if access.rules else "[]"
        shown = "/" + "/".join((*path, "…"))
        ask = CloudinaryCall(
            "change the access to a file", "POST", shown, (*path, key.public_id), {"access_control": rules}, writes=True
        )
        self._client.ask(ask, lambda _: None)
        if access.rules:
            return
        body = {"public_ids": [key.public_id], "access_mode": access.mode}
        mode = CloudinaryCall(
            "change the access to a file", "POST", shown, (*path, "update_access_mode"), body, writes=True
        )
        self._client.ask(mode, lambda _: None)

    def delivery_url(self, key: AssetKey, *, format: str = "") -> str:  # noqa: A002 - the service's own word
        """`{delivery}/{cloud}/{type}/{delivery type}/{public id}[.format]`."""
        return self._address(key, format, version=0)

    def download(self, asset: Asset, destination: Path, progress: Progress | None = None) -> MediaDownload:
        """The delivery address of this version; for a restricted asset a signed `GET /{type}/download`."""
        if not asset.restricted:
            try:
                # With the version: without it the CDN may still deliver the former file.
                return self._fetch(
                    self._http, lambda: self._address(asset.key, asset.format, asset.version), destination, progress
                )
            except CredentialsRefused:
                # Restricted, although no listing said so. Nothing was written before this refusal.
                pass
        return self._fetch(self._api_http, lambda: self._private(asset), destination, progress)

    def delivered(self, url: str) -> Delivered:
        """`HEAD` on a delivery address."""

        def once() -> Delivered:
            with self._client.pace.turn():
                return _delivered(self._http, url)

        return self._patience.call(once, writes=False)

    def _fetch(
        self, client: httpx.Client, address: Callable[[], str], destination: Path, progress: Progress | None
    ) -> MediaDownload:
        def once() -> MediaDownload:
            with self._client.pace.turn():
                return _fetch(client, address(), destination, progress, self._patience.stop)

        return self._patience.call(once, writes=False)

    def _address(self, key: AssetKey, format_: str, version: int) -> str:
        # A raw id includes its extension; any other needs the original's format, or the file would be converted.
        ending = f".{format_}" if format_ and key.resource_type != "raw" else ""
        parts = [self._delivery, self.cloud, key.resource_type, key.delivery]
        parts += [f"v{version}"] if version else []
        return "/".join([*parts, quote(key.public_id, safe="/") + quote(ending)])

    def _private(self, asset: Asset) -> str:
        params = {
            "timestamp": _now(),
            "public_id": asset.key.public_id,
            "format": asset.format if asset.key.resource_type != "raw" else "",
            "type": asset.key.delivery,
        }
        return self._client.signed_url((asset.key.resource_type, "download"), params)


def _ahead(pages: Iterator[T], pool: ThreadPoolExecutor) -> Iterator[T]:
    """The same pages: the first is asked for now, and each next one while the former is worked on."""
    first = pool.submit(next, pages, None)

    def rest() -> Iterator[T]:
        coming = first
        while (page := coming.result()) is not None:
            coming = pool.submit(next, pages, None)
            yield page

    return rest()


def _alike(keys: Sequence[AssetKey], limit: int) -> Iterator[tuple[AssetKey, tuple[AssetKey, ...]]]:
    """Batches of one resource and delivery type, each with a sample key."""
    kinds: dict[tuple[str, str], list[AssetKey]] = defaultdict(list)
    for key in keys:
        kinds[key.resource_type, key.delivery].append(key)
    for alike in kinds.values():
        for first in range(0, len(alike), limit):
            batch = tuple(alike[first : first + limit])
            yield batch[0], batch


def _now() -> int:
    from cloudinary.utils import now

    return int(now())


def _endless() -> ProviderError:
    return ProviderError(
        f"{PROVIDER} returned a list of files without an end.",
        provider=PROVIDER,
        why="It repeated its pages or returned too many.",
        next_action="Check status.cloudinary.com, then run the command again later.",
    )


# Uploads a file under its exact id. A large one is sent in chunks, so that memory does not depend on its size. Source:
# Upload API reference, `upload`, and "Chunked asset upload" (`Content-Range`, `X-Unique-Upload-Id`).


CHUNK = 6_000_000
"""Bytes; Cloudinary requires at least 5 MB in every chunk but the last."""


def _upload(client: CloudinaryClient, key: AssetKey, file: Path | bytes, like: Asset | None) -> Asset:
    """Upload `file` as `key`; returns the resulting asset. Raises `MachineError` when the file cannot be read."""
    answered: Asset | None = None
    parts = _whole(key, file, like) if isinstance(file, bytes) else _parts(key, file, like)
    for part in parts:
        if client.patience.stop.is_set():
            raise Interrupted("Interrupted during the upload of a file.", next_action="uscdr runs resume")
        answered = client.send(part, _stored if part.last else _partly)
    if answered is None:
        raise MachineError("uscdr did not upload an empty file.", next_action="Check the kit or folder.")
    return answered


def _options(key: AssetKey, like: Asset | None) -> dict[str, object]:
    """Parameters that keep the id unchanged and clear the CDN."""
    exact: dict[str, object] = {
        "public_id": key.public_id,
        "type": key.delivery,
        "overwrite": True,
        "invalidate": True,
        "unique_filename": False,
        "use_filename": False,
    }
    if like is None:
        return exact
    described: dict[str, object] = {
        "tags": list(like.tags),
        "context": dict(like.context),
        "metadata": dict(like.metadata),
        "asset_folder": like.asset_folder,
        "display_name": like.display_name,
    }
    if like.access is not None:
        described |= _access_options(like.access)
    return exact | {name: value for name, value in described.items() if value}


def _access_options(access: Access) -> dict[str, object]:
    """The access, in the API's format; rules take precedence over the older mode."""
    if access.rules:
        return {"access_control": [_rule(rule) for rule in access.rules]}
    return {"access_mode": access.mode}


def _rule(rule: AccessRule) -> dict[str, str]:
    return {name: value for name, value in rule.model_dump().items() if value}


def _whole(key: AssetKey, content: bytes, like: Asset | None) -> Iterator[UploadPart]:
    """The one part of a file that is in memory already; none of an empty one."""
    if content:
        yield UploadPart((key.resource_type, "upload"), _options(key, like), _name(key), len(content), lambda: content)


def _name(key: AssetKey) -> str:
    return key.public_id.rpartition("/")[2] or "file"


def _parts(key: AssetKey, file: Path, like: Asset | None) -> Iterator[UploadPart]:
    try:
        size = file.stat().st_size
        with opened(file) as source:
            upload = secrets.token_hex(10)
            for first in range(0, size, CHUNK):
                last = min(first + CHUNK, size) - 1
                yield UploadPart(
                    segments=(key.resource_type, "upload"),
                    options=_options(key, like),
                    file_name=_name(key),
                    size=last - first + 1,
                    content=partial(_piece, source, first, last - first + 1),
                    headers={}
                    if size <= CHUNK
                    else {"Content-Range": f"bytes {first}-{last}/{size}", "X-Unique-Upload-Id": upload},
                    last=last + 1 >= size,
                )
    except OSError as error:
        raise _unreadable(error.strerror or type(error).__name__) from None


def _piece(source: BinaryIO, first: int, size: int) -> bytes:
    """So many bytes from `first` on."""
    try:
        content = os.pread(source.fileno(), size, first)
    except OSError as error:
        raise _unreadable(error.strerror or type(error).__name__) from None
    if len(content) != size:
        raise _unreadable("It became shorter during the upload")
    return content


def _unreadable(why: str) -> MachineError:
    return MachineError(
        "uscdr cannot read a file to upload.",
        why=f"{why}.",
        next_action="Check the kit or folder, then: uscdr runs resume",
    )


def _stored(body: object) -> Asset:
    # Without rules the answer omits the field.
    return decode.asset({"access_control": None, **JsonObject.of(body)})


def _partly(body: object) -> None:
    """Every chunk but the last gets `done: false`, perhaps without an asset."""
    if not isinstance(body, dict):
        raise ShapeError("expected an object")


# Downloads an original to a private file, and computes Cloudinary's digest and ours.


_AGAIN = "Run the command again. If it fails again, check the asset in the console."
_SHOWN = "The file to download to"
"""Its name may be a patient's."""


def _fetch(
    client: httpx.Client, url: str, destination: Path, progress: Progress | None, stop: threading.Event
) -> MediaDownload:
    """Download `url` once to `destination`, which must not exist."""
    require_new(destination, shown=_SHOWN)
    # Cloudinary's digest is MD5; ours is SHA-256.
    md5 = hashlib.md5(usedforsecurity=False)
    with DELIVERY.open(client, url, stop) as body:
        done = write(_digested(body.chunks(progress), md5), destination, shown=_SHOWN)
    return MediaDownload(size=done.size, md5=md5.hexdigest(), sha256=done.sha256)


def _digested(chunks: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _delivered(client: httpx.Client, url: str) -> Delivered:
    """`HEAD` on a delivery address: 200, 404, or 401 and 403; anything else raises."""
    try:
        status = client.head(url).status_code
    except (httpx.InvalidURL, UnicodeError):
        raise DELIVERY.fault("The file's delivery address is malformed.") from None
    except httpx.HTTPError as error:
        raise DELIVERY.broken("Cloudinary's delivery host did not answer.", error) from None
    if status == httpx.codes.NOT_FOUND:
        return "missing"
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return "withheld"
    if status != httpx.codes.OK:
        raise _refused(status)
    return "delivered"


def _refused(status: int) -> ProviderError:
    why = f"Cloudinary's delivery host answered {status}."
    if status == httpx.codes.NOT_FOUND:
        return NotFound(
            "Cloudinary does not deliver the file.", provider=PROVIDER, why=why, status=status, next_action=_AGAIN
        )
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        message = "Cloudinary delivers the file only to a signed address."
        return CredentialsRefused(message, provider=PROVIDER, why=why, status=status, next_action=CREDENTIALS)
    if status in RATE_LIMITED:
        return RateLimited(
            "Cloudinary's delivery host refused: too many requests.", provider=PROVIDER, why=why, status=status
        )
    return DELIVERY.fault("uscdr could not download the file.", why=why, status=status, retryable=may_pass(status))


DELIVERY = DownloadOrigin(PROVIDER, _AGAIN, _refused)
