"""The guides as a newcomer types them: what each line needs, what stands for a value of the reader's, how it ends."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from newcomer import ROOT, Line, Newcomer, lines, typed
from uscdr.errors import ExitCode

DOCS, GOLDEN, SOURCE = ROOT / "docs", ROOT / "tests" / "golden" / "texts", ROOT / "src" / "uscdr"
RUNNERS = r"uscdr|export|cd|eval|git|pip|python3?|age|pg_restore|\.venv/bin/pip"
COMMAND = re.compile(rf"(?:\w+=\S* +)*(?:{RUNNERS}) |\(umask |\. \$HOME/")
CRON = re.compile(r"^(?:[\d*/,-]+ +){5}")
LISTED = re.compile(r"^(?:backups|proofs|leases|kits|media)/")
"""A file in a store, as a page lists it."""
LEAF = re.compile(r"^ *- .+: `(uscdr [^`]+)`$")
PLACES = {
    "/mnt/safe": "$HOME/safe",
    "/mnt/team": "$HOME/team",
    "/var/lib/node_exporter": "$HOME/metrics",
    "/srv/calendar": "$HOME/calendar",
    "https://hc-ping.com": "http://127.0.0.1:9",
}
"""Places that a page gives as examples, with those of this machine; the last one does not answer."""
OPTIONAL = {"jq", "age"}
"""Programs that a machine may lack; a line with one is typed where it is installed."""
UNTYPED = {
    (
        "backups: age -d -i /mnt/safe/backups/COPY/identity.age"
        " -o copy.dump /mnt/safe/backups/COPY/objects/*.age"
    ): "asks for a passphrase",
    "checklists: uscdr watch --for 24h --every 10m": "lasts a day",
    "exercises: uscdr runbook --online": "needs the internet",
    "sandbox: uscdr drill db --surprise": "another drill each time; the next line is one of them",
    "sandbox: python3 -m venv app-venv && app-venv/bin/pip install -r requirements.txt": "needs a package index",
    (
        "sandbox: uscdr drill db --from vault:newest --identity ~/.config/uscdr/identity.txt"
        " --source . --python app-venv/bin/python"
    ): "needs the line before",
    "upgrade: git pull": "needs a remote repository",
    "upgrade: .venv/bin/pip install -c constraints.txt '.[all]'": "needs a package index",
    "upgrade: pip uninstall uscdr": "would remove the program that is tested",
    "symptoms: uscdr watch --for 24h --every 10m": "lasts a day",
}  # fmt: skip
"""Lines that are only read by the program's parser, with the reason."""
SENTENCES = {
    "backups: Error: This machine's PostgreSQL lacks ICU": "ICU (collation ",
    "backups: Cause: The dump itself may be valid.": "The dump itself may be valid.",
    "backups: Next:  Prove the backup": "Prove the backup on a PostgreSQL server that has it",
    "backups: uscdr_command_exit_code": "command_exit_code",
    "backups: time() - uscdr_command_end_timestamp_seconds": "command_end_timestamp_seconds",
    "backups: uscdr_rpo_margin_seconds": "rpo_margin_seconds",
    "backups: uscdr_unknown": "uscdr_unknown",
    "configuration: Configuration: ": "decides where requests go",
    "exercises: exercise  ": "exercise every state last in time until why",
    "exercises: backup-verification ": "backup-verification monthly",
    "exercises: database-restore ": "database-restore monthly",
    "exercises: communication-review ": "communication-review monthly",
    "exercises: infrastructure-test ": "infrastructure-test quarterly",
    'json: {"schema": "uscdr.backup.v1", "name": "b118"': '{"schema": "uscdr.backup.v1", "name": "b',
    "recovery: 15  Restore the backup": "Restore the backup [DESTROYS]",
    "recovery: Expected: done": "Expected: done between",
    "recovery: Expected: service": "Expected: service back",
}
"""What a page shows of a screen (by how the line begins), with what of it the program prints."""
UNLISTED = {"backups/<id>/identity.age"}
"""Files that only a copy with a passphrase has."""


