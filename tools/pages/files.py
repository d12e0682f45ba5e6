"""Where the generated pages lie in the checkout, and whether they are up to date."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tools.pages import man, markdown
from tools.pages.tree import program

DOCS = Path(__file__).resolve().parents[2] / "docs"
MAN = DOCS / "man"


@cache
def expected() -> Mapping[str, str]:
    """The text of each page, by its path below `docs/`."""
    from uscdr import __version__

    found = program()
    pages = {f"man/{name}": text for name, text in man.pages(found, __version__).items()}
    return {**pages, "commands.md": markdown.reference(found)}


def outdated(pages: Mapping[str, str]) -> list[str]:
    """Names of pages that are missing or differ, and of manual pages of commands that are gone."""
    stale = [name for name, text in pages.items() if not (path := DOCS / name).is_file() or path.read_text() != text]
    return stale + [f"man/{path.name}" for path in sorted(MAN.glob("*.1")) if f"man/{path.name}" not in pages]


def write(pages: Mapping[str, str]) -> None:
    """Write every page; manual pages of commands that are gone are removed."""
    MAN.mkdir(exist_ok=True)
    for path in MAN.glob("*.1"):
        path.unlink()
    for name, text in pages.items():
        (DOCS / name).write_text(text)
