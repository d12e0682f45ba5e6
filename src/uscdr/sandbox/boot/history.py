"""What the origin holds when the sandbox comes up: the code that runs, and for the clinic what ran before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from uscdr.sandbox.boot.source import CLINIC, Source, files
from uscdr.sandbox.builds.origin import MAIN, File, Origin

_PAGE = "frontend/dist/index.html"
_TITLE, _FORMER_TITLE = b"USC patient information system", b"USC-PIS"


@dataclass(frozen=True)
class History:
    """Commits, oldest first; the last one is what `main` names."""

    commits: tuple[str, ...]


def write(origin: Origin, source: Source) -> History:
    """Create the origin and commit the tree. Blocks for some tens of milliseconds."""
    origin.create()
    if source.root != CLINIC:
        return History((origin.commit(MAIN, "The app", files(source)),))
    former = origin.commit(MAIN, "The clinic", _former(source))
    page = {_PAGE: (source.root / _PAGE).read_bytes()}
    return History((former, origin.edit(MAIN, "Give the page its full title", page, parent=former)))


def _former(source: Source) -> Iterator[File]:
    for one in files(source):
        if one.path != _PAGE:
            yield one
        elif _TITLE in one.content:
            yield replace(one, content=one.content.replace(_TITLE, _FORMER_TITLE))
        else:
            raise RuntimeError(f"{_PAGE} does not have the title that its history changes")
