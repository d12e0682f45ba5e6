"""The commands a person types instead of a step, with names and values of scenarios.yaml and of the run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uscdr.scenarios.config import Config
    from uscdr.scenarios.config_targets import DnsTarget

NAME = re.compile(r"\$([A-Z]+)\b")
OLD_PLACE = ("infra.", "dns.")
"""Steps whose `{app}` is the lost application even after the new one was created."""
ALONE = frozenset({"web", "beat"})
"""Process types that form a part each; all others are workers."""


@dataclass(frozen=True)
class Names:
    """What a step's commands are about: its application, the new one, and the domain."""

    app: str
    new_app: str
    dns: DnsTarget | None

    def facts(self, config: Config, parameters: Mapping[str, Any]) -> dict[str, str]:
        """Every name that a command may hold in braces; `parameters` are those of the step."""
        recovery = config.recovery
        given = {key: str(value).lower() if value in (True, False) else str(value) for key, value in parameters.items()}
        return {
            **given,
            "app": self.app,
            "new_app": self.new_app,
            "manage": config.app.manage,
            "switch": "on" if parameters.get("enabled") else "off",
            "scale": _scale(config.app.formation, given.get("part", "")),
            "buildpacks": in_order(recovery.buildpacks, self.new_app),
            "plan": _plan(recovery.addons, given.get("service", "")),
            "silenced": ", ".join(recovery.mail_variables) or "nothing",
            "unsilence": " ".join(f"{name}=${name}" for name in recovery.mail_variables) or "$NAME=$VALUE",
            "backup_at": f"{recovery.backup_hour:02d}:00 {recovery.backup_timezone}",
            "canary": _canary(config),
            "tag": config.media.tag,
            **_domain(self.dns),
        }


def app_of(step: str, old_app: str, new_app: str) -> str:
    """Which application a step's `{app}` is once the new one exists."""
    return old_app if step.startswith(OLD_PLACE) else new_app


def commands(manual: Sequence[str], known: Mapping[str, str]) -> tuple[str, ...]:
    """The commands with `known` filled in for `{name}` and, where it is known, for `$NAME`."""
    return tuple(NAME.sub(lambda name: known.get(name[1], name[0]), line.format_map(known)) for line in manual)


def in_order(buildpacks: Sequence[str], app: str) -> str:
    """The command that sets them."""
    return " && ".join(f"heroku buildpacks:add {one} --app {app}" for one in buildpacks)


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
