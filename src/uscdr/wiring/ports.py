"""Adapters of the hosting platform for one place."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from uscdr.events import Redactor
from uscdr.providers.heroku.backups import HerokuBackups
from uscdr.providers.heroku.client import HerokuClient
from uscdr.providers.heroku.deploys import HerokuDeploys
from uscdr.providers.heroku.platform import HerokuPlatform
from uscdr.providers.heroku.provisioning import HerokuProvisioning
from uscdr.providers.http.client import open_client, trust
from uscdr.providers.http.outages import looking
from uscdr.providers.postgres.scratch import LocalScratch
from uscdr.providers.postgres.scratch_own import OwnScratch
from uscdr.providers.probes.status_pages import HEROKU, StatusPage
from uscdr.settings import SCRATCH
from uscdr.store.location import STORE_SECRETS
from uscdr.wiring.context import RunContext, WaitReporter

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import SecretStr

    from uscdr.providers.ports.database import Scratch
    from uscdr.providers.ports.platform import Backups, Deploys, Platform, Provisioning
    from uscdr.wiring.target import Target


@dataclass(frozen=True)
class Ports:
    """The adapters of one place; `stack` closes what is opened later."""

    platform: Platform
    backups: Backups
    provisioning: Provisioning
    deploys: Deploys
    status: StatusPage
    scratch: Scratch
    redactor: Redactor
    waits: WaitReporter
    stack: ExitStack


@contextmanager
def open_ports(place: Target, around: RunContext, scratch: Path, *, read_only: bool) -> Iterator[Ports]:
    """Build the adapters; `read_only` wiring cannot write, whatever is asked of it."""
    heroku, waits = place.target.heroku, WaitReporter()
    with ExitStack() as stack:
        if read_only:
            stack.enter_context(looking())
        client = stack.enter_context(
            HerokuClient(
                heroku.api_url, heroku.data_url, place.token, ca_file=place.ca_file, read_only=read_only,
                stop=around.stop.event, on_wait=waits, on_clock=waits.clock,
                leave=around.leave,
            )
        )  # fmt: skip
        status = stack.enter_context(
            open_client(heroku.status_url, provider="heroku", verify=trust(place.ca_file), read_only=True)
        )
        platform = HerokuPlatform(client)
        proving = _scratch(place, platform, scratch, around)
        stack.callback(proving.close)  # a server that was prepared and never needed
        yield Ports(
            platform=platform,
            backups=HerokuBackups(client),
            provisioning=HerokuProvisioning(client),
            deploys=HerokuDeploys(client),
            status=StatusPage(status, HEROKU, service="Heroku", patience=client.patience),
            scratch=proving,
            redactor=_known_secrets(place, around.env),
            waits=waits,
            stack=stack,
        )


def _scratch(place: Target, platform: Platform, directory: Path, around: RunContext) -> LocalScratch | OwnScratch:
    """On the packaged server, or on the one that the operator named."""
    if place.scratch is None:
        return LocalScratch(directory, stop=around.stop.event)

    def production() -> list[SecretStr]:
        values = platform.config_vars(place.target.heroku.app).values()
        return [value for value in values if value.get_secret_value().startswith(("postgres://", "postgresql://"))]

    return OwnScratch(place.scratch, production, place=directory, stop=around.stop.event)


@contextmanager
def local_scratch(directory: Path, stop: threading.Event) -> Iterator[Scratch]:
    """The packaged server alone: for a proof that asks no platform."""
    proving = LocalScratch(directory, stop=stop)
    try:
        yield proving
    finally:
        proving.close()


def _known_secrets(place: Target, env: Mapping[str, str]) -> Redactor:
    """A redactor that knows every secret of the place, and those of stores, which stand in the environment."""
    redactor = Redactor()
    redactor.register("HEROKU_API_KEY", place.token.get_secret_value())
    if place.account is not None:
        redactor.register("USCDR_CHECK_PASSWORD", place.account.password.get_secret_value())
        if place.account.token is not None:
            redactor.register("USCDR_CHECK_TOKEN", place.account.token.get_secret_value())
    for account in place.media_accounts.values():
        redactor.register("CLOUDINARY_API_SECRET", account.api_secret.get_secret_value())
    if place.dns_key is not None:
        redactor.register("USCDR_DNS_KEY", place.dns_key.get_secret_value())
    if place.scratch is not None:
        redactor.register(SCRATCH, place.scratch.get_secret_value())
        redactor.register(SCRATCH, urlsplit(place.scratch.get_secret_value()).password or "")
    for name in STORE_SECRETS & env.keys():
        redactor.register(name, env[name])
    return redactor
