"""A target of scenarios.yaml with everything needed to reach it."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.errors import BadInput, ConfigError
from uscdr.models.media import MediaAccount
from uscdr.models.postgres import Invariant
from uscdr.scenarios.adapters import CheckAccount
from uscdr.scenarios.config import SANDBOX, Config, ConfigManifest, Source
from uscdr.scenarios.config_targets import CloudinaryTarget, DnsTarget, HerokuTarget, MailTarget, TargetConfig
from uscdr.scenarios.loader import Decision, LoadedConfig, load
from uscdr.settings import SCRATCH, Directories, is_loopback_host
from uscdr.words import first_of

if TYPE_CHECKING:
    from uscdr.scenarios.config import Config


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


def _given_account(env: Mapping[str, str]) -> CheckAccount | None:
    """The check account that the environment names: a token, or an e-mail with its password."""
    token = env.get("USCDR_CHECK_TOKEN")
    email, password = env.get("USCDR_CHECK_EMAIL", ""), env.get("USCDR_CHECK_PASSWORD", "")
    if not token and not (email and password):
        return None
    return CheckAccount(email, SecretStr(password), SecretStr(token) if token else None)


# What a scenarios.yaml may decide, by where it lies.


_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_ROOT = 0


def _found(loaded: LoadedConfig) -> LoadedConfig:
    """A file that nobody named. Raises ConfigError when it decides where things go."""
    if not loaded.decides:
        return loaded
    first = loaded.decides[0]
    raise ConfigError(
        f"{loaded.path}:{first.line}:{first.column}: a file that nobody named may not decide where requests, "
        f"credentials or code go: {_words(loaded.decides)}.",
        why="It lies where the command was given and may be anybody's; nothing was asked or sent.",
        next_action="Look at these lines. If you mean them, name the file before the command: "
        f"uscdr --config {shlex.quote(_spelt(loaded.path))}",
    )


def _spelt(path: Path) -> str:
    return str(path) if path.is_absolute() else f"./{path}"


def _trusted(loaded: LoadedConfig) -> LoadedConfig:
    """A file that the operator named or keeps. Raises ConfigError when others could have written what it decides."""
    if loaded.decides and (problem := _foreign(loaded.path)):
        raise ConfigError(
            f"{loaded.path} decides where requests, credentials or code go, and {problem[0]}.",
            why=f"It says {_words(loaded.decides)}.",
            next_action=f"Look whether it says what you mean, then: {problem[1]}",
        )
    return loaded


def notice(loaded: LoadedConfig) -> str:
    """What the first line of a command says of a file that decides where things go; empty when it does not."""
    if not loaded.decides:
        return ""
    return f"Configuration: {loaded.path.absolute()} decides where requests go: {_words(loaded.decides)}."


def _foreign(path: Path) -> tuple[str, str] | None:
    """Who but the user and root can write the file or put another in its place, and the command that ends it."""
    real, near = path.resolve(), path.absolute().parent
    for one in dict.fromkeys((real, real.parent, near, *_passed(path.absolute()))):
        found, farther = one.stat(), one not in (real, real.parent, near)
        if found.st_uid not in (os.geteuid(), _ROOT) and not farther:
            return f"{one} belongs to another user (uid {found.st_uid})", f"chown {os.geteuid()} {_quoted(one)}"
        # in a directory with the sticky bit nobody replaces what is another's
        kept = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if found.st_mode & (stat.S_IWOTH if farther else _OTHERS_WRITE) and not kept:
            return f"others may write {one}", f"chmod {'o' if farther else 'go'}-w {_quoted(one)}"
    return None


def _passed(path: Path) -> set[Path]:
    """All that a look for `path` leads through: directories up to the root, and those of the links on the way.

    Of what is farther away only that everybody may write there is wrong: a group may be the user's alone.
    """
    found, left = set[Path](), [path]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += [one.parent, *([one.parent / one.readlink()] if one.is_symlink() else [])]
    return {one for one in found if not one.is_symlink()}


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _words(decides: Sequence[Decision]) -> str:
    return first_of([f"{one.key} (line {one.line})" for one in decides])


# Which configuration and which target a command works on, and the credentials for it.


FILE_NAME = "scenarios.yaml"
DIRECTORY_OF_ITS_OWN, OTHERS_WRITE = 0o077, 0o022
"""The modes that its directory, and the contract itself, must not have."""


def load_config(given: Path | None, env: Mapping[str, str], *, lazily: bool = False) -> LoadedConfig:
    """`--config`, `$USCDR_CONFIG`, `./scenarios.yaml`, the user's configuration directory, the packaged default.

    `lazily`: checks and steps are validated when they are asked for. Raises ConfigError, also for one that decides
    what it may not.
    """
    named = given or (Path(env["USCDR_CONFIG"]) if env.get("USCDR_CONFIG") else None)
    if named is not None:
        return _trusted(replace(load(named, lazily=lazily), own=True))
    here, users = Path(FILE_NAME), Directories(env).config / FILE_NAME
    # what has the name and is no file is refused, not passed by
    if os.path.lexists(here) and not _is_beside(here, users):
        return _found(_compared(here, lazily=lazily))
    return (
        _trusted(_compared(users, lazily=lazily))
        if os.path.lexists(users)
        else _found(load(_packaged(), lazily=lazily))
    )


def _is_beside(here: Path, users: Path) -> bool:
    """Whether the current directory is the user's configuration directory."""
    try:
        return here.absolute().parent.samefile(users.parent)
    except OSError:
        return False


