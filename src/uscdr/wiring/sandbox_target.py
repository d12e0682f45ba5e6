"""The running sandbox as a target: reads addresses and credentials from the sandbox's contract file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.errors import BadInput
from uscdr.models.data_settings import Invariant
from uscdr.sandbox.state import read_contract
from uscdr.scenarios.adapters import CheckAccount
from uscdr.scenarios.config import SANDBOX
from uscdr.scenarios.config_app import ConfigManifest, Source
from uscdr.scenarios.config_page import MaintenancePage
from uscdr.scenarios.config_targets import CloudinaryTarget, DnsTarget, HerokuTarget, MailTarget, TargetConfig
from uscdr.settings import Directories, is_loopback_host
from uscdr.wiring.target import Target, given_account

if TYPE_CHECKING:
    from uscdr.models.media import MediaAccount
    from uscdr.scenarios.config import Config
    from uscdr.scenarios.loader import LoadedConfig

_DIRECTORY_OF_ITS_OWN, _OTHERS_WRITE = 0o077, 0o022
"""Permission bits that the sandbox's directory, and the contract file, must not have."""
ADAPTERS = ("rfc2136", "cloudflare", "manual")
"""DNS adapters of the sandbox."""
STEADY = "10"
"""Seconds for which the dynos must stay up at the end of a recovery."""
Facts = Mapping[str, Any]


def _sandbox_file(env: Mapping[str, str]) -> Path:
    """The contract file, in which a running sandbox writes its addresses."""
    return Directories(env).state / SANDBOX / "sandbox.json"


def _require_own(contract: Path) -> None:
    """The contract says where credentials go: only this user may be able to write it. Raises BadInput."""
    for path, open_to_all in ((contract.parent, _DIRECTORY_OF_ITS_OWN), (contract, _OTHERS_WRITE)):
        found = path.stat()
        if found.st_uid != os.geteuid() or found.st_mode & open_to_all:
            raise BadInput(
                f"Another user may have written {path}, which holds the sandbox's addresses.",
                why=f"Its owner is uid {found.st_uid}, and its mode is {stat.S_IMODE(found.st_mode):o}.",
                next_action="Set USCDR_STATE_DIR to a directory of your own, then: uscdr sandbox up",
            )


def sandbox_target(loaded: LoadedConfig, env: Mapping[str, str]) -> Target:
    """The running sandbox. Raises BadInput when none runs, or when another user may have written its contract."""
    facts = read_contract(_sandbox_file(env).parent)
    if facts is None:
        raise BadInput("No sandbox is running.", next_action="Start one: uscdr sandbox up")
    _require_own(_sandbox_file(env))
    try:
        return target_of(loaded, env, facts)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise BadInput(
            f"{_sandbox_file(env)} is not a valid contract of a sandbox.",
            next_action="Restart the sandbox: uscdr sandbox down && uscdr sandbox up",
        ) from None


def target_of(loaded: LoadedConfig, env: Mapping[str, str], facts: Facts) -> Target:
    """The target that `facts` describe. Raises LookupError, TypeError or ValueError for invalid facts.

    For an application other than the clinic, the checks come from the operator's own scenarios.yaml; without one, only
    checks that suit every Django application run.
    """
    _require_loopback(facts)
    account, config = _account(facts), loaded.config
    known = account is not None or loaded.own
    source = Source(git=facts["source"]["git"], ref=facts["source"]["ref"])
    application = config.app.model_copy(update={"manage": facts["manage"], "source": source})
    # Never the page of the operator's own scenarios.yaml: a drill must not change what users read.
    config = config.model_copy(update={"app": application, "maintenance_page": _maintenance_page(facts)})
    if not known:
        config = _any_django_application(config)
    given = env.get("HEROKU_API_KEY")
    return Target(
        name=SANDBOX,
        services=_services(facts, env, whole=known),
        config=config,
        digest=loaded.digest,
        token=SecretStr(given or facts["heroku"]["token"]),
        token_source="HEROKU_API_KEY" if given else "the sandbox",
        account=account or given_account(env),
        ca_file=Path(facts["ca_file"]),
        media_accounts={one.cloud: one for one in map(_media_account, facts["cloudinary"]["accounts"])},
        dns_key=_sandbox_dns_key(facts["dns"], env),
        identity=facts["identity"],
    )


