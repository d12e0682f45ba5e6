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
    """Cloud -> credentials that were given; others are in the application's config or in a kit."""
    dns_key: SecretStr | None = None
    identity: str = ""
    """Of a sandbox: tells it from every other one, also from those before it. Of a platform its address is enough."""
    token_note: str = ""
    """What is wrong with the place where the token was found."""
    scratch: SecretStr | None = None
    """The URL of a PostgreSQL server of the operator's own, for proofs."""

    def of_app(self, app: str | None) -> Target:
        """The same target with another application, which is reached at its own address; None for the target's own."""
        if app is None:
            return self
        heroku = self.services.heroku.model_copy(update={"app": app})
        return replace(self, services=self.services.model_copy(update={"heroku": heroku, "web": None}))

    @property
    def key(self) -> str:
        """What lock, memory and baseline are for: two names of the same application are one target."""
        return f"{self.services.heroku.api_url} {self.services.heroku.app} {self.identity}".rstrip()


def given_account(env: Mapping[str, str]) -> CheckAccount | None:
    """The check account that the environment names: a token, or an e-mail with its password."""
    token = env.get("USCDR_CHECK_TOKEN")
    email, password = env.get("USCDR_CHECK_EMAIL", ""), env.get("USCDR_CHECK_PASSWORD", "")
    if not token and not (email and password):
        return None
    return CheckAccount(email, SecretStr(password), SecretStr(token) if token else None)
