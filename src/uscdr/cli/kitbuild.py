"""Building escape kits: options and configuration become ports, wishes and a store."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from uscdr import wiring
from uscdr.assembly import vault
from uscdr.assembly.job import Job, Surroundings
from uscdr.assembly.ports import Ports
from uscdr.cli import backups
from uscdr.cli.invocation import Globals, clear_up, state
from uscdr.cli.kitcard import contacts_of
from uscdr.cli.kitlook import places
from uscdr.cli.kitwords import show_built
from uscdr.cli.speech import Speech
from uscdr.cli.wishes import check_form
from uscdr.errors import BadInput, ExitCode, UscdrError
from uscdr.journal import runs
from uscdr.place import Place
from uscdr.providers.ports.media import Media
from uscdr.scenarios.deps import Deps, Request
from uscdr.session import surroundings
from uscdr.ui.console import Output
from uscdr.vault.backups import proofs
from uscdr.vault.backups.proofs import ProofDocument
from uscdr.vault.build import Built, build
from uscdr.vault.collect.sources import Absent, ProofShelf, Sources, Wishes
from uscdr.vault.content import CanaryColumns
from uscdr.vault.manifest import PartName
from uscdr.vault.seal import Recipient, recipients
from uscdr.vault.store import Store

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


def build_kit(given: Globals, wanted: BuildOptions, *, as_json: bool) -> int:
    """Build, show what there is; 1 when something is missing."""
    if wanted.capture and wanted.backup:
        raise BadInput("--capture and --backup exclude each other.")
    check_form("backup", wanted.backup)
    place = given.place()
    to = recipients(wanted.recipients or vault.standing_recipients(os.environ) or place.config.kit.recipients)
    store = places(given).store(wanted.to or place.config.kit.to)
    output = given.output(json_lines=as_json)
    backup = backups.take(given, output)["name"] if wanted.capture else wanted.backup
    clear_up(output, place.scratch)
    built = _build(_wishes(place, wanted, backup), place, store, to, output)
    show_built(built, store.place, output)
    return int(ExitCode.DONE if built.card.complete else ExitCode.CHECK_FAILED)


def _build(wishes: Wishes, place: Place, store: Store, to: tuple[Recipient, ...], output: Output) -> Built:
    """By wiring that cannot write."""
    job = Job(place, Request("kit"), runs.new_run_id("kit"), None, dry_run=True)
    with surroundings(output, state(), os.environ) as around, wiring.opened(job, around) as (deps, ports):
        deps.describe_app()
        found = sources(deps, ports, _proofs(job, around, output))
        wishes = replace(wishes, damaged=deps.memory.damaged)
        return build(
            found, wishes, store, to, work=deps.work, tell=Speech(output), stop=around.stop.event
        )  # fmt: skip


def _proofs(job: Job, around: Surroundings, output: Output) -> ProofShelf:
    """Those of the vault. A kit is built all the same when the vault cannot be read or written."""

    def keep(proof: ProofDocument) -> None:
        try:
            proofs.keep(vault.open_store(None, job.place.config, around.state, around.env), proof)
        except UscdrError as error:
            output.warn(f"The proof is in the kit, and could not be kept for backups: {error.message}")

    return ProofShelf(vault.fresh_proof(job, around), keep)


def _wishes(place: Place, wanted: BuildOptions, backup: str | None) -> Wishes:
    config, target = place.config, place.target
    return Wishes(
        app=target.heroku.app,
        target=place.name,
        identity=place.identity,
        database=target.heroku.database,
        backup=backup,
        without=wanted.without,
        invariants=config.invariants,
        freshness=config.app.freshness,
        canaries=tuple(CanaryColumns(**canary.model_dump()) for canary in config.recovery.canaries),
        required=config.config.required,
        hostnames=target.dns.hostnames if target.dns else (),
        scenarios_digest=place.digest,
        unproven=wanted.unproven,
        key=config.recovery.key,
        expected_tables=config.app.expected_tables,
        contacts=contacts_of(config),
        rpo=config.objectives.rpo,
    )


def sources(deps: Deps, ports: Ports, shelf: ProofShelf) -> Sources:
    """The ports of a kit; what is not configured is Absent, with the reason."""
    dns = deps.dns
    no_dns = Absent("scenarios.yaml has no `dns` for this target.")
    return Sources(
        platform=deps.platform,
        backups=deps.backups,
        scratch=ports.scratch,
        provisioning=deps.provisioning or Absent("The platform's provisioning calls are not available."),
        deploys=deps.deploys or Absent("The platform's builds are not available."),
        verifier=dns.verifier if dns else no_dns,
        zone=dns.zone if dns else no_dns,
        media=media_of(deps),
        source=deps.source or Absent("scenarios.yaml names no repository (app.source)."),
        decode=vault.decode,
        proofs=shelf,
    )


def media_of(deps: Deps) -> Media | Absent:
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
