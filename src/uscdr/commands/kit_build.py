"""Building escape kits: options and configuration become ports, wishes and a store."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from uscdr.backups.proofs import ProofDocument
from uscdr.commands import backup as backups
from uscdr.commands import run
from uscdr.commands.invocation import Invocation, clear_up, state
from uscdr.commands.kit_list import contacts_of, places
from uscdr.commands.recover import check_form
from uscdr.errors import BadInput, ExitCode, UscdrError
from uscdr.journal import runs
from uscdr.kit.build import Built, build
from uscdr.kit.check import LOST, Examination
from uscdr.kit.collect.sources import Absent, ProofShelf, Sources, Wishes
from uscdr.models.base import aged
from uscdr.scenarios.adapters import Adapters, Request
from uscdr.store.encryption import Recipient
from uscdr.store.store import Store
from uscdr.ui.console import Output
from uscdr.ui.reporter import ConsoleReporter
from uscdr.ui.tables import show_table
from uscdr.wiring import stores
from uscdr.wiring.session import process
from uscdr.words import plural, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from uscdr.backups.proofs import ProofDocument
    from uscdr.kit.freshness import Freshness, Reason
    from uscdr.kit.manifest import KitPart, Manifest, PartName
    from uscdr.providers.ports.media import Media
    from uscdr.store.store import Store
    from uscdr.ui.console import Output
    from uscdr.wiring.adapters import TargetAdapters
    from uscdr.wiring.context import RunContext
    from uscdr.wiring.target import Target

# What `uscdr kit` says at its end.


def _show_built(built: Built, place: str, output: Output) -> None:
    """The parts with their gaps, and where the kit is."""
    card, manifest = built.card, built.manifest
    if output.json_lines:
        facts = card.model_dump(mode="json", include={"kit", "complete", "objects", "bytes", "manifest_sha256", "dump"})
        output.record({**facts, "place": place, "parts": _records(manifest)})
        return
    show_table([_row(part) for part in manifest.parts], output)
    for line in _gaps(manifest):
        output.result(line)
    verdict = "complete" if card.complete else "INCOMPLETE"
    output.result(f"{card.kit}: {verdict}, {plural(card.objects, 'object')}, {size(card.bytes)}, in {place}")
    if card.dump is not None and not card.dump.shown:
        output.warn(f"{card.dump.worth}. Nobody knows whether it can be restored.")
    output.say("Keep it where it shares nothing with this machine, and print: uscdr kit card --html")


def show_examination(found: Examination, fresh: Freshness, minimum: int | None, output: Output) -> None:
    """What is whole, what is in it, what could not be rebuilt from it, and how fresh it is."""
    if output.json_lines:
        enough = None if minimum is None else fresh.score >= minimum
        output.record({**_record(found), "freshness": fresh.model_dump(mode="json"), "fresh_enough": enough})
        return
    if found.manifest is not None:
        show_table([_row(part) for part in found.manifest.parts], output)
        for line in (*_gaps(found.manifest), *_losses(found.manifest)):
            output.result(line)
    for finding in found.findings:
        output.result(f"DAMAGE: {finding}")
    show_table([_reason(one) for one in fresh.reasons], output)
    output.result(_freshness(fresh, minimum))
    output.result(f"{found.card.kit}: {_verdict(found)}")


def _reason(one: Reason) -> dict[str, object]:
    points = "?" if one.state == "unknown" else str(one.points)
    return {"freshness": one.question, "points": f"{points} of {one.of}", "why": one.words}


def _freshness(fresh: Freshness, minimum: int | None) -> str:
    unknown = f", and {fresh.unknown} that could not be looked at" if fresh.unknown else ""
    verdict = "" if minimum is None or fresh.score >= minimum else f": BELOW THE MINIMUM of {minimum}"
    return f"freshness: {fresh.score} of 100 points{unknown}{verdict}"


def _age(at: datetime) -> str:
    return aged(at, datetime.now(UTC))


def _verdict(found: Examination) -> str:
    old = f"{_age(found.card.created_at)} old"
    count = f"{plural(found.checked, 'object')}, {size(found.bytes)}, {old}"
    if not found.sound:
        return f"DAMAGED ({count}): {plural(len(found.lost), 'damaged or missing object')}"
    whole = "complete" if found.card.complete else "INCOMPLETE"
    if found.manifest is None:
        return (
            f"{whole} by its card, all digests right ({count} by its card); "
            "NOT CHECKED: what is inside (give --identity FILE)"
        )
    return f"{whole}, every object decrypted ({count})"


def _record(found: Examination) -> Mapping[str, object]:
    manifest = found.manifest
    return {
        "kit": found.card.kit,
        "sound": found.sound,
        "complete": found.card.complete,
        "opened": manifest is not None,
        "created_at": found.card.created_at.isoformat(),
        "objects": found.checked,
        "bytes": found.bytes,
        "findings": found.findings,
        "damaged": len(found.lost),
        "parts": _records(manifest) if manifest else None,
        "lost": _losses(manifest) if manifest else None,
    }


def _records(manifest: Manifest) -> list[Mapping[str, object]]:
    return [part.model_dump(mode="json") for part in manifest.parts]


def _row(part: KitPart) -> dict[str, object]:
    old = _age(part.taken_at) if part.taken_at else None
    return {"part": part.name, "state": part.state, "age": old, "content": part.summary}


def _gaps(manifest: Manifest) -> list[str]:
    return [f"{part.name}: no {gap.what}: {gap.why}" for part in manifest.parts for gap in part.gaps]


def _losses(manifest: Manifest) -> list[str]:
    """What a rebuild would have to do without."""
    absent = [part.name for part in manifest.parts if part.state in ("missing", "left out")]
    return [f"could not be rebuilt from this kit: {name}: {LOST[name]}" for name in absent]


T = TypeVar("T")


@dataclass(frozen=True)
class BuildOptions:
    """What stands on the command line of `kit build`."""

    to: str | None = None
    recipients: tuple[str, ...] = ()
    without: frozenset[PartName] = frozenset()
    backup: str | None = None
    capture: bool = False
    unproven: bool = False


def build_kit(given: Invocation, wanted: BuildOptions, *, as_json: bool) -> int:
    """Build, show what there is; 1 when something is missing."""
    if wanted.capture and wanted.backup:
        raise BadInput("--capture and --backup exclude each other.")
    check_form("backup", wanted.backup)
    place = given.place()
    to = Recipient.read(wanted.recipients or stores.standing_recipients(os.environ) or place.config.kit.recipients)
    store = places(given).store(wanted.to or place.config.kit.to)
    output = given.output(json_lines=as_json)
    backup = backups.take(given, output)["name"] if wanted.capture else wanted.backup
    clear_up(output, place.scratch)
    built = _build(_wishes(place, wanted, backup), place, store, to, output)
    _show_built(built, store.place, output)
    return int(ExitCode.DONE if built.card.complete else ExitCode.CHECK_FAILED)


def _build(wishes: Wishes, place: Target, store: Store, to: tuple[Recipient, ...], output: Output) -> Built:
    """By wiring that cannot write."""
    with process(output, state(), os.environ) as this:
        context = this.on(place, Request("kit"), runs.new_run_id("kit"), dry_run=True)
        with run.opened(context) as deps:
            deps.describe_app()
            found = _sources(deps, _proofs(context, output))
            wishes = replace(wishes, damaged=deps.memory.damaged)
            return build(found, wishes, store, to, work=deps.work, tell=ConsoleReporter(output), stop=this.stop.event)


def _proofs(context: RunContext, output: Output) -> ProofShelf:
    """Those of the vault. A kit is built all the same when the vault cannot be read or written."""

    def keep(proof: ProofDocument) -> None:
        try:
            proof.keep(stores.open_store(None, context.target.config, context.state, context.env))
        except UscdrError as error:
            output.warn(f"The proof is in the kit, and could not be kept for backups: {error.message}")

    return ProofShelf(stores.fresh_proof(context), keep)


def _wishes(place: Target, wanted: BuildOptions, backup: str | None) -> Wishes:
    config, target = place.config, place.services
    return Wishes(
        app=target.heroku.app,
        target=place.name,
        identity=place.identity,
        database=target.heroku.database,
        backup=backup,
        without=wanted.without,
        invariants=config.invariants,
        freshness=config.app.freshness,
        canaries=config.recovery.canaries,
        required=config.config.required,
        hostnames=target.dns.hostnames if target.dns else (),
        scenarios_digest=place.digest,
        unproven=wanted.unproven,
        key=config.recovery.encryption_key_variable,
        expected_tables=config.app.expected_tables,
        contacts=contacts_of(config),
        rpo=config.objectives.rpo,
    )


def _sources(deps: TargetAdapters, shelf: ProofShelf) -> Sources:
    """The ports of a kit; what is not configured is Absent, with the reason."""
    dns = deps.dns
    no_dns = Absent("scenarios.yaml has no `dns` for this target.")
    return Sources(
        platform=deps.platform,
        backups=deps.backups,
        scratch=deps.scratch,
        provisioning=deps.provisioning,
        deploys=deps.deploys,
        verifier=dns.verifier if dns else no_dns,
        zone=dns.zone if dns else no_dns,
        media=media_of(deps),
        source=deps.source or Absent("scenarios.yaml names no repository (app.source)."),
        decode=stores.decode,
        proofs=shelf,
    )


def media_of(deps: Adapters) -> Media | Absent:
    """The configured cloud."""
    if deps.media is None:
        return Absent("scenarios.yaml has no `cloudinary` for this target.")
    return _opened(deps.media.open_old)


def _opened(open_port: Callable[[], T]) -> T | Absent:
    """The port; without credentials the reason why not."""
    try:
        return open_port()
    except UscdrError as error:
        return Absent(f"{error.message} {error.why}".strip())
