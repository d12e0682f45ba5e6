"""The sandbox's faults, judged by how the official client takes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sandbox_under_test import SandboxUnderTest, uscdr

pytestmark = pytest.mark.official

RESTORE = "heroku pg:backups:restore b001 DATABASE_URL --app usc-pis --confirm usc-pis"
CAPTURE = "heroku pg:backups:capture --app usc-pis"


@contextmanager
def fault(sandbox: SandboxUnderTest, kind: str, method: str, path: str, *, count: int = 0) -> Iterator[None]:
    """The fault is in force for the block."""
    options = ["--method", method, "--path", path, "--count", str(count)]
    uscdr("fault", "add", kind, *options, state=sandbox.state)
    try:
        yield
    finally:
        uscdr("fault", "clear", state=sandbox.state)


@pytest.mark.parametrize(
    ("kind", "code", "text"),
    [
        ("403", 2, "Error ID: forbidden"),
        ("404", 2, "Error ID: not_found"),
        ("409", 2, "Error ID: conflict"),
        ("422", 2, "Error ID: invalid_params"),
        ("429", 2, "Error ID: rate_limit"),
        ("500", 2, "Error ID: server_error"),
        ("401", 1, "token"),
        ("503-html", 1, "503"),
        ("403-two-factor", 1, ""),
        ("reset-before", 1, ""),
    ],
)
def test_a_refused_read_fails_the_command(sandbox: SandboxUnderTest, kind: str, code: int, text: str) -> None:
    with fault(sandbox, kind, "GET", "/apps/usc-pis"):
        answer = sandbox.run("heroku maintenance --app usc-pis")
    assert answer.code == code, answer
    assert text in answer.said


def test_a_write_whose_answer_is_lost_has_happened(sandbox: SandboxUnderTest) -> None:
    """The client repeats it blindly, which shows: that is why exit status proves nothing."""
    with fault(sandbox, "reset-after", "PATCH", "/apps/usc-pis/config-vars", count=1):
        sandbox.run("heroku config:set LOST_ANSWER=yes --app usc-pis")
    assert sandbox.get("/apps/usc-pis/config-vars")["LOST_ANSWER"] == "yes"
    assert sandbox.run("heroku config:unset LOST_ANSWER --app usc-pis").code == 0


@pytest.mark.parametrize("command", [CAPTURE, RESTORE], ids=["capture", "restore"])
def test_a_failed_transfer_fails_the_command(sandbox: SandboxUnderTest, command: str) -> None:
    with fault(sandbox, "transfer-fails", "POST", "/client/v11/databases/*", count=1):
        answer = sandbox.run(command)
    assert answer.code == 2, answer
    last = sandbox.transfers()[-1]
    assert last["succeeded"] is False
    assert last["finished_at"]


def test_warnings_do_not_fail_the_command(sandbox: SandboxUnderTest) -> None:
    """A trap: exit 0 though the restore had warnings; only the transfer itself tells."""
    with fault(sandbox, "transfer-warnings", "POST", "/client/v11/databases/*", count=1):
        answer = sandbox.run(CAPTURE)
    assert answer.code == 0, answer
    last = sandbox.transfers()[-1]
    assert last["warnings"] > 0
    assert "warning" in sandbox.run("heroku pg:backups --app usc-pis").out.lower()


def test_slow_provisioning_goes_on_in_the_background(sandbox: SandboxUnderTest) -> None:
    name = "usc-pis-slow"
    assert sandbox.run(f"heroku create {name} --no-remote").code == 0
    with fault(sandbox, "slow-provisioning", "POST", f"/apps/{name}/addons"):
        answer = sandbox.run(f"heroku addons:create heroku-postgresql:essential-0 --app {name}")
    assert answer.code == 0, answer
    assert "background" in answer.said
    waited = sandbox.run(f"heroku addons:wait --app {name}")
    assert waited.code == 0, waited
    assert sandbox.get(f"/apps/{name}/addons")[0]["state"] == "provisioned"
    assert sandbox.run(f"heroku apps:destroy {name} --confirm {name}").code == 0
