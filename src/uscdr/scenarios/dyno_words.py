"""What the output of a one-off dyno may be quoted for: the reason of a failure, without a value of any row. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
_NAMES = re.compile(
    r"^(?:(?:relation|column|table|constraint|sequence|index|type|schema|extension|role|database|trigger|function) \S+"
    r"(?: of relation \S+)? (?:already exists|does not exist|contains null values|is not a table)"
    r"|column \S+ of relation \S+ (?:contains null values|already exists|does not exist)"
    r"|column \S+ contains null values"
    r"|null value in column \S+(?: of relation \S+)? violates not-null constraint"
    r"|(?:duplicate key value violates|could not create) unique (?:constraint|index) \S+"
    r"|(?:insert or update|update or delete) on table \S+ violates (?:foreign key|check) constraint \S+"
    r"(?: on table \S+)?"
    r"|check constraint \S+(?: of relation \S+)? is violated by some row"
    r"|new row for relation \S+ violates check constraint \S+"
    r"|permission denied for \S+ \S+|must be owner of \S+ \S+|permission denied to create \S+ \S+"
    r"|canceling statement due to (?:statement|lock) timeout|deadlock detected"
    r"|cannot alter type of a column used by a \S+.*|cannot drop \S+ \S+ because other objects depend on it"
    r"|cannot ALTER TABLE \S+ because it has pending trigger events"
    r"|no such (?:table|column): \S+)$"
)  # fmt: skip
"""What PostgreSQL says of names alone. Of its other words some quote what a row holds."""
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
    if short in _OWN_WORDS or _NAMES.match(words):
        return f"{short}: {words}".removesuffix(": ")
    return f"{short} (its words may quote a row and are not shown)" if words else short