def _compared(path: Path, *, lazily: bool) -> LoadedConfig:
    loaded = load(path, lazily=lazily)
    return replace(loaded, own=loaded.digest != hashlib.sha256(_packaged().read_bytes()).hexdigest())


def _packaged() -> Path:
    """The default that ships with uscdr."""
    inside = Path(str(files("uscdr.scenarios") / "default.yaml"))
    return inside if inside.is_file() else inside.parents[3] / FILE_NAME


def find_place(loaded: LoadedConfig, name: str | None, env: Mapping[str, str]) -> Target:
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
    return Target(
        chosen, target, loaded.config, loaded.digest, token.value, token.source, _given_account(env), ca_file,
        _media_accounts(env), _dns_key(target, env), token_note=token.note,
    )  # fmt: skip


def with_scratch(place: Target, given: str | None, env: Mapping[str, str]) -> Target:
    """The same with the server for proofs that the command or the environment names. Raises BadInput."""
    text = given if given is not None else env.get(SCRATCH) or None
    if text is None:
        return place
    from uscdr.providers.postgres.scratch_own import scratch_url

    return replace(place, scratch=scratch_url(text))


def _media_accounts(env: Mapping[str, str]) -> dict[str, MediaAccount]:
    """One cloud's credentials from the environment."""
    cloud, key, secret = (env.get(f"USCDR_CLOUDINARY_{part}") for part in ("CLOUD", "KEY", "SECRET"))
    if not (cloud and key and secret):
        return {}
    return {cloud: MediaAccount(cloud=cloud, api_key=key, api_secret=SecretStr(secret))}


def _dns_key(target: TargetConfig, env: Mapping[str, str]) -> SecretStr | None:
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


def _sandbox_file(env: Mapping[str, str]) -> Path:
    """Where a running sandbox says how it is reached."""
    return Directories(env).state / SANDBOX / "sandbox.json"


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


def _sandbox(loaded: LoadedConfig, env: Mapping[str, str]) -> Target:
    from uscdr.sandbox.state import read_contract

    facts = read_contract(_sandbox_file(env).parent)
    if facts is None:
        raise BadInput("No sandbox is running.", next_action="Start one: uscdr sandbox up")
    _require_own(_sandbox_file(env))
    try:
        return _sandbox_place(loaded, env, facts)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise BadInput(
            f"{_sandbox_file(env)} is not what a sandbox writes there: how it is reached is not known.",
            next_action="End it, and start it anew: uscdr sandbox down, uscdr sandbox up",
        ) from None


# The running sandbox as a target: its contract becomes addresses, credentials and what its application has.


ADAPTERS = ("rfc2136", "cloudflare", "manual")
"""How the sandbox's domain may be edited."""
STEADY = "10"
"""Seconds for which its dynos must have been up at the end of a recovery."""
Facts = Mapping[str, Any]


def _sandbox_place(loaded: LoadedConfig, env: Mapping[str, str], facts: Facts) -> Target:
    """The place that `facts` describe. Raises LookupError, TypeError or ValueError when they do not.

    An application that is not the clinic is asked what its operator's own file says, and without one only what holds
    for any. A check that needs an account and has none says so.
    """
    _require_loopback(facts)
    account, config = _account(facts), loaded.config
    known = account is not None or loaded.own
    source = Source(git=facts["source"]["git"], ref=facts["source"]["ref"])
    application = config.app.model_copy(update={"manage": facts["manage"], "source": source})
    config = config.model_copy(update={"app": application})
    if not known:
        config = _any_django_application(config)
    given = env.get("HEROKU_API_KEY")
    return Target(
        name=SANDBOX,
        services=_target(facts, env, whole=known),
        config=config,
        digest=loaded.digest,
        token=SecretStr(given or facts["heroku"]["token"]),
        token_source="HEROKU_API_KEY" if given else "the sandbox",
        account=account or _given_account(env),
        ca_file=Path(facts["ca_file"]),
        media_accounts={one.cloud: one for one in map(_media_account, facts["cloudinary"]["accounts"])},
        dns_key=_sandbox_dns_key(facts["dns"], env),
        identity=facts["identity"],
    )


def _require_loopback(facts: Facts) -> None:
    """A sandbox is on this machine: what says otherwise is none, and is told nothing. Raises ValueError."""
    dns = facts["dns"]
    hosts = [urlsplit(one).hostname or "" for one in _addresses(facts)]
    hosts += [dns["server"], *(one.rpartition(":")[0].strip("[]") for one in dns["name_servers"])]
    hosts += [facts["tls"]["host"]] if "tls" in facts else []
    if not all(map(is_loopback_host, hosts)):
        raise ValueError("the contract names another machine")


