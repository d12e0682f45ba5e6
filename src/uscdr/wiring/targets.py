"""Finds the target that a command line names, with credentials from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.errors import BadInput
from uscdr.files import exposure
from uscdr.settings import SCRATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from uscdr.models.media import MediaAccount
    from uscdr.scenarios.config_targets import TargetConfig
    from uscdr.scenarios.loader import LoadedConfig
    from uscdr.wiring.target import Target

SECRET_FILES = ("USCDR_AGE_IDENTITY", "USCDR_VAULT_PASSPHRASE_FILE")
"""Environment variables that name secret files."""


@dataclass(frozen=True)
class Targets:
    """The configuration and the target that the command line names.

    Calls `warn` with every warning about them, and `say` with what is only good to know.
    """

    warn: Callable[[str], None]
    config: Path | None = None
    name: str | None = None
    scratch: str | None = None
    """The URL of the server for proofs from the command line."""
    remind: Callable[[Target], None] = lambda _: None
    """Says what the operator must know about the target that was found."""
    say: Callable[[str], None] = lambda _: None

    def find(self, name: str | None = None, *, lazily: bool = False) -> Target:
        """The target `name`, else the target of the command line; `lazily` as in `loaded`.

        Raises BadInput, ConfigError or CredentialsRefused.
        """
        found = find_target(self.loaded(lazily=lazily), name or self.name, os.environ)
        if found.token_note:
            self.warn(f"Warning: {found.token_note}")
        for file in filter(None, map(os.environ.get, SECRET_FILES)):
            if words := exposure(Path(file)):
                self.warn(f"Warning: {words}")
        self.remind(found)
        return with_scratch(found, self.scratch, os.environ)

    def loaded(self, *, lazily: bool = False) -> LoadedConfig:
        """The configuration; first says which file it is, and warns when that decides the targets. Raises ConfigError.

        With `lazily`, for commands that only show, checks and steps are validated on first use.
        """
        from uscdr.scenarios.config_file import load_config, notice, passed_over, warning

        found = load_config(self.config, os.environ, lazily=lazily)
        if words := warning(found):
            self.warn(words)
        elif not lazily:
            self.say(notice(found))
        if words := passed_over(found.path):
            self.say(words)
        return found


def find_target(
    loaded: LoadedConfig, name: str | None, env: Mapping[str, str], *, client_seconds: float | None = None
) -> Target:
    """The target called `name`, or the only one; `client_seconds` limits the Heroku CLI.

    Raises BadInput or CredentialsRefused.
    """
    from uscdr.scenarios.config import SANDBOX

    chosen = name or env.get("USCDR_TARGET") or _only(loaded)
    if chosen == SANDBOX:
        from uscdr.wiring.sandbox_target import sandbox_target

        return sandbox_target(loaded, env)
    from uscdr.providers.heroku.token import CLIENT_SECONDS, find_token
    from uscdr.wiring.target import Target, given_account

    services = services_of(loaded, chosen)
    token = find_token(env, client_seconds=client_seconds or CLIENT_SECONDS)
    return Target(
        chosen, services, loaded.config, loaded.digest, token.value, token.source, given_account(env),
        Path(services.ca_file) if services.ca_file else None, _media_accounts(env), _dns_key(services, env),
        token_note=token.note,
    )  # fmt: skip


def application_of(loaded: LoadedConfig, name: str | None, env: Mapping[str, str]) -> tuple[str, str]:
    """The application of the target called `name`, or of the only one, and its identity if it is a sandbox's.

    Needs no credentials. Raises BadInput.
    """
    from uscdr.scenarios.config import SANDBOX

    chosen = name or env.get("USCDR_TARGET") or _only(loaded)
    if chosen == SANDBOX:
        found = find_target(loaded, chosen, env)
        return found.services.heroku.app, found.identity
    return services_of(loaded, chosen).heroku.app, ""


def services_named(loaded: LoadedConfig, name: str | None, env: Mapping[str, str]) -> TargetConfig:
    """What the target called `name`, or the only one, consists of. Needs no credentials. Raises BadInput."""
    from uscdr.scenarios.config import SANDBOX

    chosen = name or env.get("USCDR_TARGET") or _only(loaded)
    return find_target(loaded, chosen, env).services if chosen == SANDBOX else services_of(loaded, chosen)


def services_of(loaded: LoadedConfig, chosen: str) -> TargetConfig:
    """What the target called `chosen` consists of. Raises BadInput for an unknown one."""
    from uscdr.scenarios.config import SANDBOX

    services = loaded.config.targets.get(chosen)
    if services is None:
        known = ", ".join([*loaded.config.targets, SANDBOX])
        raise BadInput(f"{loaded.path} has no target “{chosen}”.", next_action=f"Pass --target with one of: {known}.")
    return services


def with_scratch(target: Target, given: str | None, env: Mapping[str, str]) -> Target:
    """The target with the proof server that the command or the environment names. Raises BadInput."""
    text = given if given is not None else env.get(SCRATCH) or None
    if text is None:
        return target
    from uscdr.providers.postgres.scratch_own import scratch_url

    return replace(target, scratch=scratch_url(text))


def _media_accounts(env: Mapping[str, str]) -> dict[str, MediaAccount]:
    """The credentials of one cloud from the environment."""
    cloud, key, secret = (env.get(f"USCDR_CLOUDINARY_{part}") for part in ("CLOUD", "KEY", "SECRET"))
    if not (cloud and key and secret):
        return {}
    from uscdr.models.media import MediaAccount

    return {cloud: MediaAccount(cloud=cloud, api_key=key, api_secret=SecretStr(secret))}


def _dns_key(target: TargetConfig, env: Mapping[str, str]) -> SecretStr | None:
    if target.dns is None:
        return None
    found = env.get("USCDR_CLOUDFLARE_TOKEN" if target.dns.adapter == "cloudflare" else "USCDR_DNS_KEY")
    return SecretStr(found) if found else None


def _only(loaded: LoadedConfig) -> str:
    from uscdr.scenarios.config import SANDBOX

    targets = loaded.config.targets
    if len(targets) == 1:
        return next(iter(targets))
    raise BadInput(
        f"{loaded.path} has several targets, and the command names none.",
        next_action=f"Pass --target with one of: {', '.join([*targets, SANDBOX])}.",
    )
