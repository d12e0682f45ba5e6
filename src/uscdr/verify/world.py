"""What checks are given to look at: ports, what is expected of the place, and the baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr

from uscdr.verify.standing import WINDOW

if TYPE_CHECKING:
    from uscdr.models.media import ReferenceColumn
    from uscdr.models.migrations import CodeMigrations
    from uscdr.models.postgres import CanaryColumn, Invariant
    from uscdr.providers.ports.database import Database
    from uscdr.providers.ports.dns import Verifier
    from uscdr.providers.ports.media import Media
    from uscdr.providers.ports.probes import MailAccount, Queue, Tls
    from uscdr.providers.ports.web import Application, Website
    from uscdr.verify.attempts import Attempts
    from uscdr.verify.baseline import Baseline
    from uscdr.verify.facts import Facts

Sends = Literal["reads", "forms", "writes"]
"""What checks may send: nothing but reads, as in a dry run of a recovery; also one login and the empty forms that
must be refused; also what is made, looked at and removed again."""


@dataclass(frozen=True)
class Expected:
    """What scenarios.yaml says the place has."""

    tables: tuple[str, ...] = ()
    volatile: frozenset[str] = frozenset()
    freshness: tuple[str, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    formation: Mapping[str, int] = field(default_factory=dict)
    single: frozenset[str] = frozenset()
    """Process types of which there must be exactly one."""
    steady: float = WINDOW
    """Seconds for which a dyno must have been up, to be said to stay so."""
    required: tuple[str, ...] = ()
    """Config variables."""
    derived: frozenset[str] = frozenset()
    """Config variables that follow the place; they may differ from the baseline."""
    key: str = ""
    """The config variable with the key of the encrypted columns."""
    canaries: tuple[CanaryColumn, ...] = ()
    references: tuple[ReferenceColumn, ...] = ()
    """Columns that name stored files."""
    media_prefix: str = ""
    cloud: str = ""
    hostnames: tuple[str, ...] = ()
    database_variable: str = "DATABASE_URL"


@dataclass(frozen=True)
class World:
    """Everything is opened when first asked for; a port that raises ProviderError makes a check inconclusive."""

    app: str
    facts: Facts
    expected: Expected
    website: Callable[[], Website]
    token: Callable[[], SecretStr | None]
    """Of the dedicated check account; None when there is none."""
    account_email: str
    """Of the dedicated check account; where a canary's mail goes. May be empty."""
    database: Callable[[], Database]
    media: Callable[[], Media] | None
    """The configured cloud with the application's own credentials; None when the target has no media."""
    verifier: Verifier | None
    """The zone's name servers; None when the target has no domain."""
    tls: Tls
    queue: Queue
    mail: MailAccount
    code_migrations: Callable[[], CodeMigrations | None]
    """Migrations of the deployed commit; None when its code is not to be had."""
    now: Callable[[], datetime]
    sign_in: Callable[[], SecretStr | None]
    """A new login of the check account, for checks that may write; None when it has no password."""
    writable: Callable[[], Application] | None = None
    """The application for checks that may write; None unless the operator allowed writes."""
    baseline: Baseline | None = None
    attempts: Attempts | None = None
    """What was sent to the application that it counts; None when nothing of the kind can be sent in this round."""
    work: Path | None = None
    """A private directory of this process."""
    damaged: frozenset[str] = frozenset()
    """Ids of backups that were taken of a damaged state."""

    def before(self, check: str) -> Mapping[str, Any]:
        """What `check` measured when the baseline was taken; empty without one."""
        return self.baseline.of(check) if self.baseline else {}
