"""What a PostgreSQL server lacks for a dump that may be sound: ICU, a locale, an extension, a library.

Only names are repeated, and only such as no row's value looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from uscdr.errors import MachineError
from uscdr.words import first_of

_WORD = r'"([\w.$/@+ -]{1,80})"'
_LACKS: tuple[tuple[re.Pattern[str], str], ...] = (
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
SCRATCH = "Prove it on a PostgreSQL server that has it: --scratch postgresql://…, or USCDR_SCRATCH"


def lack(message: str) -> str:
    """What the server's `message` says that it lacks; empty when it says something else."""
    for pattern, words in _LACKS:
        if found := pattern.match(message):
            return words.format(*found.groups())
    return ""


def lacking(what: Iterable[str], server: str, way_on: str = SCRATCH) -> MachineError:
    """The error: the server lacks `what`. `server` is `this machine's PostgreSQL`, or that at its address."""
    return MachineError(
        f"{server} lacks {first_of(_each_once(what))}", why="the dump itself may be sound", next_action=way_on
    )


def too_old(version: int, dumped_from: int, server: str) -> MachineError:
    """The error: a dump of a newer PostgreSQL may say what this server does not understand. Major versions."""
    return lacking([f"what PostgreSQL {dumped_from} has: it is version {version}"], server)


def _each_once(what: Iterable[str]) -> list[str]:
    """ICU once, with the collation that needs it where that is known."""
    found = list(dict.fromkeys(what))
    named = any(one.startswith("ICU (") for one in found)
    return [one for one in found if one != "ICU" or not named]
