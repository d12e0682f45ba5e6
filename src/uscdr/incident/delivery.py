"""Sends a notice at most once to each recipient on each channel: the intent is recorded before, the answer after.

An intent without an answer (the process died, the answer was lost) is in doubt and is not sent again until a person
says whether the message arrived. A message that was surely not accepted waits, and the next command tries again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from uscdr import clock
from uscdr.errors import AnswerLost, BadInput, MachineError, OutcomeUnknown, ProviderError, RateLimited
from uscdr.incident.state import QUEUED, UNKNOWN_FATE, folded
from uscdr.models.incidents import OUTBOX, NoticeDoubted, NoticeFailed, NoticeSending, NoticeSent
from uscdr.providers.ports.notices import ADDRESS_REFUSED, Letter
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from uscdr.incident.ledger import Ledger
    from uscdr.incident.state import Incident, NoticeRecord
    from uscdr.models.incidents import Entry, Recorded
    from uscdr.providers.ports.notices import Channel

NOT_TRIED = "not sent: the channel stopped before it"
HOUR = timedelta(hours=1)
FULL = "The limit of messages in an hour is reached."


@dataclass(frozen=True)
class Addressee:
    """One place for a notice: an address and its keyed digest; both empty for a channel with a place of its own."""

    digest: str = ""
    address: str = field(default="", repr=False)


@dataclass(frozen=True)
class Route:
    """A channel, whom it reaches, and how many messages are sent between two intents."""

    channel: Channel
    recipients: Sequence[Addressee] = (Addressee(),)
    batch: int = 1
    per_hour: int = 0
    """The most messages that the service takes in an hour; 0: no limit."""


@dataclass(frozen=True)
class DeliveryReport:
    """What became of the messages of one notice, by channel: counts of each state after this attempt."""

    sent: int = 0
    written: int = 0
    """Of these, into files of this machine."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Channel -> why messages wait there."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Channel -> number of addresses that were refused for good."""
    doubtful: Mapping[str, int] = field(default_factory=dict)
    """Channel -> number of messages that may have arrived."""


class Dispatch:
    """Sends one notice over its routes; every step is in the incident's journal."""

    def __init__(
        self, ledger: Ledger, notice: NoticeRecord, severity: str = "", *,
        now: Callable[[], datetime] = clock.system_time, stopped: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._notice = notice
        self._severity = severity
        self._now = now
        self._stopped = stopped
        self._sent = self._written = 0
        self._failed: dict[str, str] = {}
        self._refused: dict[str, int] = {}
        self._doubtful: dict[str, int] = {}

    def over(self, routes: Mapping[str, Route]) -> DeliveryReport:
        """Send to everybody who surely has not got it, and whose time to retry has come.

        Raises MachineError where an intent cannot be recorded: then nothing more is sent.
        """
        for name, route in routes.items():
            try:
                self._over(name, route)
            finally:
                route.channel.close()
        return DeliveryReport(self._sent, self._written, self._failed, self._refused, self._doubtful)

    def _over(self, name: str, route: Route) -> None:
        wanted = [one for one in _once(route.recipients) if self._may_be_sent(name, one)]
        self._say_what_waits(name)
        size = max(1, route.batch)
        for first in range(0, len(wanted), size):
            if self._stopped():
                self._failed[name] = "the operator stopped; the rest waits"
                return
            part = self._intend(name, wanted[first : first + size], route.per_hour)
            if self._is_full(name):
                return
            if part and not self._send_all(name, route.channel, part):
                return

    def _say_what_waits(self, name: str) -> None:
        """The time from which a message is tried again that is not tried now."""
        times = [one.retry_at for one in self._notice.of(*QUEUED) if one.channel == name and one.retry_at]
        later = [at for at in times if at > self._now()]
        if later:
            self._failed[name] = f"It is tried again from {moment(min(later))} on."

    def _is_full(self, name: str) -> bool:
        return self._failed.get(name) == FULL

    def _intend(self, name: str, part: Sequence[Addressee], per_hour: int) -> Sequence[Addressee]:
        """Record the intent for those whom nobody else of the team serves meanwhile; returns them."""
        taken: list[Addressee] = []

        def decision(records: Iterable[Recorded]) -> Sequence[Entry]:
            found = folded(records)
            notice = found.notices.get(self._notice.id, self._notice)
            free = [one for one in part if self._may_be_sent(name, one, notice)]
            room = per_hour - self._in_the_last_hour(name, found) if per_hour else len(free)
            taken[:] = free[: max(0, room)]
            if free and not taken:
                self._failed[name] = FULL
            digests = tuple(one.digest for one in taken)
            return [NoticeSending(notice=self._notice.id, channel=name, recipients=digests)] if taken else []

        self._ledger.decide(decision)
        return taken

    def _in_the_last_hour(self, name: str, incident: Incident) -> int:
        """Messages of all notices that the channel took, or may have taken."""
        since = self._now() - HOUR
        taken = (one for notice in incident.notices.values() for one in notice.of("sent", *UNKNOWN_FATE))
        return sum(one.channel == name and one.at > since for one in taken)

    def _may_be_sent(self, name: str, recipient: Addressee, notice: NoticeRecord | None = None) -> bool:
        known = (notice or self._notice).find(name, recipient.digest)
        if known is None:
            return True
        return known.state in QUEUED and (known.retry_at is None or known.retry_at <= self._now())

    def _send_all(self, name: str, channel: Channel, part: Sequence[Addressee]) -> bool:
        """Send to each of `part`, whose intent is recorded; false where the channel takes nothing more now."""
        goes_on = True
        for recipient in part:
            answer = self._send(name, channel, recipient) if goes_on else self._failure(name, recipient, NOT_TRIED)
            self._ledger.keep(answer)
            goes_on = goes_on and not _stops(answer)
        self._ledger.append()
        return goes_on

    def _send(self, name: str, channel: Channel, recipient: Addressee) -> Entry:
        letter = Letter(self._letter_id(name, recipient), self._notice.subject, self._notice.text, self._severity)
        try:
            receipt = channel.send(letter, recipient.address)
        except (AnswerLost, OutcomeUnknown) as error:
            self._doubtful[name] = self._doubtful.get(name, 0) + 1
            return NoticeDoubted(notice=self._notice.id, channel=name, recipient=recipient.digest, reason=error.message)
        except RateLimited as error:
            return self._failure(name, recipient, error.message, error.retry_after)
        except (ProviderError, MachineError, BadInput) as error:
            return self._refusal(name, recipient, error)
        self._sent += 1
        self._written += name == OUTBOX
        return NoticeSent(notice=self._notice.id, channel=name, recipient=recipient.digest, receipt=receipt)

    def _letter_id(self, name: str, recipient: Addressee) -> str:
        told = f"{self._ledger.incident} {self._notice.id} {name} {recipient.digest}"
        return f"{self._notice.id}-{hashlib.sha256(told.encode()).hexdigest()[:32]}"

    def _refusal(self, name: str, recipient: Addressee, error: ProviderError | MachineError | BadInput) -> Entry:
        """A definite refusal: of this address for good, or of the channel for now."""
        if isinstance(error, ProviderError) and error.error_id == ADDRESS_REFUSED and not error.retryable:
            self._refused[name] = self._refused.get(name, 0) + 1
            return NoticeFailed(
                notice=self._notice.id, channel=name, recipient=recipient.digest, reason=error.message, final=True
            )
        return self._failure(name, recipient, error.message)

    def _failure(self, name: str, recipient: Addressee, reason: str, after: float | None = None) -> Entry:
        """Surely not accepted: it waits, for `after` seconds if the service says so."""
        if reason is not NOT_TRIED:
            self._failed[name] = reason
        at = None if after is None else self._now() + timedelta(seconds=after)
        return NoticeFailed(
            notice=self._notice.id, channel=name, recipient=recipient.digest, reason=reason, retry_at=at
        )


def _once(recipients: Iterable[Addressee]) -> list[Addressee]:
    """Each address once: somebody may be in two lists."""
    return list({one.digest: one for one in recipients}.values())


def _stops(answer: Entry) -> bool:
    """Whether the channel takes nothing more now: it failed, other than for this one address."""
    match answer:
        case NoticeFailed():
            return not answer.final
        case NoticeDoubted():
            return True
        case _:
            return False
