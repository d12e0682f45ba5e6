"""The old application: itself if it answers, else what the kit recorded of it. Reads only."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import CredentialsRefused, NotFound, ProviderError
from uscdr.kit.content import AppFacts
from uscdr.models.heroku import Build

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import SecretStr

    from uscdr.kit.reader import KitReader
    from uscdr.providers.ports.platform import Backups, Deploys, Platform, Provisioning

T = TypeVar("T")


@dataclass(frozen=True)
class OldApplication:
    """`facts` and `config` come from `origin`; `why` says why the application itself did not answer."""

    answers: bool
    why: str
    origin: str
    facts: AppFacts | None
    config: Mapping[str, SecretStr] = field(repr=False)

    def rebuilt_in_place(self, new_app: str | None) -> bool:
        """Whether the application itself is rebuilt and keeps what it has; `new_app` is the name that was asked for."""
        return new_app is None and self.answers


class OldApplicationReader:
    """Reads the old application once in a process, for many steps."""

    def __init__(
        self, platform: Platform, provisioning: Provisioning, deploys: Deploys, backups: Backups, kit: KitReader | None
    ) -> None:
        self._platform = platform
        self._provisioning = provisioning
        self._deploys = deploys
        self._backups = backups
        self._kit = kit
        self._found: OldApplication | None = None
        self._turn = threading.Lock()

    def place(self, app: str) -> OldApplication:
        """The old application. Raises CredentialsRefused when the account itself is refused."""
        with self._turn:
            if self._found is None:
                self._found = self._look(app)
            return self._found

    def kept(self) -> OldApplication | None:
        """What the kit recorded of the same application, even if it answers; None without a kit."""
        return self._from_kit("") if self._kit is not None else None

    def _look(self, app: str) -> OldApplication:
        try:
            facts, config = self._live(app), self._platform.config_vars(app)
        except CredentialsRefused:
            self._platform.account()  # refused as well: it is the account, and nothing can be done with it
            return self._from_kit("this account may not see it")
        except NotFound:
            return self._from_kit("it does not exist, or this account does not see it")
        except ProviderError as error:
            return self._from_kit(error.message)
        return OldApplication(answers=True, why="", origin="the old application", facts=facts, config=config)

    def _from_kit(self, why: str) -> OldApplication:
        held = self._kit.config() if self._kit else None
        return OldApplication(
            answers=False,
            why=why,
            origin=f"the kit {self._kit.kit}" if self._kit else "nothing",
            facts=self._kit.app() if self._kit else None,
            config=held.values if held else {},
        )

    def _live(self, app: str) -> AppFacts:
        current = next((r for r in self._platform.releases(app) if r.current), None)
        return AppFacts(
            app=self._platform.app(app),
            account=self._platform.account().email,
            formation=self._platform.formation(app),
            addons=self._platform.addons(app),
            attachments=self._platform.attachments(app),
            release=current,
            commit=Build.commit_of(current.slug_id if current else None, self._deploys.builds(app)),
            buildpacks=self._provisioning.buildpacks(app),
            domains=self._provisioning.domains(app),
            collaborators=_permitted(lambda: self._provisioning.collaborators(app)),
            log_drains=_permitted(lambda: self._provisioning.log_drains(app)),
            belongings=self._provisioning.belongings(app),
        )


def _permitted(ask: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
    """The answer; empty when this account has no access. A new application can be built without it."""
    try:
        return ask()
    except CredentialsRefused:
        return ()
