"""A target of scenarios.yaml with everything needed to reach it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.scenarios.adapters import CheckAccount

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from uscdr.models.media import MediaAccount
    from uscdr.scenarios.config import Config
    from uscdr.scenarios.config_targets import TargetConfig


@dataclass(frozen=True)
class Target:
    """A target with everything needed to reach it."""

    name: str
    services: TargetConfig
    config: Config
    digest: str
    token: SecretStr
    token_source: str
    account: CheckAccount | None
    ca_file: Path | None
    media_accounts: Mapping[str, MediaAccount] = field(default_factory=dict)
    """Cloud -> credentials from the environment; the application's config or a kit may have others."""
    dns_key: SecretStr | None = None
    identity: str = ""
    """A unique id of a sandbox, because sandboxes share names and addresses; empty for a real platform."""
    token_note: str = ""
    """A warning about the source of the token; empty if there is none."""
    scratch: SecretStr | None = None
    """The URL of the operator's own PostgreSQL server for proofs."""

    def of_app(self, app: str | None) -> Target:
        """The same target with the application `app`, at its own web address; None keeps the target's application."""
        if app is None:
            return self
        heroku = self.services.heroku.model_copy(update={"app": app})
        return replace(self, services=self.services.model_copy(update={"heroku": heroku, "web": None}))

    @property
    def key(self) -> str:
        """The key of locks, past runs and baselines: two target names of one application have the same key."""
        return f"{self.services.heroku.api_url} {self.services.heroku.app} {self.identity}".rstrip()


def given_account(env: Mapping[str, str]) -> CheckAccount | None:
    """The check account from the environment: a token, or an e-mail address and a password."""
    token = env.get("USCDR_CHECK_TOKEN")
    email, password = env.get("USCDR_CHECK_EMAIL", ""), env.get("USCDR_CHECK_PASSWORD", "")
    if not token and not (email and password):
        return None
    return CheckAccount(email, SecretStr(password), SecretStr(token) if token else None)
