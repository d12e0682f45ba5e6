"""What `uscdr incident notify` and `settle` do: compose, show, confirm, send; ask about what is in doubt."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from uscdr.commands.housekeeping import state
from uscdr.commands.incident_desk import IncidentDesk
from uscdr.commands.incident_page import PageChannel
from uscdr.errors import BadInput, CheckFailed, Declined, ExitCode, UscdrError
from uscdr.incident.delivery import Addressee, DeliveryReport, Dispatch, Route
from uscdr.incident.facts import notice_facts
from uscdr.incident.notice_clock import STAGE_WORDS, notices_due, whom
from uscdr.incident.notices import Draft, composed
from uscdr.incident.open_incidents import open_incidents
from uscdr.incident.state import QUEUED, UNKNOWN_FATE, folded
from uscdr.models.incidents import OUTBOX, PAGE, NoticeGiven, NoticePrepared, NoticeSettled
from uscdr.scenarios.config_channels import SmtpSettings
from uscdr.settings import Directories
from uscdr.ui.prompts import Prompter
from uscdr.ui.schemas import Schema
from uscdr.wiring.notices import channels
from uscdr.words import moment, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from uscdr.incident.state import Incident, NoticeRecord
    from uscdr.models.incidents import Entry, Readers, Stage
    from uscdr.providers.ports.notices import Channel
    from uscdr.scenarios.config_channels import ChannelSettings
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

SEND, STOP = "send", "stop"
READ_BY: Mapping[Readers, frozenset[str]] = {
    "internal": frozenset({"team", "stakeholders"}),
    "users": frozenset({"users"}),
}
"""Whom a channel must serve to carry a notice to these readers."""
TEMPLATES = "templates"
"""The directory of the operator's own templates, in the configuration directory."""


class _NoticeObject(TypedDict):
    stage: Stage
    readers: Readers
    subject: str
    text: str
    channels: Sequence[str]


@dataclass(frozen=True)
class NotifyOptions:
    """The options of `incident notify`."""

    readers: Readers | None = None
    stage: Stage | None = None
    message: str = ""
    summary: str = ""
    by_hand: str = ""
    """How people were told otherwise; nothing is sent then."""
    send: bool = False
    """Send without asking."""
    show: bool = False
    """Show the text and send nothing."""
    identity: Path | None = None
    """Opens the list of recipients."""


def readers_of(text: str | None) -> Readers | None:
    """Whom a notice is for. Raises BadInput."""
    for known in READ_BY:
        if text == known:
            return known
    if text is None:
        return None
    raise BadInput(f"“{text}” are no readers of notices.", next_action=f"Pass --to with one of: {', '.join(READ_BY)}.")


def stage_of(text: str | None) -> Stage | None:
    """Which notice of an incident. Raises BadInput."""
    for known in STAGE_WORDS:
        if text == known:
            return known
    if text is None:
        return None
    raise BadInput(f"“{text}” is not a stage.", next_action=f"Pass --stage with one of: {', '.join(STAGE_WORDS)}.")


def answer_of(text: str) -> bool:
    """Whether a message arrived: `sent` or `not-sent`. Raises BadInput."""
    if text not in ("sent", "not-sent"):
        raise BadInput(f"“{text}” is not an answer.", next_action="Pass sent or not-sent.")
    return text == "sent"


def notify(target: Target, output: Output, wanted: str | None, asked: NotifyOptions) -> int:
    """Send the notices that are due, or the named one; retry those that wait."""
    desk = IncidentDesk(target, output)
    found = desk.find(wanted)
    if asked.stage is not None:
        _require_true(found, asked.stage)
    if asked.by_hand:
        return _told_by_hand(desk, found, asked)
    post = NoticeDesk(desk, asked.identity)
    wanted_now = _wanted(desk, found, asked)
    anew = frozenset(readers for _, readers in wanted_now)
    trouble = False if asked.show else post.retry(found, anew)
    for stage, readers in wanted_now:
        draft = post.draft(desk.current(found.id), stage, readers, asked)
        trouble = post.offer(desk.current(found.id), stage, readers, draft, asked) or trouble
    return int(ExitCode.FAILED if trouble else ExitCode.DONE)


