"""A line of an application's log, taken apart: when, whose, what. Pure.

Log lines may hold personal data: nothing of an application's own text is ever shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

LINE = re.compile(r"(?P<at>\S+)\s+(?P<source>app|heroku)\[(?P<process>[\w.-]+)\]:\s?(?P<text>.*)", re.DOTALL)
ROUTER = re.compile(r"\bat=(?:error|warning)\s+code=(?P<code>H\d{2})\b")
PROCESS = re.compile(r"^Error (?P<code>[RLH]\d{2})\b")


class LogLine(NamedTuple):
    """One line. `at` is aware UTC, None where it cannot be read; `process` is `router`, `api` or a dyno's name."""

    at: datetime | None
    source: str
    process: str
    text: str

    @property
    def of_platform(self) -> bool:
        """Only such lines are read for codes and states: an application can print anything."""
        return self.source == "heroku"

    @property
    def code(self) -> str:
        """The platform's error code in it; empty when there is none."""
        if not self.of_platform:
            return ""
        # The router quotes the request's path and host, which a visitor chooses; its code comes before them.
        match = ROUTER.match(self.text) if self.process == "router" else PROCESS.match(self.text)
        return match["code"] if match else ""


def read(lines: Iterable[str]) -> Iterator[LogLine]:
    """Those that are log lines, in their order."""
    for line in lines:
        match = LINE.match(line.rstrip("\r\n"))
        if match:
            yield LogLine(_moment(match["at"]), match["source"], match["process"], match["text"])


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
