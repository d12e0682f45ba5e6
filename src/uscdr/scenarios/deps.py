"""What steps are given to work with: ports and settings, never adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import SecretStr

from uscdr.engine.wait import Stop
from uscdr.errors import BadInput, NotFound
from uscdr.models.heroku import App, Attachment
from uscdr.providers.ports.database import Database
from uscdr.providers.ports.platform import Backups, Platform
from uscdr.providers.ports.web import ServiceStatus, Website
from uscdr.scenarios.candidate import Candidate
from uscdr.scenarios.frozen import FrozenLook
from uscdr.scenarios.model import Config, Target

AskPerson = Callable[[str], str]


@dataclass(frozen=True)
class Request:
    """What the operator asked for."""

    scenario: str
    backup: str | None = None
    safety_capture: bool = True
    anew: bool = False
    """Begin although an earlier run on this target is not finished."""


@dataclass(frozen=True)
class CheckAccount:
    """The dedicated account that checks sign in with."""

    email: str
    password: SecretStr
    token: SecretStr | None = None


@dataclass(frozen=True)
class Memory:
    """What the journals of this machine know of this target."""

    formation: Mapping[str, int]
    """The last recorded formation that had something running; may be empty."""
    damaged: frozenset[str]
    """Ids of backups that were taken of a damaged state."""


@dataclass(frozen=True)
class Deps:
    """The world as steps see it."""

    request: Request
    config: Config
    target: Target
    platform: Platform
    backups: Backups
    status: ServiceStatus
    open_database: Callable[[SecretStr], Database]
    open_website: Callable[[str], Website]
    candidate: Candidate
    frozen: FrozenLook
    stop: Stop
    memory: Memory
    account: CheckAccount | None
    ask: AskPerson

    @property
    def app(self) -> str:
        """The application's name at the platform."""
        return self.target.heroku.app

    def describe_app(self) -> App:
        """The application. Raises BadInput when the configured name does not exist."""
        try:
            return self.platform.app(self.app)
        except NotFound as error:
            raise BadInput(
                f"There is no application “{self.app}” for this account.",
                why=error.message,
                next_action="Check targets.…heroku.app in scenarios.yaml, and whose token is in use: heroku whoami",
            ) from error

    def attachment(self) -> Attachment:
        """The database as the application sees it."""
        return self.platform.database(self.app, self.target.heroku.database)

    def database(self) -> Database:
        """The live database, by its config variable."""
        name = self.target.heroku.database
        url = self.platform.config_vars(self.app).get(name)
        if url is None:
            raise BadInput(
                f"The application has no config variable {name}.",
                next_action=f"Attach the database: heroku addons:attach ADDON --as DATABASE --app {self.app}",
            )
        return self.open_database(url)


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)
