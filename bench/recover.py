"""`recover db` against the runbook's commands, typed by a shell script with the official client; and its overhead.

The script has no person in it and types each command as soon as the one before it has ended. It does what the runbook
says and no more: it proves no backup, compares nothing, and captures nothing afterwards.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

from bench.programs import timed
from bench.rows import Pairs, Row
from bench.sandboxes import Bench, sandbox
from bench.waits import Records, together

PART = "Recovery of the database"
ROUNDS = {1_000: 2, 100_000: 1}
AIMS = {1_000: 0.6, 100_000: 0.9}
OVERHEAD = 1.10
OPENED = "opened.txt"
"""Where the script notes when it has disabled maintenance mode."""
MANAGE = "python backend/manage.py"
COUNTS = (
    "from patients.models import Patient; from authentication.models import User; "
    "print(Patient.objects.count(), User.objects.count())"
)


def measure() -> Iterator[Row]:
    """With few and with many patients, each on a sandbox of its own."""
    for patients, rounds in ROUNDS.items():
        with sandbox(patients=patients) as bench:
            yield from _Recoveries(bench, patients).measured(rounds)


@dataclass
class _Recoveries:
    """Recoveries of one sandbox, each from the same damage."""

    bench: Bench
    patients: int
    wall: list[float] = field(default_factory=list)
    provider: list[float] = field(default_factory=list)
    """Seconds in which the sandbox was busy or made us wait, by its own records."""
    told: list[float] = field(default_factory=list)
    """The same as the run's own report says it."""
    open_again: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    """Seconds until maintenance mode is off, ours and the script's."""
    megabytes: float = 0.0

    def measured(self, rounds: int) -> Iterator[Row]:
        pairs = Pairs.alternate(self._ours, self._theirs, rounds)
        steady = "10 s of it is the time for which dynos must stay up; the script does not watch them"
        said = f"by the run's own report {median(self.told):.1f} s"
        yield Row(
            PART, f"`recover db`, {self.patients:,} patients", "the runbook typed by a script (Heroku CLI)", pairs,
            aim=AIMS[self.patients], megabytes=self.megabytes,
            note=f"it also proves the backup, compares every table, and captures a new backup; {steady}",
        )  # fmt: skip
        yield Row(
            PART, f"`recover db`, {self.patients:,} patients, until the site is open again", "the same of the script",
            Pairs(*map(tuple, self.open_again)),
        )  # fmt: skip
        yield Row(
            PART, f"`recover db`, {self.patients:,} patients", "what the provider was busy with or made us wait for",
            Pairs(tuple(self.wall), tuple(self.provider)), aim=OVERHEAD, note=said,
        )  # fmt: skip

    def _ours(self) -> float:
        self._damage()
        recover = ("recover", "db", "--backup", "b001")
        said = map(json.loads, self.bench.uscdr(*recover, "--dry-run", "--json").out.splitlines())
        phrase = next(one["phrase"] for one in said if one["schema"] == "uscdr.plan.v1")
        begun = datetime.now(UTC)
        done = self.bench.uscdr(*recover, "--confirm", phrase)
        self.wall.append(done.seconds)
        self.provider.append(together(Records(self.bench).since(begun)))
        self.told.append(json.loads(self.bench.uscdr("runs", "report", "--times", "--json").out)["total"]["provider"])
        self.megabytes = max(self.megabytes, done.megabytes)
        self.open_again[0].append((self._opened() - begun).total_seconds())
        return done.seconds

    def _opened(self) -> datetime:
        """When the newest run had disabled maintenance mode, by its journal."""
        journal = max(self.bench.root.glob("runs/*/journal.jsonl"), key=lambda path: path.stat().st_mtime)
        lines = list(map(json.loads, journal.read_text().splitlines()))
        found = (one["at"] for one in lines if one["event"]["kind"] == "step.succeeded"
                 and one["event"]["step"] == "maintenance_off")  # fmt: skip
        return datetime.fromisoformat(next(found))

    def _theirs(self) -> float:
        self._damage()
        script = self.bench.root / "runbook.sh"
        script.write_text("set -e\n" + "\n".join(self._typed()) + "\n")
        begun = datetime.now(UTC).timestamp()
        done = timed(("sh", str(script)), self.bench.of_clients(), cwd=self.bench.root)
        self.open_again[1].append(float((self.bench.root / OPENED).read_text()) - begun)
        return done.seconds

    def _damage(self) -> None:
        Records(self.bench).delete_captures()
        self.bench.uscdr("sandbox", "break", "db", "--how", "drop-table")

    def _typed(self) -> Iterator[str]:
        """The runbook's commands of a damaged database, as they have to be typed."""
        app = self.bench.contract["heroku"]["app"]
        yield f"heroku pg:info --app {app}"
        yield f"heroku pg:backups --app {app}"
        yield f"heroku maintenance:on --app {app}"
        yield f"heroku ps:scale web=0 worker=0 beat=0 --app {app}"
        yield f"heroku pg:backups:capture --app {app}"
        yield f"heroku pg:backups:restore b001 DATABASE_URL --app {app} --confirm {app}"
        yield f"heroku run --exit-code --no-tty --app {app} -- {MANAGE} shell -c {shlex.quote(shlex.quote(COUNTS))}"
        yield f"heroku run --exit-code --no-tty --app {app} -- {MANAGE} migrate"
        yield f"heroku ps:scale web=1 worker=1 beat=1 --app {app}"
        yield f"heroku maintenance:off --app {app}"
        yield f"date +%s.%N >{OPENED}"
        site = self.bench.contract["web_url"].rstrip("/")
        patient = "curl --silent --fail --show-error --retry 60 --retry-delay 1 --retry-all-errors --output /dev/null"
        yield f"{patient} {site}/"
        yield f"{patient} {site}/api/health/"
        yield f"{patient} {site}/admin/login/"
