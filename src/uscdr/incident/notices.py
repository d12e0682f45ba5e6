"""Texts of notices: templates filled with facts. The operator's own templates come before the packaged ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from uscdr.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2.sandbox import SandboxedEnvironment

    from uscdr.models.incidents import Readers, Stage

SUBJECT = "Subject: "
LONGEST_SUBJECT, LONGEST_TEXT = 200, 8000


@dataclass(frozen=True)
class NoticeFacts:
    """What a template can say, in words. An unknown fact says so; an optional one is empty."""

    incident: str
    service: str
    target: str
    what: str
    severity: str
    impact: str
    lead: str
    outage: str
    """Since when the service is down."""
    detected: str
    down_for: str
    expected: str
    """When service is expected back, or that this is not known."""
    next_update: str
    progress: str = ""
    issues: tuple[str, ...] = ()
    restored: str = ""
    verified: str = ""
    lost: str = "not known"
    entries_lost: str = ""
    """When users entered what is lost, e.g. `between 02:00 and 02:10 UTC on 2026-11-28`; empty if nothing is."""
    summary: str = ""
    contact: str = ""
    """How else users reach the service meanwhile."""
    review_by: str = ""
    message: str = ""
    """The operator's own sentence."""


@dataclass(frozen=True)
class Draft:
    """A notice before it is confirmed."""

    subject: str
    text: str


def composed(stage: Stage, readers: Readers, facts: NoticeFacts, own: Path) -> Draft:
    """The text by the template `GROUP-STAGE.txt.j2` in `own`, or else by the packaged one.

    Raises BadInput for a template that is wrong, with its file and line.
    """
    from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError

    name = f"{readers}-{stage}.txt.j2"
    try:
        text = _environment(own).get_template(name).render(**asdict(facts))
    except TemplateSyntaxError as error:
        raise _wrong(own / name, f"line {error.lineno}: {error.message}") from None
    except UndefinedError as error:
        raise _wrong(own / name, f"{error.message}") from None
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
        raise _wrong(own / name, type(error).__name__) from None
    return _split(text, own / name)


def _split(text: str, path: Path) -> Draft:
    head, _, body = text.strip().partition("\n")
    subject, body = head.removeprefix(SUBJECT).strip(), body.strip()
    if not head.startswith(SUBJECT) or not subject or not body:
        raise _wrong(path, f"it must begin with “{SUBJECT.strip()}” and have a text after it")
    if not subject.isprintable():
        raise _wrong(path, "its subject has control characters")
    if len(body) > LONGEST_TEXT:
        raise _wrong(path, f"its text has more than {LONGEST_TEXT:,} characters")
    return Draft(_shortened(subject), _tidy(body) + "\n")


def _shortened(subject: str) -> str:
    """A subject that a long --what made too long ends with …: the text has all of it."""
    return subject if len(subject) <= LONGEST_SUBJECT else f"{subject[: LONGEST_SUBJECT - 1].rstrip()}…"


def _tidy(text: str) -> str:
    """Without lines of blanks at their ends, and with at most one empty line in a row."""
    lines: list[str] = []
    for line in (one.rstrip() for one in text.splitlines()):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip()


def _environment(own: Path) -> SandboxedEnvironment:
    """Templates see the facts and nothing else: they are files that anybody of the team may have written."""
    from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(own), PackageLoader("uscdr.incident")]),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _wrong(path: Path, why: str) -> BadInput:
    return BadInput(
        f"uscdr cannot fill in the template of a notice, {path.name}.",
        why=f"{why}.",
        next_action=f"Correct {path}, or remove it to use the packaged text.",
    )