def _require_true(incident: Incident, stage: Stage) -> None:
    """Raises BadInput for a notice that would say what the incident does not: service is back, or is still down."""
    if stage == "completion" and incident.restored_at is None:
        raise BadInput(
            "Service is not restored, by what is recorded: a notice must not say that it is.",
            next_action="If it is restored, record it first: uscdr incident resolve",
        )
    if stage != "completion" and incident.restored_at is not None:
        raise BadInput(
            f"Service is restored since {moment(incident.restored_at)}: a notice must not say that it is down.",
            next_action='Send --stage completion. If service is down again: uscdr incident update --down-again "why"',
        )


def _wanted(desk: IncidentDesk, incident: Incident, asked: NotifyOptions) -> list[tuple[Stage, Readers]]:
    """The notices to send: the named one, else every one that is due now."""
    if asked.stage is not None:
        return [(asked.stage, one) for one in ([asked.readers] if asked.readers else list(READ_BY))]
    due = [one for one in notices_due(incident) if asked.readers in (None, one.readers)]
    now = desk.now
    offered = [one for one in due if one.is_offered(now) and not is_under_way(incident, one.stage, one.readers)]
    if not offered:
        later = "; ".join(one.words(now) for one in due)
        desk.output.say(
            f"No notice is due now{f': {later}' if later else ''}. To send one: uscdr incident notify --stage update"
        )
    return [(one.stage, one.readers) for one in offered]


def _told_by_hand(desk: IncidentDesk, incident: Incident, asked: NotifyOptions) -> int:
    if asked.send or asked.show:
        raise BadInput(
            "--by-hand records what you told; it sends and shows nothing.", next_action="Leave out --send and --show."
        )
    how = desk.clean("--by-hand", asked.by_hand)
    due = [one for one in notices_due(incident) if asked.readers in (None, one.readers)]
    if asked.stage is not None:
        told = [(asked.stage, one) for one in ([asked.readers] if asked.readers else list(READ_BY))]
    else:
        told = [(one.stage, one.readers) for one in due]
    if not told:
        raise BadInput("No notice is due.", next_action="Name what you told: --stage update --to internal")
    desk.append(incident, *(NoticeGiven(stage=stage, readers=readers, how=how) for stage, readers in told))
    desk.output.say("; ".join(f"recorded: {STAGE_WORDS[stage]} to {whom(readers)}" for stage, readers in told) + ".")
    return int(ExitCode.DONE)


