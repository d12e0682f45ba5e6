"""What the sandbox itself was busy with during a recovery, from its own records: transfers, and the dynos' log."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bench.sandboxes import Bench

LINE = re.compile(r"^(?P<at>\S+) heroku\[(?P<dyno>[\w.]+)\]: (?P<text>.*)$")
_ONE_OFF = "run."
_END_OF_ONE_OFF = ("Process exited",)
_ENDS = (*_END_OF_ONE_OFF, "State changed from starting to up")
STEADY = timedelta(seconds=10)
"""How long the sandbox's dynos must have been up before a recovery ends."""


@dataclass(frozen=True)
class ProviderWait:
    """One thing that the provider was busy with, or made us wait for."""

    what: str
    begun: datetime
    ended: datetime


class Records:
    """Reads a running sandbox through its public interfaces."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._heroku = bench.contract["heroku"]

    def since(self, after: datetime) -> list[ProviderWait]:
        """Everything that began after that moment and has ended."""
        starts = list(self._starts(after))
        return [*(one for one in self.transfers() if one.begun >= after), *starts, *_steady(starts)]

    def delete_captures(self) -> None:
        """Every transfer but the first backup: the plan keeps a few, and must not drop that one."""
        path = f"/client/v11/apps/{self._heroku['app']}/transfers"
        for one in self._json("GET", path):
            if one["num"] != 1:
                self._json("DELETE", f"{path}/{one['num']}")

    def transfers(self) -> Iterator[ProviderWait]:
        """Every finished pg_dump and pg_restore of the provider."""
        apps = json.loads(self._bench.uscdr("sandbox", "status", "--json").out)["apps"]
        for one in next(app["transfers"] for app in apps if app["name"] == self._heroku["app"]):
            if one["started_at"] and one["seconds"] is not None:
                begun = datetime.fromisoformat(one["started_at"])
                yield ProviderWait(one["name"], begun, begun + timedelta(seconds=one["seconds"]))

    def _starts(self, after: datetime) -> Iterator[ProviderWait]:
        """Dynos from their start to up, one-off dynos from their start to their exit."""
        begun: dict[str, datetime] = {}
        for at, dyno, text in self._log():
            if at < after:
                continue
            if text.startswith("Starting process"):
                begun[dyno] = at
            elif dyno in begun and text.startswith(_END_OF_ONE_OFF if dyno.startswith(_ONE_OFF) else _ENDS):
                yield ProviderWait(dyno, begun.pop(dyno), at)

    def _log(self) -> list[tuple[datetime, str, str]]:
        session = self._json("POST", f"/apps/{self._heroku['app']}/log-sessions", {"lines": 1500, "tail": False})
        request = urllib.request.Request(session["logplex_url"], headers={"Accept": "text/event-stream"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            lines = [line[6:].rstrip() for line in answer.read().decode().splitlines() if line.startswith("data: ")]
        found = [LINE.match(line) for line in lines]
        return [(datetime.fromisoformat(hit["at"]), hit["dyno"], hit["text"]) for hit in found if hit]

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        headers = {
            "Authorization": f"Bearer {self._heroku['token']}", "Accept": "application/vnd.heroku+json; version=3"
        }  # fmt: skip
        data = json.dumps(body).encode() if body is not None else None
        if data:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self._heroku["api_url"] + path, method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def _steady(starts: Iterable[ProviderWait]) -> Iterator[ProviderWait]:
    """The time for which the dynos must stay up after the last of them is."""
    up = [one.ended for one in starts if not one.what.startswith(_ONE_OFF)]
    if up:
        yield ProviderWait("dynos stay up", max(up), max(up) + STEADY)


def together(waits: Iterable[ProviderWait]) -> float:
    """Seconds in which at least one of them lasted: what overlaps counts once."""
    seconds, end = 0.0, None
    for one in sorted(waits, key=lambda wait: wait.begun):
        begun = one.begun if end is None else max(one.begun, end)
        if one.ended > begun:
            seconds += (one.ended - begun).total_seconds()
            end = one.ended
    return seconds
