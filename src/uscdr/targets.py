"""Which configuration and which target a command works on, and the credentials for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from uscdr.errors import BadInput
from uscdr.models.media import MediaAccount
from uscdr.models.postgres import Invariant
from uscdr.providers.heroku.token import find_token
from uscdr.scenarios.deps import CheckAccount
from uscdr.scenarios.loader import Loaded, load
from uscdr.scenarios.model import Config, HttpCheck
from uscdr.scenarios.model_targets import HerokuTarget, Target
from uscdr.settings import config_directory, state_directory

SANDBOX = "sandbox"
FILE_NAME = "scenarios.yaml"


@dataclass(frozen=True)
class Place:
    """A target with everything needed to reach it."""

    name: str
    target: Target
    config: Config
    digest: str
    token: SecretStr
    token_source: str
    account: CheckAccount | None
    ca_file: Path | None
    media_accounts: Mapping[str, MediaAccount] = field(default_factory=dict)
    """Cloud -> credentials that were given; others are in the application's config or in a kit."""
    dns_key: SecretStr | None = None

    @property
    def key(self) -> str:
        """What the lock is for: two names of the same application are one target."""
        return f"{self.target.heroku.api_url} {self.target.heroku.app}"


def load_config(given: Path | None, env: Mapping[str, str]) -> Loaded:
    """`--config`, `$USCDR_CONFIG`, `./scenarios.yaml`, the user's configuration directory, the packaged default."""
    if given is not None:
        return load(given)
    if env.get("USCDR_CONFIG"):
        return load(Path(env["USCDR_CONFIG"]))
    for candidate in (Path(FILE_NAME), config_directory() / FILE_NAME):
        if candidate.is_file():
            return load(candidate)
    return load(packaged())


def packaged() -> Path:
    """The default that ships with uscdr."""
    inside = Path(__file__).parent / "scenarios" / "default.yaml"
    return inside if inside.is_file() else Path(__file__).parents[2] / FILE_NAME


def find_place(loaded: Loaded, name: str | None, env: Mapping[str, str]) -> Place:
    """The target called `name`, or the only one. Raises BadInput or CredentialsRefused."""
    chosen = name or env.get("USCDR_TARGET") or _only(loaded.config)
    if chosen == SANDBOX:
        return _sandbox(loaded, env)
    target = loaded.config.targets.get(chosen)
    if target is None:
        known = ", ".join([*loaded.config.targets, SANDBOX])
        raise BadInput(f"There is no target “{chosen}” in {loaded.path}.", next_action=f"Targets: {known}.")
    token = find_token(env)
    ca_file = Path(target.ca_file) if target.ca_file else None
    return Place(
        chosen, target, loaded.config, loaded.digest, token.value, token.source, _account(env), ca_file,
        _media_accounts(env), _dns_key(target, env),
    )  # fmt: skip


def _media_accounts(env: Mapping[str, str]) -> dict[str, MediaAccount]:
    """One cloud's credentials from the environment."""
    cloud, key, secret = (env.get(f"USCDR_CLOUDINARY_{part}") for part in ("CLOUD", "KEY", "SECRET"))
    if not (cloud and key and secret):
        return {}
    return {cloud: MediaAccount(cloud=cloud, api_key=key, api_secret=SecretStr(secret))}


def _dns_key(target: Target, env: Mapping[str, str]) -> SecretStr | None:
    if target.dns is None:
        return None
    found = env.get("USCDR_CLOUDFLARE_TOKEN" if target.dns.adapter == "cloudflare" else "USCDR_DNS_KEY")
    return SecretStr(found) if found else None


def _only(config: Config) -> str:
    if len(config.targets) == 1:
        return next(iter(config.targets))
    raise BadInput(
        "Several targets are configured and none was named.",
        next_action="Name one with --target: " + ", ".join([*config.targets, SANDBOX]),
    )


def _account(env: Mapping[str, str]) -> CheckAccount | None:
    token = env.get("USCDR_CHECK_TOKEN")
    email, password = env.get("USCDR_CHECK_EMAIL", ""), env.get("USCDR_CHECK_PASSWORD", "")
    if not token and not (email and password):
        return None
    return CheckAccount(email, SecretStr(password), SecretStr(token) if token else None)


def sandbox_file(env: Mapping[str, str]) -> Path:
    """Where a running sandbox says how it is reached."""
    return state_directory(env) / SANDBOX / "sandbox.json"


def _sandbox(loaded: Loaded, env: Mapping[str, str]) -> Place:
    try:
        return _sandbox_place(loaded, env, json.loads(sandbox_file(env).read_bytes()))
    except (OSError, ValueError, LookupError, TypeError):
        raise BadInput("No sandbox is running.", next_action="Start one: uscdr sandbox up") from None


def _sandbox_place(loaded: Loaded, env: Mapping[str, str], facts: Mapping[str, Any]) -> Place:
    heroku = facts["heroku"]
    target = Target(
        heroku=HerokuTarget(
            app=heroku["app"], api_url=heroku["api_url"], data_url=heroku["data_url"], status_url=heroku["status_url"]
        ),
        web=facts["web_url"],
        ca_file=facts["ca_file"],
    )
    account, config = _sandbox_account(facts), loaded.config
    application = config.app.model_copy(update={"manage": facts["manage"]})
    config = config.model_copy(update={"app": application})
    if account is None:
        config = any_django_application(config)
    given = env.get("HEROKU_API_KEY")
    token = SecretStr(given or heroku["token"])
    source = "HEROKU_API_KEY" if given else "the sandbox"
    return Place(SANDBOX, target, config, loaded.digest, token, source, account, Path(facts["ca_file"]))


def _sandbox_account(facts: Mapping[str, Any]) -> CheckAccount | None:
    account = facts.get("check_account")
    if not account:
        return None
    token = account.get("token")
    return CheckAccount(account["email"], SecretStr(account["password"]), SecretStr(token) if token else None)


def any_django_application(config: Config) -> Config:
    """What still holds for an application that is not the clinic: its migrations are there, its pages answer."""
    application = config.app.model_copy(
        update={
            "expected_tables": ("django_migrations",),
            "volatile_tables": ("django_session",),
            "freshness": (),
            "dangerous_migrations": (),
        }
    )
    migrations = Invariant(name="migrations are recorded", sql="SELECT count(*) FROM django_migrations", minimum=1)
    answers = HttpCheck(kind="http", name="the application answers", path="/", below=500)
    return config.model_copy(
        update={"app": application, "invariants": (migrations,), "checks": {"application": (answers,)}}
    )
