"""Taking parts of a kit out, with the reader that recoveries use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from uscdr.assembly.escrow import identity_file
from uscdr.assembly.job import Surroundings
from uscdr.cli.invocation import Globals, clear_up, state
from uscdr.cli.kitlook import Wanted
from uscdr.cli.speech import Speech
from uscdr.errors import Interrupted
from uscdr.journal import runs
from uscdr.leftovers import workplace
from uscdr.session import surroundings
from uscdr.settings import user_path
from uscdr.ui.console import Output
from uscdr.ui.tables import show_table
from uscdr.vault.extract import NAMELESS, Extracted, extract
from uscdr.vault.manifest import PartName
from uscdr.vault.reader import KitReader
from uscdr.vault.seal import identities
from uscdr.words import size


def restore(given: Globals, wanted: Wanted, parts: Sequence[PartName], into: Path, *, as_json: bool) -> None:
    """Write them, and say where they are and that they are in the clear."""
    output = given.output(json_lines=as_json)
    keys = identities(identity_file(wanted.identity, os.environ))
    store, kit = wanted.find(given)
    given.warn_of(wanted.identity)
    clear_up(output)
    speech, once = Speech(output), tuple(dict.fromkeys(parts))
    with (
        surroundings(output, state(), os.environ) as around,
        workplace(state(), runs.new_run_id("kit")) as place,
    ):

        def step(part: PartName, number: int, total: int) -> None:
            _check(around)
            speech.progress(part, number, total, "files")

        def opened(work: Path) -> KitReader:
            reader = KitReader(store, kit, keys, work, lambda _: _check(around))
            for doubt in reader.doubts:
                output.warn(doubt.message)
            return reader

        done = extract(opened, once, user_path(into).absolute(), step, place)
    show_table([_record(one) if output.json_lines else _row(one) for one in done], output)
    _warn(done, output)


def _check(around: Surroundings) -> None:
    """Raise Interrupted when the operator asked to stop."""
    if around.stop.event.is_set():
        raise Interrupted(
            "Interrupted: not every file was written.",
            next_action="Those that were are whole. Remove them and give the command again, or name another directory.",
        )


def _record(one: Extracted) -> dict[str, object]:
    return {
        "part": one.part, "files": one.files, "bytes": one.bytes, "where": str(one.where), "nameless": one.nameless
    }  # fmt: skip


def _row(one: Extracted) -> dict[str, object]:
    return {"part": one.part, "files": one.files, "size": size(one.bytes), "where": str(one.where)}


def _warn(done: Sequence[Extracted], output: Output) -> None:
    nameless = sum(one.nameless for one in done)
    if nameless:
        output.warn(f"{nameless:,} media files could not keep their names: see {NAMELESS}/, named by digests.")
    output.warn("These files are NOT ENCRYPTED. Remove them when they are no longer needed.")