class NoticeDesk:
    """Composes, shows and sends the notices of one target's incidents."""

    def __init__(
        self, desk: IncidentDesk, identity: Path | None = None, *, stopped: Callable[[], bool] = lambda: False
    ) -> None:  # fmt: skip
        self._desk = replace(desk, identity=identity or desk.identity)
        self._without: dict[str, str] = {}
        """Channels whose recipients are not known here, and why."""
        self._stopped = stopped
        self._prompter = Prompter(desk.output, unanswered=lambda: "uscdr did not send this notice.")

    def draft(self, incident: Incident, stage: Stage, readers: Readers, asked: NotifyOptions) -> Draft:
        """The text, checked for secrets and patients' data. Raises BadInput."""
        desk, config = self._desk, self._desk.target.config
        message = desk.clean("--message", asked.message) if asked.message else ""
        summary = desk.clean("--summary", asked.summary) if asked.summary else ""
        reports = desk.reports(incident)
        facts = notice_facts(
            incident, desk.times(incident), reports, desk.now, service=config.app.name,
            contact=config.communication.contact, message=message, summary=summary,
        )  # fmt: skip
        draft = composed(stage, readers, facts, Directories(os.environ).config / TEMPLATES)
        if desk.marked:
            draft = Draft(f"[{desk.marked}] {draft.subject}", f"This is a drill: nothing is wrong.\n\n{draft.text}")
        screening = replace(desk.screening, allowed=(incident.id, incident.lead, *desk.screening.allowed))
        if screening.is_private is None:
            desk.output.warn_once(
                "uscdr could not look for names of patients in the notice: it has no digests of them, or no key that "
                "opens the list of recipients. Read the text."
            )
        screening.require_clean(draft.subject, draft.text)
        return draft

    def offer(
        self, incident: Incident, stage: Stage, readers: Readers, draft: Draft, asked: NotifyOptions
    ) -> bool:  # fmt: skip
        """Show the text, ask, send. Returns whether something did not arrive. Raises Declined."""
        output, routes = self._desk.output, self._routes(incident, stage, readers)
        self._show(stage, readers, draft, routes)
        if asked.show:
            return False
        if not asked.send:
            self._confirm(stage, readers, routes, f" --stage {stage} --to {readers}" if asked.stage else "")
        found, prepared = self._prepare(incident, stage, readers, draft, routes)
        if not prepared:
            output.warn(
                f"Somebody else wrote the {STAGE_WORDS[stage]} to {whom(readers)} meanwhile. uscdr sent nothing."
            )
            return False
        report = self.send(found, found.notices[prepared])
        nobody = set(routes) == {OUTBOX} and not self._desk.marked
        if nobody:
            output.warn(
                f"No channel reaches {whom(readers)}: the notice is only in a file. Tell them, then: "
                f'uscdr incident notify --to {readers} --by-hand "by telephone"'
            )
        return bool(nobody or report.failed or report.refused or report.doubtful)

    def _prepare(
        self, incident: Incident, stage: Stage, readers: Readers, draft: Draft, routes: Mapping[str, Route]
    ) -> tuple[Incident, str]:  # fmt: skip
        """Record the confirmed notice under a number that no other operator has; raises MachineError otherwise.

        Not recorded, and without a number, if another of this stage was written since `incident` was read.
        """
        mail = any(one.digest for route in routes.values() for one in route.recipients)
        prepared = NoticePrepared(
            notice="", stage=stage, readers=readers, subject=draft.subject, text=draft.text,
            channels=(*routes, *self._without), recipients=sum(len(route.recipients) for route in routes.values()),
            list_key=self._desk.audience.key_id if mail else "",
        )  # fmt: skip
        made = self._desk.ledger(incident.id).decide(lambda records: _numbered(prepared, incident, folded(records)))
        numbers = [one.notice for one in made if isinstance(one, NoticePrepared)]
        return self._desk.current(incident.id), numbers[0] if numbers else ""

    def send(self, incident: Incident, notice: NoticeRecord) -> DeliveryReport:
        """Send a confirmed notice to everybody who surely has not got it, and say what became of it."""
        routes = {
            name: route
            for name, route in self._routes(incident, notice.stage, notice.readers).items()
            if name in notice.channels and self._has_key(name, route, notice)
        }
        sender = Dispatch(
            self._desk.ledger(incident.id), notice, incident.severity, now=lambda: self._desk.now, stopped=self._stopped
        )
        report = sender.over(routes)
        waiting = {name: why for name, why in self._without.items() if name in notice.channels}
        report = replace(report, failed={**report.failed, **waiting})
        _say(self._desk.output, notice, report)
        return report

    def _has_key(self, name: str, route: Route, notice: NoticeRecord) -> bool:
        """Whether the list of recipients has the key of the notice: else nobody knows who got it, and it waits."""
        if not any(one.digest for one in route.recipients) or notice.list_key in ("", self._desk.audience.key_id):
            return True
        self._without[name] = "The list of recipients has another key since: uscdr cannot tell who got the notice."
        return False

    def retry(self, incident: Incident, anew: frozenset[Readers] = frozenset()) -> bool:
        """Send what waits of the newest notice to each group, except to those who get another one now (`anew`).

        An older text would be out of date. That service is restored is not said while an incident of the target is
        down, and that it is down is not said any more once it is restored.
        """
        trouble, down = False, any(one.is_down for one in open_incidents(state(), self._desk.target.key))
        for notice in _newest_notices(incident):
            is_true = not down if notice.stage == "completion" else incident.is_down
            if _waits(notice) and is_true and notice.readers not in anew:
                report = self.send(incident, notice)
                trouble = bool(report.failed or report.doubtful) or trouble
        return trouble

    def _routes(self, incident: Incident, stage: Stage, readers: Readers) -> dict[str, Route]:
        """The channels that reach these readers, and the file that is always written."""
        desk = self._desk
        settings = {name: one for name, one in desk.target.config.communication.channels.items()
                    if READ_BY[readers] & set(one.audience)}  # fmt: skip
        made = channels(
            settings, os.environ, state(), desk.redactor, incident=incident.id, loopback_only=desk.rehearsal,
            ca_file=desk.target.ca_file,
        )  # fmt: skip
        routes = {name: self._route(name, channel, settings.get(name), readers) for name, channel in made.items()}
        found = {name: route for name, route in routes.items() if route is not None}
        if readers == "users" and stage != "completion" and desk.target.config.maintenance_page is not None:
            found[PAGE] = Route(PageChannel(desk, incident))
        return found

    def _route(
        self, name: str, channel: Channel, settings: ChannelSettings | None, readers: Readers
    ) -> Route | None:  # fmt: skip
        """How a channel is used: one message to each address of its groups; a chat, a page or a file gets one.

        None for a mail server while the list of recipients is not available: the other channels still work.
        """
        if not isinstance(settings, SmtpSettings):
            return Route(channel)
        try:
            audience = self._desk.audience
        except UscdrError as error:
            self._without[name] = f"{error.message} {error.next_action}"
            return None
        people = audience.recipients(*(group for group in settings.audience if group in READ_BY[readers]))
        to = [Addressee(audience.digest(one.address), one.address) for one in people]
        return Route(channel, to, settings.batch, settings.per_hour)

    def _show(self, stage: Stage, readers: Readers, draft: Draft, routes: Mapping[str, Route]) -> None:
        output = self._desk.output
        if output.json_lines:
            drafted: _NoticeObject = {"stage": stage, "readers": readers, "subject": draft.subject, "text": draft.text,
                                      "channels": list(routes)}  # fmt: skip
            output.record(Schema.NOTICE, drafted)
            return
        people = sum(len(route.recipients) for name, route in routes.items() if name != OUTBOX)
        over = ", ".join(name for name in (*routes, *self._without) if name != OUTBOX) or "no channel (a file only)"
        output.result(f"--- {STAGE_WORDS[stage]} to {whom(readers)}: over {over} ({plural(people, 'message')})")
        output.result(f"Subject: {draft.subject}\n\n{draft.text}---")

    def _confirm(self, stage: Stage, readers: Readers, routes: Mapping[str, Route], named: str) -> None:
        if not self._prompter.interactive:
            raise Declined(
                f"The {STAGE_WORDS[stage]} to {whom(readers)} was not sent: nobody could confirm it.",
                why="There is no terminal to ask.",
                next_action=f"Read the text above. To send it: uscdr incident notify --send{named}",
            )
        over = ", ".join(routes)
        if self._prompter.choose(f"Send this notice over {over}?", (SEND, STOP)) != SEND:
            raise Declined(
                f"You did not confirm the {STAGE_WORDS[stage]} to {whom(readers)}: uscdr did not send it.",
                next_action="Change its text: --message",
            )


