"""Proving backups: from their copy when its key is at hand, else from what the platform has of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from uscdr.assembly import vault
from uscdr.cli.backupdesk import Desk, Wiring, desk
from uscdr.cli.backupproof import show_proof
from uscdr.cli.invocation import Globals
from uscdr.cli.speech import Speech
from uscdr.errors import CheckFailed, ExitCode
from uscdr.scenarios.backups.proof import prove_and_keep
from uscdr.scenarios.backups.questions import questions
from uscdr.vault.backups.catalog import Entry, find
from uscdr.vault.backups.proving import Questions


@dataclass(frozen=True)
class ProveOptions:
    """What stands on the command line."""

    backups: tuple[str, ...]
    to: str | None
    identity: Path | None
    passphrase_file: Path | None
    kit: str | None


def prove(given: Globals, wanted: ProveOptions, *, as_json: bool) -> int:
    """Prove each, keep the proofs, say what they showed; 1 when one is not good enough."""
    output = given.output(json_lines=as_json)
    keys = vault.reading_keys(wanted.identity, wanted.passphrase_file, os.environ)
    sound = True
    how = Wiring(wanted.to, kit=wanted.kit, identity=wanted.identity, keys=keys, writes=True)
    with desk(given, output, how) as work:
        given.warn_of(wanted.identity, wanted.passphrase_file)
        known = work.entries_if_it_answers()
        chosen = {entry.transfer_id: entry for entry in (find(known, one) for one in wanted.backups)}
        asked = questions(work.deps)
        for entry in chosen.values():
            sound = _proven(work, entry, asked) and sound
    return int(ExitCode.DONE if sound else ExitCode.CHECK_FAILED)


def _proven(work: Desk, entry: Entry, asked: Questions) -> bool:
    """One backup; a copy that turns out to be damaged is said to be so, and the next one's turn comes."""
    try:
        proof, name = prove_and_keep(work.deps, entry, asked, Speech(work.output))
    except CheckFailed as error:
        if work.output.json_lines:
            work.output.record({"backup": entry.name, "grade": "none", "why": error.message})
        work.output.warn(f"{entry.name}: {error.message} {error.why} {error.next_action}")
        return False
    show_proof(proof, name, work.output)
    return proof.sound
