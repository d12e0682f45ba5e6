"""Checks a kit: whether it is intact, complete and fresh enough for a rebuild; restores parts of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from uscdr import cleanup
from uscdr.cleanup import workplace
from uscdr.commands.housekeeping import clear_up, state, warn_exposed
from uscdr.commands.kit_list import KitChoice, Opening
from uscdr.errors import BadInput, ExitCode, Interrupted
from uscdr.journal import runs
from uscdr.kit.check import Deployed, Examination
from uscdr.kit.export import AUDIENCE, NAMELESS, Extracted, extract
from uscdr.kit.freshness import Freshness, Seen
from uscdr.kit.reader import KitReader
from uscdr.report.backups import show_proof
from uscdr.report.kits import show_examination
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.backup_proof import prove_kit
from uscdr.settings import user_path
from uscdr.store.encryption import Identity
from uscdr.ui.console import ConsoleReporter
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import Row, show_table
from uscdr.wiring import adapters, stores
from uscdr.wiring.kits import identity_file, ill_kept, media_of
from uscdr.wiring.session import process
from uscdr.words import plural, size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from uscdr.engine.wait import Stop
    from uscdr.kit.manifest import ObjectKind
    from uscdr.providers.ports.progress import Progress
    from uscdr.scenarios.config import Config
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target
    from uscdr.wiring.targets import Targets


@dataclass(frozen=True)
class CheckOptions:
    """The command-line options of `kit check`. `minimum`: freshness points."""

    wanted: KitChoice
    online: bool = False
    restore: bool = False
    minimum: int | None = None

    def __post_init__(self) -> None:
        """Raises BadInput for --restore without an identity file."""
        if self.restore and self.wanted.identity is None:
            raise BadInput(
                "uscdr cannot restore the kit's dump without the identity file.",
                next_action="Pass the identity file: uscdr kit check --restore --identity FILE",
            )


def check_kit(targets: Targets, output: Output, asked: CheckOptions) -> int:
    """Check every object; return 1 when the kit is damaged, incomplete or not fresh enough."""
    store, kit = asked.wanted.find(targets)
    keys = Identity.read(asked.wanted.identity) if asked.wanted.identity is not None else ()
    for words in ill_kept(asked.wanted.identity, os.environ) if asked.wanted.identity is not None else ():
        output.warn_once(f"Warning: {words}")
    speech = ConsoleReporter(output)
    with cleanup.workplace(state(), runs.new_run_id("kit")) as work:
        found = Examination.of(
            store, kit, keys, work, lambda done, total: speech.progress("checking", done, total, "objects")
        )
    seen = _seen_of(found)
    fresh = Freshness.of(_compared(targets.find(), seen, output) if asked.online else seen)
    enough = asked.minimum is None or fresh.score >= asked.minimum
    show_examination(found, fresh, asked.minimum, output)
    shown = not asked.restore or _restores(targets.loaded().config, Opening(store, kit, keys), output)
    return int(ExitCode.DONE if found.sound and found.card.complete and enough and shown else ExitCode.CHECK_FAILED)


def _seen_of(found: Examination) -> Seen:
    """The facts that decide its freshness."""
    return Seen(
        at=datetime.now(UTC), card=found.card, damaged=len(found.lost), rpo=found.card.rpo,
        manifest=found.manifest, commit=found.commit, media=found.media,
    )  # fmt: skip


def _compared(target: Target, seen: Seen, output: Output) -> Seen:
    """The same facts, with what is deployed and the RPO of today, from read-only adapters."""
    app = target.services.heroku.app
    if seen.card.app != app:
        raise BadInput(
            f"The kit belongs to the application {seen.card.app}, but the target {target.name} is {app}.",
            next_action="Name the kit's target: uscdr --target NAME kit check --online",
        )
    with process(output, state(), os.environ) as this:
        context = this.on(target, Request("kit"), runs.new_run_id("kit"), dry_run=True)
        with adapters.opened(context) as deps:
            deployed = Deployed(app, deps.platform, deps.deploys, media_of(deps))
            return replace(seen, now=deployed.look(seen.manifest), rpo=target.config.objectives.rpo)


# Restores a kit's dump on this machine: what `uscdr kit check --restore` does besides the check of every object.


def _restores(config: Config, opening: Opening, output: Output) -> bool:
    """Whether its dump satisfies the invariants; prints the proof. Asks no provider.

    Raises CheckFailed for a missing or damaged dump; MachineError, Interrupted.
    """
    speech = ConsoleReporter(output)
    with (
        process(output, state(), os.environ) as this,
        workplace(state(), runs.new_run_id("kit")) as work,
        adapters.local_scratch(work / "server", this.stop.event) as scratch,
    ):
        decrypting = _watch(this.stop, speech, "decrypting")
        reader = KitReader(opening.store, opening.kit, opening.keys, work, lambda done: decrypting(done, None))
        restoring = _watch(this.stop, speech, "restoring the dump on this machine")
        proof = prove_kit(reader, config, stores.decode, scratch, restoring)
    show_proof(proof, None, output)
    return proof.sound


def _watch(stop: Stop, speech: ConsoleReporter, note: str) -> Progress:
    def report(done: int, total: int | None) -> None:
        stop.check()
        speech.progress(note, float(done), float(total) if total else None, "B")

    return report


# Restores parts of a kit into plain files, with the reader that recoveries use.


def restore(targets: Targets, output: Output, wanted: KitChoice, parts: Sequence[ObjectKind], into: Path) -> None:
    """Write the files, print where they are, and warn that they are not encrypted."""
    keys = Identity.read(identity_file(wanted.identity, os.environ))
    store, kit = wanted.find(targets)
    warn_exposed(output, wanted.identity)
    clear_up(output)
    speech, once = ConsoleReporter(output), tuple(dict.fromkeys(parts))
    with process(output, state(), os.environ) as this, workplace(state(), runs.new_run_id("kit")) as scratch:

        def step(part: ObjectKind, number: int, total: int) -> None:
            _check(this.stop)
            speech.progress(part, number, total, "files")

        def reading(work: Path) -> KitReader:
            reader = KitReader(store, kit, keys, work, lambda _: _check(this.stop))
            for doubt in reader.doubts:
                output.warn(doubt.message)
            return reader

        done = extract(reading, once, user_path(into).absolute(), step, scratch)
    rows: list[Row] = [_record(one) if output.json_lines else _row(one) for one in done]
    show_table(Schema.KIT_FILES, rows, output)
    _warn(done, output)


def _check(stop: Stop) -> None:
    """Raise Interrupted when the operator asked to stop."""
    if stop.event.is_set():
        raise Interrupted(
            "Interrupted before every file was written.",
            next_action="The written files are complete. Remove them and repeat the command, or pass another --into.",
        )


class _FilesObject(TypedDict):
    part: str
    files: int
    bytes: int
    where: str
    nameless: int


def _record(one: Extracted) -> _FilesObject:
    return {
        "part": one.part, "files": one.files, "bytes": one.bytes, "where": str(one.where), "nameless": one.nameless
    }  # fmt: skip


def _row(one: Extracted) -> dict[str, object]:
    return {"part": one.part, "files": one.files, "size": size(one.bytes), "where": str(one.where)}


def _warn(done: Sequence[Extracted], output: Output) -> None:
    nameless = sum(one.nameless for one in done)
    if nameless:
        kept = f"{plural(nameless, 'media file')} could not keep {'its name' if nameless == 1 else 'their names'}"
        output.warn(f"{kept}. See {NAMELESS}/, where digests are the names.")
    if any(one.part != AUDIENCE for one in done):
        output.warn("These files are NOT ENCRYPTED. Delete them when you no longer need them.")
