"""Restoring a kit's dump on this machine: what `uscdr kit check --restore` adds to the look at every object."""

from __future__ import annotations

import os

from uscdr.assembly import vault
from uscdr.assembly.job import Surroundings
from uscdr.assembly.ports import local_scratch
from uscdr.cli.backupproof import show_proof
from uscdr.cli.invocation import Globals, state
from uscdr.cli.kitlook import Opening
from uscdr.cli.speech import Speech
from uscdr.journal import runs
from uscdr.leftovers import workplace
from uscdr.providers.ports.progress import Progress
from uscdr.scenarios.backups.kitproof import prove_kit
from uscdr.session import surroundings
from uscdr.ui.console import Output
from uscdr.vault.reader import KitReader


def restores(given: Globals, opening: Opening, output: Output) -> bool:
    """Whether its dump satisfies the invariants; what it showed is said. No provider is asked.

    Raises CheckFailed when there is no dump, or a damaged one; MachineError, Interrupted.
    """
    config, speech = given.loaded().config, Speech(output)
    with (
        surroundings(output, state(), os.environ) as around,
        workplace(state(), runs.new_run_id("kit")) as work,
        local_scratch(work / "server", around.stop.event) as scratch,
    ):
        decrypting = _watch(around, speech, "decrypting")
        reader = KitReader(opening.store, opening.kit, opening.keys, work, lambda done: decrypting(done, None))
        restoring = _watch(around, speech, "restoring the dump on this machine")
        proof = prove_kit(reader, config, vault.decode, scratch, restoring)
    show_proof(proof, None, output)
    return proof.sound


def _watch(around: Surroundings, speech: Speech, note: str) -> Progress:
    def report(done: int, total: int | None) -> None:
        around.stop.check()
        speech.progress(note, float(done), float(total) if total else None, "B")

    return report
