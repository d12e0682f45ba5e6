"""Looks of `uscdr doctor` at the configuration, the credentials and the way to the providers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from uscdr.commands.doctor_machine import LookResult
from uscdr.errors import (
    ApplicationGone,
    BadInput,
    ConfigError,
    CredentialsRefused,
    MachineError,
    NotFound,
    OutcomeUnknown,
    ProviderError,
    UscdrError,
)
from uscdr.words import duration, plural, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from uscdr.providers.heroku.client import HerokuClient
    from uscdr.providers.probes.reach import HostReach
    from uscdr.scenarios.config import Config
    from uscdr.scenarios.config_targets import TargetConfig
    from uscdr.wiring.target import Target

_CLIENT_SECONDS = 5.0
"""For the Heroku CLI to say its token."""
_CLOCK_WARNING, _CLOCK_PROBLEM = 30.0, 300.0
"""Seconds that the platform's clock and this machine's may differ."""
_NETWORK = "Check the network, VPN and proxy of this machine."


@dataclass(frozen=True)
class Subject:
    """What the other looks are about, as far as it could be found; `lines` say what could not."""

    lines: tuple[LookResult, ...]
    config: Config | None = None
    services: TargetConfig | None = None
    target: Target | None = None


def subject(config: Path | None, name: str | None, env: Mapping[str, str]) -> Subject:
    """The configuration, the target and its token, with a line for each."""
    from uscdr.scenarios.config_file import load_config

    try:
        loaded = load_config(config, env)
    except ConfigError as error:
        return Subject((_invalid(error),))
    except UscdrError as error:
        return Subject((LookResult.of_error("configuration", error),))
    told = LookResult("configuration", "ok", f"{loaded.path.absolute()} ({loaded.why})")
    from uscdr.wiring.targets import find_target, services_named, with_scratch

    try:
        services = services_named(loaded, name, env)
        target = with_scratch(find_target(loaded, name, env, client_seconds=_CLIENT_SECONDS), None, env)
    except CredentialsRefused as error:
        return Subject((told, LookResult.of_error("token", error)), loaded.config, services)
    except UscdrError as error:
        return Subject((told, LookResult.of_error("target", error)), loaded.config)
    return Subject((told,), target.config, services, target)


def _invalid(error: ConfigError) -> LookResult:
    first, *others = error.message.split("\n")
    more = f" ({plural(len(error.faults) - 1, 'more error')})" if others else ""
    return LookResult("configuration", "problem", f"{first}{more}", error.next_action)


def keys(services: TargetConfig, target: Target | None, env: Mapping[str, str]) -> Iterator[LookResult]:
    """Credentials beside the token: of the media cloud and of the DNS zone. Without a target the latter is unknown."""
    yield _media_keys(services, env)
    dns = services.dns
    if dns is None or dns.adapter == "manual":
        yield LookResult("dns key", "not applicable", "Records are changed by hand.")
    elif target is not None and target.dns_key is None:
        variable = "USCDR_CLOUDFLARE_TOKEN" if dns.adapter == "cloudflare" else "USCDR_DNS_KEY"
        words = f"{variable} is not set: uscdr cannot change the records of {dns.zone}."
        yield LookResult("dns key", "problem", words, f"export {variable}=…")
    elif target is not None:
        yield LookResult("dns key", "ok", f"found, for the zone {dns.zone}")


def _media_keys(services: TargetConfig, env: Mapping[str, str]) -> LookResult:
    name, parts = "media credentials", [f"USCDR_CLOUDINARY_{part}" for part in ("CLOUD", "KEY", "SECRET")]
    lacking = [one for one in parts if not env.get(one)]
    if services.cloudinary is None:
        return LookResult(name, "not applicable", "The target has no media cloud.")
    if lacking == parts:
        return LookResult(name, "ok", "none in the environment: the application's are used, or the kit's")
    if lacking:
        words = f"{', '.join(lacking)} not set: without it the others are not used."
        return LookResult(name, "warning", words, "; ".join(f"export {one}=…" for one in lacking))
    return LookResult(name, "ok", "in the environment")


def needed_extras(config: Config) -> set[str]:
    """The optional parts without which something that the configuration names cannot be done."""
    stores = (config.kit.to, config.vault.to, *config.kit.recipients, *config.vault.recipients)
    kinds = {one.kind for one in config.communication.channels.values()}
    return {*(["vault"] if any(stores) else []), *(["notify"] if "apprise" in kinds else [])}


@dataclass(frozen=True)
class PlatformSeen:
    """What the platform said: on the way to it, of the token, and of its database and newest backup (0: unknown)."""

    reach: HostReach
    token: LookResult | None = None
    server: int = 0
    dump: int = 0
    application: LookResult | None = None


def ask_platform(services: TargetConfig, target: Target | None) -> PlatformSeen:
    """Reach the platform and, if there is a token, try it. Never raises ProviderError."""
    from uscdr.providers.probes.reach import reach

    ca_file = Path(services.ca_file) if services.ca_file else None
    found = reach(services.heroku.api_url, ca_file)
    if found.stopped or target is None:
        return PlatformSeen(found)
    from uscdr.providers.heroku.client import HerokuClient
    from uscdr.providers.heroku.platform import HerokuPlatform
    from uscdr.providers.http.retry import RetryPolicy

    with HerokuClient(
        services.heroku.api_url, services.heroku.data_url, target.token, ca_file=ca_file, read_only=True,
        policy=RetryPolicy(attempts=2, seconds=5.0),
    ) as client:  # fmt: skip
        client.without_app = lambda: ApplicationGone.way(kit=bool(target.config.kit.to))
        try:
            HerokuPlatform(client).account()
        except CredentialsRefused as error:
            refused = f"from {target.token_source}: {error.reason}"
            return PlatformSeen(found, LookResult("token", "problem", refused, error.next_action))
        except ProviderError as error:
            return PlatformSeen(found, LookResult("token", "warning", f"not tried: {error.reason}", error.next_action))
        accepted = LookResult("token", "ok", f"from {target.token_source}; the platform accepts it")
        return PlatformSeen(found, accepted, *_database(client, target), _application(client, target))


def _application(client: HerokuClient, target: Target) -> LookResult:
    """Whether the application, and the database that it uses, exist."""
    from uscdr.providers.heroku.platform import HerokuPlatform

    heroku, platform = target.services.heroku, HerokuPlatform(client)
    try:
        platform.app(heroku.app)
        attachment = platform.database(heroku.app, heroku.database)
    except NotFound as error:
        return LookResult.of_error("application", error)
    except ProviderError as error:
        return LookResult("application", "warning", f"not known: {error.reason}", error.next_action)
    return LookResult("application", "ok", f"{heroku.app}, with its database {attachment.addon_name}")


def _database(client: HerokuClient, target: Target) -> tuple[int, int]:
    """The server's major version and the bytes of the newest usable backup; 0 for what is not known."""
    from uscdr.providers.heroku.backups import HerokuBackups
    from uscdr.providers.heroku.platform import HerokuPlatform

    heroku, server, dump = target.services.heroku, 0, 0
    try:
        attachment = HerokuPlatform(client).database(heroku.app, heroku.database)
        backups = HerokuBackups(client)
        server = whole(backups.database_info(attachment.addon_id).server_version.partition(".")[0]) or 0
        usable = [one for one in backups.transfers(attachment) if one.is_backup and not one.unusable]
        dump = max(usable, key=lambda one: one.taken_at).processed_bytes if usable else 0
    except ProviderError:
        pass
    return server, dump


