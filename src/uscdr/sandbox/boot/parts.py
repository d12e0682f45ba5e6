"""Puts the parts of a sandbox together; the exit stack given takes them apart again."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from uscdr.errors import MachineError
from uscdr.pgserver.cluster import TlsFiles
from uscdr.pgserver.server import LocalPostgres
from uscdr.sandbox import pki
from uscdr.sandbox.audit import AuditLog
from uscdr.sandbox.boot import doors
from uscdr.sandbox.boot.doors import Doors
from uscdr.sandbox.boot.request import UpRequest
from uscdr.sandbox.broker.server import Brokers
from uscdr.sandbox.builds.builds import Builds
from uscdr.sandbox.builds.origin import Origin
from uscdr.sandbox.builds.pushes import Pushes
from uscdr.sandbox.builds.releases import Releases
from uscdr.sandbox.core import Core
from uscdr.sandbox.data.archive import LinkSigner
from uscdr.sandbox.data.cluster import DatabaseCluster
from uscdr.sandbox.data.mail import MailSink
from uscdr.sandbox.data.transfers import Transfers
from uscdr.sandbox.dns import server as nameservers
from uscdr.sandbox.dns.server import DnsSpec, Hosting
from uscdr.sandbox.dynos.environment import Runtime
from uscdr.sandbox.dynos.oneoff import OneOffs
from uscdr.sandbox.dynos.supervisor import Supervisor
from uscdr.sandbox.faults.rules import DNS, FaultRules
from uscdr.sandbox.fronts import Fronts
from uscdr.sandbox.git import GitServer
from uscdr.sandbox.logplex import LogSessions
from uscdr.sandbox.mail.port import open_port as open_mail
from uscdr.sandbox.media.port import open_port as open_media
from uscdr.sandbox.platform.issuer import Issuer
from uscdr.sandbox.processes import Ledger
from uscdr.sandbox.rendezvous import RendezvousServer
from uscdr.sandbox.state import StateDir
from uscdr.sandbox.web.application import build
from uscdr.sandbox.web.server import HttpServer, TlsPair
from uscdr.sandbox.web_space import open_space
from uscdr.sandbox.world.apps import World


@dataclass(frozen=True)
class Parts:
    """A sandbox that answers calls. `secure_url` is the same API over TLS; URLs have no trailing slash."""

    core: Core
    ca_file: Path
    secure_url: str
    rendezvous_port: int
    doors: Doors


def _trust(authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(authority)
    return context


async def _postgres(state: StateDir, files: pki.Pki, stack: AsyncExitStack) -> LocalPostgres:
    tls = TlsFiles(files.certificate, files.key)
    server = await asyncio.to_thread(
        LocalPostgres.start, state.postgres, tls=tls, parameters={"max_connections": "400"}, tied=True
    )
    stack.push_async_callback(asyncio.to_thread, server.destroy)
    return server


async def assemble(state: StateDir, request: UpRequest, runtime: Runtime, stack: AsyncExitStack) -> Parts:
    """Start every server. Raises MachineError if one cannot be started."""
    files = await asyncio.to_thread(pki.create, state.pki)
    cluster = DatabaseCluster(await _postgres(state, files, stack), plain=request.plain)
    plain, secure = HttpServer(), HttpServer(tls=TlsPair(files.certificate, files.key))
    secure_url = f"https://localhost:{secure.port}"
    rendezvous, rendezvous_port = await _rendezvous(files, stack)
    world, mail = World(), await _mail(stack)
    trust, ledger = _trust(files.ca_file), Ledger(state.processes)
    audit, faults = AuditLog(state.audit), FaultRules()
    stack.callback(audit.close)
    supervisor, fronts, brokers = Supervisor(runtime, ledger), Fronts(faults), Brokers(faults)
    stack.callback(brokers.close)
    releases, hosting = Releases(world, supervisor), await _hosting(world, request, audit, faults, stack)
    core = Core(
        world=world,
        cluster=cluster,
        transfers=Transfers(world, cluster, state.backups, trust=trust, keep=request.keep),
        releases=releases,
        builds=Builds(releases, sources=state.sources, slugs_=state.slugs, trust=trust),
        origin=Origin(state.origin),
        supervisor=supervisor,
        oneoffs=OneOffs(runtime, ledger, rendezvous, rendezvous_port),
        fronts=fronts,
        mail=mail,
        mail_account=await open_mail(faults, audit, stack),
        brokers=brokers,
        sessions=LogSessions(),
        signer=LinkSigner(secure_url, lifetime=request.url_lifetime),
        faults=faults,
        media=await open_media(state.media, faults, audit, stack),
        hosting=hosting,
        certificates=Issuer(_authority(files)),
        web_space=await open_space(state.web_space, stack),
        api_url=f"http://127.0.0.1:{plain.port}",
        git_host="",
        secret=secrets.token_urlsafe(32),
    )
    core, opened = await _serve(core, state, files, (plain, secure), audit, stack)
    return Parts(core, files.ca_file, secure_url, rendezvous_port, opened)


async def _rendezvous(files: pki.Pki, stack: AsyncExitStack) -> tuple[RendezvousServer, int]:
    """Where one-off dynos meet their clients, and its port."""
    server = RendezvousServer(files.server_context())
    port = await server.start()
    stack.push_async_callback(server.stop)
    return server, port


async def _mail(stack: AsyncExitStack) -> MailSink:
    sink = MailSink()
    await sink.start()
    stack.push_async_callback(sink.stop)
    return sink


def _authority(files: pki.Pki) -> pki.Authority:
    if files.authority is None:
        raise MachineError("The state directory has certificates of another sandbox.")
    return files.authority


async def _hosting(
    world: World, request: UpRequest, audit: AuditLog, faults: FaultRules, stack: AsyncExitStack
) -> Hosting:
    spec = DnsSpec(ttl=request.dns_ttl, lag=request.dns_lag)
    note = partial(audit.note, provider=DNS)
    hosting = await nameservers.start(spec, faults=faults, note=note, targets=world.targets)
    stack.push_async_callback(hosting.stop)
    return hosting


async def _serve(
    core: Core, state: StateDir, files: pki.Pki, servers: tuple[HttpServer, ...], audit: AuditLog, stack: AsyncExitStack
) -> tuple[Core, Doors]:
    """Open everything to callers; the core then knows where its repositories are."""
    pushes = Pushes(core, audit)
    git = GitServer(
        files.server_context(), state.repositories, core.world.accepts, pushes.receive, exists=pushes.exists
    )
    whole = replace(core, git_host=f"localhost:{await git.start()}")
    stack.push_async_callback(git.stop)
    application = build(whole, audit)
    for server in servers:
        await server.start(application)
        stack.push_async_callback(server.stop)
    opened = await doors.open_doors(whole, audit, files, stack)
    stack.push_async_callback(_close, whole)
    return whole, opened


async def _close(core: Core) -> None:
    """End all work before the servers go."""
    await core.builds.close()
    await core.releases.close()
    await core.oneoffs.close()
    await core.supervisor.close(core.world.apps)
    transfers = [one for app in core.world.apps for one in app.transfers]
    for one in transfers:
        core.transfers.cancel(one)
    await asyncio.gather(*(one.task for one in transfers if one.task), return_exceptions=True)
    await core.fronts.close_all()
