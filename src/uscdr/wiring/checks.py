"""The world as checks see it: read-only adapters of one place, each opened when it is first needed."""

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
from uscdr.scenarios.adapters import now

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
"""Seconds. A query that is given up ends before the check that asked it."""
UNHURRIED = RetryPolicy(seconds=20.0, rate_floor=60.0)
"""Of a check: it ends within its own time, and does not wait for an allowance to be renewed."""
CONNECTIONS = 2
"""Of one check: several run beside each other, and small plans have 20 for everybody."""


class CheckContexts:
    """What checks look at in one run: the target's application, or the other one that the run works on."""

    def __init__(self, context: RunContext, adapters: Adapters) -> None:
        self.context = context
        self.adapters = adapters

    @cached_property
    def target(self) -> Target:
        """The target with the application that is looked at."""
        return self.context.target.of_app(self.context.request.app)

    @cached_property
    def attempts(self) -> Attempts:
        """What is sent to the application that it counts: one book for all looks of this run."""
        return Attempts(self.context.state, self.target.key, now)

    @contextmanager
    def open(self, sends: Sends) -> Iterator[CheckContext]:
        """Everything that checks may look at in one round; nothing is asked yet, what is opened is closed at the end.

        Nothing of it can send more than `sends`.
        """
        heroku, given = self.target.services.heroku, self.adapters
        facts = PlatformCache(heroku.app, given.platform, given.backups, given.provisioning, database=heroku.database)
        with ExitStack() as stack:
            once = Once(limit=PROBE_TIMEOUT, provider="the application")
            attempts = self.attempts if sends != "reads" else None
            yield self._world(self.target, _Bench(self, self.target, sends, facts, once, stack, attempts))

    def _world(self, place: Target, bench: _Bench) -> CheckContext:
        target, ca_file = place.services, place.ca_file
        return CheckContext(
            app=target.heroku.app,
            facts=bench.facts,
            expected=_expected(place),
            website=bench.website,
            token=bench.token,
            account_email=place.account.email if place.account else "",
            database=bench.database,
            media=bench.media if target.cloudinary else None,
            verifier=self.adapters.dns.verifier if self.adapters.dns else None,
            tls=TlsProbe(ca_file=ca_file, address=target.tls_server, timeout=PROBE_TIMEOUT),
            queue=QueueProbe(timeout=PROBE_TIMEOUT),
            mail=MailProbe(target.mail.token_url, ca_file=ca_file, timeout=PROBE_TIMEOUT),
            code_migrations=bench.code_migrations,
            now=now,
            baseline=Baseline.read(self.context.state, place.key),
            attempts=bench.attempts,
            work=self.adapters.work,
            damaged=self.adapters.memory.damaged,
            writable=(lambda: bench.open_website(read_only=False)) if bench.sends == "writes" else None,
            sign_in=bench.sign_in,
        )


