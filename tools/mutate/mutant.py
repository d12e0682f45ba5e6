"""One fault put in by hand, found by its text: modules may be moved and merged, and the fault stays the same."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

PRODUCT = Path("src/uscdr")
_LEFT_OUT = "sandbox"
"""The fake platform is measured by nobody here."""
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Mutant:
    """`old` occurs once in the product, however it is wrapped, and becomes `new`.

    `tests`: what is given to pytest to find it. `survives`: why no test can find it; empty when one must.
    """

    id: str
    old: str
    new: str
    means: str
    tests: tuple[str, ...]
    survives: str = ""


@dataclass(frozen=True)
class Place:
    """Where `old` stands: characters of a file's text."""

    path: Path
    """From the top of the tree."""
    start: int
    end: int


class NotApplicable(Exception):
    """The text is not there, or more than once, or what becomes of it is no Python."""


def sources(tree: Path) -> dict[Path, str]:
    """Every module of the product but the fake platform: path from the top of the tree -> text."""
    found = sorted((tree / PRODUCT).rglob("*.py"))
    wanted = (path.relative_to(tree) for path in found)
    return {path: (tree / path).read_text() for path in wanted if path.parts[2] != _LEFT_OUT}


def place(mutant: Mutant, texts: dict[Path, str]) -> Place:
    """The one place where the mutant's text stands. Raises NotApplicable."""
    pattern = re.compile(_pattern(mutant.old))
    found = [
        Place(path, match.start(), match.end()) for path, text in texts.items() for match in pattern.finditer(text)
    ]
    if len(found) != 1:
        where = ", ".join(str(one.path) for one in found[:3])
        raise NotApplicable(f"its text is there {len(found)} times {where}".strip())
    return found[0]


def mutated(mutant: Mutant, text: str, at: Place) -> str:
    """The module's text with the fault in it. Raises NotApplicable."""
    indent = re.search(r"[ \t]*\Z", text[: at.start])
    new = textwrap.indent(mutant.new, indent[0] if indent else "").lstrip()
    changed = text[: at.start] + new + text[at.end :]
    try:
        compile(changed, str(at.path), "exec")
    except SyntaxError as error:
        raise NotApplicable(f"no Python afterwards: {error.msg}") from error
    if changed == text:
        raise NotApplicable("it changes nothing")
    return changed


def chosen(mutants: Sequence[Mutant], wanted: Iterable[str]) -> tuple[Mutant, ...]:
    """Those whose id begins with one of `wanted`; all of them when nothing is wanted."""
    beginnings = tuple(wanted)
    return tuple(one for one in mutants if not beginnings or one.id.startswith(beginnings))


def _pattern(old: str) -> str:
    """The same tokens with any space between them, and a comma that a formatter puts before a closing bracket."""
    tokens = _TOKEN.findall(old)
    parts = [re.escape(tokens[0])]
    for before, token in pairwise(tokens):
        gap = r"\s+" if _is_word(before) and _is_word(token) else r"\s*"
        parts += [r",?" if token in ")]}" and before != "," else "", gap, re.escape(token)]
    edges = (r"(?<!\w)" if _is_word(tokens[0]) else "", r"(?!\w)" if _is_word(tokens[-1]) else "")
    return edges[0] + "".join(parts) + edges[1]


def _is_word(token: str) -> bool:
    return re.fullmatch(r"\w+", token) is not None
