"""Every `heroku` and `git` command of the runbook, as written there, in its order, by the official client.

Where the command as written does not do what the runbook wants, that is what is asserted here: the
sandbox must fail in the same way as the real service.
"""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sandbox_under_test import Answer, SandboxUnderTest, eventually, uscdr

pytestmark = pytest.mark.official

RECOVERY = "usc-pis-recovery"


@dataclass(frozen=True)
class Situation:
    """What is looked at before and after each command."""

    writes: int
    releases: int
    transfers: int

    @classmethod
    def of(cls, sandbox: SandboxUnderTest) -> Situation:
        return cls(sandbox.writes(), len(sandbox.releases()), len(sandbox.transfers()))


@dataclass(frozen=True)
class Run:
    """One command that was run: the sandbox, the answer, the situation before."""

    sandbox: SandboxUnderTest
    answer: Answer
    before: Situation

    def says(self, *texts: str) -> None:
        for text in texts:
            assert text in self.answer.said, f"{text!r} not in: {self.answer}"

    def unchanged(self) -> None:
        """No provider received a write."""
        assert Situation.of(self.sandbox) == self.before


Check = Callable[[Run], None]


@dataclass(frozen=True)
class Line:
    """A line of the runbook, the exit status, and the effect to be seen."""

    command: str
    code: int
    check: Check

    def __str__(self) -> str:
        return self.command


def reads(*texts: str) -> Check:
    """The command only reads, and says these texts."""

    def check(run: Run) -> None:
        run.says(*texts)
        run.unchanged()

    return check


def maintenance(expected: bool, status: int) -> Check:
    def check(run: Run) -> None:
        assert run.sandbox.get("/apps/usc-pis")["maintenance"] is expected
        assert eventually(lambda: run.sandbox.web_status() == status)

    return check


def did_nothing_for_want_of_confirmation(run: Run) -> None:
    run.says("Destructive Action", "--confirm usc-pis")
    run.unchanged()


def no_manage_py(run: Run) -> None:
    """Without --exit-code the client exits 0 though the command failed."""
    run.says("can't open file")


def unknown_flag(run: Run) -> None:
    """The client takes the remote command's options for its own."""
    run.says("Nonexistent flag")
    run.unchanged()


def rolled_back(run: Run) -> None:
    releases = run.sandbox.releases()
    assert len(releases) == run.before.releases + 1
    assert releases[-1]["description"].startswith("Rollback to v")
    assert releases[-1]["current"]


def remote_is_set(run: Run) -> None:
    url = run.sandbox.run("git remote get-url heroku").out.strip()
    assert url == f"https://{run.sandbox.facts['heroku']['git_host']}/usc-pis.git"


def deployed(app: str) -> Check:
    def check(run: Run) -> None:
        run.says("remote: ", "main -> main")
        *earlier, last = run.sandbox.releases(app)
        assert last["current"]
        assert last["status"] == "succeeded"
        assert last["slug"]["id"] not in {(release["slug"] or {}).get("id") for release in earlier}
        head = run.sandbox.run("git rev-parse HEAD").out.strip()
        assert run.sandbox.get(f"/apps/{app}/slugs/{last['slug']['id']}")["commit"] == head
        assert eventually(lambda: web_dyno_is_up(run.sandbox, app))

    return check


def release_phase_failed(run: Run) -> None:
    """A new app has no buildpacks: detection takes Node.js alone, and the release phase finds no Django."""
    run.says("remote: ", "main -> main")
    last = run.sandbox.releases(RECOVERY)[-1]
    assert last["status"] == "failed"
    assert not last["current"]


def web_dyno_is_up(sandbox: SandboxUnderTest, app: str) -> bool:
    dynos: list[dict[str, Any]] = sandbox.get(f"/apps/{app}/dynos")
    return any(dyno["type"] == "web" and dyno["state"] == "up" for dyno in dynos)


