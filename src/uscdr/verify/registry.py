"""Every kind of check, and what runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args

from pydantic import Field

from uscdr.verify.check import Check, CheckSpec, Provider
from uscdr.verify.kinds import (
    addons,
    agree,
    canary,
    config,
    content,
    decrypt,
    domain,
    dynos,
    foreign_keys,
    freshness,
    http,
    invariants,
    log,
    mail,
    manual,
    media,
    migrations,
    monitoring,
    passwords,
    queue,
    release,
    rows,
    schedule,
    sequences,
    session,
    sql,
    tls,
)
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World

AnyCheck = Annotated[
    http.HttpCheck
    | agree.AgreeCheck
    | sql.SqlCheck
    | rows.RowsCheck
    | freshness.FreshnessCheck
    | invariants.InvariantsCheck
    | content.ContentCheck
    | sequences.SequencesCheck
    | foreign_keys.ForeignKeysCheck
    | migrations.MigrationsCheck
    | decrypt.DecryptCheck
    | passwords.PasswordsCheck
    | dynos.DynosCheck
    | release.ReleaseCheck
    | addons.AddonsCheck
    | config.ConfigCheck
    | log.LogCheck
    | schedule.ScheduleCheck
    | monitoring.MonitoringCheck
    | media.MediaCheck
    | mail.MailCheck
    | queue.QueueCheck
    | domain.DomainCheck
    | tls.TlsCheck
    | canary.CanaryCheck
    | session.SessionCheck
    | manual.ManualCheck,
    Field(discriminator="kind"),
]

SPECS: Mapping[str, type[CheckSpec]] = {
    get_args(spec.model_fields["kind"].annotation)[0]: spec for spec in get_args(get_args(AnyCheck)[0])
}
"""By kind: what scenarios.yaml may say of it."""

RUN: Mapping[str, Callable[[str, Any, World], Finding]] = {
    "http": http.run,
    "agree": agree.run,
    "sql": sql.run,
    "rows": rows.run,
    "freshness": freshness.run,
    "invariants": invariants.run,
    "content": content.run,
    "sequences": sequences.run,
    "foreign_keys": foreign_keys.run,
    "migrations": migrations.run,
    "decrypt": decrypt.run,
    "passwords": passwords.run,
    "dynos": dynos.run,
    "release": release.run,
    "addons": addons.run,
    "config": config.run,
    "log": log.run,
    "schedule": schedule.run,
    "monitoring": monitoring.run,
    "media": media.run,
    "mail": mail.run,
    "queue": queue.run,
    "domain": domain.run,
    "tls": tls.run,
    "canary": canary.run,
    "session": session.run,
}
"""By kind. `manual` is asked by whoever has the terminal."""


HOURLY: tuple[Provider, ...] = ("media", "mail")
"""Who counts what is asked of them by the hour or day: one that took no more is left alone by later runs too."""


def run(check: Check, world: World) -> Finding:
    """Run one check. Raises RateLimited when somebody who counts requests takes no more for now."""
    provider, book = check.spec.provider, world.attempts
    if book is None or provider not in HOURLY:
        return RUN[check.kind](check.name, check.spec, world)
    return book.heed(provider, lambda: RUN[check.kind](check.name, check.spec, world))
