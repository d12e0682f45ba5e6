"""Media put back from a folder into a cloud that lost all files, against `cld sync --push` of the same folder."""

from __future__ import annotations

import json
import math
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psycopg

from bench.programs import CLD, timed
from bench.rows import Pairs, Row
from bench.sandboxes import Bench, sandbox
from uscdr.sandbox.media import samples

PART = "Media from a folder"
FEW, MANY = 1_000, 10_000
DELAYS = {FEW: (0.0, 0.05, 0.2), MANY: (0.0, 0.05)}
"""Seconds that each answer waits, by number of files. Ten thousand at 0.2 s would take four minutes more."""
AIMED, ALONE_AIM, WHOLE_AIM = 0.05, 1.0, 1.25
"""The latency that the aims are for; what is measured with another one is a fact."""
ROUNDS = {FEW: 3, MANY: 1}
_OWN = 81
"""Files of the clinic itself, with a few patients."""
_LARGE = 10
"""One file in so many has 100 to 300 kB, the others have 4 to 36 kB."""
_CHECKS = ("media_verify", "check_app")
_UPLOADS = "uploads/many/%"


@dataclass
class _Seen:
    """What a measurement shows beside its seconds."""

    seconds: list[float] = field(default_factory=list)
    without: list[float] = field(default_factory=list)
    """Seconds without those of the checks."""
    calls: list[float] = field(default_factory=list)
    megabytes: float = 0.0

    def note(self, seconds: float, checks: float, calls: int, megabytes: float) -> float:
        """One run; returns its seconds."""
        self.seconds.append(seconds)
        self.without.append(seconds - checks)
        self.calls.append(calls)
        self.megabytes = max(self.megabytes, megabytes)
        return seconds


def measure() -> Iterator[Row]:
    """Each number of files in a sandbox of its own."""
    took: dict[int, tuple[float, float]] = {}
    for files, delays in DELAYS.items():
        with sandbox("--assets", str(files - _OWN), "--plain", patients=10) as bench:
            cloud = _Cloud(bench)
            for delay in delays:
                ours, theirs = cloud.compare(delay, ROUNDS[files])
                if delay == AIMED:
                    took[files] = (median(ours.seconds), median(theirs.seconds))
                yield from _rows(cloud.files, delay, ours, theirs)
    exponents = [math.log10(took[MANY][side] / took[FEW][side]) for side in (0, 1)]
    pairs = Pairs((exponents[0],), (exponents[1],))
    what = f"growth from {FEW:,} to {MANY:,} files, as an exponent, at {1000 * AIMED:.0f} ms a call"
    yield Row(PART, what, "cld sync --push", pairs, unit="", note="1 is in proportion")


def _rows(files: int, delay: float, ours: _Seen, theirs: _Seen) -> Iterator[Row]:
    what, against = f"{files:,} files at {1000 * delay:.0f} ms a call", "cld sync --push"
    alone = Pairs(tuple(ours.without), tuple(theirs.seconds))
    aims = (ALONE_AIM, WHOLE_AIM) if delay == AIMED else (None, None)
    yield Row(PART, f"recover media --from, {what}, without its checks", against, alone, aim=aims[0])
    whole = Pairs(tuple(ours.seconds), tuple(theirs.seconds))
    yield Row(PART, f"the same with its checks, {what}", against, whole, aim=aims[1], megabytes=ours.megabytes)
    wanted = Pairs(tuple(ours.calls), (float(files),) * len(ours.calls))
    yield Row(PART, f"its calls to the service, {what}", "files", wanted, unit="calls", aim=1.1)


class _Cloud:
    """The sandbox's cloud, and a folder with every file that its database refers to."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._home = bench.root / "sandbox"
        self._folder = bench.root / "folder"
        self._blobs = self._home / "media" / "blobs"
        self._resize()
        self.files = sum(1 for _ in self._copied())

    def _resize(self) -> None:
        """Sizes of a few kB to a few hundred, as rows and files."""
        with psycopg.connect(self._database()) as connection:
            names = connection.execute("SELECT id, file FROM file_uploads_uploadedfile WHERE file LIKE %s", [_UPLOADS])
            chance, sized = random.Random(1), dict[str, int]()
            for number, name in names.fetchall():
                size = chance.randint(*((100_000, 300_000) if number % _LARGE == 0 else (4_000, 36_000)))
                connection.execute("UPDATE file_uploads_uploadedfile SET file_size = %s WHERE id = %s", [size, number])
                sized[str(name)] = size
        self._sized = sized

    def _database(self) -> str:
        heroku = self._bench.contract["heroku"]
        headers = {"Authorization": f"Bearer {heroku['token']}", "Accept": "application/vnd.heroku+json; version=3"}
        answer = httpx.get(f"{heroku['api_url']}/apps/{heroku['app']}/config-vars", headers=headers, trust_env=False)
        return str(answer.raise_for_status().json()["DATABASE_URL"])

    def _copied(self) -> Iterator[Path]:
        with closing(self._books()) as books:
            rows = books.execute("SELECT resource_type, public_id, etag FROM assets WHERE cloud = 'usc-pis'").fetchall()
        for kind, public_id, etag in rows:
            name = f"{public_id}.jpg" if kind == "image" else str(public_id)
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            size = self._sized.get(name)
            kept = self._blobs / etag[:2] / etag
            path.write_bytes(samples.content(name, size) if size else kept.read_bytes())
            yield path

    def _books(self) -> sqlite3.Connection:
        return sqlite3.connect(self._home / "media" / "media.sqlite3", timeout=30)

    def compare(self, delay: float, rounds: int) -> tuple[_Seen, _Seen]:
        """Both by turns, each into an empty cloud."""
        ours, theirs = _Seen(), _Seen()
        clients = self._bench.of_clients()
        self._bench.slow(delay)

        def recover() -> float:
            before = self._emptied()
            phrase = f"usc-pis restore {self.files} files"
            done = self._bench.uscdr("recover", "media", "--from", str(self._folder), "--new", "--confirm", phrase)
            return ours.note(done.seconds, self._checks(), self._calls(before), done.megabytes)

        def push() -> float:
            before = self._emptied()
            done = timed((CLD, "sync", "--push", "-F", str(self._folder), "media"), clients)
            return theirs.note(done.seconds, 0.0, self._calls(before), done.megabytes)

        Pairs.alternate(recover, push, rounds)
        self._bench.slow(0)
        return ours, theirs

    def _emptied(self) -> int:
        """Take every file and its backup from the cloud; returns how many calls there were so far.

        Also its content from the disk: whoever uploads first would write it, and the other would find it there.
        """
        (self._folder / ".cld-sync").unlink(missing_ok=True)
        shutil.rmtree(self._blobs)
        with closing(self._books()) as books:
            books.execute("DELETE FROM assets")
            books.execute("DELETE FROM versions")
            books.commit()
        return self._calls(0)

    def _calls(self, before: int) -> int:
        lines = (self._home / "audit.jsonl").read_text().splitlines()
        return sum('"provider": "cloudinary"' in line and "/v1_1/" in line for line in lines) - before

    def _checks(self) -> float:
        """Seconds of the steps that verify, by the newest journal."""
        journal = max(self._bench.root.glob("runs/*/journal.jsonl"), key=lambda path: path.stat().st_mtime)
        events: list[dict[str, Any]] = [json.loads(line)["event"] for line in journal.read_text().splitlines()]
        ended = [one for one in events if one["kind"] == "step.succeeded" and one["step"] in _CHECKS]
        return sum(float(one["seconds"]) for one in ended)
