"""A small media service on loopback: Admin, Upload and delivery, with memory, signatures, an allowance and faults."""

from __future__ import annotations

import base64
import email.parser
import email.policy
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CLOUD, KEY, SECRET = "clinic", "111222333", "not-a-real-secret"


@dataclass
class Stored:
    """One asset with its backup versions (version id, content)."""

    content: bytes
    version: int = 1
    deleted: bool = False
    tags: list[str] = field(default_factory=list)
    context: dict[str, str] = field(default_factory=dict)
    backups: list[tuple[str, bytes]] = field(default_factory=list)
    delivery: str = "upload"
    access_mode: str = "public"
    access_control: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Fault:
    """What happens to the next request whose path contains `path`: `after` the effect or instead of it."""

    path: str
    kind: str
    status: int = 500
    after: bool = False


class Stub:
    """The service's memory; `assets` by (resource type, public id)."""

    def __init__(self) -> None:
        self.assets: dict[tuple[str, str], Stored] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.forms: list[dict[str, Any]] = []
        self.remaining = 500
        self.resets = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
        self.page = 500
        self.searches = True
        self.lock = threading.Lock()
        self.chunks: dict[str, bytes] = {}
        self.url = ""

    def put(self, public_id: str, content: bytes, *, kind: str = "image", backed_up: bool = True) -> Stored:
        """Store one asset as if it had been uploaded."""
        backups = [("v1", content)] if backed_up else []
        self.assets[kind, public_id] = Stored(content, backups=backups, tags=["media"])
        return self.assets[kind, public_id]

    def row(self, kind: str, public_id: str) -> dict[str, Any]:
        """One asset as the API describes it."""
        asset = self.assets[kind, public_id]
        row: dict[str, Any] = {
            "asset_id": hashlib.md5(f"{kind}{public_id}".encode()).hexdigest(),
            "public_id": public_id,
            "resource_type": kind,
            "type": asset.delivery,
            "access_mode": asset.access_mode,
            "version": asset.version,
            "bytes": 0 if asset.deleted else len(asset.content),
            "created_at": "2026-11-20T10:00:00Z",
            "secure_url": f"{self.url}/{CLOUD}/{kind}/upload/v{asset.version}/{public_id}",
            "url": f"{self.url}/{CLOUD}/{kind}/upload/v{asset.version}/{public_id}",
            "tags": asset.tags,
            "context": {"custom": asset.context},
        }
        if asset.deleted:
            row["placeholder"] = True
        else:
            row["etag"] = hashlib.md5(asset.content).hexdigest()
        return row


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: Stub

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.serve(b"")

    def do_HEAD(self) -> None:
        self.serve(b"")

    def do_POST(self) -> None:
        self.serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def serve(self, body: bytes) -> None:
        stub, path = self.stub, unquote(urlsplit(self.path).path)
        with stub.lock:
            stub.requests.append(f"{self.command} {path}")
            fault = next((f for f in stub.faults if f.path in path), None)
            if fault is not None:
                stub.faults.remove(fault)
            if fault is None or fault.after:
                status, answer = self.answer(path, body)
        if fault is not None:
            if fault.kind == "cut":
                self.close_connection = True
                return
            status = fault.status
            answer = b"<html>bad gateway</html>" if fault.kind == "html" else _error("it is unwell")
        kind = "text/html" if answer.startswith(b"<") else "application/json"
        self.reply(status, answer, kind, cut=fault is not None and fault.kind == "short")

    def reply(self, status: int, answer: bytes, kind: str, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("X-Request-Id", "req-1")
        if self.path.startswith("/v1_1/") and status < 500 and self.command != "HEAD":
            self.send_header("X-FeatureRateLimit-Limit", "500")
            self.send_header("X-FeatureRateLimit-Remaining", str(self.stub.remaining))
            self.send_header("X-FeatureRateLimit-Reset", format_datetime(self.stub.resets, usegmt=True))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer[: len(answer) // 2] if cut else answer)
        if cut:
            self.close_connection = True

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        parts = path.strip("/").split("/")
        if parts[0] != "v1_1":
            return self.deliver(parts)
        if parts[1] != CLOUD:
            return 401, _error("cloud_name mismatch")
        rest = parts[2:]
        if rest[-1] == "upload" and self.command == "POST":
            return self.upload(rest[0], body)
        if rest[0] == "download_backup":
            return self.backup()
        if rest[-1] == "download":
            return self.original(rest[0])
        return self.admin(rest, body)

    def admin(self, rest: list[str], body: bytes) -> tuple[int, bytes]:
        stub = self.stub
        wanted = "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            return 401, _error("api_secret mismatch for media/patient-name")
        if stub.remaining <= 0:
            return 420, _error("Rate Limit Exceeded. Limit of 500 api operations reached.")
        stub.remaining -= 1
        if len(rest) == 1:
            usage = {"plan": "Free", "objects": {"usage": 2}, "storage": {"usage": 99}}
            return 200, json.dumps({"ping": {"status": "ok"}, "usage": usage}[rest[0]]).encode()
        if rest[1] == "search":
            return self.search(json.loads(body))
        return self.posted(rest, json.loads(body)) if self.command == "POST" else self.told(rest)

    def told(self, rest: list[str]) -> tuple[int, bytes]:
        if len(rest) > 3:
            return self.describe(rest[1], "/".join(rest[3:]))
        return 200, json.dumps(self.listing(rest[1], rest[2])).encode()

    def posted(self, rest: list[str], asked: dict[str, Any]) -> tuple[int, bytes]:
        kind, public_id = rest[1], "/".join(rest[3:])
        if public_id == "restore":
            return 200, json.dumps(self.restore(kind, asked)).encode()
        if public_id == "update_access_mode":
            for one in asked["public_ids"]:
                self.stub.assets[kind, one].access_mode = asked["access_mode"]
            return 200, b'{"updated": []}'
        self.stub.assets[kind, public_id].access_control = json.loads(asked["access_control"])
        return 200, json.dumps(self.stub.row(kind, public_id)).encode()

    def search(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        if not self.stub.searches:
            return 403, _error("search is not a part of this plan")
        kind = asked["expression"].partition(":")[2]
        rows = [
            {**self.stub.row(kind, i), "access_control": asset.access_control or None}
            for (k, i), asset in sorted(self.stub.assets.items())
            if k == kind and not asset.deleted
        ]
        start, size = int(asked.get("next_cursor", "0")), min(asked["max_results"], self.stub.page)
        page: dict[str, Any] = {"resources": rows[start : start + size]}
        return 200, json.dumps(
            page if start + size >= len(rows) else {**page, "next_cursor": str(start + size)}
        ).encode()

    def listing(self, kind: str, delivery: str) -> dict[str, Any]:
        query = parse_qs(urlsplit(self.path).query)
        ids = sorted(i for (k, i), asset in self.stub.assets.items() if k == kind and asset.delivery == delivery)
        if "public_ids[]" in query:
            return {"resources": [self.stub.row(kind, i) for i in ids if i in query["public_ids[]"]]}
        size = min(int(query["max_results"][0]), self.stub.page)
        start = int(query.get("next_cursor", ["0"])[0])
        rows = {"resources": [self.stub.row(kind, i) for i in ids[start : start + size]]}
        return rows if start + size >= len(ids) else {**rows, "next_cursor": str(start + size)}

    def describe(self, kind: str, public_id: str) -> tuple[int, bytes]:
        if (kind, public_id) not in self.stub.assets:
            return 404, _error(f"Resource not found - {public_id}")
        backups = self.stub.assets[kind, public_id].backups
        versions = [
            {"version_id": name, "version": number, "size": len(content), "time": "2026-11-20T10:00:00Z"}
            for number, (name, content) in enumerate(backups, 1)
        ]
        rules = self.stub.assets[kind, public_id].access_control
        more = {"access_control": rules} if rules else {}
        return 200, json.dumps({**self.stub.row(kind, public_id), "versions": versions, **more}).encode()

    def restore(self, kind: str, wanted: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        versions = wanted.get("versions") or [None] * len(wanted["public_ids"])
        for public_id, version in zip(wanted["public_ids"], versions, strict=True):
            asset = self.stub.assets.get((kind, public_id))
            content = dict(asset.backups).get(version or asset.backups[-1][0]) if asset and asset.backups else None
            if asset is None or content is None:
                answer[public_id] = {"error": "no_backup"}
                continue
            asset.content, asset.deleted, asset.version = content, False, asset.version + 1
            answer[public_id] = self.stub.row(kind, public_id)
        return answer

    def upload(self, kind: str, body: bytes) -> tuple[int, bytes]:
        form, content = _multipart(self.headers["Content-Type"], body)
        self.stub.forms.append(form)
        if not _signed(form):
            return 401, _error("Invalid Signature deadbeef. String to sign - 'public_id=media/patient-name'.")
        range_ = self.headers.get("Content-Range")
        if range_ is not None:
            name = self.headers["X-Unique-Upload-Id"]
            span, total = range_.removeprefix("bytes ").split("/")
            first = int(span.split("-")[0])
            content = self.stub.chunks.get(name, b"")[:first] + content
            self.stub.chunks[name] = content
            if len(content) < int(total):
                return 200, b'{"done": false}'
        public_id = form["public_id"]
        old = self.stub.assets.get((kind, public_id))
        self.stub.assets[kind, public_id] = Stored(
            content,
            version=old.version + 1 if old else 1,
            tags=form.get("tags", "").split(",") if form.get("tags") else [],
            context=dict(pair.split("=") for pair in form.get("context", "").split("|") if pair),
            delivery=form.get("type", "upload"),
            access_mode=form.get("access_mode", "public"),
            access_control=json.loads(form.get("access_control", "[]")),
        )
        return 200, json.dumps(self.stub.row(kind, public_id)).encode()

    def original(self, kind: str) -> tuple[int, bytes]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        asset = self.stub.assets.get((kind, query["public_id"]))
        if not _signed(query):
            return 401, _error("Invalid Signature")
        there = asset is not None and not asset.deleted and asset.delivery == query["type"]
        return (200, asset.content) if asset and there else (404, _error("not found"))

    def backup(self) -> tuple[int, bytes]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if not _signed(query):
            return 401, _error("Invalid Signature")
        for (kind, public_id), asset in self.stub.assets.items():
            if self.stub.row(kind, public_id)["asset_id"] == query["asset_id"]:
                return 200, dict(asset.backups)[query["version_id"]]
        return 404, _error("not found")

    def deliver(self, parts: list[str]) -> tuple[int, bytes]:
        rest = parts[3:]
        if rest[0].startswith("v") and rest[0][1:].isdigit():
            rest = rest[1:]
        asset = self.stub.assets.get((parts[1], "/".join(rest)))
        if asset and (asset.access_mode != "public" or asset.access_control or asset.delivery != "upload"):
            return 401, b""
        return (200, asset.content) if asset and not asset.deleted else (404, b"")


def _signed(form: dict[str, Any]) -> bool:
    signed = {k: v for k, v in form.items() if k not in ("api_key", "signature", "file", "cloud_name", "resource_type")}
    text = "&".join(f"{k}={v}".replace("&", "%26") for k, v in sorted(signed.items()) if v)
    return form.get("api_key") == KEY and form["signature"] == hashlib.sha1((text + SECRET).encode()).hexdigest()


def _multipart(kind: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    whole = b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body
    message: Any = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(whole)
    form: dict[str, Any] = {}
    for part in message.iter_parts():
        raw = part.get_payload(decode=True)
        form[str(part.get_param("name", header="content-disposition"))] = raw if isinstance(raw, bytes) else b""
    content = form.pop("file", b"")
    return {name: value.decode() for name, value in form.items()}, content


def _error(message: str) -> bytes:
    return json.dumps({"error": {"message": message}}).encode()


@contextmanager
def running() -> Iterator[Stub]:
    """The service on a free port, gone when the context ends."""
    stub = Stub()
    handler = type("Bound", (Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
