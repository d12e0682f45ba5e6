"""The inputs of the collectors of a kit: ports, options, and directories."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from uscdr.errors import Interrupted, MachineError, ProviderError, UscdrError
from uscdr.kit.content import SourceFacts
from uscdr.kit.manifest import KitContact, KitGap, KitPart, PartName
from uscdr.words import plural

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from uscdr.backups.proofs import ProofDocument
    from uscdr.backups.proving import Decode
    from uscdr.kit.writer import KitWriter
    from uscdr.models.data_settings import CanaryColumn, Invariant
    from uscdr.models.migrations import SourceArchive
    from uscdr.providers.ports.database import Scratch
    from uscdr.providers.ports.dns import Verifier, Zone
    from uscdr.providers.ports.media import Media
    from uscdr.providers.ports.platform import Backups, Deploys, Platform, Provisioning, SourceCode

T = TypeVar("T")


class Unavailable(UscdrError):
    """A part needs something that is not configured."""


@dataclass(frozen=True)
class Absent:
    """Replaces a missing port and gives the reason."""

    why: str


@dataclass(frozen=True)
class ProofShelf:
    """Earlier proofs, and the store for new ones. `fresh`: by the SHA-256 of a dump; neither raises."""

    fresh: Callable[[str], ProofDocument | None]
    keep: Callable[[ProofDocument], None]


@dataclass(frozen=True)
class Sources:
    """The sources of a kit. An Absent source becomes a gap of the kit."""

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
class BuildRequest:
    """The application to collect, and the options of the build."""

    app: str
    target: str
    identity: str = ""
    database: str = "DATABASE_URL"
    backup: str | None = None
    """The name of the backup to store (`b012`); None: the newest complete one."""
    damaged: frozenset[str] = frozenset()
    """Ids of backups of a damaged state: used only if named."""
    without: frozenset[PartName] = frozenset()
    invariants: Sequence[Invariant] = ()
    freshness: Sequence[str] = ()
    canaries: Sequence[CanaryColumn] = ()
    required: Sequence[str] = ()
    """Names of configuration variables that the application requires."""
    hostnames: Sequence[str] = ()
    """Hostnames in addition to those that the platform knows."""
    scenarios_digest: str = ""
    unproven: bool = False
    """Store the dump without a proof."""
    key: str = ""
    """The variable with the key of the encrypted columns; empty: try none."""
    expected_tables: Sequence[str] = ()
    contacts: Sequence[KitContact] = ()
    rpo: float | None = None
    """Seconds."""
    audience: Path | None = None
    """The list of recipients of notices, encrypted already; None where there is none."""


class BuildReporter(Protocol):
    """Progress messages of a build. Called from several threads."""

    def say(self, text: str) -> None:
        """Show one sentence."""
        ...

    def progress(self, part: PartName, done: float, total: float | None, unit: str, /) -> None:
        """Show the progress of a part in `unit` (`B`, `files`)."""
        ...


@dataclass
class Gaps:
    """The gaps of one part so far."""

    found: list[KitGap] = field(default_factory=list)

    def note(self, what: str, why: str) -> None:
        """Record one gap."""
        self.found.append(KitGap(what=what, why=why))

    def attempt(self, what: str, ask: Callable[[], T], otherwise: T) -> T:
        """The answer of `ask`; on an error, `otherwise` and a gap."""
        try:
            return ask()
        except (ProviderError, Unavailable) as error:
            self.note(what, error.reason)
            return otherwise

    def part(self, name: PartName, summary: str) -> KitPart:
        """A collected part with what it lacks."""
        return KitPart(
            name=name, state="partial" if self.found else "complete", summary=summary, gaps=tuple(self.found)
        )


@dataclass(frozen=True)
class Gathering:
    """One running build. `work` is a private directory for plain files, removed afterwards."""

    sources: Sources
    request: BuildRequest
    writer: KitWriter
    work: Path
    tell: BuildReporter
    stop: threading.Event

    def check(self) -> None:
        """Raise Interrupted if the operator stopped the build."""
        if self.stop.is_set():
            raise Interrupted(
                "The operator interrupted the build. There is no kit.",
                next_action="Build again: uscdr kit build. Media in the store are not downloaded again.",
            )

    def watch(self, part: PartName, total: int | None = None) -> Callable[[int, int | None], None]:
        """A progress callback that also stops the work on request."""

        def report(done: int, of: int | None = None) -> None:
            self.check()
            self.tell.progress(part, done, of or total, "B")

        return report


def present(port: T | Absent) -> T:
    """The port. Raises Unavailable with the reason if it is missing."""
    if isinstance(port, Absent):
        raise Unavailable(port.why)
    return port


# The deployed code: a tarball of its commit, or at least the commit and the reason for the missing tarball.


_WHY: Mapping[str, str] = {
    "submodule": "Its content is in another repository. Keep a copy of that, too.",
    "Git LFS pointer": "Its content is in the LFS store of the repository. Keep a copy of that, too.",
    "git-annex pointer": "Its content is in an annex of the repository. Keep a copy of that, too.",
    "link out of the tree": "It points to a file outside of the commit.",
    "locked by git-crypt": "Only the git-crypt key decrypts it. Keep that key, too.",
}


def collect_code(gathering: Gathering, commit: str) -> tuple[KitPart, SourceFacts | None]:
    """Archive `commit`. Raises MachineError if the store's disk fails."""
    if not commit:
        return KitPart.missing("source", "The deployed commit is unknown (see the part app)."), None
    gaps = Gaps()
    archive = gaps.attempt(f"tarball of {commit}", lambda: _archive(gathering, commit), None)
    facts = SourceFacts(commit=commit) if archive is None else _keep(gathering, archive)
    for lack in facts.lacks:
        gaps.note(str(lack), _WHY[lack.what])
    gathering.writer.add_bytes("source", "source.json", facts.model_dump_json().encode())
    summary = f"commit {facts.commit[:12]}" + (
        f", {plural(facts.files, 'file')}" if facts.sha256 else ", not its files"
    )
    return gaps.part("source", summary).model_copy(update={"taken_at": datetime.now(UTC)}), facts


def _archive(gathering: Gathering, commit: str) -> SourceArchive:
    """Create the tarball. A failure of git or of the repository is a gap; later writes report a full disk."""
    try:
        return present(gathering.sources.source).archive(commit, gathering.work)
    except MachineError as error:
        raise Unavailable(error.reason) from error


def _keep(gathering: Gathering, archive: SourceArchive) -> SourceFacts:
    file = Path(archive.path)
    try:
        gathering.writer.add_file("source", "source.tar.gz", file)
    finally:
        file.unlink(missing_ok=True)
    return SourceFacts(
        commit=archive.commit,
        sha256=archive.sha256,
        bytes=archive.size,
        files=len(archive.files),
        procfile=archive.procfile,
        migrations=archive.migrations,
        replaces=archive.replaces,
        lacks=archive.lacks,
    )
