"""The parts of a running sandbox, as request handlers see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request

if TYPE_CHECKING:
    from uscdr.sandbox.broker.server import Brokers
    from uscdr.sandbox.builds.builds import Builds
    from uscdr.sandbox.builds.origin import Origin
    from uscdr.sandbox.builds.releases import Releases
    from uscdr.sandbox.data.archive import LinkSigner
    from uscdr.sandbox.data.cluster import DatabaseCluster
    from uscdr.sandbox.data.mail import MailSink
    from uscdr.sandbox.data.transfers import Transfers
    from uscdr.sandbox.dns.server import Hosting
    from uscdr.sandbox.dynos.oneoff import OneOffs
    from uscdr.sandbox.dynos.supervisor import Supervisor
    from uscdr.sandbox.faults.rules import FaultRules
    from uscdr.sandbox.fronts import Fronts
    from uscdr.sandbox.logplex import LogSessions
    from uscdr.sandbox.mail.account import MailAccount
    from uscdr.sandbox.media.service import MediaService
    from uscdr.sandbox.platform.issuer import Issuer
    from uscdr.sandbox.web_space import WebSpace
    from uscdr.sandbox.world.apps import World


@dataclass(frozen=True)
class Core:
    """Everything a request may need. `api_url` has no trailing slash."""

    world: World
    cluster: DatabaseCluster
    transfers: Transfers
    releases: Releases
    builds: Builds
    origin: Origin
    supervisor: Supervisor
    oneoffs: OneOffs
    fronts: Fronts
    mail: MailSink
    mail_account: MailAccount
    brokers: Brokers
    sessions: LogSessions
    signer: LinkSigner
    faults: FaultRules
    media: MediaService
    hosting: Hosting
    certificates: Issuer
    web_space: WebSpace
    api_url: str
    git_host: str
    secret: str = field(repr=False)


def core_of(request: Request) -> Core:
    """The sandbox that serves this request."""
    core: Core = request.app.state.core
    return core
