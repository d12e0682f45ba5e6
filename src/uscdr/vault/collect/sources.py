"""What the collectors of a kit work with: ports, wishes, and the place for what is under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from uscdr.errors import Interrupted, ProviderError, UscdrError
from uscdr.models.postgres import Invariant
from uscdr.providers.ports.database import Scratch
from uscdr.providers.ports.dns import Verifier, Zone
from uscdr.providers.ports.media import Media
from uscdr.providers.ports.platform import Backups, Platform
from uscdr.providers.ports.provision import Deploys, Provisioning, SourceCode
from uscdr.vault.backups.proofs import ProofDocument
from uscdr.vault.backups.proving import Decode
from uscdr.vault.content import CanaryColumns
from uscdr.vault.manifest import Contact, Gap, Part, PartName
from uscdr.vault.writer import KitWriter

T = TypeVar("T")


class Unavailable(UscdrError):
    """A part needs something that is not configured."""


@dataclass(frozen=True)
class Absent:
    """In place of a port that is not there: why."""

    why: str


@dataclass(frozen=True)
class ProofShelf:
    """Proofs made before, and where new ones are kept. `fresh`: by the SHA-256 of a dump; neither raises."""

    fresh: Callable[[str], ProofDocument | None]
    keep: Callable[[ProofDocument], None]


@dataclass(frozen=True)
class Sources:
    """Where a kit is collected from. What is Absent becomes a gap of the kit, never silence."""

    platform: Platform
    backups: Backups
    scratch: Scratch | Absent
    provisioning: Provisioning | Absent
    deploys: Deploys | Absent
    verifier: Verifier | Absent
    zone: Zone | Absent
    media: Media | Absent
    source: SourceCode | Absent
    decode: Decode
    proofs: ProofShelf


@dataclass(frozen=True)
class Wishes:
    """What is collected of which application."""

    app: str
    target: str
    identity: str = ""
    database: str = "DATABASE_URL"
    backup: str | None = None
    """The name of the backup to keep (`b012`); None: the newest one that is whole."""
    damaged: frozenset[str] = frozenset()
    """Ids of backups that were taken of a damaged state: kept only when named."""
    without: frozenset[PartName] = frozenset()
    invariants: Sequence[Invariant] = ()
    freshness: Sequence[str] = ()
    canaries: Sequence[CanaryColumns] = ()
    required: Sequence[str] = ()
    """Names of configuration variables without which the application does not work."""
    hostnames: Sequence[str] = ()
    """Beside those that the platform knows."""
    scenarios_digest: str = ""
    unproven: bool = False
    """Keep the dump without having restored it."""
    key: str = ""
    """The variable that opens encrypted columns; empty: none is tried."""
    expected_tables: Sequence[str] = ()
    contacts: Sequence[Contact] = ()
    rpo: float | None = None
    """Seconds."""


class Tell(Protocol):
    """How a build says how far it is. Called from several threads."""

    def say(self, text: str) -> None:
        """One sentence."""
        ...

    def progress(self, part: PartName, done: float, total: float | None, unit: str, /) -> None:
        """So much of a part is done, in `unit` (`B`, `files`)."""
        ...


@dataclass
class Gaps:
    """What could not be had of one part so far."""

    found: list[Gap] = field(default_factory=list)

    def note(self, what: str, why: str) -> None:
        """Record one gap."""
        self.found.append(Gap(what=what, why=why))

    def attempt(self, what: str, ask: Callable[[], T], otherwise: T) -> T:
        """The answer of `ask`; when it cannot be had, `otherwise` and a gap."""
        try:
            return ask()
        except (ProviderError, Unavailable) as error:
            self.note(what, in_words(error))
            return otherwise


@dataclass(frozen=True)
class Gathering:
    """One build under way. `work` is a private directory for plain files, gone afterwards."""

    sources: Sources
    wishes: Wishes
    writer: KitWriter
    work: Path
    tell: Tell
    stop: threading.Event

    def check(self) -> None:
        """Raise Interrupted when the operator asked to stop."""
        if self.stop.is_set():
            raise Interrupted(
                "Interrupted: no kit was made.",
                next_action="Build again; media that are there already are not fetched twice.",
            )

    def watch(self, part: PartName, total: int | None = None) -> Callable[[int, int | None], None]:
        """A progress callback that also stops when asked to."""

        def report(done: int, of: int | None = None) -> None:
            self.check()
            self.tell.progress(part, done, of or total, "B")

        return report


def present(port: T | Absent) -> T:
    """The port. Raises Unavailable with the reason when there is none."""
    if isinstance(port, Absent):
        raise Unavailable(port.why)
    return port


def in_words(error: UscdrError) -> str:
    """An error as the reason of a gap."""
    return f"{error.message} {error.why}".strip()


def part_of(name: PartName, gaps: Gaps, summary: str) -> Part:
    """A part that was collected, with its gaps."""
    return Part(name=name, state="partial" if gaps.found else "complete", summary=summary, gaps=tuple(gaps.found))


def missing(name: PartName, why: str) -> Part:
    """A part of which nothing could be had."""
    return Part(name=name, state="missing", gaps=(Gap(what=name, why=why),))