def app_exists(run: Run) -> None:
    run.says(RECOVERY)
    assert run.sandbox.get(f"/apps/{RECOVERY}")["name"] == RECOVERY


def end_of_life(run: Run) -> None:
    run.says("end-of-life", "addon_error")
    assert run.sandbox.get(f"/apps/{RECOVERY}/addons") == []


def database_added(run: Run) -> None:
    (addon,) = run.sandbox.get(f"/apps/{RECOVERY}/addons")
    assert addon["plan"]["name"] == "heroku-postgresql:essential-0"
    assert eventually(lambda: run.sandbox.get(f"/apps/{RECOVERY}/addons")[0]["state"] == "provisioned")
    assert run.sandbox.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", RECOVERY) == 0


def variable(name: str, value: str) -> Check:
    def check(run: Run) -> None:
        assert run.sandbox.get(f"/apps/{RECOVERY}/config-vars")[name] == value
        assert name in run.sandbox.releases(RECOVERY)[-1]["description"]

    return check


def link_downloads(run: Run) -> None:
    trusted = ssl.create_default_context(cafile=run.sandbox.environment["NODE_EXTRA_CA_CERTS"])
    url = run.answer.out.strip()
    assert url.startswith("https://")
    assert httpx.get(url, timeout=30, verify=trusted).content.startswith(b"PGDMP")


def done(_run: Run) -> None:
    """Nothing but the exit status is to be seen."""


SET = "heroku config:set"
LINES = [
    # Scenario 1: database corruption or loss
    Line("heroku pg:info --app usc-pis", 0, reads("DATABASE_URL", "Plan:", "Essential 0", "Tables:")),
    Line("heroku pg:backups --app usc-pis", 0, reads("b001", "Completed")),
    Line("heroku maintenance:on --app usc-pis", 0, maintenance(True, 503)),
    Line("heroku pg:backups:restore b001 DATABASE_URL --app usc-pis", 0, did_nothing_for_want_of_confirmation),
    Line("heroku run python manage.py shell --app usc-pis", 0, no_manage_py),
    Line("heroku run python manage.py migrate --app usc-pis", 0, no_manage_py),
    Line("heroku maintenance:off --app usc-pis", 0, maintenance(False, 200)),
    # Scenario 2: complete application failure
    Line("heroku apps:info --app usc-pis", 0, reads("usc-pis", "Owner:", "Web URL:", "Dynos:")),
    Line("heroku releases --app usc-pis", 0, reads("usc-pis Releases - Current: v", "Deploy")),
    Line("heroku rollback --app usc-pis", 0, rolled_back),
    Line("git checkout main", 0, done),
    Line("git pull origin main", 0, done),
    Line("heroku git:remote --app usc-pis", 0, remote_is_set),
    Line("git push heroku main", 0, deployed("usc-pis")),
    Line("heroku run python manage.py check --database default --app usc-pis", 2, unknown_flag),
    Line("heroku run python manage.py migrate --app usc-pis", 0, no_manage_py),
    Line("heroku run python manage.py collectstatic --noinput --app usc-pis", 2, unknown_flag),
    # Scenario 4: complete infrastructure loss
    Line(f"heroku create {RECOVERY}", 0, app_exists),
    Line(f"heroku addons:create heroku-postgresql:mini --app {RECOVERY}", 2, end_of_life),
    Line(f"heroku addons:create heroku-postgresql:essential-0 --app {RECOVERY}", 0, database_added),
    Line(f'{SET} SECRET_KEY="[new-secret-key]" --app {RECOVERY}', 0, variable("SECRET_KEY", "[new-secret-key]")),
    Line(f"{SET} DEBUG=False --app {RECOVERY}", 0, variable("DEBUG", "False")),
    *(
        Line(f'{SET} {name}="[value]" --app {RECOVERY}', 0, variable(name, "[value]"))
        for name in ("CLOUDINARY_CLOUD_NAME", "CLOUDINARY_API_KEY", "CLOUDINARY_API_SECRET")
    ),
    Line(
        f'{SET} EMAIL_HOST_PASSWORD="[sendgrid-key]" --app {RECOVERY}',
        0,
        variable("EMAIL_HOST_PASSWORD", "[sendgrid-key]"),
    ),
    Line(f"git remote add recovery https://git.heroku.com/{RECOVERY}.git", 0, done),
    Line("git push recovery main", 0, release_phase_failed),
    Line("heroku pg:backups:url b001 --app usc-pis", 0, link_downloads),
    # The backup system
    Line("heroku pg:backups:schedules --app usc-pis", 0, reads("chedule")),
]


