"""Fills a fresh sandbox: an app with data, a backup, and a few rows written since."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from uscdr.errors import MachineError
from uscdr.sandbox.boot import furnishing, history
from uscdr.sandbox.boot.history import History
from uscdr.sandbox.boot.request import APP, UpRequest
from uscdr.sandbox.boot.source import Source
from uscdr.sandbox.core import Core
from uscdr.sandbox.data import dump
from uscdr.sandbox.data.schedules import daily
from uscdr.sandbox.dns.server import HOSTNAME
from uscdr.sandbox.dynos.group import ProcessGroup
from uscdr.sandbox.media import clinic
from uscdr.sandbox.media.accounts import CLOUDS
from uscdr.sandbox.platform import addons, apps, domains
from uscdr.sandbox.platform.dynos import scale
from uscdr.sandbox.platform.plans import choose
from uscdr.sandbox.router import MAINTENANCE_PAGE
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import Addon, FormationEntry, LogDrain

LOG_DRAIN = "https://usc-pis:drain-word-4c1f8b72@logs.usc-pis.example/in"
"""Where the clinic's log goes. The name leads nowhere, and nothing is sent."""
_SINCE_BACKUP = 50  # one patient in so many is written after the backup
_FRESH_SECONDS, _DAY_SECONDS = 2.0, 86400.0
_READY_LIMIT = 60.0
_POLL = 0.03
_TAIL = 6
Tell = Callable[[str], None]


@dataclass(frozen=True)
class CheckAccount:
    """A verified member of staff, for checks that log in."""

    email: str
    password: str = field(repr=False)
    token: str = field(repr=False)


def clinic_config(app: App) -> dict[str, str]:
    """The variables the clinic reads, with fresh secrets."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(40),
        "PGP_ENCRYPTION_KEY": secrets.token_urlsafe(32),
        "DEBUG": "False",
        "ALLOWED_HOSTS": f"127.0.0.1,localhost,.herokuapp.example,{HOSTNAME}",
        "SITE_URL": app.web_url.rstrip("/"),
        "FRONTEND_URL": app.web_url.rstrip("/"),
        "DEFAULT_FROM_EMAIL": "clinic@usc-pis.example",
        "SUPPORT_EMAIL": "support@usc-pis.example",
    }


async def deploy(core: Core, source: Source, request: UpRequest, tell: Tell) -> tuple[App, History]:
    """Create the app with its add-ons and config, and build the first commit of its history.

    Raises MachineError.
    """
    tell("Creating the app and its database")
    writing = asyncio.create_task(asyncio.to_thread(history.write, core.origin, source))
    app = await apps.open_app(core, APP)
    await addons.provision(core, app, choose("heroku-postgresql:essential-0"))
    if request.dump:
        tell("Loading the dump into its database")
        await load(core, app, Path(request.dump))
    if request.broker:
        await addons.provision(core, app, choose("heroku-redis:mini"))
    if not request.app_source:
        await addons.provision(core, app, choose("heroku-redis:mini"))
        if not request.plain:
            await furnishing.surround(core, app)
    domains.own(core, app, HOSTNAME)
    config = {MAINTENANCE_PAGE: core.web_space.page_url}
    if not request.app_source:
        config |= clinic_config(app) | core.media.config() | core.mail_account.config(core.mail.address)
        app.drains.append(LogDrain(LOG_DRAIN))
    apps.set_config(core, app, {**config, **source.environment})
    if source.needs_node:
        app.buildpacks = ["heroku/nodejs", "heroku/python"]
    written = await writing
    # No dyno before the data is there: it would only compete for the machine.
    app.formation["web"] = FormationEntry("web", "", 0)
    tell("Building and releasing it (migrations run in the release phase)")
    await build(core, app, written.commits[0])
    return app, written


async def redeploy(core: Core, app: App, commit: str) -> None:
    """A config change and a second deploy, so that there are releases to roll back to. Raises MachineError."""
    app.config["CAMPAIGN_MAX_IMAGE_MB"] = "5"
    core.releases.record(app, "Set CAMPAIGN_MAX_IMAGE_MB config vars")
    await build(core, app, commit)


async def build(core: Core, app: App, commit: str) -> None:
    """Build and release a commit of the origin. Raises MachineError with the last lines of the output."""
    made = await core.builds.deploy(app, core.origin, commit)
    if made.release is None or made.release.status != "succeeded":
        log = made.release.output if made.release and made.release.output else made.output
        raise MachineError(
            "The app could not be deployed in the sandbox.",
            why=" | ".join(log.text().splitlines()[-_TAIL:]),
            next_action="Run its Procfile's release line by hand in the source tree.",
        )


def start_dynos(core: Core, app: App) -> None:
    """One dyno of each process type."""
    scale(core, app, [{"type": name, "quantity": 1} for name in app.formation])


async def run_inside(core: Core, app: App, command: str, environment: dict[str, str]) -> None:
    """Run a command as the app would, without any trace in its log. Raises MachineError if it fails."""
    release = app.current
    if release is None or release.slug is None:
        raise MachineError("The app has no release to run a command in.")
    lines: list[str] = []
    runtime, ledger = core.supervisor.runtime, core.supervisor.ledger
    variables = runtime.environment(release, app=app.name, dyno="run.1") | environment
    directory = release.slug.directory
    group = await ProcessGroup.start(command, cwd=directory, env=variables, ledger=ledger, line=lines.append)
    try:
        code = await group.wait()
        await group.output_ended()
    finally:
        await group.end()
    if code != 0:
        why = " | ".join(lines[-_TAIL:])
        raise MachineError(f"`{command}` ended with exit status {code}.", why=why)


async def fill_clinic(core: Core, app: App, request: UpRequest, manage: str) -> CheckAccount:
    """Generate the clinic's data and the account for checks."""
    account = CheckAccount("check@usc-pis.example", secrets.token_urlsafe(18), secrets.token_hex(20))
    command = f"{manage} generate_clinic --patients {request.patients} --seed {request.seed}"
    known = {"CHECK_EMAIL": account.email, "CHECK_PASSWORD": account.password, "CHECK_TOKEN": account.token}
    await run_inside(core, app, command, known)
    if not request.plain:
        await furnishing.add_rows(core, app)
    return account


