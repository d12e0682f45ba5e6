"""The code that runs: a tarball of the deployed commit, or at least which commit it is and why not more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from uscdr.errors import MachineError
from uscdr.models.provision import SourceArchive
from uscdr.vault.collect.sources import Gaps, Gathering, Unavailable, in_words, missing, part_of, present
from uscdr.vault.content import SourceFacts
from uscdr.vault.manifest import Part

_WHY: Mapping[str, str] = {
    "submodule": "Its content is in another repository: keep a copy of that, too.",
    "Git LFS pointer": "Its content is in the LFS store beside the repository: keep a copy of that, too.",
    "git-annex pointer": "Its content is in an annex beside the repository: keep a copy of that, too.",
    "link out of the tree": "It leads to a file that no commit holds.",
    "locked by git-crypt": "Only who has the git-crypt key can read it: keep that key, too.",
}


def collect(gathering: Gathering, commit: str) -> tuple[Part, SourceFacts | None]:
    """Archive `commit`. Raises MachineError when the store's disk fails."""
    if not commit:
        return missing("source", "Which commit runs is not known (see the part app)."), None
    gaps = Gaps()
    archive = gaps.attempt(f"tarball of {commit}", lambda: _archive(gathering, commit), None)
    facts = SourceFacts(commit=commit) if archive is None else _keep(gathering, archive)
    for lack in facts.lacks:
        gaps.note(str(lack), _WHY[lack.what])
    gathering.writer.add_bytes("source", "source.json", facts.model_dump_json().encode())
    summary = f"commit {facts.commit[:12]}" + (f", {facts.files} files" if facts.sha256 else ", not its files")
    return part_of("source", gaps, summary).model_copy(update={"taken_at": datetime.now(UTC)}), facts


def _archive(gathering: Gathering, commit: str) -> SourceArchive:
    """What this machine's git cannot do is a gap like what the repository refuses; a full disk shows soon enough."""
    try:
        return present(gathering.sources.source).archive(commit, gathering.work)
    except MachineError as error:
        raise Unavailable(in_words(error)) from error


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