def on_the_way(seen: HostReach, others: Mapping[str, bool], *, plain: bool) -> Iterator[LookResult]:
    """Name, connection, certificate and clock: of those after the one that fails nothing is known.

    `others`: whether the names of other hosts have an address. `plain`: the platform is asked without TLS.
    """
    unknown = f"not known: {seen.words}"
    yield _names(seen, others)
    if seen.stopped == "connection":
        words = f"No connection to {seen.host}: {seen.words}."
        yield LookResult("connection", "problem", words, f"{_NETWORK} Look: curl -sSI https://{seen.host}")
    elif seen.stopped == "name":
        yield LookResult("connection", "not applicable", unknown)
    else:
        yield LookResult("connection", "ok", seen.host)
    if seen.stopped == "certificate":
        fix = "If this network inspects TLS, name its certificate as `ca_file` of the target; else change the network."
        yield LookResult("tls", "problem", f"{seen.host}: {seen.words}.", fix)
    elif plain or seen.stopped:
        yield LookResult("tls", "not applicable", unknown if seen.stopped else "asked without TLS, on this machine")
    else:
        yield LookResult("tls", "ok", f"the certificate of {seen.host} is trusted")
    yield _clock(seen)


def _names(seen: HostReach, others: Mapping[str, bool]) -> LookResult:
    name = "name resolution"
    if seen.stopped == "name":
        fix = f"{_NETWORK} Look: getent hosts {seen.host}; cat /etc/resolv.conf"
        return LookResult(name, "problem", f"{seen.host} has no address: {seen.words}.", fix)
    if lost := [host for host, there in others.items() if not there]:
        words = f"{', '.join(lost)} has no address, which may be the outage itself."
        return LookResult(name, "warning", words, f"getent hosts {lost[0]}")
    return LookResult(name, "ok", ", ".join(dict.fromkeys((seen.host, *others))))


def _clock(seen: HostReach) -> LookResult:
    if seen.ahead is None:
        return LookResult("clock", "not applicable", "The platform's clock is not known.")
    apart = abs(seen.ahead)
    if apart < _CLOCK_WARNING:
        return LookResult("clock", "ok", f"within {_CLOCK_WARNING:.0f} s of the platform's")
    side = "behind" if seen.ahead > 0 else "ahead of"
    words = (
        f"This machine's clock is {duration(apart)} {side} the platform's: certificates and tokens may be refused, "
        "leases end at the wrong time, RTO and ages are wrong."
    )
    state: Literal["warning", "problem"] = "problem" if apart >= _CLOCK_PROBLEM else "warning"
    return LookResult("clock", state, words, "sudo timedatectl set-ntp true")


def shared_state(env: Mapping[str, str], state: Path) -> LookResult:
    """Whether the team's store can be read, if there is one."""
    from uscdr.shared.team import Team

    name = "shared state"
    try:
        team = Team.open(env)
        if team is None:
            return LookResult(name, "not applicable", "USCDR_SHARED is not set.")
        team.refresh(state)
    except (BadInput, MachineError, OutcomeUnknown) as error:
        return LookResult.of_error(name, error)
    return LookResult(name, "ok", f"{team.place} can be read")