def _require_loopback(facts: Facts) -> None:
    """A sandbox runs on this machine: no credentials go to a contract with other hosts. Raises ValueError."""
    dns = facts["dns"]
    hosts = [urlsplit(one).hostname or "" for one in _addresses(facts)]
    hosts += [dns["server"], *(one.rpartition(":")[0].strip("[]") for one in dns["name_servers"])]
    hosts += [facts["tls"]["host"]] if "tls" in facts else []
    if not all(map(is_loopback_host, hosts)):
        raise ValueError("the contract names another machine")


def _addresses(node: object) -> Iterator[str]:
    """Every URL in a contract."""
    if isinstance(node, str) and node.startswith(("http://", "https://")):
        yield node
    elif isinstance(node, Mapping):
        for one in node.values():
            yield from _addresses(one)
    elif isinstance(node, list):
        for one in node:
            yield from _addresses(one)


def _services(facts: Facts, env: Mapping[str, str], *, whole: bool) -> TargetConfig:
    """The services of the target; media and DNS only if `whole`, because only then their content is known."""
    heroku, media = facts["heroku"], facts["cloudinary"]
    return TargetConfig(
        heroku=HerokuTarget(
            app=heroku["app"], api_url=heroku["api_url"], data_url=heroku["data_url"], status_url=heroku["status_url"],
            steady=_steady(env),  # type: ignore[arg-type]  # the same text as in scenarios.yaml
        ),
        cloudinary=CloudinaryTarget(
            cloud=media["cloud"], api_url=media["api_url"], delivery_url=media["delivery_url"],
            status_url=media["status_url"],
        ) if whole else None,
        dns=_dns(facts["dns"], env) if whole else None,
        web=facts["web_url"],
        mail=_mail(facts),
        tls_server=_tls(facts),  # type: ignore[arg-type]  # the same text as in scenarios.yaml
        ca_file=facts["ca_file"],
    )  # fmt: skip


def _maintenance_page(facts: Facts) -> MaintenancePage | None:
    """The page in the sandbox's web space, which nothing caches; None in the contract of an older sandbox."""
    space = facts.get("web_space")
    return MaintenancePage(url=space["page_url"], to=space["directory"], cache_seconds=0) if space else None


def _steady(env: Mapping[str, str]) -> str:
    """The time from the environment, as `10s`; the default is short, because the sandbox's dynos start fast."""
    seconds = env.get("USCDR_SANDBOX_STEADY") or STEADY
    if not seconds.isdecimal():
        raise BadInput(
            f"USCDR_SANDBOX_STEADY is “{seconds}”, which is not a number of seconds.",
            next_action="Set whole seconds: export USCDR_SANDBOX_STEADY=10",
        )
    return f"{seconds}s"


def _tls(facts: Facts) -> str | None:
    return f"{facts['tls']['host']}:{facts['tls']['port']}" if "tls" in facts else None


def _mail(facts: Facts) -> MailTarget:
    """The sandbox's token endpoint; without one the sandbox's API, so that no real mail provider is called."""
    return MailTarget(token_url=facts.get("mail", {}).get("token_url") or facts["heroku"]["api_url"])


def _dns(facts: Facts, env: Mapping[str, str]) -> DnsTarget:
    """The DNS zone, with the adapter from the environment or dynamic update."""
    adapter = env.get("USCDR_SANDBOX_DNS") or "rfc2136"
    if adapter not in ADAPTERS:
        raise BadInput(
            f"USCDR_SANDBOX_DNS is “{adapter}”, which is not a DNS adapter.",
            next_action=f"Set one of: {', '.join(ADAPTERS)}.",
        )
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
    from uscdr.models.media import MediaAccount

    return MediaAccount(cloud=facts["cloud"], api_key=facts["api_key"], api_secret=SecretStr(facts["api_secret"]))


def _account(facts: Facts) -> CheckAccount | None:
    account = facts.get("check_account")
    if not account:
        return None
    token = account.get("token")
    return CheckAccount(account["email"], SecretStr(account["password"]), SecretStr(token) if token else None)


def _any_django_application(config: Config) -> Config:
    """A configuration for any Django application: only check that migrations are recorded and pages answer."""
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
