"""Builds escape kits: turns options and configuration into ports, a request and a store."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uscdr.commands import backup_schedule as backups
from uscdr.commands.housekeeping import clear_up, observe_target, state
from uscdr.commands.kit_list import contacts_of
from uscdr.commands.option_forms import check_form
from uscdr.errors import BadInput, ExitCode, UscdrError
from uscdr.incident.audience import AudienceFiles
from uscdr.journal import runs
from uscdr.kit.build import Built, build
from uscdr.kit.collect.sources import Absent, BuildRequest, ProofShelf, Sources
from uscdr.providers.probes.machine import ThisMachine
from uscdr.report.kits import show_built
from uscdr.scenarios.adapters import Request
from uscdr.ui.console import ConsoleReporter
from uscdr.wiring import adapters, stores
from uscdr.wiring.kits import KitLocations, media_of
from uscdr.wiring.session import process

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.backups.proofs import ProofDocument
    from uscdr.kit.manifest import Manifest, PartName
    from uscdr.monitoring.observed import Observed
    from uscdr.store.encryption import Recipient
    from uscdr.store.store import Store
    from uscdr.ui.console import Output
    from uscdr.wiring.adapters import TargetAdapters
    from uscdr.wiring.context import RunContext
    from uscdr.wiring.target import Target


@dataclass(frozen=True)
class BuildOptions:
    """The command-line options of `kit build`."""

    to: str | None = None
    recipients: tuple[str, ...] = ()
    without: frozenset[PartName] = frozenset()
    backup: str | None = None
    capture: bool = False
    unproven: bool = False

    def __post_init__(self) -> None:
        """Raises BadInput for an invalid backup name and for options that exclude each other."""
        if self.capture and self.backup:
            raise BadInput(
                "--capture and --backup exclude each other.", next_action="Pass one of them to: uscdr kit build"
            )
        check_form("backup", self.backup)


def build_kit(target: Target, output: Output, wanted: BuildOptions, seen: Observed) -> int:
    """Build a kit and print its parts; return 1 when the kit is incomplete."""
    observe_target(target, seen)
    to = stores.kit_recipients(wanted.recipients, target.config, os.environ)
    store = KitLocations(lambda: target.config.kit.to, state(), os.environ).store(wanted.to)
    if "dump" not in wanted.without and not wanted.unproven:
        ThisMachine(state(), own_server=target.scratch is not None).postgres(0)  # before a backup is captured
    backup = backups.take(target, output, seen)["name"] if wanted.capture else wanted.backup
    clear_up(output, target.scratch)
    built = _build(_request(target, wanted, backup), target, store, to, output)
    _observe(built.manifest, wanted, seen)
    show_built(built, store.place, output)
    return int(ExitCode.DONE if built.card.complete else ExitCode.CHECK_FAILED)


def _observe(made: Manifest, wanted: BuildOptions, seen: Observed) -> None:
    """Tell monitoring of the kit's dump: of the newest backup, unless the operator named another."""
    if wanted.backup is None and not wanted.capture and "dump" not in wanted.without:
        seen.newest_backup = made.part("dump").taken_at


def _build(request: BuildRequest, target: Target, store: Store, to: tuple[Recipient, ...], output: Output) -> Built:
    """Build from read-only adapters."""
    with process(output, state(), os.environ) as this:
        context = this.on(target, Request("kit"), runs.new_run_id("kit"), dry_run=True)
        with adapters.opened(context) as deps:
            deps.describe_app()
            found = _sources(deps, _proofs(context, output))
            request = replace(request, damaged=deps.memory.damaged)
            return build(found, request, store, to, work=deps.work, tell=ConsoleReporter(output), stop=this.stop.event)


def _proofs(context: RunContext, output: Output) -> ProofShelf:
    """The proofs in the store of copies. The build continues when that store cannot be read or written."""

    def keep(proof: ProofDocument) -> None:
        try:
            proof.keep(stores.open_store(None, context.target.config, context.state, context.env))
        except UscdrError as error:
            output.warn(f"The kit has the proof, but uscdr could not store it with the copies: {error.message}")

    return ProofShelf(stores.fresh_proof(context), keep)


def _request(target: Target, wanted: BuildOptions, backup: str | None) -> BuildRequest:
    config, services = target.config, target.services
    return BuildRequest(
        app=services.heroku.app,
        target=target.name,
        identity=target.identity,
        database=services.heroku.database,
        backup=backup,
        without=wanted.without,
        invariants=config.invariants,
        freshness=config.app.freshness,
        canaries=config.recovery.canaries,
        required=config.config.required,
        hostnames=services.dns.hostnames if services.dns else (),
        scenarios_digest=target.digest,
        unproven=wanted.unproven,
        key=config.recovery.encryption_key_variable,
        expected_tables=config.app.expected_tables,
        contacts=contacts_of(config),
        rpo=config.objectives.rpo,
        audience=_audience(target),
    )


def _audience(target: Target) -> Path | None:
    """The encrypted list of recipients of notices, where there is one."""
    files = AudienceFiles.of(state(), os.environ, sandbox=bool(target.identity))
    return files.path if files.present else None


def _sources(deps: TargetAdapters, shelf: ProofShelf) -> Sources:
    """The ports that a build reads; those not configured are Absent, with the reason."""
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
