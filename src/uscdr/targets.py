"""Which configuration and which target a command works on, and the credentials for it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from pydantic import SecretStr

from uscdr.decisions import found, trusted
from uscdr.errors import BadInput
from uscdr.models.media import MediaAccount
from uscdr.place import Place, given_account
from uscdr.scenarios.loader import Loaded, load
from uscdr.scenarios.model import SANDBOX, Config
from uscdr.scenarios.model_targets import Target
from uscdr.settings import SCRATCH, config_directory, state_directory

FILE_NAME = "scenarios.yaml"
DIRECTORY_OF_ITS_OWN, OTHERS_WRITE = 0o077, 0o022
"""The modes that its directory, and the contract itself, must not have."""


def load_config(given: Path | None, env: Mapping[str, str], *, lazily: bool = False) -> Loaded:
    """`--config`, `$USCDR_CONFIG`, `./scenarios.yaml`, the user's configuration directory, the packaged default.

    `lazily`: checks and steps are validated when they are asked for. Raises ConfigError, also for one that decides
    what it may not.
    """
    named = given or (Path(env["USCDR_CONFIG"]) if env.get("USCDR_CONFIG") else None)
    if named is not None:
        return trusted(replace(load(named, lazily=lazily), own=True))
    here, users = Path(FILE_NAME), config_directory() / FILE_NAME
    # what has the name and is no file is refused, not passed by
    if os.path.lexists(here) and not _is_beside(here, users):
        return found(_compared(here, lazily=lazily))
    return (
        trusted(_compared(users, lazily=lazily)) if os.path.lexists(users) else found(load(packaged(), lazily=lazily))
    )


def _is_beside(here: Path, users: Path) -> bool:
    """Whether the current directory is the user's configuration directory."""
    try:
        return here.absolute().parent.samefile(users.parent)
    except OSError:
        return False


def _compared(path: Path, *, lazily: bool) -> Loaded:
    loaded = load(path, lazily=lazily)
    return replace(loaded, own=loaded.digest != hashlib.sha256(packaged().read_bytes()).hexdigest())


def packaged() -> Path:
    """The default that ships with uscdr."""
    inside = Path(str(files("uscdr.scenarios") / "default.yaml"))
    return inside if inside.is_file() else inside.parents[3] / FILE_NAME


def find_place(loaded: Loaded, name: str | None, env: Mapping[str, str]) -> Place:
    """The target called `name`, or the only one. Raises BadInput or CredentialsRefused."""
    from uscdr.providers.heroku.token import find_token

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
        chosen, target, loaded.config, loaded.digest, token.value, token.source, given_account(env), ca_file,
        _media_accounts(env), _dns_key(target, env), token_note=token.note,
    )  # fmt: skip


def with_scratch(place: Place, given: str | None, env: Mapping[str, str]) -> Place:
    """The same with the server for proofs that the command or the environment names. Raises BadInput."""
    text = given if given is not None else env.get(SCRATCH) or None
    if text is None:
        return place
    from uscdr.providers.scratch_own import scratch_url

    return replace(place, scratch=scratch_url(text))


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


def sandbox_file(env: Mapping[str, str]) -> Path:
    """Where a running sandbox says how it is reached."""
    return state_directory(env) / SANDBOX / "sandbox.json"


def _require_own(contract: Path) -> None:
    """It says where credentials go: only this user can have written it. Raises BadInput."""
    for path, open_to_all in ((contract.parent, DIRECTORY_OF_ITS_OWN), (contract, OTHERS_WRITE)):
        found = path.stat()
        if found.st_uid != os.geteuid() or found.st_mode & open_to_all:
            raise BadInput(
                f"{path} may have been written by somebody else, and says where the sandbox is.",
                why=f"Its owner is uid {found.st_uid}, its mode {stat.S_IMODE(found.st_mode):o}.",
                next_action="Name a state directory of your own (USCDR_STATE_DIR) and start a sandbox: "
                "uscdr sandbox up",
            )


def _sandbox(loaded: Loaded, env: Mapping[str, str]) -> Place:
    from uscdr.sandbox.state import read_contract
    from uscdr.sandboxed import sandbox_place

    facts = read_contract(sandbox_file(env).parent)
    if facts is None:
        raise BadInput("No sandbox is running.", next_action="Start one: uscdr sandbox up")
    _require_own(sandbox_file(env))
    try:
        return sandbox_place(loaded, env, facts)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise BadInput(
            f"{sandbox_file(env)} is not what a sandbox writes there: how it is reached is not known.",
            next_action="End it, and start it anew: uscdr sandbox down, uscdr sandbox up",
        ) from None
