"""The official client as a person uses it: at a terminal, typing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pexpect
import pytest
from sandbox_under_test import SandboxUnderTest

pytestmark = pytest.mark.official


@contextmanager
def typing(sandbox: SandboxUnderTest, *argv: str) -> Iterator[pexpect.spawn]:
    child = pexpect.spawn(
        argv[0],
        list(argv[1:]),
        cwd=str(sandbox.checkout),
        env={**sandbox.environment},
        encoding="utf-8",
        timeout=60,
        dimensions=(40, 120),
    )
    try:
        yield child
    finally:
        child.close(force=True)


def ended(child: pexpect.spawn) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    status: int | None = child.exitstatus
    return status


def test_restore_as_the_runbook_writes_it_is_confirmed_by_hand(sandbox: SandboxUnderTest) -> None:
    before = len(sandbox.transfers())
    command = "heroku pg:backups:restore b001 DATABASE_URL --app usc-pis"
    with typing(sandbox, *command.split()) as child:
        child.expect("To proceed, type usc-pis")
        child.sendline("usc-pis")
        assert ended(child) == 0
    assert len(sandbox.transfers()) == before + 1
    assert sandbox.transfers()[-1]["succeeded"] is True


def test_restore_with_another_word_is_refused(sandbox: SandboxUnderTest) -> None:
    before = sandbox.writes()
    command = "heroku pg:backups:restore b001 DATABASE_URL --app usc-pis"
    with typing(sandbox, *command.split()) as child:
        child.expect("To proceed, type usc-pis")
        child.sendline("other")
        assert ended(child) == 1
    assert sandbox.writes() == before


def test_a_shell_on_a_one_off_dyno(sandbox: SandboxUnderTest) -> None:
    with typing(sandbox, "heroku", "run", "--exit-code", "--app", "usc-pis", "bash") as child:
        child.expect(r"[$#] ")
        child.sendline("echo size=$(stty size) dyno=$DYNO")
        child.expect(r"size=\d+ \d+ dyno=run\.\d+")
        # Said by what is interrupted: between two commands of its own the shell can lose an interrupt.
        child.sendline("""python -c 'print("be" "gun", flush=True); import time; time.sleep(100)'""")
        child.expect("begun\r")
        child.sendintr()
        child.expect(r"[$#] ")
        child.sendline("(exit 3)")
        child.sendline("exit")
        assert ended(child) == 3


def test_the_django_shell_of_the_runbook(sandbox: SandboxUnderTest) -> None:
    """Scenario 1, step 4, with the path that exists."""
    argv = ["heroku", "run", "--exit-code", "--app", "usc-pis", "--", "python", "backend/manage.py", "shell"]
    patients = sandbox.sql("SELECT count(*) FROM patients_patient")
    with typing(sandbox, *argv) as child:
        child.expect(">>> ")
        child.sendline("from patients.models import Patient")
        child.expect(">>> ")
        child.sendline('print(f"Patient count: {Patient.objects.count()}")')
        child.expect(rf"Patient count: {patients}\r")
        child.expect(">>> ")
        child.sendeof()
        assert ended(child) == 0
