"""What checks look at: read-only adapters of one target, each opened on first use."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from uscdr.checks.attempts import LOGINS, AttemptLimit, Attempts
from uscdr.checks.baseline import Baseline
from uscdr.checks.context import CheckContext, Expected, Once, PlatformCache, Sends
from uscdr.checks.kinds.http import HttpCheck
from uscdr.clock import system_time
from uscdr.errors import BadInput
from uscdr.models.heroku import Build
from uscdr.models.media import CLOUD, KEY, SECRET, MediaAccount
from uscdr.providers.cloudinary.media import CloudinaryMedia
from uscdr.providers.http.client import is_private
from uscdr.providers.http.retry import RetryPolicy
from uscdr.providers.postgres.database import PostgresDatabase
from uscdr.providers.probes.mail import MailProbe
from uscdr.providers.probes.queue import QueueProbe
from uscdr.providers.probes.tls import TlsProbe
from uscdr.providers.probes.website import LOGIN, ApplicationWebsite
from uscdr.threads import Ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

    from uscdr.models.migrations import CodeMigrations
    from uscdr.providers.ports.database import Database
    from uscdr.providers.ports.media import Media
    from uscdr.providers.ports.probes import Website
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.config import Config
    from uscdr.wiring.context import RunContext
    from uscdr.wiring.target import Target

PROBE_TIMEOUT, LOCK_TIMEOUT, CONNECT_TIMEOUT = 10.0, 5.0, 10.0
STATEMENT_TIMEOUT = 25.0
"""Seconds. A query times out before the check that sent it."""
UNHURRIED = RetryPolicy(seconds=20.0, rate_floor=60.0)
"""Retries of a check: it ends within its time limit and does not wait for a rate limit to reset."""
CONNECTIONS = 2
"""Connections of one check: several checks run in parallel, and small plans have 20 connections in total."""


class CheckContexts:
    """What the checks of one run look at: the target's application, or the one that the request names."""

    def __init__(self, context: RunContext, adapters: Adapters) -> None:
        self.context = context
        self.adapters = adapters

    @cached_property
    def target(self) -> Target:
        """The target with the application that the checks look at."""
        return self.context.target.of_app(self.context.request.app)

    @cached_property
    def attempts(self) -> Attempts:
        """Requests that the application counts, such as logins: one record for all rounds of this run."""
        return Attempts(self.context.state, self.target.key, system_time)

    @contextmanager
    def open(self, sends: Sends) -> Iterator[CheckContext]:
        """What checks may look at in one round; calls nothing yet, and closes at the end what the checks opened.

        The adapters cannot send more than `sends` allows.
        """
        heroku, given = self.target.services.heroku, self.adapters
        facts = PlatformCache(heroku.app, given.platform, given.backups, given.provisioning, database=heroku.database)
        with ExitStack() as stack:
            once = Once(limit=PROBE_TIMEOUT, provider="the application")
            attempts = self.attempts if sends != "reads" else None
            yield self._world(self.target, _Bench(self, self.target, sends, facts, once, stack, attempts))

    def _world(self, target: Target, bench: _Bench) -> CheckContext:
        services, ca_file = target.services, target.ca_file
        return CheckContext(
            app=services.heroku.app,
            facts=bench.facts,
            expected=_expected(target),
            website=bench.website,
            token=bench.token,
            account_email=target.account.email if target.account else "",
            database=bench.database,
            media=bench.media if services.cloudinary else None,
            verifier=self.adapters.dns.verifier if self.adapters.dns else None,
            tls=TlsProbe(ca_file=ca_file, address=services.tls_server, timeout=PROBE_TIMEOUT),
            queue=QueueProbe(timeout=PROBE_TIMEOUT),
            mail=MailProbe(services.mail.token_url, ca_file=ca_file, timeout=PROBE_TIMEOUT),
            code_migrations=bench.code_migrations,
            now=system_time,
            baseline=Baseline.read(self.context.state, target.key),
            attempts=bench.attempts,
            work=self.adapters.work,
            damaged=self.adapters.memory.damaged,
            writable=(lambda: bench.open_website(read_only=False)) if bench.sends == "writes" else None,
            sign_in=bench.sign_in,
        )