@dataclass(frozen=True)
class Guide:
    """A page and its lines."""

    name: str

    @property
    def path(self) -> Path:
        return DOCS / f"{self.name}.md"

    def lines(self) -> list[Line]:
        """What stands in blocks of commands, in order; of a page of symptoms, what its entries end in, once each."""
        found = [Line(one.section, CRON.sub("", one.text)) for one in lines(self.path)]
        return [*found, *dict.fromkeys(self._leaves())]

    def _leaves(self) -> Iterator[Line]:
        for text in self.path.read_text().splitlines():
            if found := LEAF.match(text):
                yield Line("", found[1])

    def commands(self) -> list[Line]:
        return [line for line in self.lines() if COMMAND.match(line.text)]

    def shown(self) -> list[str]:
        """Lines of blocks that are no commands: what a screen prints, and files of a store."""
        return [line.text for line in self.lines() if not COMMAND.match(line.text)]

    def unseen(self, printed: str, home: Path) -> list[str]:
        """What the page shows and neither its lines printed nor the program prints; files that a store lacks."""
        everything = _even(f"{printed}\n{known()}")
        return [
            text for text in self.shown()
            if not (listed(home, text) if LISTED.match(text) else _even(self._sentence(text)) in everything)
        ]  # fmt: skip

    def _sentence(self, text: str) -> str:
        begins = [one for one in SENTENCES if self.key(text).startswith(one)]
        assert len(begins) == 1, f"{self.key(text)} is neither a command nor a line that the program is known to print"
        return SENTENCES[begins[0]]

    def key(self, text: str) -> str:
        return f"{self.name}: {text}"


@dataclass
class Course:
    """Guides typed in one shell, one after the other."""

    newcomer: Newcomer
    given: Mapping[str, tuple[str, ...]]
    """What was there before the first line of a section (`page: section`) or before a line (`page: line`)."""
    endings: Mapping[str, tuple[ExitCode, str]]
    """Lines that do not end with 0 (`page: line`), each with what it says then."""
    spared: Collection[str] = ()
    """Of those, the ones that end with 0, too: it depends on the time since the line before."""
    done: set[str] = field(default_factory=set)

    def follow(self, guide: Guide) -> str:
        """Type the page. What it printed. Fails at the first line that ends otherwise than it should."""
        section, said = None, []
        for line in guide.commands():
            if line.section != section:
                typed(self.newcomer, *self.given.get(guide.key(line.section), ()))
                section = line.section
            if guide.key(line.text) in UNTYPED or lacking(line.text) or (not section and line.text in self.done):
                continue
            typed(self.newcomer, *self.given.get(guide.key(line.text), ()))
            said.append(self._line(guide.key(line.text), line))
        return "\n".join(said)

    def _line(self, key: str, line: Line) -> str:
        code, sentence = self.endings.get(key, (ExitCode.DONE, ""))
        filled = Line(line.section, self._filled(line.text))
        text = self.newcomer.confirmed(filled) if filled.asks else filled.text
        said = typed(self.newcomer, text, codes=(code, ExitCode.DONE) if key in self.spared else (code,))
        assert sentence in said or key in self.spared, said
        self.done.add(line.text)
        return said

    def _filled(self, text: str) -> str:
        """The line with the values of this reader."""
        now = datetime.now(UTC)
        values = {
            r"\bRUN\b": lambda: self._newest("runs list", "run"),
            r"\bID\b": lambda: self._newest("incident list", "incident"),
            r"\bCOPY\b": lambda: max(one.name for one in (self.newcomer.home / "safe" / "backups").iterdir()),
            r"2026-11-23T10:00Z|\bTIME\b": lambda: f"{now - timedelta(hours=1):%Y-%m-%dT%H:%MZ}",
            r"(?<=--since )02:10": lambda: f"{now - timedelta(minutes=40):%H:%M}",
            r"03:25-03:40": lambda: f"{now + timedelta(minutes=45):%H:%M}-{now + timedelta(hours=1):%H:%M}",
            r"2026-11-20": lambda: f"{now - timedelta(days=10):%Y-%m-%d}",
            r"2026-12-05": lambda: f"{now + timedelta(days=5):%Y-%m-%d}",
        }
        for place, here in PLACES.items():
            text = text.replace(place, here)
        for pattern, value in values.items():
            text = re.sub(pattern, lambda _found, value=value: value(), text)  # type: ignore[misc]
        return text.replace(" --confirm 'PHRASE'", "")

    def _newest(self, listing: str, field: str) -> str:
        rows = [json.loads(one) for one in self.newcomer.type(f"uscdr {listing} --json").stdout.splitlines()]
        return max(str(one[field]) for one in rows)


def lacking(text: str) -> bool:
    """Whether this machine lacks a program of the line that is not the product's."""
    return any(re.search(rf"(?:^|\| ){name}\b", text) and not shutil.which(name) for name in OPTIONAL)


@cache
def known() -> str:
    """What the screens print, by their golden files and by the source."""
    files = [*sorted(GOLDEN.iterdir()), *sorted(SOURCE.rglob("*.py"))]
    return "\n".join(one.read_text() for one in files)


def listed(home: Path, text: str) -> bool:
    """Whether the store of this reader has such a file: `kits/<id>/card.json` is one of any id."""
    path = re.split(r", | {2,}", text)[0]
    return path in UNLISTED or any((home / "safe").glob(re.sub(r"<[^>]+>", "*", path)))


def _even(text: str) -> str:
    return re.sub(r"\s+", " ", text)
