"""A stranger at 3 a.m., who knows nothing but what the screen shows: from `uscdr --help` to the service."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

import pexpect
import pytest

from forked import USCDR
from infra_desk import NEW, OLD, Desk, opened
from uscdr.errors import ExitCode

LIMIT = 600.0
"""Seconds within which a recovery goes on to its next line; only a run that hangs needs them."""
QUESTION, PHRASE = r"(\w+) / [^\n>]*> $", r"type exactly[^\n]*:\r?\n\s+(\S[^\r\n]*)\r?\n> $"
ROW = re.compile(r"^ {2}(uscdr \S.*?)(?:  +|\n {3,})(\S.*(?:\n {6,}\S.*)*)$", re.MULTILINE)
"""A command of the help, and what it is for; a long one stands above its explanation."""
LED = re.compile(r"\buscdr [a-z][^\n]*?(?=[.,;:)]?(?:\s+[A-Z(]|$)|\n)", re.MULTILINE)
"""A command in a sentence that says what to do next."""


@dataclass
class Stranger:
    """Somebody at a simple terminal; types what was printed, and answers as the questions say."""

    desk: Desk
    shown: str = ""
    typed: list[str] = field(default_factory=list)

    def recover(self, *symptom: str, most: int) -> None:
        """Look for the words of the symptom in the help, type its command, then whatever the screen says is next."""
        assert self.type("uscdr --help") == ExitCode.DONE
        command = next(one for one, said in ROW.findall(self.shown) if all(word in said for word in symptom))
        while (code := self.type(command)) != ExitCode.DONE:
            assert code != ExitCode.BAD_INPUT, f"a dead end: {self.typed}\n{self.shown[-4000:]}"
            assert len(self.typed) < most, f"too many: {self.typed}\n{self.shown[-4000:]}"
            following = LED.search(self.shown, self.shown.rindex("\nNext: "))
            assert following is not None, self.shown[-4000:]
            command = following[0]

    def type(self, command: str) -> int:
        """One command, which the screen has shown; its exit code."""
        assert not self.typed or command in self.shown
        self.typed.append(command)
        environment = {"TERM": "dumb", "NO_COLOR": "1", "USCDR_TARGET": "sandbox", "PAGER": "cat"}
        child = pexpect.spawn(
            USCDR, shlex.split(command)[1:], env=self.desk.environment(environment), cwd=str(self.desk.state),
            timeout=LIMIT, dimensions=(50, 80), encoding="utf-8",
        )  # fmt: skip
        try:
            while (asked := child.expect([PHRASE, QUESTION, pexpect.EOF])) != 2:
                self.shown += (child.before + child.after).replace("\r", "")
                child.sendline(child.match[1] if asked else child.match[1].strip())
            self.shown += child.before.replace("\r", "")
        finally:
            child.close(force=True)
        assert child.signalstatus in (None, signal.SIGHUP), child.signalstatus
        return int(child.exitstatus or 0)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A clinic in order, with a kit."""
    with opened("uscdr-stranger-") as desk:
        desk.kit()
        yield desk


def serves(desk: Desk, app: str) -> bool:
    """Whether the domain leads to pages and to a database that answers; looked at without the program."""
    return desk.through_the_edge("/api/health/").status_code == 200 and "web" in desk.running(app)


def test_a_lost_table_is_back_after_three_commands(desk: Desk) -> None:
    wanted = desk.backup()
    desk.call("sandbox", "break", "db", "--how", "drop-table")
    assert "patients_medicalrecord" not in desk.rows(OLD)
    stranger = Stranger(desk)
    stranger.recover("database", most=3)
    assert len(stranger.typed) <= 3
    assert desk.rows(OLD)["patients_medicalrecord"] == wanted["patients_medicalrecord"] != ""
    assert serves(desk, OLD)


def test_an_application_that_is_gone_is_rebuilt_after_four_commands(desk: Desk) -> None:
    wanted = desk.backup()
    desk.call("sandbox", "break", "infra", "--how", "app-gone")
    assert desk.api(f"/apps/{OLD}").get("id") == "not_found"
    stranger = Stranger(desk)
    stranger.recover("application is gone", "infrastructure", most=4)
    assert len(stranger.typed) <= 4
    assert desk.rows(NEW)["patients_medicalrecord"] == wanted["patients_medicalrecord"] != ""
    assert serves(desk, NEW)
