"""What may be shown of pg_restore's errors: its own words, and the server's when they are known to be safe.

The server's message may hold a row's values, between quotation marks or, when a function of the
application raises it, anywhere. So it is shown whole only when it names just a table and the violated constraint.
Otherwise it is shown up to the first quotation mark, if it starts like one of PostgreSQL's own messages. DETAIL,
CONTEXT, HINT and commands are dropped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

from uscdr.errors import MachineError
from uscdr.models.postgres import of_names
from uscdr.words import first_of

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a PostgreSQL server lacks for a valid dump: ICU, a locale, an extension, a library.


_WORD = r'"([\w.$/@+ -]{1,80})"'
_LACKING: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"ICU is not supported in this build"), "ICU"),
    (re.compile(rf'could not open collator for locale {_WORD}'), "ICU's locale {}"),
    (re.compile(r'collation "(?:pg_catalog\.)?([\w@-]+-x-icu|unicode|und)" for encoding "\w+" does not exist'),
     "ICU (collation {})"),
    (re.compile(r'collation "pg_catalog\.([\w.@-]+)" for encoding "\w+" does not exist'), "the locale {}"),
    (re.compile(rf"could not create locale {_WORD}"), "the locale {}"),
    (re.compile(rf"invalid locale name {_WORD} for builtin provider"), "the locale {}"),
    (re.compile(rf"extension {_WORD} is not available"), "the extension {}"),
    (re.compile(r'could not open extension control file "[^"]*/([\w-]+)\.control"'), "the extension {}"),
    (re.compile(r'could not access file "(?:\$libdir/)?([\w./-]+)": No such file'), "the library {}"),
)  # fmt: skip
SCRATCH = "Prove the backup on a PostgreSQL server that has it: --scratch postgresql://…, or USCDR_SCRATCH."


def first_upper(words: str) -> str:
    """The words as the beginning of a sentence."""
    return words[:1].upper() + words[1:]


def lack(message: str) -> str:
    """What the server lacks, by its `message`; empty for any other message."""
    for pattern, words in _LACKING:
        if found := pattern.match(message):
            return words.format(*found.groups())
    return ""


def lacking(what: Iterable[str], server: str, way_on: str = SCRATCH) -> MachineError:
    """The error: the server lacks `what`. `server` is `this machine's PostgreSQL`, or that at its address."""
    return MachineError(
        f"{first_upper(server)} lacks {first_of(_each_once(what))}.",
        why="The dump itself may be valid.",
        next_action=way_on,
    )


def too_old(version: int, dumped_from: int, server: str) -> MachineError:
    """The error for a dump of a newer PostgreSQL, which this server may not understand. Major versions."""
    return lacking([f"features of PostgreSQL {dumped_from}: it is version {version}"], server)


def _each_once(what: Iterable[str]) -> list[str]:
    """Lists ICU once, with the collation that needs it if that is known."""
    found = list(dict.fromkeys(what))
    named = any(one.startswith("ICU (") for one in found)
    return [one for one in found if one != "ICU" or not named]


_OWN = re.compile(r"^pg_restore: (?:error|fatal): (?P<text>.*)")
_SERVER = re.compile(
    r'^(?P<place>could not execute query|COPY failed for table "[^"]*"|error returned by PQ\w+)'
    r":? *(?:ERROR|FATAL|PANIC): *(?P<message>.*)"
)
_LACKS = "the server lacks "
_BROKEN_RULE = " violates "
"""Marks a server message about a constraint; any other message may come from the application's own function."""
_WITHHELD = "uscdr does not show the server's message: it may quote rows"

# The beginnings of PostgreSQL's messages during a restore, up to the first value.
_KNOWN = (
    "cannot ",
    "character with byte sequence",
    "check constraint ",
    "collation ",
    "column ",
    "conflicting ",
    "could not ",
    "current transaction is aborted",
    "database ",
    "date/time field value out of range",
    "deadlock detected",
    "division by zero",
    "duplicate key value violates",
    "extension ",
    "extra data after last expected column",
    "function ",
    "insert or update on table",
    "integer out of range",
    "invalid byte sequence",
    "invalid command",
    "invalid input syntax",
    "invalid input value",
    "invalid memory alloc request size",
    "invalid value for parameter",
    "language ",
    "literal ",
    "missing data for column",
    "must be able to set role",
    "must be owner of",
    "must be superuser",
    "new row for relation",
    "no partition of relation",
    "no schema has been selected",
    "null value in column",
    "numeric field overflow",
    "only superuser",
    "operator ",
    "out of memory",
    "permission denied",
    "publication ",
    "relation ",
    "role ",
    "schema ",
    "server closed the connection",
    "syntax error",
    "terminating connection",
    "trigger ",
    "type ",
    "unexpected message type",
    "unrecognized configuration parameter",
    "unsupported ",
    "value ",
)
_RIGHTS = ("permission denied", "must be superuser", "must be owner of", "must be able to set role", "only superuser")
_GONE = (
    "server closed the connection",
    "terminating connection",
    "connection to server",
    "no connection to the server",
)
_DEAD_WORKER = ("a worker process died", "worker process failed")

_MACHINE = (
    "could not extend file",
    "could not write",
    "could not open file",
    "out of memory",
    "no space left",
    "server closed the connection",
    "terminating connection",
    "could not connect",
    "connection to server",
    "could not create communication",
    "could not open input file",
    "could not fork",
)


class Complaint(str):
    """One error of pg_restore, as far as it may be shown: no value of a row."""

    @classmethod
    def all_in(cls, lines: Iterable[str]) -> list[Self]:
        """The errors in pg_restore's standard error, in order."""
        return [cls(reason) for reason in map(_reason, lines) if reason]

    @property
    def blames_machine(self) -> bool:
        """Whether it is about this machine's disk, memory or server, not about the dump."""
        return any(phrase in self.lower() for phrase in _MACHINE)

    @property
    def lacks(self) -> str:
        """What the server lacks; empty if it is about something else."""
        return self.partition(_LACKS)[2]

    @property
    def is_about_permissions(self) -> bool:
        """Whether the role lacks a permission."""
        return any(f": {words}" in self.lower() for words in _RIGHTS)

    @property
    def tells_of_dead_server(self) -> bool:
        """Whether the server has ended."""
        return any(words in self.lower() for words in _GONE)

    @property
    def tells_of_dead_worker(self) -> bool:
        """Whether it says only that one of pg_restore's own processes has ended."""
        return self.lower().startswith(_DEAD_WORKER)


def _reason(line: str) -> str | None:
    own = _OWN.match(line)
    if own is None:
        return None
    text = own["text"]
    server = _SERVER.match(text)
    if server is not None:
        return f"{server['place']}: {_known_part(server['message'])}"
    if "ERROR:" in text or "FATAL:" in text:
        return _WITHHELD
    return text.partition('"')[0].strip()


def _known_part(message: str) -> str:
    if what := lack(message):
        return f"{_LACKS}{what}"
    if _BROKEN_RULE in message and (told := of_names(message.rstrip())):
        return told
    if not message.lower().startswith(_KNOWN):
        return _WITHHELD
    return message.partition('"')[0].rstrip(": ")