def _numbered(notice: NoticePrepared, seen: Incident, now: Incident) -> list[Entry]:
    """The notice with its number; nothing if another of its stage was written since the operator looked."""
    new = [one for name, one in now.notices.items() if name not in seen.notices]
    if any((one.stage, one.readers) == (notice.stage, notice.readers) for one in new):
        return []
    return [notice.model_copy(update={"notice": now.next_notice})]


def is_under_way(incident: Incident, stage: Stage, readers: Readers) -> bool:
    """Whether such a notice was written and has not arrived: it waits or is in doubt, and is not written anew."""
    told = [one for one in incident.notices.values() if (one.stage, one.readers) == (stage, readers)]
    newest = told[-1] if told else None
    return newest is not None and newest.reached is None and (_waits(newest) or bool(newest.of(*UNKNOWN_FATE)))


def _waits(notice: NoticeRecord) -> bool:
    """Whether something of it surely has not been sent: a message, or a whole channel."""
    tried = {one.channel for one in notice.deliveries}
    fewer = len(notice.deliveries) < notice.recipients  # the process ended, or the hour was full, before the rest
    return bool(notice.of(*QUEUED)) or fewer or not tried.issuperset(notice.channels)


def _say(output: Output, notice: NoticeRecord, report: DeliveryReport) -> None:
    """What became of the messages, in words."""
    told = report.sent - report.written
    kept = ", and written into the outbox" if report.written else ""
    output.say(f"Notice {notice.id}: {plural(told, 'message')} accepted{kept}.")
    for name, why in report.failed.items():
        output.warn(f"Notice {notice.id} waits for {name}: {why} The next uscdr incident command tries again.")
    for name, count in report.refused.items():
        output.warn(f"{name} refused {plural(count, 'address', 'addresses')} for good.")
    for name in report.doubtful:
        output.warn(
            f"IN DOUBT: notice {notice.id} may have arrived over {name}. uscdr does not send it again. Look there, "
            f"then: uscdr incident settle {notice.id} {name} sent (or: not-sent)"
        )