@pytest.mark.parametrize("line", LINES, ids=str)
def test_line(sandbox: SandboxUnderTest, line: Line) -> None:
    before = Situation.of(sandbox)
    answer = sandbox.run(line.command)
    assert answer.code == line.code, answer
    line.check(Run(sandbox, answer, before))


def test_logs_stream_until_killed(sandbox: SandboxUnderTest) -> None:
    """`heroku logs --tail --app usc-pis`: past lines, then what happens now, and no end of itself."""
    with subprocess.Popen(
        ["heroku", "logs", "--tail", "--app", "usc-pis"],
        cwd=sandbox.checkout,
        env=dict(sandbox.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as tail:
        assert tail.stdout is not None
        try:
            assert "]: " in tail.stdout.readline()
            httpx.get(sandbox.facts["web_url"] + "a-path-nobody-else-asks-for", timeout=30)
            assert any("a-path-nobody-else-asks-for" in line for line in tail.stdout)
            assert tail.poll() is None
        finally:
            tail.kill()


def test_confirmed_restore_brings_the_backup_back(sandbox: SandboxUnderTest) -> None:
    """The example of scenario 1 with the confirmation that it lacks."""
    sandbox.sql("CREATE TABLE written_since_the_backup (id int)")
    uscdr("break", "db", "--how", "truncate", state=sandbox.state)
    restore = "heroku pg:backups:restore b001 DATABASE_URL --app usc-pis --confirm usc-pis"
    answer = sandbox.run(restore)
    assert answer.code == 0, answer
    last = sandbox.transfers()[-1]
    assert (last["to_type"], last["succeeded"], last["warnings"]) == ("pg_restore", True, 0)
    assert sandbox.sql("SELECT to_regclass('written_since_the_backup')") is None
    assert sandbox.sql("SELECT count(*) FROM patients_patient") == 60


def test_wrong_confirmation_does_nothing(sandbox: SandboxUnderTest) -> None:
    before = Situation.of(sandbox)
    answer = sandbox.run("heroku pg:backups:restore b001 DATABASE_URL --app usc-pis --confirm other")
    assert answer.code == 1
    assert Situation.of(sandbox) == before


@pytest.mark.parametrize("confirmation", ["", f" --confirm {RECOVERY}"], ids=["as written", "confirmed"])
def test_restore_from_a_link_into_the_new_app(sandbox: SandboxUnderTest, confirmation: str) -> None:
    """Scenario 4: `pg:backups:restore '[BACKUP_URL]' DATABASE_URL`, which needs the confirmation too."""
    url = sandbox.run("heroku pg:backups:url b001 --app usc-pis").out.strip()
    before = len(sandbox.transfers(RECOVERY))
    command = f"heroku pg:backups:restore '{url}' DATABASE_URL --app {RECOVERY}{confirmation}"
    answer = sandbox.run(command)
    assert answer.code == 0, answer
    if not confirmation:
        assert len(sandbox.transfers(RECOVERY)) == before
        return
    assert sandbox.transfers(RECOVERY)[-1]["succeeded"] is True
    assert sandbox.sql("SELECT count(*) FROM patients_patient", RECOVERY) == 60


def test_new_app_deploys_once_it_has_the_buildpacks(sandbox: SandboxUnderTest) -> None:
    """What scenario 4 lacks before its push."""
    for command in ("buildpacks:set heroku/nodejs", "buildpacks:add heroku/python"):
        assert sandbox.run(f"heroku {command} --app {RECOVERY}").code == 0
    listed = sandbox.run(f"heroku buildpacks --app {RECOVERY}").out
    assert listed.index("heroku/nodejs") < listed.index("heroku/python")
    before = Situation.of(sandbox)
    sandbox.run(["git", "commit", "--quiet", "--allow-empty", "-m", "Deploy again"])
    answer = sandbox.run("git push recovery main")
    assert answer.code == 0, answer
    deployed(RECOVERY)(Run(sandbox, answer, before))


@pytest.mark.parametrize("code", [0, 1, 3])
def test_exit_code_is_passed(sandbox: SandboxUnderTest, code: int) -> None:
    answer = sandbox.run(["heroku", "run", "--exit-code", "--app", "usc-pis", "--", f"(exit {code})"])
    assert answer.code == code, answer


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        ("python manage.py migrate", 2, "can't open file"),
        ("python backend/manage.py migrate", 0, "No migrations to apply"),
        ("python backend/manage.py check --database default", 0, "no issues"),
        ("python backend/manage.py collectstatic --noinput", 0, "static file"),
    ],
)
def test_what_the_runbook_means(sandbox: SandboxUnderTest, command: str, code: int, text: str) -> None:
    argv = ["heroku", "run", "--exit-code", "--app", "usc-pis", "--", *command.split()]
    answer = sandbox.run(argv)
    assert answer.code == code, answer
    assert text in answer.said


