"""Whether the provider still accepts the application's mail account. Sends no mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, SecretStr
from typing_extensions import override

from uscdr.checks.check import CheckSpec, Provider
from uscdr.checks.kinds.config import READY
from uscdr.checks.verdict import Finding
from uscdr.errors import BadInput, NotFound, ProviderError
from uscdr.models.base import Destination, Duration
from uscdr.models.transfers import Transfer, Transfers, TransferState, Whose
from uscdr.words import HOUR, duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from uscdr.checks.context import CheckContext
    from uscdr.models.probes import QueueFacts

REASONS = {
    "invalid_grant": "the refresh token was revoked, or has expired",
    "invalid_client": "the client id or its secret is wrong",
    "deleted_client": "the client was deleted",
    "disabled_client": "the client was disabled",
    "unauthorized_client": "the client may not use the token",
    "admin_policy_enforced": "the organisation's administrator forbids it",
    "org_internal": "the client serves another organisation only",
    "invalid_scope": "the scope is no longer granted",
    "access_denied": "access was denied",
    "invalid_request": "the request lacks something",
}
"""RFC 6749 section 5.2, and Google's own."""


Sent = Annotated[str, Destination()]
"""The name of a variable whose value is sent to the mail provider."""


class MailCheck(CheckSpec):
    """Names of the config variables with the account's credentials."""

    kind: Literal["mail"]
    client_id: Sent = "GMAIL_CLIENT_ID"
    client_secret: Sent = "GMAIL_CLIENT_SECRET"  # noqa: S105 - a name
    refresh_token: Sent = "GMAIL_REFRESH_TOKEN"  # noqa: S105 - a name

    provider: ClassVar[Provider] = "mail"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        names = {"client_id": self.client_id, "client_secret": self.client_secret, "refresh_token": self.refresh_token}
        missing = [variable for variable in names.values() if not context.facts.variable(variable)]
        if missing:
            return Finding("fail", f"not set: {', '.join(missing)}; the application cannot send mail")
        reason = context.mail.accepts({field: SecretStr(context.facts.variable(one)) for field, one in names.items()})
        if not reason:
            return Finding("pass", "the provider accepted the mail account")
        # An unknown error code may contain anything, even a credential.
        words = f"{reason}: {REASONS[reason]}" if reason in REASONS else "refused"
        return Finding("fail", f"the provider refused the mail account ({words})")


# Whether the message broker between web and worker answers, and a worker processes its messages.


OTHERS = ("amqp", "amqps", "sqs")
"""Brokers that uscdr does not support."""


class QueueCheck(CheckSpec):
    """The broker that the application is configured for."""

    kind: Literal["queue"]
    variable: str = "REDIS_URL"
    first: str = "CELERY_BROKER_URL"
    """Takes precedence if it is set, as in the application."""
    queues: tuple[str, ...] = ("celery",)
    most: Annotated[int, Field(ge=0)] = 200
    """The most messages that may wait in one queue."""

    may_be_empty: ClassVar[frozenset[str]] = CheckSpec.may_be_empty | {"first"}
    provider: ClassVar[Provider] = "queue"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        used = self.first if context.facts.variable(self.first) else self.variable
        url = context.facts.variable(used)
        if not url:
            return Finding("fail", f"{self.variable} is not set: the application has no message broker")
        if url.partition("://")[0].lower() in OTHERS:
            return Finding("inconclusive", f"{used} names a kind of broker that uscdr does not support")
        try:
            seen = context.queue.look(SecretStr(url), self.queues)
        except BadInput:
            return Finding("fail", f"{used} is not the address of a message broker")
        except ProviderError as error:
            # A failure, not a doubt: no patient with an account can be saved without it.
            why = f" ({error.why.rstrip('.').lower()})" if error.why else ""
            words = f"{error.message.rstrip('.')}{why}: the application, by the same {used}, cannot use it either"
            return Finding("fail", words)
        return _waiting(seen, self.most)


