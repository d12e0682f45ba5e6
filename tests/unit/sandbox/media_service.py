"""A media service without a sandbox around it, and a client that signs as the documentation says."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from uscdr.sandbox.audit import AuditLog
from uscdr.sandbox.faults.rules import FaultRules
from uscdr.sandbox.media import samples
from uscdr.sandbox.media.port import open_port
from uscdr.sandbox.media.service import MediaService

CLOUD = "usc-pis"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Cloud:
    """One cloud and its credentials."""

    service: MediaService
    http: httpx.Client
    audit: Path
    key: str
    secret: str = field(repr=False)

    def admin(self, method: str, path: str, body: Any = None, *, status: int = 200, **query: Any) -> dict[str, Any]:
        auth = (self.key, self.secret)
        answer = self.http.request(method, f"/v1_1/{CLOUD}/{path}", json=body, params=query, auth=auth)
        assert answer.status_code == status, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def signed(self, **fields: str) -> dict[str, str]:
        """The fields with the time, the key and a signature by the first version of the rule."""
        wanted = {"timestamp": str(int(time.time())), **fields}
        text = "&".join(f"{name}={value}" for name, value in sorted(wanted.items()) if value)
        return {**wanted, "api_key": self.key, "signature": hashlib.sha1((text + self.secret).encode()).hexdigest()}

    def post(self, action: str, *, file: bytes | None = None, status: int = 200, **fields: str) -> dict[str, Any]:
        files = {"file": ("photo.jpg", file)} if file is not None else None
        answer = self.http.post(f"/v1_1/{CLOUD}/{action}", data=self.signed(**fields), files=files)
        assert answer.status_code == status, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def put(self, public_id: str, size: int = 1000, *, content: bytes = b"") -> dict[str, Any]:
        return self.post("image/upload", file=content or samples.jpeg(public_id, size), public_id=public_id)

    def ids(self, **query: Any) -> list[str]:
        rows = self.admin("GET", "resources/image/upload", max_results=500, **query)["resources"]
        return [one["public_id"] for one in rows]

    def audited(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


class Background:
    """An event loop in a thread, as the sandbox's daemon has one."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@contextmanager
def running(directory: Path) -> Iterator[Cloud]:
    """The service on a port of its own, with its clouds empty."""
    background, stack = Background(), AsyncExitStack()
    log = AuditLog(directory / "audit.jsonl")
    try:
        service = background.run(open_port(directory / "media", FaultRules(), log, stack))
        account = service.library.accounts.get(CLOUD)
        with httpx.Client(base_url=service.url, trust_env=False, timeout=20) as client:
            yield Cloud(service, client, directory / "audit.jsonl", account.api_key, account.api_secret)
    finally:
        background.run(stack.aclose())
        background.stop()
        log.close()