def _addresses(node: object) -> Iterator[str]:
    """Every URL of a contract's."""
    if isinstance(node, str) and node.startswith(("http://", "https://")):
        yield node
    elif isinstance(node, Mapping):
        for one in node.values():
            yield from _addresses(one)
    elif isinstance(node, list):
        for one in node:
            yield from _addresses(one)


def _target(facts: Facts, env: Mapping[str, str], *, whole: bool) -> TargetConfig:
    """With media service and domain, if it is known what the application has there."""
    heroku, media = facts["heroku"], facts["cloudinary"]
    return TargetConfig(
        heroku=HerokuTarget(
            app=heroku["app"], api_url=heroku["api_url"], data_url=heroku["data_url"], status_url=heroku["status_url"],
            steady=_steady(env),  # type: ignore[arg-type]  # read as it stands in scenarios.yaml
        ),
        cloudinary=CloudinaryTarget(
            cloud=media["cloud"], api_url=media["api_url"], delivery_url=media["delivery_url"],
            status_url=media["status_url"],
        ) if whole else None,
        dns=_dns(facts["dns"], env) if whole else None,
        web=facts["web_url"],
        mail=_mail(facts),
        tls_server=_tls(facts),  # type: ignore[arg-type]  # read as it stands in scenarios.yaml
        ca_file=facts["ca_file"],
    )  # fmt: skip


def _steady(env: Mapping[str, str]) -> str:
    """As the environment says, in whole seconds; dynos of the sandbox start faster than the platform's."""
    seconds = env.get("USCDR_SANDBOX_STEADY") or STEADY
    if not seconds.isdecimal():
        raise BadInput(f"USCDR_SANDBOX_STEADY is “{seconds}”.", next_action="Whole seconds, such as 10.")
    return f"{seconds}s"


def _tls(facts: Facts) -> str | None:
    return f"{facts['tls']['host']}:{facts['tls']['port']}" if "tls" in facts else None


def _mail(facts: Facts) -> MailTarget:
    """The sandbox's own; one that tells of none is asked itself, so that nobody outside ever is."""
    return MailTarget(token_url=facts.get("mail", {}).get("token_url") or facts["heroku"]["api_url"])


def _dns(facts: Facts, env: Mapping[str, str]) -> DnsTarget:
    """Edited as the environment says, by dynamic update otherwise."""
    adapter = env.get("USCDR_SANDBOX_DNS") or "rfc2136"
    if adapter not in ADAPTERS:
        raise BadInput(f"USCDR_SANDBOX_DNS is “{adapter}”.", next_action=f"One of: {', '.join(ADAPTERS)}.")
    return DnsTarget(
        adapter=adapter,  # type: ignore[arg-type]  # one of ADAPTERS
        zone=facts["zone"],
        hostnames=(facts["hostname"],),
        server=facts["server"],
        port=facts["port"],
        key_name=facts["key_name"],
        algorithm=facts["algorithm"],
        api_url=facts["cloudflare"]["base_url"],
        name_servers=tuple(facts["name_servers"]),
    )


def _sandbox_dns_key(facts: Facts, env: Mapping[str, str]) -> SecretStr | None:
    if env.get("USCDR_SANDBOX_DNS") == "cloudflare":
        return SecretStr(env.get("USCDR_CLOUDFLARE_TOKEN") or facts["cloudflare"]["token"])
    return SecretStr(env.get("USCDR_DNS_KEY") or facts["key"])


def _media_account(facts: Facts) -> MediaAccount:
    return MediaAccount(cloud=facts["cloud"], api_key=facts["api_key"], api_secret=SecretStr(facts["api_secret"]))


def _account(facts: Facts) -> CheckAccount | None:
    account = facts.get("check_account")
    if not account:
        return None
    token = account.get("token")
    return CheckAccount(account["email"], SecretStr(account["password"]), SecretStr(token) if token else None)


def _any_django_application(config: Config) -> Config:
    """What still holds for an application that is not the clinic: its migrations are there, its pages answer."""
    from uscdr.checks.kinds.http import HttpCheck

    application = config.app.model_copy(
        update={
            "expected_tables": ("django_migrations",),
            "volatile_tables": ("django_session",),
            "written_by_release": (),
            "freshness": (),
            "dangerous_migrations": (),
        }
    )
    migrations = Invariant(name="migrations are recorded", sql="SELECT count(*) FROM django_migrations", minimum=1)
    answers = HttpCheck(kind="http", path="/", below=500)
    return config.model_copy(
        update={
            "app": application,
            "invariants": (migrations,),
            "checks": {"application-answers": answers},
            "checklists": {},
            "after_recovery": ("application-answers",),
            "config": ConfigManifest(required=("DATABASE_URL",)),
        }
    )
