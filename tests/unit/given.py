"""Adapters that a test gives, each as it is; what it does not give, nobody may ask for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Self

from pydantic import SecretStr
from typing_extensions import override

from uscdr.backups.loss import Earlier
from uscdr.checks.context import CheckContext, Sends
from uscdr.providers.ports.database import Database
from uscdr.scenarios.adapters import Adapters


class GivenAdapters(Adapters):
    """By the names that `Adapters` has; what is opened by a call stands under `database`, `world` and `earlier`."""

    def __init__(
        self,
        *,
        opens_database: Callable[[SecretStr], Database] | None = None,
        opens_world: Callable[[Sends], AbstractContextManager[CheckContext]] | None = None,
        knows: Callable[[], Earlier] = Earlier,
        **given: Any,
    ) -> None:
        self.given = {"opens_database": opens_database, "opens_world": opens_world, "knows": knows, **given}
        self.unshown, self.walks = {}, {}
        self._opens_database, self._opens_world, self._knows = opens_database, opens_world, knows
        for name, value in given.items():
            setattr(self, name, value)

    def but(self, **changes: Any) -> Self:
        """The same, with other ones in their place."""
        return type(self)(**{**self.given, **changes})

    @override
    def open_database(self, url: SecretStr) -> Database:
        assert self._opens_database is not None
        return self._opens_database(url)

    @override
    def open_world(self, sends: Sends) -> AbstractContextManager[CheckContext]:
        assert self._opens_world is not None
        return self._opens_world(sends)

    @override
    def earlier(self) -> Earlier:
        return self._knows()
