"""A bucket on loopback as S3 speaks: with a clock of its own, with conditional writes, without them, or refusing them.

Each process has a front of its own, so that it is known whose request it is: it can be stopped just then.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from .serving import served

BUCKET = "team"
Conditions = Literal["honoured", "ignored", "refused"]
_PRECONDITION, _NOT_IMPLEMENTED = 412, 501


@dataclass
class Bucket:
    """Objects with the time they were written at, by a clock that is `skew` seconds off."""

    conditions: Conditions = "honoured"
    skew: float = 0.0
    objects: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> float:
        """By the store's clock."""
        return time.time() + self.skew

    def put(self, key: str, data: bytes, *, once: bool) -> int:
        """The status of a write."""
        if once and self.conditions == "refused":
            return _NOT_IMPLEMENTED
        with self.turn:
            if once and self.conditions == "honoured" and key in self.objects:
                return _PRECONDITION
            self.objects[key] = (data, self.now())
        return 200


class Front(ThreadingHTTPServer):
    """One process's way to the bucket; `answered` is told of each request's method and key once it is answered."""

    daemon_threads = True

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bucket = bucket
        self.answered: Callable[[str, str], None] = lambda method, key: None

    @property
    def environment(self) -> dict[str, str]:
        """What its process exports."""
        return {
            "AWS_ACCESS_KEY_ID": "AKIACAMPAIGN", "AWS_SECRET_ACCESS_KEY": "no-secret", "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.server_address[1]}",
        }  # fmt: skip


def front(bucket: Bucket) -> AbstractContextManager[Front]:
    """A front, served until the context ends."""
    return served(Front(bucket))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").lstrip("/")

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response_only(status)
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        shown |= {"Date": _http(self.server.bucket.now()), "Content-Length": shown.pop("length", str(len(body)))}
        for name, value in shown.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")
        self.wfile.flush()
        self.server.answered(self.command, self._key() or parse_qs(urlsplit(self.path).query).get("prefix", [""])[0])

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.bucket.put(self._key(), data, once=self.headers.get("If-None-Match") == "*")
        self._answer(status, ETag=_tag(data))

    def do_GET(self) -> None:
        if key := self._key():
            self._one(key)
        else:
            prefix = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
            self._answer(200, _listed(self.server.bucket, prefix), Content_Type="application/xml")

    def do_HEAD(self) -> None:
        self._one(self._key())

    def do_DELETE(self) -> None:
        with self.server.bucket.turn:
            self.server.bucket.objects.pop(self._key(), None)
        self._answer(204)

    def _one(self, key: str) -> None:
        found = self.server.bucket.objects.get(key)
        if found is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        data, at = found
        facts = {"ETag": _tag(data), "Last_Modified": _http(at)}
        if asked := self.headers.get("Range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            part = data[int(first) : int(last or len(data)) + 1]
            where = f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"
            self._answer(206, part, Content_Range=where, **facts)
            return
        self._answer(200, data, length=str(len(data)), **facts)


def _listed(bucket: Bucket, prefix: str) -> bytes:
    with bucket.turn:
        found = sorted((key, value) for key, value in bucket.objects.items() if key.startswith(prefix))
    rows = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>{_iso(at)}</LastModified><ETag>{_tag(data)}</ETag>"
        f"<Size>{len(data)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key, (data, at) in found
    )
    return (
        f"<ListBucketResult><Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(found)}</KeyCount>"
        f"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
    ).encode()


def _tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def _http(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(at, UTC).replace(microsecond=0), usegmt=True)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
