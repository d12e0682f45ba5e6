"""Everything steps are given."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from pydantic import SecretStr

from uscdr.assembly.backups import vault_place
from uscdr.assembly.checks import CONNECT_TIMEOUT, LOCK_TIMEOUT, Worlds
from uscdr.assembly.dns import dns_place
from uscdr.assembly.earlier import earlier
from uscdr.assembly.escrow import open_kit
from uscdr.assembly.job import Job, Surroundings
from uscdr.assembly.media import Clouds
from uscdr.assembly.pages import other_pages
from uscdr.assembly.ports import Ports
from uscdr.assembly.vault import decode, keeping
from uscdr.errors import MachineError, ProviderError
from uscdr.files import private_directory
from uscdr.models.provision import commit_of
from uscdr.providers.machine import ThisMachine
from uscdr.providers.postgres.database import PostgresDatabase
from uscdr.providers.postgres.loading import PostgresLoader
from uscdr.providers.source.git_source import GitSource
from uscdr.recall import remember
from uscdr.scenarios.backups.questions import asked, key_of
from uscdr.scenarios.candidate import Candidate
from uscdr.scenarios.deps import Deps
from uscdr.scenarios.frozen import FrozenLook
from uscdr.scenarios.infra.old import OldLook
from uscdr.vault.backups.catalog import Scope
from uscdr.vault.backups.loss import Earlier
from uscdr.vault.backups.proving import Code, Questions

STATEMENT_TIMEOUT = 600.0
GIT_TIMEOUT = 600.0
"""Seconds."""
ASKED_LATER = "a later step of the recovery asks"
"""A recovery's proof does not wait for the source repository: its migrations are compared after the restore."""


def dependencies(job: Job, ports: Ports, around: Surroundings, work: Path) -> Deps:
    """Ports and settings for one job; `work` is its private directory."""
    place, read_only, scenario = job.place, job.dry_run, job.request.scenario
    source = _source(job, ports, around, work)

    def open_database(url: SecretStr) -> PostgresDatabase:
        ports.redactor.register("DATABASE_URL", url.get_secret_value())
        return PostgresDatabase(
            url, read_only=read_only, statement_timeout=STATEMENT_TIMEOUT, lock_timeout=LOCK_TIMEOUT,
            connect_timeout=CONNECT_TIMEOUT, require_tls=True, leave=around.leave,
        )  # fmt: skip

    def open_live() -> PostgresDatabase:
        heroku = place.target.heroku
        return open_database(ports.platform.config_vars(heroku.app)[heroku.database])

    config = place.config
    kit = open_kit(job, around, work)

    @cache
    def code() -> Code:
        return deployed(ports, source, place.target.heroku.app, work) if scenario == "db" else Code(why=ASKED_LATER)

    def questions() -> Questions:
        return asked(config, key_of(config, ports.platform, place.target.heroku.app, kit), code())

    @cache
    def known() -> Earlier:
        app = place.target.heroku.app
        try:
            addon = ports.platform.database(app, place.target.heroku.database).addon_id
        except ProviderError:  # an application that is gone has none
            addon = ""
        return earlier(job, around, Scope(app, addon, memory.damaged), memory.is_undone)

    vault = vault_place(job, ports, around)
    media = Clouds(job, ports, around, kit).place()
    dns = dns_place(job, ports, around)
    memory = remember(around.state, place.key)
    worlds = Worlds(
        job, ports, around, verifier=dns.verifier if dns else None, source=source, work=work, damaged=memory.damaged
    )
    return Deps(
        request=job.request,
        config=config,
        target=place.target,
        platform=ports.platform,
        backups=ports.backups,
        status=ports.status,
        open_database=open_database,
        open_world=worlds.open,
        dry_run=job.dry_run,
        candidate=Candidate(
            ports.scratch,
            decode,
            work,
            questions,
            around.stop,
            None if job.dry_run else keeping(place.target.heroku, ports.platform, vault.store),
        ),
        frozen=FrozenLook(open_live),
        stop=around.stop,
        memory=memory,
        ask=around.ask,
        provisioning=ports.provisioning,
        deploys=ports.deploys,
        source=source,
        media=media,
        dns=dns,
        kit=kit,
        old=OldLook(ports.platform, ports.provisioning, ports.deploys, ports.backups, kit),
        loader=PostgresLoader(stop=around.stop.event, read_only=read_only, leave=around.leave),
        pages=other_pages(job, ports, media),
        machine=ThisMachine(work, own_server=place.scratch is not None),
        work=work,
        vault=vault,
        earlier=known,
    )


def deployed(ports: Ports, source: GitSource | None, app: str, work: Path) -> Code:
    """The migrations of the code that is deployed, or why they are not known."""
    if source is None:
        return Code(why="scenarios.yaml names no repository (app.source)")
    try:
        running = next((one for one in ports.platform.releases(app) if one.current), None)
        commit = commit_of(running.slug_id, ports.deploys.builds(app)) if running else ""
        if not commit:
            return Code(why="the platform does not tell which commit is deployed")
        return Code(commit[:12], source.archive(commit, work))
    except (ProviderError, MachineError) as error:
        return Code(why=f"the code is not available: {error.message}")


def _source(job: Job, ports: Ports, around: Surroundings, work: Path) -> GitSource | None:
    configured = job.place.config.app.source
    if configured is None:
        return None
    return GitSource(
        configured.git, cache=private_directory(around.state / "source"), work=work, timeout=GIT_TIMEOUT,
        stop=around.stop.event, on_wait=ports.waits, env=os.environ,
    )  # fmt: skip
