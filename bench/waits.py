"""What the sandbox itself was busy with during a recovery, from its own records: transfers and the dynos' log."""

from __future__ import annotations

import json
import re
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LINE = re.compile(r"^(?P<at>\S+) heroku\[(?P<dyno>[\w.]+)\]: (?P<text>.*)$")


@dataclass(frozen=True)
class Wait:
    """One thing that had to be waited for, in seconds."""

    what: str
    seconds: float


class Records:
    """Reads a running sandbox through its public interfaces."""

    def __init__(self, contract: dict[str, Any]) -> None:
        self._api = contract["heroku"]["api_url"]
        self._token = contract["heroku"]["token"]
        self._app = contract["heroku"]["app"]

    def transfers(self) -> list[Wait]:
        """Every finished pg_dump and pg_restore but the first backup."""
        found = self._json("GET", f"/client/v11/apps/{self._app}/transfers")
        return [
            Wait(f"{'pg_restore' if one['to_type'] == 'pg_restore' else 'pg_dump'} {one['num']}", _span(one))
            for one in found
            if one["num"] != 1 and one["finished_at"]
        ]

    def starts(self, after: datetime) -> list[Wait]:
        """Dynos from their start to up, one-off dynos from their start to their exit, since `after`."""
        begun: dict[str, datetime] = {}
        waits = []
        for at, dyno, text in self._log():
            if at < after:
                continue
            if text.startswith("Starting process"):
                begun[dyno] = at
            elif dyno in begun and text.startswith(("State changed from starting to up", "Process exited")):
                waits.append(Wait(f"start {dyno}", (at - begun.pop(dyno)).total_seconds()))
        return waits

    def _log(self) -> list[tuple[datetime, str, str]]:
        session = self._json("POST", f"/apps/{self._app}/log-sessions", {"lines": 1500, "tail": False})
        request = urllib.request.Request(session["logplex_url"], headers={"Accept": "text/event-stream"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            lines = [line[6:].rstrip() for line in answer.read().decode().splitlines() if line.startswith("data: ")]
        found = [LINE.match(line) for line in lines]
        return [(datetime.fromisoformat(hit["at"]), hit["dyno"], hit["text"]) for hit in found if hit]

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/vnd.heroku+json; version=3"}
        data = json.dumps(body).encode() if body is not None else None
        if data:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self._api + path, method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def _span(transfer: dict[str, Any]) -> float:
    start, end = (datetime.fromisoformat(transfer[name]) for name in ("started_at", "finished_at"))
    return (end - start).total_seconds()
