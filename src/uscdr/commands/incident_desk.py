"""What commands about incidents work with: the target, the team, the ledger and the reports of its runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from uscdr import __version__, clock
from uscdr.commands.housekeeping import state
from uscdr.errors import BadInput, JournalError, MachineError, OutcomeUnknown, UscdrError
from uscdr.incident.audience import IMPORT, AudienceFiles
from uscdr.incident.follow_up import watches_done
from uscdr.incident.ledger import ROOM, IncidentJournal, Ledger, find_incident, new_incident_id
from uscdr.incident.open_incidents import refresh_incidents, the_open_one
from uscdr.incident.report import ChainHead
from uscdr.incident.reporting import IncidentEvidence
from uscdr.incident.screening import Screening
from uscdr.incident.state import folded
from uscdr.incident.times import IncidentTimes, times_of
from uscdr.journal.reader import Journal
from uscdr.journal.runs import LocalRuns
from uscdr.models.incidents import IncidentOpened
from uscdr.report.objectives import build
from uscdr.scenarios.config import SANDBOX
from uscdr.settings import Operator
from uscdr.shared.journals import JournalStore
from uscdr.shared.team import Team
from uscdr.store.encryption import Identity
from uscdr.wiring.context import known_secrets
from uscdr.words import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from uscdr.incident.audience import Audience
    from uscdr.incident.state import Incident
    from uscdr.models.incidents import Entry, Severity
    from uscdr.redaction import Redactor
    from uscdr.report.model import RunReport
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target


LONGEST_TEXT = 2000
"""Characters of a person's text."""


@dataclass(frozen=True)
class OpeningFacts:
    """What is known when an incident is opened."""

    what: str
    severity: Severity
    outage_at: datetime | None
    detected_at: datetime
    lead: str = ""
    by_run: str = ""
    """The recovery that opens it."""


def reports_of(runs: Iterable[str]) -> tuple[RunReport, ...]:
    """The reports of those of these runs whose journals this machine can read, in their order."""
    paths = {path.parent.name: path for path in LocalRuns(state()).journals()}
    journals = [Journal.salvage(paths[run]) for run in runs if run in paths]
    return tuple(build(one.stamped, last_hash=one.last_hash) for one in journals if one.lines)


