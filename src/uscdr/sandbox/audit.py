"""The list of requests received: what a client did is read here, not believed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

READ_METHODS = ("GET", "HEAD")
READ_POSTS = (
    "/actions/addon-attachments/resolve",
    "/actions/addons/resolve",
    "/actions/public-url",
    "/log-sessions",
    "/resources/search",
    "/folders/search",
    "/token",
)
HEROKU = "heroku"


def is_write(method: str, path: str) -> bool:
    """Whether a call changes anything. A few POSTs only read."""
    return method not in READ_METHODS and not (method == "POST" and path.endswith(READ_POSTS))


@dataclass(frozen=True)
class AuditRecord:
    """One request. `status` is 0 when no answer was sent."""

    time: str
    method: str
    path: str
    status: int
    write: bool
    request_id: str
    fault: str
    provider: str = HEROKU


class AuditLog:
    """Append-only file; each line is written at once when its request ends."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append(self, record: AuditRecord) -> None:
        """Add one line."""
        os.write(self._descriptor, json.dumps(asdict(record)).encode() + b"\n")

    def note(self, method: str, path: str, status: int, fault: str = "", *, provider: str = HEROKU) -> None:
        """Add a line for what did not come through HTTP, such as a git push or a DNS update."""
        write = is_write(method, path)
        self.append(AuditRecord(_time(), method, path, status, write, str(uuid4()), fault, provider))

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _time() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The records in order. A last line without its end is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)


class AuditMiddleware:
    """Outermost ASGI wrapper: numbers requests and writes each one down, whatever became of it."""

    def __init__(self, application: ASGIApp, *, log: AuditLog, control_prefix: str, provider: str = HEROKU) -> None:
        self._application = application
        self._log = log
        self._control = control_prefix
        self._provider = provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and record it."""
        if scope["type"] != "http" or scope["path"].startswith(self._control):
            await self._application(scope, receive, send)
            return
        entry = _Entry(self._log, scope["method"], scope["path"], self._provider)
        scope["state"]["note"] = entry.note

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.write(message["status"])
                name = b"request-id" if self._provider == HEROKU else b"x-request-id"
                message["headers"] = [*message["headers"], (name, entry.request_id.encode())]
            await send(message)

        try:
            await self._application(scope, receive, answer)
        finally:
            entry.write(0)


class _Entry:
    """The line of one request: written when its answer starts, or when it is known that none will."""

    def __init__(self, log: AuditLog, method: str, path: str, provider: str) -> None:
        self._log, self._method, self._path, self._provider = log, method, path, provider
        self._fault, self._written = "", False
        self.request_id = str(uuid4())

    def note(self, fault: str, *, unanswered: bool) -> None:
        """Remember the fault applied."""
        self._fault = fault
        if unanswered:
            self.write(0)

    def write(self, status: int) -> None:
        """Write the line; only the first call counts."""
        if not self._written:
            self._written = True
            write = is_write(self._method, self._path)
            line = (_time(), self._method, self._path, status, write, self.request_id, self._fault, self._provider)
            self._log.append(AuditRecord(*line))
