"""Every kind of check, and what runs it. Each is imported when it is first asked for; a test imports all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uscdr.lazily import Lazy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from uscdr.checks.check import Check, CheckSpec, Provider
    from uscdr.checks.context import CheckContext
    from uscdr.checks.verdict import Finding

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
    "manual": "uscdr.checks.check:ManualCheck",
}
SPECS: Mapping[str, type[CheckSpec]] = Lazy(_SPECS)
"""By kind: what scenarios.yaml may say of it."""

_RUN = {
    "http": "uscdr.checks.kinds.http:run_http",
    "agree": "uscdr.checks.kinds.http:run_agree",
    "sql": "uscdr.checks.kinds.database:run_sql",
    "rows": "uscdr.checks.kinds.data:run_rows",
    "freshness": "uscdr.checks.kinds.data:run_freshness",
    "invariants": "uscdr.checks.kinds.database:run_invariants",
    "content": "uscdr.checks.kinds.data:run_content",
    "sequences": "uscdr.checks.kinds.database:run_sequences",
    "foreign_keys": "uscdr.checks.kinds.database:run_foreign_keys",
    "migrations": "uscdr.checks.kinds.database:run_migrations",
    "decrypt": "uscdr.checks.kinds.data:run_decrypt",
    "passwords": "uscdr.checks.kinds.data:run_passwords",
    "dynos": "uscdr.checks.kinds.dynos:run_dynos",
    "release": "uscdr.checks.kinds.dynos:run_release",
    "addons": "uscdr.checks.kinds.config:run_addons",
    "config": "uscdr.checks.kinds.config:run_config",
    "log": "uscdr.checks.kinds.dynos:run_log",
    "schedule": "uscdr.checks.kinds.services:run_schedule",
    "monitoring": "uscdr.checks.kinds.services:run_monitoring",
    "media": "uscdr.checks.kinds.media:run_media",
    "mail": "uscdr.checks.kinds.services:run_mail",
    "queue": "uscdr.checks.kinds.services:run_queue",
    "domain": "uscdr.checks.kinds.domain:run_domain",
    "tls": "uscdr.checks.kinds.domain:run_tls",
    "canary": "uscdr.checks.kinds.canary:run_canary",
    "session": "uscdr.checks.kinds.http:run_session",
}
RUN: Mapping[str, Callable[[str, Any, CheckContext], Finding]] = Lazy(_RUN)
"""By kind. `manual` is asked by whoever has the terminal."""

DESTINATIONS: Mapping[str, frozenset[str]] = {
    "mail": frozenset({"client_id", "client_secret", "refresh_token"}),
    "tls": frozenset({"hostnames"}),
}
"""By kind: its fields that are marked as a `Destination`."""

HOURLY: tuple[Provider, ...] = ("media", "mail")
"""Who counts what is asked of them by the hour or day: one that took no more is left alone by later runs too."""


def run(check: Check, world: CheckContext) -> Finding:
    """Run one check. Raises RateLimited when somebody who counts requests takes no more for now."""
    provider, book = check.spec.provider, world.attempts
    if book is None or provider not in HOURLY:
        return RUN[check.kind](check.name, check.spec, world)
    return book.heed(provider, lambda: RUN[check.kind](check.name, check.spec, world))
