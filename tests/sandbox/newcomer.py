"""A page as a newcomer types it: every line in order, in a shell, with an empty HOME."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from documented import parsed
from uscdr.errors import ExitCode

ROOT = Path(__file__).parents[2]
README, TUTORIAL = ROOT / "README.md", ROOT / "docs" / "tutorial.md"
LATER = {"Try it: two commands", "Set it up for your application", "Install"}
"""Sections whose lines need the network or an account: they are read by the program's parser, and not run."""
NEVER = re.compile(r"\b(?:RUN|KIT|BACKUP)\b|…|--for 24h")
"""A line with a word to fill in, or one that lasts a day: it is parsed only."""
CODES = {
    "Check this machine: uscdr doctor --offline": ExitCode.CHECK_FAILED,
    "Break the database: uscdr verify db --skip-manual": ExitCode.CHECK_FAILED,
    "Tell people: uscdr incident notify --send": ExitCode.FAILED,
    "At 3 a.m.: uscdr verify all": ExitCode.CHECK_FAILED,
    "At 3 a.m.: uscdr backup status": ExitCode.CHECK_FAILED,
    "At 3 a.m.: uscdr runs resume": ExitCode.BAD_INPUT,
    "At 3 a.m.: uscdr runs resume --send-again": ExitCode.BAD_INPUT,
    "At 3 a.m.: uscdr dns rollback": ExitCode.CHECK_FAILED,
    "At 3 a.m.: uscdr drill due": ExitCode.CHECK_FAILED,
}
"""Lines that do not end with 0, by section: no token, a damaged database, a message that reached nobody; two questions
to a person, no copy off the platform, no unfinished run, no switch of the domain, exercises that nobody did yet."""
GIVEN = {
    "At 3 a.m.": (
        "uscdr sandbox up --backup-age 3h --plain",
        "export USCDR_TARGET=sandbox",
        "uscdr sandbox break db --how drop-table",
    )
}
"""What was there before the first line of a section."""
TAKEN = {"At 3 a.m.": ("uscdr sandbox down", "unset USCDR_TARGET")}
KEPT = ("USCDR_SANDBOX_PYTHON", "USCDR_SANDBOX_STEADY", "TMPDIR", "USCDR_SERVER_FILES")
CODE = re.compile(r"^ {4}(\S.*)$")
ASKING = re.compile(
    r"uscdr (?:--target \S+ )?(?:recover|dns rollback|self uninstall --state)\b(?!.* --(?:dry-run|save-plan))"
)
NEEDED = re.compile(r"needs the confirmation phrase: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """One line of a block of commands, without its comment."""

    section: str
    text: str

    @property
    def is_run(self) -> bool:
        return self.section not in LATER and not NEVER.search(self.text)

    @property
    def asks(self) -> bool:
        """Whether it asks for a phrase."""
        return bool(ASKING.match(self.text))


def lines(page: Path) -> Iterator[Line]:
    section, fenced = "", False
    for one in page.read_text().splitlines():
        section = one.lstrip("# ") if one.startswith("#") and not fenced else section
        fenced ^= one.startswith("```")
        if not fenced and (found := CODE.match(one)):
            yield Line(section, re.sub(r"\s{2,}# .*$", "", found[1]))


@dataclass
class Newcomer:
    """A shell of somebody who never used the program: what a line exports, and where it goes, is there for the next."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)
    where: Path = field(init=False)
    plans: dict[str, str] = field(default_factory=dict)
    """What the last dry run of each command printed."""

    def __post_init__(self) -> None:
        self.where = self.home
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        own = {"HOME": str(self.home), "PATH": path, "LANG": "C.UTF-8", "USER": "ada"}
        self.env = {**{name: os.environ[name] for name in KEPT if name in os.environ}, **own}

    def type(self, text: str) -> subprocess.CompletedProcess[str]:
        left = self.home / ".environment"
        script = 'eval "$1"; code=$?; env -u PWD -u OLDPWD -0 PWD="$PWD" >"$2"; exit $code'
        with (self.home / ".out").open("w+") as out, (self.home / ".err").open("w+") as err:
            done = subprocess.run(
                ["bash", "-c", script, "bash", text, str(left)], env=self.env, cwd=self.where,
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=300, check=False,
            )  # fmt: skip
        self.env = dict(one.split("=", 1) for one in left.read_text().split("\0") if "=" in one)
        self.where = Path(self.env.pop("PWD", self.home))
        said = [(self.home / name).read_text() for name in (".out", ".err")]
        return subprocess.CompletedProcess(text, done.returncode, *said)

    def confirmed(self, line: Line) -> str:
        """The line with its phrase: of the dry run that the page has before it, else of one that is made for it."""
        printed = re.search(r"^phrase +(.+)$", self.plans.pop(line.text, ""), re.MULTILINE)
        phrase = printed[1] if printed else self._asked(line)
        return f"{line.text} --confirm {shlex.quote(phrase)}" if phrase else line.text

    def _asked(self, line: Line) -> str:
        if " self uninstall " in line.text:
            needed = NEEDED.search(self.type(line.text).stderr)
            return needed[1] if needed else ""
        said = self.type(f"{line.text} --dry-run --json").stdout
        plans = [json.loads(one) for one in said.splitlines()]
        return next((one["phrase"] for one in plans if one.get("phrase")), "")


def follow(page: Path, newcomer: Newcomer) -> None:
    """Type the whole page. Fails at the first line that ends otherwise than it should."""
    section = ""
    for line in lines(page):
        if line.section != section:
            typed(newcomer, *TAKEN.get(section, ()), *GIVEN.get(line.section, ()))
            section = line.section
        if line.is_run:
            wanted = CODES.get(f"{section}: {line.text}", ExitCode.DONE)
            typed(newcomer, newcomer.confirmed(line) if line.asks else line.text, codes=(wanted,))
    assert not (newcomer.home / ".local" / "state" / "uscdr" / "sandbox").exists(), "the sandbox is still there"


def typed(newcomer: Newcomer, *texts: str, codes: Collection[int] = (ExitCode.DONE,)) -> str:
    """Type each line, which must end with one of `codes`. What the last one printed."""
    said = ""
    for text in texts:
        done = newcomer.type(text)
        said = f"$ {text}\n{done.stdout}\n{done.stderr}"
        assert not re.search(r"^Traceback", said, re.MULTILINE), said
        assert done.returncode in codes, (
            f"exit {done.returncode}\n$ {text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )
        if text.endswith(" --dry-run"):
            newcomer.plans[text.removesuffix(" --dry-run")] = done.stdout
    return said


def unread(page: Path) -> list[str]:
    """Command lines that are not run. Raises what the program's parser raises."""
    texts = [line.text for line in lines(page) if not line.is_run and line.text.startswith("uscdr ")]
    for text in texts:
        parsed(shlex.split(text)[1:])
    return texts
