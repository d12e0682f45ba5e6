"""Where a store is, in words: a directory, or a bucket by URL. Credentials come from the environment alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from uscdr.errors import BadInput, MissingExtra
from uscdr.lazily import imported
from uscdr.settings import state_directory, user_path
from uscdr.store.store import LocalStore, Store

if TYPE_CHECKING:
    from collections.abc import Mapping

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
"""Variables of buckets whose values nobody may see."""


def open_store(text: str, env: Mapping[str, str]) -> Store:
    """The store that `text` names. Nothing is asked of it yet.

    Raises BadInput saying what is allowed (never repeating credentials), MachineError when obstore is missing.
    """
    text = text.strip()
    if not text:
        raise BadInput("No place is named.", next_action=f"Name {ALLOWED}.")
    found = _URL.fullmatch(text)
    if found is None:
        return LocalStore(user_path(text))
    scheme = found[1].lower()
    if scheme == "file":
        return _local(text)
    if scheme not in _BUCKETS:
        raise BadInput(f"{scheme}:// is no kind of place that is known.", next_action=f"Name {ALLOWED}.")
    bucket, prefix = _bucket(scheme, found[2])
    handles = _adapter("uscdr.store.connections:connect")(scheme, bucket, prefix, env)
    place = f"{scheme}://{bucket}/{prefix}".rstrip("/")
    store: Store = _adapter("uscdr.store.bucket:ObjectStore")(place, handles, state_directory(env) / SCRATCH)
    return store


def _local(text: str) -> LocalStore:
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.query or parts.fragment:
        raise BadInput("file:// needs an absolute directory of this machine.", next_action="As in file:///mnt/safe")
    return LocalStore(Path(unquote(parts.path)))


def _bucket(scheme: str, rest: str) -> tuple[str, str]:
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if "@" in rest or ":" in bucket:
        raise BadInput(
            f"The {scheme}:// URL holds more than a bucket and a prefix.",
            why="Credentials never stand in a URL: it is shown and logged. Endpoints have variables of their own.",
            next_action="Put credentials into the environment; treat those that stood in the URL as exposed.",
        )
    if not _BUCKET.fullmatch(bucket) or (prefix and not _PREFIX.fullmatch(prefix)) or len(prefix) > _LONGEST_PREFIX:
        raise BadInput(
            f"{scheme}:// needs a bucket and, if wanted, a prefix of plain ASCII names.",
            next_action=f"As in {scheme}://usc-pis-safe/kits. Allowed are {ALLOWED}.",
        )
    return bucket, prefix


def _adapter(name: str) -> Any:  # noqa: ANN401 - of whatever type stands there
    """What stands in a module that needs obstore, which comes with an extra."""
    try:
        return imported(name)
    except ImportError as error:
        raise MissingExtra("Buckets need a library that is not installed.", extra="vault", module="obstore") from error
