"""What the output of a one-off dyno may be quoted for: the reason of a failure, without a value of any row. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from uscdr.models.server_words import of_names

APPLYING = re.compile(r"Applying (?P<name>\w+\.\w+)\.\.\.(?P<rest>.*)")
UNKNOWN_COMMAND = re.compile(r"^Unknown command: '(?P<name>\w+)'", re.MULTILINE)
_ERROR = re.compile(
    r"^(?P<type>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|History|Failure|Warning|Exit|Configured|NotReady)):?\s*"
    r"(?P<words>.*)$"
)
_OWN_WORDS = frozenset({"CommandError", "ImproperlyConfigured", "ModuleNotFoundError", "ImportError",
                        "InconsistentMigrationHistory", "SystemCheckError", "NodeNotFoundError",
                        "CircularDependencyError", "AppRegistryNotReady"})  # fmt: skip
"""Errors whose words name parts of the code, never what a table holds."""
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|“[^”]*”|\([^)]*\)=\([^)]*\)")
_IDENTIFIER = re.compile(r"[\"'][A-Za-z_][A-Za-z0-9_.]{0,62}[\"']")
LONGEST = 300


def reason(output: str) -> str:
    """Why a command of Django failed: its last error, `Type: words`; empty when the output tells none."""
    found = [line for line in map(_of_line, _lines(output)) if line]
    return found[-1][:LONGEST] if found else ""


def migration_that_failed(output: str) -> str:
    """`app.name` of the migration that was begun and did not end well; empty when none was."""
    begun = [match for line in _lines(output) if (match := APPLYING.search(line))]
    return begun[-1]["name"] if begun and "OK" not in begun[-1]["rest"] else ""


def applied_before(output: str) -> tuple[str, ...]:
    """Those that ended well before it."""
    begun = (APPLYING.search(line) for line in _lines(output))
    return tuple(match["name"] for match in begun if match and "OK" in match["rest"])


def lacks_command(output: str, command: str) -> bool:
    """Whether Django does not know the command at all."""
    match = UNKNOWN_COMMAND.search(output.replace("\r", ""))
    return match is not None and match["name"] == command


def quotable(line: str) -> str:
    """A line of the application's own, with everything in quotation marks hidden that is no plain name."""
    shown = _QUOTED.sub(lambda found: found[0] if _IDENTIFIER.fullmatch(found[0]) else "…", line)
    return shown[:LONGEST]


def _lines(output: str) -> Iterator[str]:
    return (line.strip() for line in re.split(r"[\r\n]+", output))


def _of_line(line: str) -> str:
    match = _ERROR.match(line)
    if match is None:
        return ""
    whole, words = match["type"], match["words"].strip()
    short = whole.rpartition(".")[2]
    if short in _OWN_WORDS or of_names(words):
        return f"{short}: {words}".removesuffix(": ")
    return f"{short} (its words may quote a row and are not shown)" if words else short