@dataclass(frozen=True)
class _Bench:
    """What the parts of a world are built from."""

    given: CheckContexts
    place: Target
    sends: Sends
    facts: PlatformCache
    once: Once
    stack: ExitStack
    """Closes what was opened for this world."""
    attempts: Attempts | None
    """What was sent that the application counts; None when nothing of the kind can be sent."""

    def website(self) -> Website:
        """The application where its users reach it; the only POSTs are the empty forms that checks name, if any."""
        return self.once.get("website", lambda: self.open_website(read_only=True))

    def open_website(self, *, read_only: bool) -> ApplicationWebsite:
        """A client of the application."""
        address = self.place.services.web or _private(self.facts.app().web_url or "")
        specs = self.place.config.checks.values() if self.sends != "reads" else ()
        posts = (one.path for one in specs if isinstance(one, HttpCheck) and one.method == "POST")
        empty = frozenset(urlsplit(path).path for path in posts)
        ca_file = self.place.ca_file
        site = ApplicationWebsite(address, ca_file=ca_file, read_only=read_only, empty_posts=empty)
        self.stack.callback(site.close)
        return site

    def token(self) -> SecretStr | None:
        """The check account's; signing in for one is a login, and is done once at most."""
        account = self.place.account
        if account is None or account.token is not None:
            return account.token if account else None
        return self.once.get("token", self.sign_in)

    def sign_in(self) -> SecretStr | None:
        """A login with the check account's password; None when it has none. Raises WriteRefused in a dry run."""
        account = self.place.account
        if account is None or not account.password.get_secret_value():
            return None
        site = self.open_website(read_only=self.sends == "reads")
        if self.attempts is None:
            found = site.sign_in(account.email, account.password)
        else:
            limit = _login_limit(self.place.config)
            found = self.attempts.login(LOGIN, limit, lambda: site.sign_in(account.email, account.password))
        self.given.context.redactor.register("USCDR_CHECK_TOKEN", found.get_secret_value())
        return found

    def database(self) -> Database:
        """The live database, by the application's own config variable."""
        name = self.place.services.heroku.database
        url = self.facts.config().get(name)
        if url is None:
            raise BadInput(f"The application has no config variable {name}.")
        self.given.context.redactor.register(name, url.get_secret_value())
        return PostgresDatabase(
            url, read_only=True, statement_timeout=STATEMENT_TIMEOUT, lock_timeout=LOCK_TIMEOUT,
            connect_timeout=CONNECT_TIMEOUT, require_tls=True, workers=CONNECTIONS,
        )  # fmt: skip

    def media(self) -> Media:
        """The cloud with the credentials that the application itself has."""
        return self.once.get("media", self._open_media)

    def _open_media(self) -> Media:
        target, config = self.place.services.cloudinary, self.facts.config()
        if target is None or not all(config.get(name) for name in (CLOUD, KEY, SECRET)):
            raise BadInput(f"The application lacks {CLOUD}, {KEY} or {SECRET}.")
        account = MediaAccount(
            cloud=config[CLOUD].get_secret_value(), api_key=config[KEY].get_secret_value(), api_secret=config[SECRET]
        )
        self.given.context.redactor.register(SECRET, account.api_secret.get_secret_value())
        return self.stack.enter_context(
            CloudinaryMedia(
                account, api_url=target.api_url, delivery_url=target.delivery_url, ca_file=self.place.ca_file,
                read_only=True, stop=self.given.context.stop.event, on_wait=self.given.context.waits, policy=UNHURRIED,
            )
        )  # fmt: skip

    def code_migrations(self) -> CodeMigrations | None:
        """Migrations of the commit that is deployed."""
        running = next((one for one in self.facts.releases() if one.current), None)
        commit = (
            Build.commit_of(running.slug_id, self.given.adapters.deploys.builds(self.facts.name)) if running else ""
        )
        if self.given.adapters.source is None or not commit:
            return None
        return self.given.adapters.source.archive(commit, self.given.adapters.work)


def _private(address: str) -> str:
    """The platform's address of an application by https, which it serves whatever it tells."""
    return address if is_private(address) else address.replace("http://", "https://", 1)


def _login_limit(config: Config) -> AttemptLimit:
    """How many refused logins the application takes, as a check says; a wrong password counts with them."""
    specs = (one for one in config.checks.values() if isinstance(one, HttpCheck))
    return next((one.counted for one in specs if one.counted and urlsplit(one.path).path == LOGIN), LOGINS)


def _expected(place: Target) -> Expected:
    """What scenarios.yaml says of the place."""
    config, target, recovery = place.config, place.services, place.config.recovery
    return Expected(
        tables=config.app.expected_tables,
        volatile=frozenset(config.app.volatile_tables),
        freshness=config.app.freshness,
        invariants=config.invariants,
        formation=config.app.formation,
        single=frozenset(recovery.singletons),
        steady=target.heroku.steady,
        required=config.config.required,
        derived=frozenset(config.config.derived),
        key=recovery.encryption_key_variable or "",
        canaries=recovery.canaries,
        references=config.media.references,
        media_prefix=config.media.prefix,
        cloud=target.cloudinary.cloud if target.cloudinary else "",
        hostnames=target.dns.hostnames if target.dns else (),
        database_variable=target.heroku.database,
    )
