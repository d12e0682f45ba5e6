"""Whether a dump's table of contents and its rows belong together: what pg_restore passes over without a word.

An entry whose section is none that it knows, or whose mark for rows is lost, is left out by pg_restore, which
ends well all the same. Nothing of that format has a checksum but each table's rows, and those only when they are
compressed by gzip. So the entries are compared here with the blocks that follow them.
"""

from __future__ import annotations

from pathlib import Path

from uscdr.errors import CheckFailed, MachineError
from uscdr.providers.postgres.contents import DATA, NO_SECTION, POST_DATA, PRE_DATA, Reader, Torn
from uscdr.reading import opened
from uscdr.words import first_of

_SECTIONS = frozenset({NO_SECTION, PRE_DATA, DATA, POST_DATA})


def check(dump: Path) -> None:
    """Compare entries and blocks; less than half a second for a gigabyte. Memory is that of the entries.

    Raises:
        CheckFailed: pg_restore would leave something out; says what, by table and kind.
        MachineError: the file cannot be read.
    """
    try:
        with opened(dump) as file:
            complaint = _complaint(Reader(file))
    except OSError as error:
        raise MachineError(f"{dump} cannot be read.", why=error.strerror or type(error).__name__) from error
    if complaint:
        raise CheckFailed(
            "the dump is damaged: a restore would leave something out without an error",
            why=complaint,
            next_action="choose another backup, or fetch this one again",
        )


def _complaint(reader: Reader) -> str:
    try:
        if not reader.readable():
            return ""
        entries = list(reader.entries())
    except Torn as error:
        return str(error)
    names = {one.number: f"{one.kind} {one.name}".strip() for one in entries}
    strange = [names[one.number] for one in entries if one.section not in _SECTIONS or one.rows not in (0, 1)]
    if strange:
        return f"entries that no restore would carry out: {first_of(strange)}"
    wanted = {one.number for one in entries if one.rows}
    found = reader.blocks(frozenset(wanted))
    if found - wanted:
        return "it holds rows that its table of contents does not know"
    if lacking := [names[one.number] for one in entries if one.rows and one.number not in found]:
        return f"no rows were found for {first_of(lacking)}"
    return ""
