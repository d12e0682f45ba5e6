"""All kinds of checks. Each is imported on first use; a test imports all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.lazily import Lazy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.checks.check import CheckSpec

_SPECS = {
    "http": "uscdr.checks.kinds.http:HttpCheck",
    "agree": "uscdr.checks.kinds.http:AgreeCheck",
    "sql": "uscdr.checks.kinds.database:SqlCheck",
    "rows": "uscdr.checks.kinds.data:RowsCheck",
    "freshness": "uscdr.checks.kinds.data:FreshnessCheck",
    "invariants": "uscdr.checks.kinds.database:InvariantsCheck",
    "content": "uscdr.checks.kinds.data:ContentCheck",
    "sequences": "uscdr.checks.kinds.database:SequencesCheck",
    "foreign_keys": "uscdr.checks.kinds.database:ForeignKeysCheck",
    "migrations": "uscdr.checks.kinds.database:MigrationsCheck",
    "decrypt": "uscdr.checks.kinds.data:DecryptCheck",
    "passwords": "uscdr.checks.kinds.data:PasswordsCheck",
    "dynos": "uscdr.checks.kinds.dynos:DynosCheck",
    "release": "uscdr.checks.kinds.dynos:ReleaseCheck",
    "addons": "uscdr.checks.kinds.config:AddonsCheck",
    "config": "uscdr.checks.kinds.config:ConfigCheck",
    "log": "uscdr.checks.kinds.dynos:LogCheck",
    "schedule": "uscdr.checks.kinds.services:ScheduleCheck",
    "monitoring": "uscdr.checks.kinds.services:MonitoringCheck",
    "media": "uscdr.checks.kinds.media:MediaCheck",
    "mail": "uscdr.checks.kinds.services:MailCheck",
    "queue": "uscdr.checks.kinds.services:QueueCheck",
    "domain": "uscdr.checks.kinds.domain:DomainCheck",
    "tls": "uscdr.checks.kinds.domain:TlsCheck",
    "canary": "uscdr.checks.kinds.canary:CanaryCheck",
    "session": "uscdr.checks.kinds.http:SessionCheck",
    "maintenance_page": "uscdr.checks.kinds.page:MaintenancePageCheck",
    "manual": "uscdr.checks.check:ManualCheck",
}
SPECS: Mapping[str, type[CheckSpec]] = Lazy(_SPECS)
"""By kind: the model of its fields in scenarios.yaml, which also runs the check."""

DESTINATIONS: Mapping[str, frozenset[str]] = {
    "mail": frozenset({"client_id", "client_secret", "refresh_token"}),
    "tls": frozenset({"hostnames"}),
}
"""By kind: its fields that are marked as a `Destination`."""
