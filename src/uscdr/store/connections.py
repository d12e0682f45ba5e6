"""Connections to buckets, configured by environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore import exceptions, store

from uscdr.errors import BadInput
from uscdr.settings import is_loopback_host
from uscdr.store.bucket import Handles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from obstore.store import ClientConfig, RetryConfig
    from obstore.store import ObjectStore as Handle

CONNECT = timedelta(seconds=10)
QUICK, BULK = timedelta(seconds=20), timedelta(seconds=300)
"""Timeouts of whole requests: a small one; a part, a block, or a copy inside the store."""
_RETRIES, _NO_RETRIES = 3, 0
_S3_COPIES_AT_MOST = 5 << 30
_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class _Kind:
    """One kind of bucket: its class in obstore and the environment variables that the class reads.

    `one_of`: sets of variables, one of which must be complete. `endpoints`: variables that hold a URL; the first one
    wins. `checksum`: the setting that adds a checksum to writes. `tells_versions`: an object has a version only where
    the store keeps older ones.
    """

    store: Callable[..., Any]
    reads: tuple[str, ...]
    endpoints: tuple[str, ...]
    one_of: tuple[tuple[str, ...], ...]
    hint: str
    defaults: tuple[tuple[str, str], ...] = ()
    largest_copy: int | None = None
    tells_versions: bool = False
    checksum: str = ""


_KINDS = {
    "s3": _Kind(
        store=store.S3Store,
        reads=(
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
            "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_METADATA_ENDPOINT",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_KMS_KEY_ID",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "AWS_CHECKSUM_ALGORITHM", "AWS_COPY_IF_NOT_EXISTS",
        ),
        endpoints=("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        one_of=(
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_WEB_IDENTITY_TOKEN_FILE",),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",), ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
            ("AWS_METADATA_ENDPOINT",),
        ),
        # A bucket with object lock refuses a write without a checksum.
        defaults=(("aws_copy_if_not_exists", "multipart"), ("aws_checksum_algorithm", "sha256")),
        largest_copy=_S3_COPIES_AT_MOST,
        tells_versions=True,
        checksum="aws_checksum_algorithm",
        hint="uscdr does not read profiles in ~/.aws: eval \"$(aws configure export-credentials --format env)\"",
    ),
    "gs": _Kind(
        store=store.GCSStore,
        reads=(
            "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH",
            "GOOGLE_SERVICE_ACCOUNT_KEY",
        ),
        endpoints=("GOOGLE_BASE_URL",),
        one_of=(
            ("GOOGLE_APPLICATION_CREDENTIALS",), ("GOOGLE_SERVICE_ACCOUNT",), ("GOOGLE_SERVICE_ACCOUNT_PATH",),
            ("GOOGLE_SERVICE_ACCOUNT_KEY",),
        ),
        hint="GOOGLE_APPLICATION_CREDENTIALS is the path of a service account's key file.",
    ),
    "az": _Kind(
        store=store.AzureStore,
        reads=(
            "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_ID",
            "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_STORAGE_TOKEN",
        ),
        endpoints=("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
        one_of=(
            ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_SAS_TOKEN"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_TOKEN"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID"),
        ),
        tells_versions=True,
        hint="AZURE_STORAGE_ACCOUNT_NAME is required in every case.",
    ),
}  # fmt: skip


def connect(scheme: str, bucket: str, prefix: str, env: Mapping[str, str]) -> Handles:
    """The handles of one bucket and prefix (`""`: none). Sends nothing.

    Raises BadInput that names missing or invalid variables and never shows their values.
    """
    kind = _KINDS[scheme]
    _need_credentials(kind, env)
    endpoint = next((env[name] for name in kind.endpoints if env.get(name)), None)
    config = dict(kind.defaults) | {name.lower(): env[name] for name in kind.reads if env.get(name)}
    if endpoint is not None:
        config[kind.endpoints[0].lower()] = endpoint
    client: ClientConfig = {"allow_http": _is_plain(endpoint), "connect_timeout": CONNECT}
    made = partial(kind.store, bucket, prefix=prefix or None)
    plain = {name: value for name, value in config.items() if name != kind.checksum}
    try:
        other = _Maker(partial(made, config=plain), client) if kind.checksum else None
        return _handles(kind, _Maker(partial(made, config=config), client), other)
    except (exceptions.BaseError, OSError, ValueError, TypeError):  # their text may contain credentials
        names = ", ".join(name for name in (*kind.reads, *kind.endpoints) if env.get(name))
        raise BadInput(
            "The environment variables for the bucket are invalid.",
            why=f"These variables are set: {names}.",
            next_action=kind.hint,
        ) from None


@dataclass(frozen=True)
class _Maker:
    """Makes handles that differ in their timeout."""

    store: Callable[..., Handle]
    client: ClientConfig

    def __call__(self, timeout: timedelta, retries: int, headers: Mapping[str, str] | None = None) -> Handle:
        retry: RetryConfig = {"max_retries": retries, "retry_timeout": timeout}
        options: ClientConfig = {**self.client, "timeout": timeout}
        if headers:
            options["default_headers"] = dict(headers)
        return self.store(client_options=options, retry_config=retry)

    def carrying(self, timeout: timedelta) -> Callable[[str], Handle]:
        """A function that returns a handle for one write with the given MD5."""
        # The header is unsigned, which S3 allows: obstore lets no caller set signed headers.
        return lambda md5: self(timeout, _NO_RETRIES, {"content-md5": md5})


def _handles(kind: _Kind, handle: _Maker, other: _Maker | None) -> Handles:
    """Four handles; with `other`, four more whose writes carry an MD5 instead of the kind's own checksum."""
    return Handles(
        quick=handle(QUICK, _RETRIES),
        bulk=handle(BULK, _RETRIES),
        quick_once=handle(QUICK, _NO_RETRIES),
        bulk_once=handle(BULK, _NO_RETRIES),
        largest_copy=kind.largest_copy,
        tells_versions=kind.tells_versions,
        with_md5=_handles(kind, other, None) if other else None,
        carrying=None if other or not kind.checksum else (handle.carrying(QUICK), handle.carrying(BULK)),
    )


def _need_credentials(kind: _Kind, env: Mapping[str, str]) -> None:
    if not any(all(env.get(name) for name in names) for names in kind.one_of):
        wanted = "; or ".join(" and ".join(names) for names in kind.one_of)
        raise BadInput(
            "The environment has no credentials for the bucket.", why=f"uscdr needs {wanted}.", next_action=kind.hint
        )


def _is_plain(endpoint: str | None) -> bool:
    """Whether the endpoint is plain http, which is allowed on this machine only. Raises BadInput."""
    if endpoint is None:
        return False
    parts = urlsplit(endpoint)
    if parts.username or parts.password or not parts.hostname or parts.scheme not in _SCHEMES:
        raise BadInput(
            "The endpoint of the store is not an https:// URL.", next_action="Use a URL like https://s3.example.org"
        )
    if parts.scheme == "http" and not is_loopback_host(parts.hostname):
        raise BadInput(
            "The endpoint of the store uses plain http://.",
            why="Keys and data would cross the network without encryption.",
            next_action="Use an https:// endpoint. Only an endpoint on this machine may use http://.",
        )
    return parts.scheme == "http"
