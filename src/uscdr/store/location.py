"""Parse the location of a store or a page: a directory or a bucket URL. Credentials come from the environment only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from uscdr.errors import BadInput, MissingExtra
from uscdr.lazily import imported
from uscdr.settings import Directories, user_path
from uscdr.store.directory import LocalStore
from uscdr.store.store import checked_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.store.store import Store
    from uscdr.store.web_page import BucketPage, DirectoryPage


ALLOWED = "a directory, file:///DIRECTORY, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
_BUCKETS = ("s3", "gs", "az")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,221}")
_PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_LONGEST_PREFIX = 200
SCRATCH = "scratch"
STORE_SECRETS = frozenset(
    {
        "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GOOGLE_SERVICE_ACCOUNT_KEY", "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_TOKEN", "AZURE_CLIENT_SECRET",
    }
)  # fmt: skip
"""Variables of buckets whose values are secret."""


@dataclass(frozen=True)
class Location:
    """A directory of this machine, or the prefix (perhaps empty) of a bucket."""

    directory: Path | None = None
    scheme: str = ""
    bucket: str = ""
    prefix: str = ""

    @property
    def place(self) -> str:
        """As shown to people: `s3://bucket/prefix`."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/") if self.scheme else str(self.directory)

    @classmethod
    def parse(cls, text: str) -> Location:
        """Raises BadInput that lists the allowed forms, and never shows credentials."""
        text = text.strip()
        if not text:
            raise BadInput("The location of the store is empty.", next_action=f"Name {ALLOWED}.")
        found = _URL.fullmatch(text)
        if found is None:
            return cls(user_path(text))
        scheme = found[1].lower()
        if scheme == "file":
            return cls(_local(text))
        if scheme not in _BUCKETS:
            raise BadInput(f"uscdr does not support {scheme}:// URLs.", next_action=f"Name {ALLOWED}.")
        return cls(None, scheme, *_bucket(scheme, found[2]))

    def connect(self, env: Mapping[str, str]) -> Any:  # noqa: ANN401 - Handles, which need obstore
        """The clients of the bucket. Sends no request. Raises BadInput, MachineError if obstore is missing."""
        return _adapter("uscdr.store.connections:connect")(self.scheme, self.bucket, self.prefix, env)


def open_store(text: str, env: Mapping[str, str]) -> Store:
    """The store that `text` names. Sends no request.

    Raises BadInput that lists the allowed forms (and never shows credentials), MachineError if obstore is missing.
    """
    found = Location.parse(text)
    if found.directory is not None:
        return LocalStore(found.directory)
    handles = found.connect(env)
    store: Store = _adapter("uscdr.store.bucket:ObjectStore")(found.place, handles, Directories(env).state / SCRATCH)
    return store


def open_page(folder: str, name: str, env: Mapping[str, str]) -> DirectoryPage | BucketPage:
    """The public page `name` in `folder`, which has the form of a store's location. Sends no request.

    Raises as `open_store`.
    """
    from uscdr.store.web_page import BucketPage, DirectoryPage

    found = Location.parse(folder)
    if found.directory is not None:
        return DirectoryPage(found.directory, checked_name(name))
    return BucketPage(found.place, found.connect(env), checked_name(name))


def _local(text: str) -> Path:
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.query or parts.fragment:
        raise BadInput(
            "A file:// URL needs an absolute directory of this machine.", next_action="Use a URL like file:///mnt/safe"
        )
    return Path(unquote(parts.path))


def _bucket(scheme: str, rest: str) -> tuple[str, str]:
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if "@" in rest or ":" in bucket:
        raise BadInput(
            f"The {scheme}:// URL contains more than a bucket and a prefix.",
            why="A URL must not contain credentials: uscdr shows and logs it. Environment variables set the endpoint.",
            next_action="Put credentials into the environment. Treat credentials from the URL as exposed.",
        )
    if not _BUCKET.fullmatch(bucket) or (prefix and not _PREFIX.fullmatch(prefix)) or len(prefix) > _LONGEST_PREFIX:
        raise BadInput(
            f"A {scheme}:// URL needs a bucket and may have a prefix, both in plain ASCII.",
            next_action=f"Use a URL like {scheme}://usc-pis-safe/kits. Allowed are {ALLOWED}.",
        )
    return bucket, prefix


def _adapter(name: str) -> Any:  # noqa: ANN401 - of any type
    """Import an object from a module that needs obstore, which an extra installs."""
    try:
        return imported(name)
    except ImportError as error:
        raise MissingExtra("Buckets need a library that is not installed.", extra="vault", module="obstore") from error
