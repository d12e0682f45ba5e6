"""Everything steps are given."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from uscdr.backups.catalog import Scope
from uscdr.backups.proving import Code, Questions
from uscdr.errors import BadInput, MachineError, ProviderError
from uscdr.files import private_directory
from uscdr.models.heroku import commit_of
from uscdr.providers.dns.cloudflare import CloudflareClient, CloudflareZone
from uscdr.providers.dns.manual import ManualZone
from uscdr.providers.dns.query import parse_server
from uscdr.providers.dns.rfc2136 import Rfc2136Zone
from uscdr.providers.dns.verifier import DnsVerifier
from uscdr.providers.http.client import open_client, trust
from uscdr.providers.postgres.database import PostgresDatabase
from uscdr.providers.postgres.loading import PostgresLoader
from uscdr.providers.probes.machine import ThisMachine
from uscdr.providers.probes.status_pages import STATUSPAGE, StatusPage
from uscdr.providers.source.git_source import GitSource
from uscdr.scenarios.adapters import Adapters, DnsAccess, MediaAccess
from uscdr.scenarios.backup_questions import asked, key_of
from uscdr.scenarios.infra.old import OldLook
from uscdr.scenarios.prover import BackgroundDigest, Prover
from uscdr.wiring.checks import CONNECT_TIMEOUT, LOCK_TIMEOUT, CheckContexts
from uscdr.wiring.media import Clouds
from uscdr.wiring.past_runs import remember
from uscdr.wiring.stores import decode, earlier, keeping, open_kit, vault_place

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.backups.loss import Earlier
    from uscdr.providers.ports.dns import Zone
    from uscdr.providers.ports.probes import ServiceStatus
    from uscdr.scenarios.config_targets import DnsTarget
    from uscdr.wiring.context import Job, RunContext
    from uscdr.wiring.ports import Ports

# The zone of a place at its provider, and the name servers that decide.


EDITING = frozenset({"infra", "dns"})
"""Scenarios that edit the domain; all others do without its key."""


def _dns_place(job: Job, ports: Ports, around: RunContext) -> DnsAccess | None:
    """What steps are given; None when the target has no domain."""
    target = job.place.target.dns
    if target is None:
        return None
    servers = [parse_server(text) for text in target.name_servers]
    # named servers are all there is: then nothing is asked of the system's resolvers
    verifier = DnsVerifier(() if servers else None, servers=servers, stop=around.stop.event)
    return DnsAccess(zone=_zone(target, job, ports, around, verifier), verifier=verifier)


def _zone(target: DnsTarget, job: Job, ports: Ports, around: RunContext, verifier: DnsVerifier) -> Zone:
    key = job.place.dns_key
    only_looks = job.dry_run or job.request.scenario not in EDITING
    if target.adapter == "manual" or (key is None and only_looks):
        return ManualZone(target.zone, verifier)
    if key is None:
        variable = "USCDR_CLOUDFLARE_TOKEN" if target.adapter == "cloudflare" else "USCDR_DNS_KEY"
        raise BadInput(
            f"The zone {target.zone} cannot be changed without its key.",
            next_action=f"Set {variable}, or write adapter: manual in scenarios.yaml.",
        )
    if target.adapter == "cloudflare":
        client = CloudflareClient(
            key, base_url=target.api_url, ca_file=job.place.ca_file, read_only=job.dry_run,
            stop=around.stop.event, on_wait=ports.waits, leave=around.leave,
        )  # fmt: skip
        return CloudflareZone(target.zone, ports.stack.enter_context(client))
    return Rfc2136Zone(
        target.zone, target.server or "", target.port, key_name=target.key_name or "", key=key,
        algorithm=target.algorithm, read_only=job.dry_run, leave=around.leave,
    )  # fmt: skip


# Status pages of the providers beside the platform.


GITHUB, GITHUB_PAGE = "github.com", "https://www.githubstatus.com"


def _other_pages(job: Job, ports: Ports, media: MediaAccess | None) -> dict[str, ServiceStatus]:
    """By the provider's name; a repository elsewhere than on GitHub has a page only when one is configured."""
    pages: dict[str, ServiceStatus] = {"Cloudinary": media.status} if media else {}
    source = job.place.config.app.source
    if source is None:
        return pages
    host = urlsplit(source.git).hostname or ""
    address = source.status_url or (GITHUB_PAGE if host == GITHUB else "")
    if address:
        client = open_client(address, provider="source", verify=trust(job.place.ca_file), read_only=True)
        pages["GitHub" if host == GITHUB else host] = StatusPage(
            ports.stack.enter_context(client), STATUSPAGE, service="source"
        )
    return pages


STATEMENT_TIMEOUT = 600.0
GIT_TIMEOUT = 600.0
"""Seconds."""
ASKED_LATER = "a later step of the recovery asks"
"""A recovery's proof does not wait for the source repository: its migrations are compared after the restore."""


def dependencies(job: Job, ports: Ports, around: RunContext, work: Path) -> Adapters:
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
        return _deployed(ports, source, place.target.heroku.app, work) if scenario == "db" else Code(why=ASKED_LATER)

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
    dns = _dns_place(job, ports, around)
    memory = remember(around.state, place.key)
    worlds = CheckContexts(
        job, ports, around, verifier=dns.verifier if dns else None, source=source, work=work, damaged=memory.damaged
    )
    return Adapters(
        request=job.request,
        config=config,
        target=place.target,
        platform=ports.platform,
        backups=ports.backups,
        status=ports.status,
        open_database=open_database,
        open_world=worlds.open,
        dry_run=job.dry_run,
        candidate=Prover(
            ports.scratch,
            decode,
            work,
            questions,
            around.stop,
            None if job.dry_run else keeping(place.target.heroku, ports.platform, vault.store),
        ),
        frozen=BackgroundDigest(open_live),
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
        pages=_other_pages(job, ports, media),
        machine=ThisMachine(work, own_server=place.scratch is not None),
        work=work,
        vault=vault,
        earlier=known,
    )


def _deployed(ports: Ports, source: GitSource | None, app: str, work: Path) -> Code:
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


def _source(job: Job, ports: Ports, around: RunContext, work: Path) -> GitSource | None:
    configured = job.place.config.app.source
    if configured is None:
        return None
    return GitSource(
        configured.git, cache=private_directory(around.state / "source"), work=work, timeout=GIT_TIMEOUT,
        stop=around.stop.event, on_wait=ports.waits, env=os.environ,
    )  # fmt: skip
