"""Looks for secrets and patients' data in a text before it leaves this machine: patterns, and words that are known.

A finding names its line and its kind, never its words. A false alarm is answered by other words: a notice needs
neither numbers of persons nor keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECRETS = {
    "a private key": r"AGE-SECRET-KEY-|-----BEGIN [A-Z ]*PRIVATE KEY",
    "an address with a password": r"[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@",
    "an access token": r"\b(?:HRKU-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk_(?:live|test)_|SG\.|AKIA)[\w.-]{8,}",
    "a signed token": r"\beyJ[\w-]{8,}\.[\w-]{8,}",
    "the address of a webhook": r"hooks\.slack\.com/|discord(?:app)?\.com/api/webhooks/|webhook\.office\.com/",
    "a key in the form of a UUID": r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
    "a long key": r"\b(?=[A-Za-z0-9+/_=-]*\d)(?=[A-Za-z0-9+/_=-]*[A-Za-z])[A-Za-z0-9+/_=-]{32,}",
    "a password": r"\b(?:password|passwd|passphrase|secret|api[ _-]?key|token)\b\s*(?:=|:|\bis\b)\s*\S{4,}",
}
_PERSONS = {
    "an e-mail address": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "a telephone number": r"(?<![\w:.-])\+?\d[\d ()-]{7,}\d(?![\w:-])",
    "a date of birth": r"\b(?:born|birth(?:day|date)?|DOB)\b.{0,20}\d",
    "a number of a person": r"\b(?:patient|student|record|case|chart|MRN|ID)\s*(?:no\.?|number|id|#)?\s*[:#]?\s*\d{3,}",
    "a named patient": r"(?-i:\b[Pp]atient(?:'s name)?:?\s+(?!Records?\b|Care\b|Data\b)[A-Z][a-z]+\s+[A-Z][a-z]+)",
    "a diagnosis": r"\b(?:diagnos\w*|ICD-?10|prescri\w*|HIV|AIDS|pregnan\w*|allerg\w*|medicat\w*)\b"
    r"|\b[A-TV-Z]\d\d\.\d{1,2}\b",
    "a value of a row": r"\(\w+(?:, \w+)*\)=\(",
}
_PATTERNS = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in (_SECRETS | _PERSONS).items()]
_TIMES = re.compile(r"\b20[2-9]\d-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?")
"""Times of this incident, which are no telephone numbers; a date of birth has another year."""
_WORD = re.compile(r"\w+")
LONGEST_PHRASE = 5
"""Words of a phrase that is looked up among the words that are known."""


@dataclass(frozen=True)
class ScreeningFinding:
    """A place in a text that must not leave this machine."""

    line: int
    """From 1; 0 is the subject."""
    kind: str

    def words(self) -> str:
        """For a person."""
        return f"{'the subject' if self.line == 0 else f'line {self.line}'} has {self.kind}"


@dataclass(frozen=True)
class Screening:
    """What is looked for. `redact` names the secrets that this process knows; `is_private` knows words of patients."""

    redact: Callable[[str], str]
    is_private: Callable[[str], bool] | None = None
    """Whether a normalised phrase of one to five words is somebody's name or another value of a patient."""
    allowed: tuple[str, ...] = ()
    """Texts of the configuration that may stand in a notice, such as a telephone number of the clinic."""

    def findings(self, subject: str, text: str) -> tuple[ScreeningFinding, ...]:
        """Every finding, in order."""
        lines = [subject, *text.splitlines()]
        return tuple(found for number, line in enumerate(lines) for found in self._of_line(number, line))

    def require_clean(self, subject: str, text: str) -> None:
        """Raises BadInput that names line and kind of every finding."""
        found = self.findings(subject, text)
        if found:
            raise BadInput(
                f"uscdr does not send this notice: {'; '.join(one.words() for one in found)}.",
                why="A notice must not have secrets or patients' data.",
                next_action="Change the text (its template, --message, --what or --summary) and run the command again.",
            )

    def _of_line(self, number: int, line: str) -> Iterator[ScreeningFinding]:
        if self.redact(line) != line:
            yield ScreeningFinding(number, "a secret that uscdr works with")
        for text in sorted(self.allowed, key=len, reverse=True):
            line = line.replace(text, "…") if text else line
        plain = _TIMES.sub("…", line)
        yield from (ScreeningFinding(number, kind) for kind, pattern in _PATTERNS if pattern.search(plain))
        if self.is_private is not None and any(map(self.is_private, phrases(line))):
            yield ScreeningFinding(number, "a name or a value that the application has of a person")


def phrases(text: str) -> Iterator[str]:
    """Every run of one to five words of `text`, in lower case, with single blanks."""
    words = [word.casefold() for word in _WORD.findall(text)]
    for first in range(len(words)):
        for count in range(1, min(LONGEST_PHRASE, len(words) - first) + 1):
            yield " ".join(words[first : first + count])