@dataclass(frozen=True)
class IncidentDesk:
    """One target's incidents, as this machine and the team know them."""

    target: Target
    output: Output
    marked: str = ""
    """A word before every subject: these notices are a drill."""
    stays_here: bool = False
    """Nothing leaves this machine, whatever the target is."""

    alone: bool = False
    """Whether to work without the team's shared state."""
    identity: Path | None = None
    """Opens the list of recipients, if the environment names no other key."""

    @cached_property
    def audience(self) -> Audience:
        """The list of recipients. Raises BadInput without one, or without a key that opens it."""
        from uscdr.wiring.kits import identity_file

        files = AudienceFiles.of(state(), os.environ, sandbox=self.on_sandbox)
        header = files.header()
        if header is not None and header.is_stale(self.now):
            words = f"The list of recipients is of {moment(header.imported_at)}: people joined and left since."
            self.output.warn_once(f"{words} While the application works, run: {IMPORT}")
        if not files.present:
            return files.read(())  # says where a list comes from, not which key would open it
        return files.read(Identity.read(identity_file(self.identity, os.environ)))

    @cached_property
    def screening(self) -> Screening:
        """What no text may have: secrets, what looks like a patient's data, and words known of persons."""
        config = self.target.config
        allowed = (config.communication.contact, *(one.how for one in config.contacts),
                   *(one.name for one in config.contacts))  # fmt: skip
        try:
            known = self.audience.is_private if self.audience.private else None
            return Screening(self.redactor.text, known, allowed)
        except UscdrError:
            return Screening(self.redactor.text, None, allowed)

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of this process."""
        return os.environ

    @property
    def key(self) -> str:
        """The key of incidents: a drill's is no incident of the target."""
        return f"{self.marked} {self.target.key}".strip()

    @cached_property
    def redactor(self) -> Redactor:
        """Knows every secret of the target and of the channels."""
        return known_secrets(self.target, os.environ)

    @cached_property
    def shelf(self) -> JournalStore | None:
        """The team's incidents; None for an operator alone."""
        team = Team.open(os.environ, without=self.alone)
        return JournalStore(team.shelf.store, ROOM) if team else None

    @property
    def now(self) -> datetime:
        """The time by the system's clock."""
        return clock.system_time()

    @property
    def rehearsal(self) -> bool:
        """Whether nothing may leave this machine."""
        return self.stays_here or self.on_sandbox

    @property
    def on_sandbox(self) -> bool:
        """Whether the target is a sandbox, whose people are invented."""
        return self.target.name == SANDBOX or bool(self.target.identity)

    def ledger(self, incident: str) -> Ledger:
        """The journal of one incident."""
        who, warn = Operator.of(os.environ), self.output.warn_once
        return Ledger(state(), incident, who, self.shelf, lambda: self.now, self.redactor.data, warn)

    def clean(self, option: str, text: str) -> str:
        """A text of a person in one line of printable characters, without secrets and patients' data.

        Raises BadInput that does not repeat it.
        """
        words = " ".join("".join(one if one.isprintable() else " " for one in text).split())
        if not words or len(words) > LONGEST_TEXT:
            raise BadInput(f"{option} needs a text of 1 to {LONGEST_TEXT:,} characters.")
        found = self.screening.findings("", words)
        if found:
            raise BadInput(
                f"uscdr does not write this {option}: it has {', '.join(sorted({one.kind for one in found}))}.",
                why="The journal of an incident must not have secrets or patients' data.",
                next_action="Say it in other words, without keys, numbers of persons, names and diagnoses.",
            )
        return words

    def refresh(self) -> None:
        """Take over the team's entries; warn and go on with what is here if the shared state is unreachable."""
        try:
            if self.shelf is not None:
                refresh_incidents(state(), self.shelf, self.ledger)
        except (MachineError, OutcomeUnknown) as error:
            self.output.warn_once(f"The incidents shown here may be out of date. {error.message}")

    def find(self, wanted: str | None) -> Incident:
        """The incident `wanted`, else the open one of the target. Raises BadInput and JournalError."""
        self.refresh()
        if wanted is None:
            return self.current(the_open_one(state(), self.target.key).id)
        return self.current(IncidentJournal.read(find_incident(state(), wanted)).incident)

    def current(self, incident: str) -> Incident:
        """The incident with everything that is recorded now. Raises JournalError."""
        return folded(self.ledger(incident).records())

    def open(self, facts: OpeningFacts, incident: str | None = None) -> Incident:
        """Begin the journal of a new incident."""
        rules, objectives = self.target.config.communication, self.target.config.objectives
        ledger, impact = self.ledger(incident or new_incident_id()), self.target.config.impact
        ledger.append(
            IncidentOpened(
                what=facts.what, severity=facts.severity, target=self.target.name,
                app=self.target.services.heroku.app, key=self.key, outage_at=facts.outage_at,
                detected_at=facts.detected_at, rto_seconds=objectives.rto, rpo_seconds=objectives.rpo,
                first_seconds=rules.first, update_seconds=rules.every, completion_seconds=rules.completion,
                rehearsal=self.rehearsal, lead=facts.lead, by_run=facts.by_run,
                impact=impact.words if impact else "", version=__version__,
            )
        )  # fmt: skip
        return self.current(ledger.incident)

    def append(self, incident: Incident, *entries: Entry) -> Incident:
        """Append the entries; returns the incident as it is then."""
        if entries:
            self.ledger(incident.id).append(*entries)
        return self.current(incident.id)

    def reports(self, incident: Incident) -> tuple[RunReport, ...]:
        """The reports of its runs that this machine can read, in the order in which they were linked."""
        return reports_of(incident.runs)

    def require_whole(self, incident: Incident) -> IncidentEvidence:
        """Everything that a report needs, from chains that were checked to their ends.

        Raises JournalError that names the place of the first damage, or the run whose journal is elsewhere.
        """
        ledger, paths = self.ledger(incident.id), {path.parent.name: path for path in LocalRuns(state()).journals()}
        own, records = ledger.read(), ledger.records()
        heads = [
            ChainHead(
                journal=f"{ROOM}/{incident.id}/{own.path.name}", events=len(own.records), last_hash=own.last_hash,
                waiting=len(records) - len(own.records),
            )
        ]  # fmt: skip
        reports = []
        for run in folded(records).runs:
            if run not in paths:
                raise JournalError(
                    f"The journal of run {run}, which belongs to this incident, is not on this machine.",
                    next_action="Make the report where the run was made, or set USCDR_SHARED: uscdr runs list",
                )
            journal = Journal.read(paths[run])
            reports.append(build(journal.stamped, last_hash=journal.last_hash))
            name = str(journal.path.relative_to(state()))
            heads.append(ChainHead(journal=name, events=len(journal.lines), last_hash=journal.last_hash))
        return IncidentEvidence(records, tuple(reports), tuple(heads))

    def times(self, incident: Incident) -> IncidentTimes:
        """The incident's times."""
        return times_of(incident, self.reports(incident))

    def attach_watches(self, incident: Incident) -> Incident:
        """End the action that asks for a watch where one lasted long enough."""
        return self.append(incident, *watches_done(incident, self.reports(incident)))
