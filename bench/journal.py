"""The record of a run: append, read and resume, against the bare disk; and the lease of a shared store. No aims."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.rows import Pairs, Row
from uscdr.engine.history import History
from uscdr.events import Bus
from uscdr.journal.reader import NAME, Journal
from uscdr.journal.writer import JournalWriter
from uscdr.models.base import Event
from uscdr.models.events import RunStarted, StepStarted, StepSucceeded
from uscdr.redaction import Redactor
from uscdr.report.objectives import build
from uscdr.settings import Operator
from uscdr.store.directory import LocalStore
from uscdr.store.lease import WriterQueue
from uscdr.store.lease_records import LeaseTerms

PART = "The record of a run"
EVENTS, FEWER = 10_000, 1_000
ROUNDS = 3


def measure() -> Iterator[Row]:
    """Appending, reading, resuming; the growth of each; the lease."""
    with tempfile.TemporaryDirectory(prefix="uscdr-bench-") as place:
        root = Path(place)
        few, many = (_written(root / str(number), number) for number in (FEWER, EVENTS))
        lines = many.read_bytes().splitlines(keepends=True)
        appended = Pairs.alternate(lambda: _append(root, FEWER), lambda: _bare(root, lines[:FEWER]), ROUNDS)
        yield Row(PART, f"{FEWER:,} events appended, each durable", "write and fsync of the same bytes", appended)
        for what, work in (("read and checked", _fold), ("read for a resumption", _resume)):
            pairs = Pairs.alternate(lambda work=work: work(many), lambda: _whole(many), ROUNDS)  # type: ignore[misc]
            note = f"grows with the number of events to the power of {_exponent(work(few), min(pairs.ours)):.2f}"
            yield Row(PART, f"{EVENTS:,} events {what}", "read of the same bytes", pairs, note=note)
        yield _leases(root)


def _events(number: int) -> Iterator[Event]:
    yield RunStarted(
        scenario="db", target="t", app="usc-pis", request={}, version="1", user="u", host="h", scenario_digest="d",
        rto_seconds=7200, rpo_seconds=14400,
    )  # fmt: skip
    for one in range((number - 1) // 2):
        step = f"step-{one % 26}"
        yield StepStarted(
            step=step, title="A step", phase="recover", effect="idempotent", baseline={"maintenance": "off"}
        )
        yield StepSucceeded(step=step, seconds=0.25, summary="maintenance mode is on", result={"enabled": True})


def _written(directory: Path, number: int) -> Path:
    writer = JournalWriter.create(directory)
    bus = Bus(directory.name, Redactor())
    bus.add_ledger(writer)
    for event in _events(number):
        bus.emit(event)
    writer.close()
    return directory / NAME


def _append(root: Path, number: int) -> float:
    begun = time.perf_counter()
    _written(Path(tempfile.mkdtemp(dir=root)) / "run", number)
    return time.perf_counter() - begun


def _bare(root: Path, lines: list[bytes]) -> float:
    begun = time.perf_counter()
    handle, _ = tempfile.mkstemp(dir=root)
    for line in lines:
        os.write(handle, line)
        os.fsync(handle)
    os.close(handle)
    return time.perf_counter() - begun


def _whole(path: Path) -> float:
    begun = time.perf_counter()
    path.read_bytes()
    return time.perf_counter() - begun


def _fold(path: Path) -> float:
    begun = time.perf_counter()
    journal = Journal.read(path)
    build(journal.stamped, last_hash=journal.last_hash)
    return time.perf_counter() - begun


def _resume(path: Path) -> float:
    begun = time.perf_counter()
    writer, journal = JournalWriter.reopen(path)
    History.of(journal.records)
    writer.close()
    return time.perf_counter() - begun


def _exponent(few: float, many: float) -> float:
    return math.log(many / few) / math.log(EVENTS / FEWER)


def _leases(root: Path) -> Row:
    """A lease taken and given back in a directory, against one small file written durably."""
    store = LocalStore(root / "store")
    queue = WriterQueue(Operator.of(os.environ), time.sleep, lambda _: None, LeaseTerms())

    def lease() -> float:
        begun = time.perf_counter()
        with queue.turn(store, "measure"):
            return time.perf_counter() - begun

    pairs = Pairs.alternate(lease, lambda: _bare(root, [b"x" * 400 + b"\n"]), 9)
    return Row(PART, "a lease taken in a directory", "write and fsync of 401 bytes", pairs)
