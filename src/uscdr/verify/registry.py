"""Every kind of check, and what runs it. Each is imported when it is first asked for; a test imports all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from uscdr.lazily import Lazy

if TYPE_CHECKING:
    from uscdr.verify.check import Check, CheckSpec, Provider
    from uscdr.verify.verdict import Finding
    from uscdr.verify.world import World

_SPECS = {
    "http": "uscdr.verify.kinds.http:HttpCheck",
    "agree": "uscdr.verify.kinds.agree:AgreeCheck",
    "sql": "uscdr.verify.kinds.sql:SqlCheck",
    "rows": "uscdr.verify.kinds.rows:RowsCheck",
    "freshness": "uscdr.verify.kinds.freshness:FreshnessCheck",
    "invariants": "uscdr.verify.kinds.invariants:InvariantsCheck",
    "content": "uscdr.verify.kinds.content:ContentCheck",
    "sequences": "uscdr.verify.kinds.sequences:SequencesCheck",
    "foreign_keys": "uscdr.verify.kinds.foreign_keys:ForeignKeysCheck",
    "migrations": "uscdr.verify.kinds.migrations:MigrationsCheck",
    "decrypt": "uscdr.verify.kinds.decrypt:DecryptCheck",
    "passwords": "uscdr.verify.kinds.passwords:PasswordsCheck",
    "dynos": "uscdr.verify.kinds.dynos:DynosCheck",
    "release": "uscdr.verify.kinds.release:ReleaseCheck",
    "addons": "uscdr.verify.kinds.addons:AddonsCheck",
    "config": "uscdr.verify.kinds.config:ConfigCheck",
    "log": "uscdr.verify.kinds.log:LogCheck",
    "schedule": "uscdr.verify.kinds.schedule:ScheduleCheck",
    "monitoring": "uscdr.verify.kinds.monitoring:MonitoringCheck",
    "media": "uscdr.verify.kinds.media:MediaCheck",
    "mail": "uscdr.verify.kinds.mail:MailCheck",
    "queue": "uscdr.verify.kinds.queue:QueueCheck",
    "domain": "uscdr.verify.kinds.domain:DomainCheck",
    "tls": "uscdr.verify.kinds.tls:TlsCheck",
    "canary": "uscdr.verify.kinds.canary:CanaryCheck",
    "session": "uscdr.verify.kinds.session:SessionCheck",
    "manual": "uscdr.verify.kinds.manual:ManualCheck",
}
SPECS: Mapping[str, type[CheckSpec]] = Lazy(_SPECS)
"""By kind: what scenarios.yaml may say of it."""

_RUN = {
    "http": "uscdr.verify.kinds.http:run",
    "agree": "uscdr.verify.kinds.agree:run",
    "sql": "uscdr.verify.kinds.sql:run",
    "rows": "uscdr.verify.kinds.rows:run",
    "freshness": "uscdr.verify.kinds.freshness:run",
    "invariants": "uscdr.verify.kinds.invariants:run",
    "content": "uscdr.verify.kinds.content:run",
    "sequences": "uscdr.verify.kinds.sequences:run",
    "foreign_keys": "uscdr.verify.kinds.foreign_keys:run",
    "migrations": "uscdr.verify.kinds.migrations:run",
    "decrypt": "uscdr.verify.kinds.decrypt:run",
    "passwords": "uscdr.verify.kinds.passwords:run",
    "dynos": "uscdr.verify.kinds.dynos:run",
    "release": "uscdr.verify.kinds.release:run",
    "addons": "uscdr.verify.kinds.addons:run",
    "config": "uscdr.verify.kinds.config:run",
    "log": "uscdr.verify.kinds.log:run",
    "schedule": "uscdr.verify.kinds.schedule:run",
    "monitoring": "uscdr.verify.kinds.monitoring:run",
    "media": "uscdr.verify.kinds.media:run",
    "mail": "uscdr.verify.kinds.mail:run",
    "queue": "uscdr.verify.kinds.queue:run",
    "domain": "uscdr.verify.kinds.domain:run",
    "tls": "uscdr.verify.kinds.tls:run",
    "canary": "uscdr.verify.kinds.canary:run",
    "session": "uscdr.verify.kinds.session:run",
}
RUN: Mapping[str, Callable[[str, Any, World], Finding]] = Lazy(_RUN)
"""By kind. `manual` is asked by whoever has the terminal."""

DESTINATIONS: Mapping[str, frozenset[str]] = {
    "mail": frozenset({"client_id", "client_secret", "refresh_token"}),
    "tls": frozenset({"hostnames"}),
}
"""By kind: its fields that are marked as a `Destination`."""

HOURLY: tuple[Provider, ...] = ("media", "mail")
"""Who counts what is asked of them by the hour or day: one that took no more is left alone by later runs too."""


def run(check: Check, world: World) -> Finding:
    """Run one check. Raises RateLimited when somebody who counts requests takes no more for now."""
    provider, book = check.spec.provider, world.attempts
    if book is None or provider not in HOURLY:
        return RUN[check.kind](check.name, check.spec, world)
    return book.heed(provider, lambda: RUN[check.kind](check.name, check.spec, world))