def _waiting(seen: QueueFacts, most: int) -> Finding:
    full = [f"{n} messages wait in {queue}, allowed are {most}" for queue, n in seen.waiting.items() if n > most]
    if full:
        return Finding("fail", f"{'; '.join(full)}: check that a worker runs")
    words = ["the broker answers" + (f" (Redis {seen.version})" if seen.version else "")]
    words += [f"{n} messages wait in {queue}" for queue, n in seen.waiting.items()]
    return Finding("pass", "; ".join(words), {"waiting": dict(seen.waiting)})


# Whether an external service reports failures of the application.


class MonitoringCheck(CheckSpec):
    """A log drain, an add-on or a config variable for monitoring: one is enough."""

    kind: Literal["monitoring"]
    services: tuple[str, ...] = ()
    """Add-on services, such as `papertrail`."""
    variables: tuple[str, ...] = ()
    """Config variables, such as `SENTRY_DSN`."""

    provider: ClassVar[Provider] = "platform"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        found = ", ".join(_found(self, context))
        if found:
            return Finding("pass", found)
        return Finding("fail", f"no external monitoring of the application: there is {', and '.join(_wanted(self))}")


def _found(spec: MonitoringCheck, context: CheckContext) -> Iterator[str]:
    drains = sorted({one.host for one in context.facts.log_drains()})
    if drains:
        yield f"log drain to {', '.join(drains)}"
    there = {one.service for one in context.facts.addons() if one.state == READY} if spec.services else set()
    yield from (f"add-on {service}" for service in spec.services if service in there)
    yield from (f"variable {one}" for one in spec.variables if context.facts.variable(one))


def _wanted(spec: MonitoringCheck) -> Iterator[str]:
    yield "no log drain"
    if spec.services:
        yield f"no add-on of {' or '.join(spec.services)}"
    if spec.variables:
        yield f"no variable {' or '.join(spec.variables)}"


# Whether the database has daily, recent backups without a later failure.


class ScheduleCheck(CheckSpec):
    """The daily backup and its result."""

    kind: Literal["schedule"]
    newest: Duration = 26.0 * HOUR
    """The greatest age of the newest finished backup's data."""

    provider: ClassVar[Provider] = "platform"

    @override
    def run(self, name: str, context: CheckContext) -> Finding:
        try:
            context.facts.attachment()  # both need it
            context.facts.begin_transfers()
            schedules = context.facts.schedules()
        except NotFound as error:
            return Finding("fail", f"no backup is possible: {error.message}")
        problems = [] if schedules else ["no daily backup is scheduled"]
        backups = context.facts.transfers()
        good = Transfers(backups).usable(context.damaged)
        problems += _failed_since(backups)
        if not good:
            return Finding.weighed([*problems, "there is no finished backup"], [], "")
        if good[-1].age(context.now()) > self.newest:
            problems.append(f"{_shown(good[-1], context.now())}, allowed are {duration(self.newest)}")
        hours = " and ".join(f"{one.hour:02}:00 {one.timezone}" for one in schedules)
        return Finding.weighed(problems, [], f"daily at {hours}; {_shown(good[-1], context.now())}")


def _failed_since(backups: Sequence[Transfer]) -> list[str]:
    """The newest attempt, if it failed; a backup that a person cancelled does not count."""
    ours = [one for one in backups if one.is_backup and one.ended and one.whose is Whose.OURS]
    ended = [one for one in ours if one.state is not TransferState.CANCELED]
    failed = ended and not ended[-1].whole
    return [f"the newest backup, {ended[-1].name}: {ended[-1].unusable}"] if failed else []


def _shown(backup: Transfer, now: datetime) -> str:
    remarks = "".join(f", {one}" for one in backup.remarks(now))
    return f"the newest finished backup, {backup.name}, is {duration(backup.age(now))} old{remarks}"