def retry_waiting(target: Target, output: Output) -> None:
    """Send what waits of the target's open incidents: its text was confirmed. What fails is a warning."""
    try:
        for one in open_incidents(state(), target.key):
            desk = IncidentDesk(target, output)
            found = desk.current(one.id)
            if any(map(_waits, _newest_notices(found))):
                NoticeDesk(desk).retry(found)
    except UscdrError as error:
        output.warn(f"A notice waits: {error.message} {error.next_action}")


def _newest_notices(incident: Incident) -> list[NoticeRecord]:
    """The newest notice to each group: an older text would be out of date."""
    return list({one.readers: one for one in incident.notices.values()}.values())


class _SettledObject(TypedDict):
    notice: str
    channel: str
    decision: Literal["sent", "not sent"]
    messages: int


def settle(target: Target, output: Output, wanted: str | None, notice: str, channel: str, *, arrived: bool) -> int:
    """Record a person's answer about messages that may have arrived; those that did not are sent next time."""
    desk = IncidentDesk(target, output)
    found = desk.find(wanted)
    doubtful = [one for known, one in found.doubtful if (known.id, one.channel) == (notice, channel)]
    if not doubtful:
        raise CheckFailed(
            f"Nothing is in doubt about notice {notice} over {channel}.", next_action="See: uscdr incident status"
        )
    decision: Literal["sent", "not sent"] = "sent" if arrived else "not sent"
    desk.append(found, *(NoticeSettled.model_validate({"notice": notice, "channel": channel, "recipient": one.recipient,
                                                       "decision": decision}) for one in doubtful))  # fmt: skip
    if output.json_lines:
        settled = _SettledObject(notice=notice, channel=channel, decision=decision, messages=len(doubtful))
        output.record(Schema.NOTICE_SETTLED, settled)
    output.say(f"Recorded: {plural(len(doubtful), 'message')} {'arrived' if arrived else 'did not arrive'}.")
    return int(ExitCode.DONE)