@dataclass(frozen=True)
class _Bench:
    """Opens the parts of one CheckContext on first use."""

    given: CheckContexts
    target: Target
    sends: Sends
    facts: PlatformCache
    once: Once
    stack: ExitStack
    """Closes what was opened for this context."""
    attempts: Attempts | None
    """Requests that the application counts; None when none can be sent."""

    def website(self) -> Website:
        """The application at its users' address; it can POST only the empty forms that checks name."""
        return self.once.get("website", lambda: self.open_website(read_only=True))

    def open_website(self, *, read_only: bool) -> ApplicationWebsite:
        """A client of the application."""
        address = self.target.services.web or _private(self.facts.app().web_url or "")
        specs = self.target.config.checks.values() if self.sends != "reads" else ()
        posts = (one.path for one in specs if isinstance(one, HttpCheck) and one.method == "POST")
        empty = frozenset(urlsplit(path).path for path in posts)
        ca_file = self.target.ca_file
        site = ApplicationWebsite(address, ca_file=ca_file, read_only=read_only, empty_posts=empty)
        self.stack.callback(site.close)
        return site

    def token(self) -> SecretStr | None:
        """The check account's token. If it takes a login, uscdr signs in at most once."""
        account = self.target.account
        if account is None or account.token is not None:
            return account.token if account else None
        return self.once.get("token", self.sign_in)

    def sign_in(self) -> SecretStr | None:
        """A login with the check account's password; None without a password. Raises WriteRefused in a dry run."""
        account = self.target.account
        if account is None or not account.password.get_secret_value():
            return None
        site = self.open_website(read_only=self.sends == "reads")
        if self.attempts is None:
            found = site.sign_in(account.email, account.password)
        else:
            limit = _login_limit(self.target.config)
            found = self.attempts.login(LOGIN, limit, lambda: site.sign_in(account.email, account.password))
        self.given.context.redactor.register("USCDR_CHECK_TOKEN", found.get_secret_value())
        return found

    def database(self) -> Database:
        """The live database, at the URL in the application's config var."""
        name = self.target.services.heroku.database
        url = self.facts.config().get(name)
        if url is None:
            raise BadInput(
                f"The application has no config var {name}.",
                next_action=f"See: heroku config --app {self.target.services.heroku.app}",
            )
        self.given.context.redactor.register(name, url.get_secret_value())
        return PostgresDatabase(
            url, read_only=True, statement_timeout=STATEMENT_TIMEOUT, lock_timeout=LOCK_TIMEOUT,
            connect_timeout=CONNECT_TIMEOUT, require_tls=True, workers=CONNECTIONS,
        )  # fmt: skip

    def media(self) -> Media:
        """The cloud, opened with the application's own credentials."""
        return self.once.get("media", self._open_media)

    def _open_media(self) -> Media:
        service, config = self.target.services.cloudinary, self.facts.config()
        if service is None or not all(config.get(name) for name in (CLOUD, KEY, SECRET)):
            raise BadInput(
                f"The application has no config var {CLOUD}, {KEY} or {SECRET}.",
                next_action=f"See: heroku config --app {self.target.services.heroku.app}",
            )
        account = MediaAccount(
            cloud=config[CLOUD].get_secret_value(), api_key=config[KEY].get_secret_value(), api_secret=config[SECRET]
        )
        self.given.context.redactor.register(SECRET, account.api_secret.get_secret_value())
        return self.stack.enter_context(
            CloudinaryMedia(
                account, api_url=service.api_url, delivery_url=service.delivery_url, ca_file=self.target.ca_file,
                read_only=True, stop=self.given.context.stop.event, on_wait=self.given.context.waits, policy=UNHURRIED,
            )
        )  # fmt: skip

    def code_migrations(self) -> CodeMigrations | None:
        """The migrations of the deployed commit; None when it is unknown."""
        deploys = self.given.adapters.deploys
        builds = Ahead(lambda: deploys.builds(self.facts.name))
        running = next((one for one in self.facts.releases() if one.current), None)
        commit = Build.commit_of(running.slug_id, builds.result()) if running else ""
        if self.given.adapters.source is None or not commit:
            return None
        return self.given.adapters.source.archive(commit, self.given.adapters.work)


def _private(address: str) -> str:
    """The application's address on the platform with https, which the platform always serves."""
    return address if is_private(address) else address.replace("http://", "https://", 1)


def _login_limit(config: Config) -> AttemptLimit:
    """How many refused logins the application allows, as a check of scenarios.yaml says."""
    specs = (one for one in config.checks.values() if isinstance(one, HttpCheck))
    return next((one.counted for one in specs if one.counted and urlsplit(one.path).path == LOGIN), LOGINS)


def _expected(target: Target) -> Expected:
    """What scenarios.yaml says of the target."""
    config, services, recovery = target.config, target.services, target.config.recovery
    return Expected(
        tables=config.app.expected_tables,
        volatile=frozenset(config.app.volatile_tables),
        freshness=config.app.freshness,
        invariants=config.invariants,
        formation=config.app.formation,
        single=frozenset(recovery.singletons),
        steady=services.heroku.steady,
        required=config.config.required,
        derived=frozenset(config.config.derived),
        key=recovery.encryption_key_variable or "",
        canaries=recovery.canaries,
        references=config.media.references,
        media_prefix=config.media.prefix,
        cloud=services.cloudinary.cloud if services.cloudinary else "",
        hostnames=services.dns.hostnames if services.dns else (),
        maintenance_page=config.maintenance_page.url if config.maintenance_page else "",
        database_variable=services.heroku.database,
    )
