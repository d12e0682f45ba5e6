"""Debian's Chromium without a window, spoken to over a pipe (DevTools protocol)."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 120.0
"""Seconds for one answer: a busy machine starts a browser slowly."""


def program() -> str | None:
    """Where it is; None where it is not installed."""
    return shutil.which("chromium")


@dataclass
class Page:
    """One page of the browser. `requested` are the addresses that it asked for since it was opened."""

    _reads: int
    _writes: int
    _session: str = ""
    _number: int = 0
    _rest: bytes = b""
    requested: list[str] = field(default_factory=list)
    _loaded: bool = False

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """The answer to one command. Raises AssertionError for a refused one."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._number:
                assert "error" not in found, found
                answer: dict[str, Any] = found["result"]
                return answer

    def open(self) -> None:
        """A page of its own, whose requests are noted."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for room in ("Page", "Network", "Runtime"):
            self.ask(f"{room}.enable")

    def show(self, path: Path, width: int, *, dark: bool = False) -> None:
        """Load the file, `width` pixels wide."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media="screen", features=[scheme])
        self.requested.clear()
        self._loaded = False
        self.ask("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._next()

    def value(self, script: str) -> Any:
        """What the expression is, in the page."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._reads], [], [], PATIENCE)
            assert ready, "the browser does not answer"
            data = os.read(self._reads, 1 << 20)
            assert data, "the browser ended"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        if found.get("method") == "Network.requestWillBeSent":
            self.requested.append(found["params"]["request"]["url"])
        self._loaded = self._loaded or found.get("method") == "Page.loadEventFired"
        return found


@contextmanager
def browser(home: Path) -> Iterator[Page]:
    """A browser with a profile of its own below `home`; it is ended afterwards."""
    ours, theirs = os.pipe(), os.pipe()  # we write to it; it writes to us
    chosen = program()
    assert chosen is not None
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$0" "$@" 3<&{ours[0]} 4>&{theirs[1]}', chosen, *OPTIONS,
         f"--user-data-dir={home / 'profile'}", "about:blank"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        pass_fds=(ours[0], theirs[1]), env={**os.environ, "HOME": str(home)},
    )  # fmt: skip
    os.close(ours[0])
    os.close(theirs[1])
    page = Page(theirs[0], ours[1])
    try:
        page.open()
        yield page
    finally:
        process.terminate()
        process.wait(PATIENCE)
        os.close(theirs[0])
        os.close(ours[1])