def test_shell_takes_its_input_from_us(sandbox: SandboxUnderTest) -> None:
    """The Django shell of scenario 1, its lines through the rendezvous. Without --no-tty it would race
    with the shell's own handling of the terminal, for which 0x04 is an end only while it reads."""
    snippet = (
        "from patients.models import Patient\n"
        'print(f"Patient count: {Patient.objects.count()}")\n'
        "from authentication.models import User\n"
        'print(f"User count: {User.objects.count()}")\n'
    )
    command = "heroku run --exit-code --no-tty --app usc-pis -- python backend/manage.py shell"
    answer = sandbox.run(command, stdin=snippet)
    assert answer.code == 0, answer
    patients = sandbox.sql("SELECT count(*) FROM patients_patient")
    users = sandbox.sql("SELECT count(*) FROM authentication_user")
    assert f"Patient count: {patients}" in answer.out
    assert f"User count: {users}" in answer.out


def test_push_of_a_broken_release_phase_keeps_the_old_code(sandbox: SandboxUnderTest) -> None:
    sandbox.run("git checkout --quiet -b broken")
    (sandbox.checkout / "Procfile").write_text("release: false\nweb: sleep 1000\n")
    sandbox.run(["git", "commit", "--quiet", "--all", "-m", "Break the release phase"])
    current = next(release for release in sandbox.releases() if release["current"])
    answer = sandbox.run("git push heroku HEAD:main")
    sandbox.run("git checkout --quiet main")
    after = sandbox.releases()
    assert after[-1]["status"] == "failed", answer
    assert next(release for release in after if release["current"])["slug"] == current["slug"]


def test_push_of_what_is_no_application_is_refused(sandbox: SandboxUnderTest) -> None:
    before = len(sandbox.releases())
    sandbox.run("git checkout --quiet --orphan junk")
    sandbox.run("git rm -rf --quiet .")
    (sandbox.checkout / "junk.bin").write_bytes(b"junk")
    sandbox.run("git add junk.bin")
    sandbox.run(["git", "commit", "--quiet", "-m", "Junk"])
    answer = sandbox.run("git push --force heroku HEAD:main")
    sandbox.run("git checkout --quiet --force main")
    assert answer.code == 1, answer
    assert "remote rejected" in answer.err
    assert len(sandbox.releases()) == before
