"""The adapters of one run's target. Each is created, and its library imported, on first use."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from typing_extensions import override

from uscdr import cleanup
from uscdr.errors import MachineError, ProviderError
from uscdr.files import private_directory
from uscdr.providers.http.outages import Outages
from uscdr.scenarios.adapters import Adapters

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from pydantic import SecretStr

    from uscdr.backups.loss import Earlier
    from uscdr.backups.proving import Code, Questions
    from uscdr.checks.context import CheckContext, Sends
    from uscdr.kit.reader import KitReader
    from uscdr.providers.heroku.backups import HerokuBackups
    from uscdr.providers.heroku.client import HerokuClient
    from uscdr.providers.heroku.deploys import HerokuDeploys
    from uscdr.providers.heroku.platform import HerokuPlatform
    from uscdr.providers.heroku.provisioning import HerokuProvisioning
    from uscdr.providers.ports.database import Scratch
    from uscdr.providers.ports.probes import ServiceStatus
    from uscdr.providers.postgres.database import PostgresDatabase
    from uscdr.providers.postgres.loading import PostgresLoader
    from uscdr.providers.postgres.scratch import LocalScratch
    from uscdr.providers.postgres.scratch_own import OwnScratch
    from uscdr.providers.probes.machine import ThisMachine
    from uscdr.providers.probes.status_pages import StatusPage
    from uscdr.providers.source.git_source import GitSource
    from uscdr.scenarios.adapters import CopiesAccess, DnsAccess, MediaAccess, PastRuns
    from uscdr.scenarios.infra.old import OldApplicationReader
    from uscdr.scenarios.prover import BackgroundDigest, Prover
    from uscdr.wiring.checks import CheckContexts
    from uscdr.wiring.context import RunContext

STATEMENT_TIMEOUT = 600.0
GIT_TIMEOUT = 600.0
"""Seconds."""
ASKED_LATER = "a later step of the recovery compares them"
"""A recovery's proof does not wait for the source repository: a step after the restore compares its migrations."""
GITHUB, GITHUB_PAGE = "github.com", "https://www.githubstatus.com"


