"""Cloudinary's two HTTP APIs through the official SDK: credentials for each call, one retry loop, one error mapper.

Source: Admin API and Upload API references (v1_1). It never reads the SDK's global configuration.
"""

from __future__ import annotations

import json
import platform
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import httpx

from uscdr.errors import ConfigError
from uscdr.models.media import MediaAccount, Quota
from uscdr.providers.cloudinary.decode import CLOUDINARY, CREDENTIALS, PROVIDER, refusal
from uscdr.providers.http.client import require_credentials, require_private, segment
from uscdr.providers.http.exchange import HttpCall
from uscdr.providers.http.json import ShapeError
from uscdr.threads import Pace
from uscdr.words import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from uscdr.providers.cloudinary.connection import Answer, Connection
    from uscdr.providers.http.retry import RetryingCaller


T = TypeVar("T")
VERSION = "v1_1"


@dataclass(frozen=True)
class CloudinaryCall:
    """One Admin API call: `what` in words, `path` for messages, `segments` as sent."""

    what: str
    method: str
    path: str
    segments: tuple[str, ...]
    params: Mapping[str, object] = field(default_factory=dict, repr=False)
    writes: bool = False


@dataclass(frozen=True)
class UploadPart:
    """One multipart request of an upload. `last` is False for every chunk but the last."""

    segments: tuple[str, ...]
    options: Mapping[str, object] = field(repr=False)
    file_name: str = field(repr=False)
    size: int
    content: Callable[[], bytes] = field(repr=False)
    """Reads the bytes; only when it is their turn, so that those that wait take no memory."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    last: bool = True


class CloudinaryClient:
    """Sends requests for one account. Thread-safe.

    Raises `ConfigError` for an address that would send the credentials unencrypted, and `CredentialsRefused` for
    malformed credentials.
    """

    def __init__(self, account: MediaAccount, api_url: str, connection: Connection, patience: RetryingCaller) -> None:
        secret = account.api_secret.get_secret_value()
        require_credentials(
            "Cloudinary cloud name, key or secret", account.cloud, account.api_key, secret,
            provider=PROVIDER, next_action=CREDENTIALS,
        )  # fmt: skip
        segment(account.cloud)
        self.account = account
        self._base = require_private(api_url, "The Cloudinary API").rstrip("/")
        self._connection = connection
        self.leave = connection.leave
        """Asked before each writing request."""
        self.patience = patience
        self.pace = Pace(patience.stop)
        """For every call of this account, deliveries too."""
        self._reading = threading.Lock()
        self._quota: Quota | None = None

    @property
    def quota(self) -> Quota | None:
        """The last reading of the hourly allowance."""
        with self._reading:
            return self._quota

    def ask(self, ask: CloudinaryCall, decode: Callable[[object], T]) -> T:
        """One Admin API call, retried as the call allows; `decode` raises `ShapeError` for an undocumented body."""

        def once() -> T:
            with self.pace.turn():
                return self._once(ask, decode)

        return self.patience.call(once, writes=ask.writes)

    def send(self, part: UploadPart, decode: Callable[[object], T]) -> T:
        """One request of an upload. Every chunk but the last changes nothing and may be sent again."""

        def once() -> T:
            # The bytes themselves, and the form that holds them.
            with self.pace.turn(2 * part.size):
                return self._once_part(part, decode)

        return self.patience.call(once, writes=part.last)

    def signed_url(self, segments: Sequence[str], params: Mapping[str, object]) -> str:
        """A signed address of the Upload API: a secret, valid for an hour."""
        from urllib.parse import urlencode

        return f"{self._url(segments)}?{urlencode(self._signed(params))}"

    def _once(self, ask: CloudinaryCall, decode: Callable[[object], T]) -> T:
        from cloudinary.api_client.execute_request import execute_request
        from cloudinary.utils import json_body, normalize_params

        from uscdr.providers.cloudinary.connection import Wire

        call = HttpCall(ask.what, ask.method, ask.path, ask.writes, hide=(self.account.api_secret,))
        judge = _Judge(self)
        options: dict[str, object] = {"timeout": None}
        params, headers = normalize_params(dict(ask.params)), None
        if ask.method != "GET":
            body, headers = json_body(params)
            options["body"] = body.encode() if isinstance(body, str) else body
            params = None
        answered = execute_request(
            http_connector=Wire(self._connection, call, judge),
            method=ask.method,
            params=params,
            headers=headers,
            auth={"key": self.account.api_key, "secret": self.account.api_secret.get_secret_value()},
            api_url=self._url(ask.segments),
            **options,
        )
        return judge.decoded(dict(answered), call, decode)

    def _once_part(self, part: UploadPart, decode: Callable[[object], T]) -> T:
        from cloudinary import get_user_agent
        from cloudinary.utils import now

        from uscdr.providers.cloudinary.connection import form

        call = HttpCall(
            "store a file", "POST", f"/{part.segments[0]}/upload", part.last, hide=(self.account.api_secret,)
        )
        shared = {name: value for name, value in part.options.items() if name != "public_id"}
        own = {"public_id": part.options["public_id"], "timestamp": now()}
        signed = self._signed({**_upload_params(json.dumps(shared, sort_keys=True)), **own})
        body, kind = form(signed, part.file_name, part.content())
        headers = {"User-Agent": get_user_agent(), "Content-Type": kind, **part.headers}
        judge = _Judge(self)
        answer = self._connection.send(call, self._url(part.segments), body=body, headers=headers)
        judge(answer, call)
        return judge.decoded(judge.body, call, decode)

    def _signed(self, params: Mapping[str, object]) -> dict[str, str]:
        from cloudinary.utils import SIGNATURE_SHA1, sign_request

        keys = {
            "api_key": self.account.api_key,
            "api_secret": self.account.api_secret.get_secret_value(),
            "signature_algorithm": SIGNATURE_SHA1,
            "signature_version": 2,
        }
        return {name: str(value) for name, value in sign_request(dict(params), keys).items() if value}

    def _url(self, segments: Sequence[str]) -> str:
        # Quoted here: the SDK decodes the address once before it encodes it.
        path = "/".join(quote(part, safe="/") for part in segments)
        return f"{self._base}/{VERSION}/{quote(self.account.cloud, safe='')}/{path}"

    def note(self, answer: Answer) -> None:
        """Keep the hourly allowance from an answer's headers, also from an error's."""
        found = _quota(answer)
        if found is not None:
            with self._reading:
                self._quota = found

    def wait_seconds(self) -> float | None:
        """Seconds until the allowance is renewed; None when unknown, in the past, or not used up."""
        quota = self.quota
        used_up = quota is not None and not quota.remaining
        left = (quota.resets_at - datetime.now(UTC)).total_seconds() if quota is not None and used_up else None
        return left if left is not None and left > 0 else None


@lru_cache(maxsize=64)
def _upload_params(options: str) -> Mapping[str, object]:
    """What the SDK makes of `options`, a JSON object without an id: nearly all files of an upload have the same."""
    from cloudinary.utils import build_upload_params

    given = json.loads(options)
    params: dict[str, object] = build_upload_params(**{**given, "upload_preset": None})
    # The SDK supports only the newer rules.
    return params | {name: given[name] for name in ("access_mode",) if name in given}


class _Judge:
    """Keeps the allowance, and turns every unusable answer into our error before the SDK sees it."""

    def __init__(self, client: CloudinaryClient) -> None:
        self._client = client
        self._answer: Answer | None = None
        self.body: object = None
        """The decoded body of the answer."""

    def __call__(self, answer: Answer, call: HttpCall) -> None:
        self._client.note(answer)
        self._answer = answer
        if not httpx.codes.is_success(answer.status):
            raise refusal(answer, call, self._client.leave, wait=self._client.wait_seconds())
        try:
            body = answer.json()
        except ValueError:
            raise CLOUDINARY.unreadable(answer, call, "the body is not JSON") from None
        if not isinstance(body, dict) or "error" in body:
            raise CLOUDINARY.unreadable(answer, call, "the body is not a JSON object")
        self.body = body

    def decoded(self, body: object, call: HttpCall, decode: Callable[[object], T]) -> T:
        """The body as our model."""
        try:
            return decode(body)
        except ShapeError as problem:
            if self._answer is None:
                raise
            raise CLOUDINARY.unreadable(self._answer, call, str(problem)) from None


def _quota(answer: Answer) -> Quota | None:
    headers = answer.headers
    limit = whole(headers.get("X-FeatureRateLimit-Limit"))
    remaining = whole(headers.get("X-FeatureRateLimit-Remaining"))
    resets = answer.time("X-FeatureRateLimit-Reset")
    if limit is None or remaining is None or resets is None:
        return None
    return Quota(limit=limit, remaining=remaining, resets_at=resets)


# Loads the official SDK, which reads environment variables on import and may fail.


def load_sdk() -> None:
    """Import the needed modules; their global configuration is not used. Raises `ConfigError`."""
    _name_processor()
    try:
        import cloudinary.api_client.execute_request
        import cloudinary.utils  # noqa: F401 - loading is the purpose
    except ValueError:
        # `from None`: the cause may quote the value, which contains a secret.
        raise ConfigError(
            "The Cloudinary SDK did not load: it refused a CLOUDINARY_* environment variable.",
            why="CLOUDINARY_URL or CLOUDINARY_API_PROXY is malformed.",
            next_action="Run: unset CLOUDINARY_URL CLOUDINARY_API_PROXY (uscdr has its own settings)",
        ) from None


def _name_processor() -> None:
    """The SDK asks for the platform's name on import; Python would run `uname -p` with our environment."""
    vars(platform.uname()).setdefault("processor", platform.machine())