async def add_uploads(core: Core, app: App, count: int) -> None:
    """Rows of further uploads, whose files `store_files` makes."""
    dsn = _dsn(core, app)
    if count:
        await asyncio.to_thread(clinic.add_uploads, dsn, count)


async def store_files(core: Core, app: App, request: UpRequest) -> None:
    """A file in the media service for every name that the clinic's database holds."""
    stored = await asyncio.to_thread(clinic.stored_names, _dsn(core, app))
    await asyncio.to_thread(clinic.seed, core.media.library.root, CLOUDS[0], stored)
    if not request.plain:
        await furnishing.store_files(core)


def _dsn(core: Core, app: App) -> str:
    database = _database(core, app).database
    if database is None:
        raise MachineError("The app has no database.")
    return core.cluster.admin_dsn(database.name)


async def write_since_backup(core: Core, app: App, request: UpRequest, manage: str) -> None:
    """A few more patients, which a recovery from the backup will lose."""
    patients = max(1, request.patients // _SINCE_BACKUP)
    days = max(request.backup_age, _FRESH_SECONDS) / _DAY_SECONDS
    command = f"{manage} generate_clinic --patients {patients} --seed {request.seed + 1} --days {days:.6f}"
    await run_inside(core, app, command, {})


async def first_backup(core: Core, app: App, request: UpRequest) -> None:
    """Capture b001 and schedule daily ones. Raises MachineError if the capture fails."""
    addon = _database(core, app)
    transfer = core.transfers.capture(addon)
    if transfer.task:
        await transfer.task
    if not transfer.succeeded:
        raise MachineError("The first backup failed.", why=" | ".join(one["message"] for one in transfer.logs))
    age = timedelta(seconds=request.backup_age)
    transfer.created_at -= age
    if transfer.started_at and transfer.finished_at:
        transfer.started_at -= age
        transfer.finished_at -= age
    addon.schedules.append(daily())


async def load(core: Core, app: App, source: Path) -> None:
    """Load a dump into the app's empty database, as the platform does. Raises MachineError."""
    database = _database(core, app).database
    if database is None:
        raise MachineError("The app has no database.")
    connection = core.cluster.server.environment(database.name, database.user, database.password)
    listing = await dump.contents(source, source.with_suffix(".contents"))
    done = await dump.restore(connection, source, lambda _bytes: None, listing=listing)
    if done.code != 0:
        raise MachineError("The dump could not be loaded in the sandbox.", why=" | ".join(done.messages[-_TAIL:]))


def _database(core: Core, app: App) -> Addon:
    owned = {one.addon_id for one in core.world.attachments_of(app) if one.name == "DATABASE"}
    return next(one for one in core.world.addons if one.id in owned)


async def until_up(app: App) -> None:
    """Wait until every dyno is up. Raises MachineError if one is not within a minute."""
    until = asyncio.get_running_loop().time() + _READY_LIMIT
    while any(dyno.state != "up" for dyno in app.dynos) or len(app.dynos) < len(app.formation):
        if asyncio.get_running_loop().time() > until:
            states = ", ".join(f"{dyno.name} {dyno.state}" for dyno in app.dynos)
            raise MachineError("The app did not come up.", why=f"{states} | " + " | ".join(app.logs.lines(_TAIL)))
        await asyncio.sleep(_POLL)