class TargetAdapters(Adapters):
    """The adapters of one run's target; in a dry run they are read-only.

    A context manager: it closes what it opened. `work` is the run's private directory; `copies` may change the access
    to the store of copies.
    """

    def __init__(
        self, context: RunContext, work: Path, copies: Callable[[CopiesAccess], CopiesAccess] = lambda usual: usual
    ) -> None:
        self.context = context
        self.work = work
        self.request = context.request
        self.config = context.target.config
        self.services = context.target.services
        self.dry_run = context.dry_run
        self.stop = context.stop
        self.ask = context.ask
        self.unshown = {}
        self.walks = {}
        self._copies = copies
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self.dry_run:
            self._stack.enter_context(Outages.shared())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    # The hosting platform.

    @cached_property
    def _client(self) -> HerokuClient:
        from uscdr.providers.heroku.client import HerokuClient

        heroku, context = self.services.heroku, self.context
        client = self._stack.enter_context(
            HerokuClient(
                heroku.api_url, heroku.data_url, context.target.token, ca_file=context.target.ca_file,
                read_only=self.dry_run, stop=self.stop.event, on_wait=context.waits, on_clock=context.waits.clock,
                leave=context.guard,
            )
        )  # fmt: skip
        client.without_app = self.without_application
        return client

    @cached_property
    @override
    def platform(self) -> HerokuPlatform:
        from uscdr.providers.heroku.platform import HerokuPlatform

        return HerokuPlatform(self._client)

    @cached_property
    @override
    def backups(self) -> HerokuBackups:
        from uscdr.providers.heroku.backups import HerokuBackups

        return HerokuBackups(self._client)

    @cached_property
    @override
    def provisioning(self) -> HerokuProvisioning:
        from uscdr.providers.heroku.provisioning import HerokuProvisioning

        return HerokuProvisioning(self._client)

    @cached_property
    @override
    def deploys(self) -> HerokuDeploys:
        from uscdr.providers.heroku.deploys import HerokuDeploys

        return HerokuDeploys(self._client)

    @cached_property
    @override
    def old(self) -> OldApplicationReader:
        from uscdr.scenarios.infra.old import OldApplicationReader

        return OldApplicationReader(self.platform, self.provisioning, self.deploys, self.backups, self.kit)

    # Status pages.

    @cached_property
    @override
    def status(self) -> StatusPage:
        from uscdr.providers.http.client import trust
        from uscdr.providers.http.transport import open_client
        from uscdr.providers.probes.status_pages import HEROKU, StatusPage

        page = open_client(
            self.services.heroku.status_url, provider="heroku", verify=trust(self.context.target.ca_file),
            read_only=True,
        )  # fmt: skip
        return StatusPage(self._stack.enter_context(page), HEROKU, service="Heroku", patience=self._client.patience)

    @cached_property
    @override
    def pages(self) -> dict[str, ServiceStatus]:
        """By the provider's name. A repository that is not on GitHub has a page only if one is configured."""
        from uscdr.providers.http.client import trust
        from uscdr.providers.http.transport import open_client
        from uscdr.providers.probes.status_pages import STATUSPAGE, StatusPage

        found: dict[str, ServiceStatus] = {"Cloudinary": self.media.status} if self.media else {}
        source = self.config.app.source
        if source is None:
            return found
        host = urlsplit(source.git).hostname or ""
        address = source.status_url or (GITHUB_PAGE if host == GITHUB else "")
        if address:
            client = open_client(address, provider="source", verify=trust(self.context.target.ca_file), read_only=True)
            page = StatusPage(self._stack.enter_context(client), STATUSPAGE, service="source")
            found["GitHub" if host == GITHUB else host] = page
        return found

    # Databases.

    @override
    def open_database(self, url: SecretStr) -> PostgresDatabase:
        from uscdr.providers.postgres.database import PostgresDatabase
        from uscdr.wiring.checks import CONNECT_TIMEOUT, LOCK_TIMEOUT

        self.context.redactor.register("DATABASE_URL", url.get_secret_value())
        return PostgresDatabase(
            url, read_only=self.dry_run, statement_timeout=STATEMENT_TIMEOUT, lock_timeout=LOCK_TIMEOUT,
            connect_timeout=CONNECT_TIMEOUT, require_tls=True, leave=self.context.guard,
        )  # fmt: skip

    def _open_live(self) -> PostgresDatabase:
        heroku = self.services.heroku
        return self.open_database(self.platform.config_vars(heroku.app)[heroku.database])

    @cached_property
    @override
    def frozen(self) -> BackgroundDigest:
        from uscdr.scenarios.prover import BackgroundDigest

        return BackgroundDigest(self._open_live)

    @cached_property
    @override
    def loader(self) -> PostgresLoader:
        from uscdr.providers.postgres.loading import PostgresLoader

        return PostgresLoader(stop=self.stop.event, read_only=self.dry_run, leave=self.context.guard)

    @cached_property
    def scratch(self) -> Scratch:
        """The server for proofs: the packaged one, or the one that the operator named."""
        made = self._own_scratch() if self.context.target.scratch else self._packaged_scratch()
        self._stack.callback(made.close)  # also a server that was prepared and never used
        return made

    def _packaged_scratch(self) -> LocalScratch:
        from uscdr.providers.postgres.scratch import LocalScratch

        return LocalScratch(self.work, stop=self.stop.event)

    def _own_scratch(self) -> OwnScratch:
        from uscdr.providers.postgres.scratch_own import OwnScratch

        def production() -> list[SecretStr]:
            values = self.platform.config_vars(self.old_app).values()
            return [one for one in values if one.get_secret_value().startswith(("postgres://", "postgresql://"))]

        named = self.context.target.scratch
        assert named is not None  # noqa: S101 - `scratch` has checked it
        return OwnScratch(named, production, place=self.work, stop=self.stop.event)

    # Proofs of backups, and what earlier runs found.

    @cached_property
    @override
    def candidate(self) -> Prover:
        from uscdr.scenarios.prover import Prover
        from uscdr.wiring.stores import decode, keeping

        keep = None
        if not self.dry_run:
            identity = self.context.target.identity
            keep = keeping(self.services.heroku, self.platform, self.vault.store, identity=identity)
        made = Prover(self.scratch, decode, self.work, self._questions, self.stop, keep)
        self._stack.callback(made.close)
        return made

    def _questions(self) -> Questions:
        from uscdr.scenarios.backup_questions import encryption_key, questions_of

        return questions_of(self.config, encryption_key(self.config, self.platform, self.old_app, self.kit), self._code)

    @cached_property
    def _code(self) -> Code:
        """The migrations of the deployed code, or why they are unknown."""
        from uscdr.backups.proving import Code
        from uscdr.models.heroku import Build

        if self.request.scenario != "db":
            return Code(why=ASKED_LATER)
        if self.source is None:
            return Code(why="scenarios.yaml names no repository (app.source)")
        try:
            running = next((one for one in self.platform.releases(self.old_app) if one.current), None)
            commit = Build.commit_of(running.slug_id, self.deploys.builds(self.old_app)) if running else ""
            if not commit:
                return Code(why="the platform does not say which commit is deployed")
            return Code(commit[:12], self.source.archive(commit, self.work))
        except (ProviderError, MachineError) as error:
            return Code(why=f"the code is not available: {error.message}")

    @cached_property
    @override
    def memory(self) -> PastRuns:
        from uscdr.wiring.past_runs import remember

        return remember(self.context.state, self.context.target.key)

    @override
    def earlier(self) -> Earlier:
        return self._earlier

    @cached_property
    def _earlier(self) -> Earlier:
        from uscdr.backups.catalog import Scope
        from uscdr.wiring.earlier import earlier

        try:
            addon = self.platform.database(self.old_app, self.services.heroku.database).addon_id
        except ProviderError:  # a deleted application has none
            addon = ""
        return earlier(self.context, Scope(self.old_app, addon, self.memory.damaged), self.memory.is_undone)

    # Everything else.

    @cached_property
    @override
    def vault(self) -> CopiesAccess:
        from uscdr.wiring.stores import copies_access

        return self._copies(copies_access(self.context, lambda: self.scratch))

    @cached_property
    @override
    def kit(self) -> KitReader | None:
        from uscdr.wiring.kits import open_kit

        return open_kit(self.context, self.work) if self.request.kit is not None else None

    @cached_property
    @override
    def media(self) -> MediaAccess | None:
        if self.services.cloudinary is None:
            return None
        from uscdr.wiring.media import Clouds

        return Clouds(self.context, self, self._stack).access(self.services.cloudinary)

    @cached_property
    @override
    def dns(self) -> DnsAccess | None:
        if self.services.dns is None:
            return None
        from uscdr.wiring.dns import dns_access

        return dns_access(self.context, self._stack)

    @cached_property
    @override
    def source(self) -> GitSource | None:
        configured = self.config.app.source
        if configured is None:
            return None
        from uscdr.providers.source.git_source import GitSource

        return GitSource(
            configured.git, cache=private_directory(self.context.state / "source"), work=self.work,
            timeout=GIT_TIMEOUT, stop=self.stop.event, on_wait=self.context.waits, env=os.environ,
        )  # fmt: skip

    @cached_property
    @override
    def machine(self) -> ThisMachine:
        from uscdr.providers.probes.machine import ThisMachine

        return ThisMachine(self.work, own_server=self.context.target.scratch is not None)

    @cached_property
    def _checks(self) -> CheckContexts:
        from uscdr.wiring.checks import CheckContexts

        return CheckContexts(self.context, self)

    @override
    def open_world(self, sends: Sends) -> AbstractContextManager[CheckContext]:
        return self._checks.open(sends)


@contextmanager
def opened(
    context: RunContext, copies: Callable[[CopiesAccess], CopiesAccess] = lambda usual: usual
) -> Iterator[TargetAdapters]:
    """The adapters of a run and its private directory; both are closed at the end. `copies` as in TargetAdapters."""
    with cleanup.workplace(context.state, context.run) as work, TargetAdapters(context, work, copies) as adapters:
        yield adapters


@contextmanager
def local_scratch(directory: Path, stop: threading.Event) -> Iterator[Scratch]:
    """Only the packaged server: for a proof that does not ask the platform."""
    from uscdr.providers.postgres.scratch import LocalScratch

    proving = LocalScratch(directory, stop=stop)
    try:
        yield proving
    finally:
        proving.close()
