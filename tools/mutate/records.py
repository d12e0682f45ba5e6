"""What became of each fault, and which test found it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from tools.mutate.mutant import Mutant

KILLED = Path("tools/mutants-killed.json")


class Result(StrEnum):
    """What became of a fault."""

    KILLED = "killed"
    SURVIVED = "survived"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Record:
    """One fault; `by` is the test that found it, or why nothing is known."""

    id: str
    result: Result
    seconds: float
    by: str
    path: str = ""


class Results:
    """A file of JSON lines. Thread-safe."""

    def __init__(self, path: Path, *, anew: bool) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._found: dict[str, Record] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if anew:
            path.write_text("")
        for line in path.read_text().splitlines() if path.exists() else ():
            fields = json.loads(line)
            self._found[fields["id"]] = Record(**{**fields, "result": Result(fields["result"])})

    def add(self, record: Record) -> None:
        """Keep it; a later one of the same fault counts."""
        with self._turn, self._path.open("a") as file:
            self._found[record.id] = record
            file.write(json.dumps(asdict(record)) + "\n")

    def of(self, mutants: Sequence[Mutant]) -> list[Record]:
        """Those of these faults that are known."""
        return [self._found[one.id] for one in mutants if one.id in self._found]

    def withdraw(self, red: frozenset[str]) -> None:
        """A test that fails without any fault found none."""
        for record in [one for one in self._found.values() if one.by in red]:
            self.add(replace(record, result=Result.NOT_APPLICABLE, by=f"fails without it, too: {record.by}"))


class Killers:
    """Which test found which fault, as it was committed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def of(self, mutant: Mutant) -> str:
        """The test; empty when none is known."""
        return self._known.get(mutant.id, "")

    def learn(self, records: Iterable[Record]) -> None:
        """Write down what found them now."""
        known = {**self._known, **{one.id: one.by for one in records if one.result is Result.KILLED and "::" in one.by}}
        if known != self._known:
            self._known = known
            self._path.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
