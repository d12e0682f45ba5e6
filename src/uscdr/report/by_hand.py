"""What the manual commands of the runbook are filled in with: names and values of scenarios.yaml."""

from __future__ import annotations

from collections.abc import Mapping

from uscdr.scenarios.model import Config, StepEntry
from uscdr.scenarios.model_targets import DnsTarget
from uscdr.scenarios.steps.base import AnyStep

OLD_PLACE = ("infra.", "dns.")
"""Steps whose `{app}` is the lost application even after the new one was created."""
ALONE = frozenset({"web", "beat"})
"""Process types that are a part of their own; all others are workers."""


def commands(config: Config, step: AnyStep, entry: StepEntry, *, rebuilt: bool) -> list[str]:
    """What a person types for one step; `rebuilt`: the new application exists by then."""
    known = facts(config, entry)
    if rebuilt and not step.name.startswith(OLD_PLACE):
        known = {**known, "app": known["new_app"]}
    return [command.format_map(known) for command in step.manual]


def facts(config: Config, entry: StepEntry) -> Mapping[str, str]:
    """Every name that a command may hold in braces."""
    target, recovery = next(iter(config.targets.values())), config.recovery
    given = {key: str(value) for key, value in entry.with_.items()}
    return {
        **given,
        "app": target.heroku.app,
        "new_app": recovery.app,
        "manage": config.app.manage,
        "switch": "on" if entry.with_.get("enabled") else "off",
        "scale": _scale(config.app.formation, given.get("part", "")),
        "buildpacks": " && ".join(f"heroku buildpacks:add {one} --app {recovery.app}" for one in recovery.buildpacks),
        "plan": _plan(recovery.addons, given.get("service", "")),
        "silenced": ", ".join(recovery.silenced) or "nothing",
        "unsilence": " ".join(f"{name}=${name}" for name in recovery.silenced) or "$NAME=$VALUE",
        "backup_at": f"{recovery.backup_hour:02d}:00 {recovery.backup_timezone}",
        "canary": _canary(config),
        "tag": config.media.tag,
        **_domain(target.dns),
    }


def _scale(formation: Mapping[str, int], part: str) -> str:
    """The processes of one part as they normally run."""
    mine = {kind: number for kind, number in formation.items() if (kind if kind in ALONE else "workers") == part}
    return " ".join(f"{kind}={number}" for kind, number in mine.items() if number) or "$TYPE=$NUMBER"


def _plan(plans: tuple[str, ...], service: str) -> str:
    return next((plan for plan in plans if plan.partition(":")[0] == service), service)


def _canary(config: Config) -> str:
    """A query that tells how many values the key does not open as they should be."""
    if not config.recovery.canaries:
        return "SELECT pgp_sym_decrypt($COLUMN, :'key') FROM $TABLE LIMIT 1"
    one = config.recovery.canaries[0]
    return f"SELECT count(*) FROM {one.table} WHERE pgp_sym_decrypt({one.encrypted}, :'key') <> {one.plain}"  # noqa: S608 - text for a person; nothing runs it


def _domain(dns: DnsTarget | None) -> dict[str, str]:
    """The hostname, its zone, and how its alias is changed there by hand."""
    zone = dns.zone if dns else "$ZONE"
    hostname = dns.hostnames[0] if dns and dns.hostnames else "$HOSTNAME"
    if dns is None or dns.adapter != "rfc2136":
        switch = f"# at the DNS provider of {zone}: CNAME {hostname} -> $NEW_TARGET, TTL as before; keep the old value"
    else:
        switch = (
            f"nsupdate -k $KEY_FILE   # server {dns.server} {dns.port}; prereq yxrrset {hostname} CNAME $OLD_TARGET; "
            f"update delete {hostname} CNAME; update add {hostname} $TTL CNAME $NEW_TARGET; send"
        )
    return {"zone": zone, "hostname": hostname, "switch_domain": switch}
