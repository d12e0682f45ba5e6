"""Every step that scenarios.yaml may use, and for each scenario those that it must hold, in the runbook's order.

Each is imported when it is first asked for. A test imports all of them, and holds each to the name that it has here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.lazily import Lazy, LazyTuples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.engine.step import BoundStep
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.config import Scenario, StepEntry
    from uscdr.scenarios.steps.base import AnyStep


_PIPELINES = {
    "db": (
        "uscdr.scenarios.steps.assess:StatusLook",
        "uscdr.scenarios.steps.assess:DatabaseLook",
        "uscdr.scenarios.steps.assess:BackupsLook",
        "uscdr.scenarios.steps.machine:MachineLook",
        "uscdr.scenarios.steps.freeze:ReleaseGuard",
        "uscdr.scenarios.steps.try_migrations:TryOnCopy",
        "uscdr.scenarios.steps.freeze:EnableMaintenance",
        "uscdr.scenarios.steps.freeze:StopProcesses",
        "uscdr.scenarios.steps.freeze:EndSessions",
        "uscdr.scenarios.steps.capture:CaptureSafety",
        "uscdr.scenarios.steps.choose:Choose",
        "uscdr.scenarios.steps.prove:Prove",
        "uscdr.scenarios.steps.ledger:LedgerStep",
        "uscdr.scenarios.steps.access:AccessLook",
        "uscdr.scenarios.steps.restore:Restore",
        "uscdr.scenarios.steps.data:Compare",
        "uscdr.scenarios.steps.access:WithdrawAccess",
        "uscdr.scenarios.steps.migrate:Migrate",
        "uscdr.scenarios.steps.data:VerifyData",
        "uscdr.scenarios.steps.start:StartWeb",
        "uscdr.scenarios.steps.start:StartWorkers",
        "uscdr.scenarios.steps.start:StartBeat",
        "uscdr.scenarios.steps.freeze:DisableMaintenance",
        "uscdr.scenarios.steps.app_settled:Settled",
        "uscdr.scenarios.steps.application:CheckApplication",
        "uscdr.scenarios.steps.capture:CaptureFresh",
    ),
    "app": (
        "uscdr.scenarios.steps.assess:StatusLook",
        "uscdr.scenarios.steps.freeze:ReleaseGuard",
        "uscdr.scenarios.steps.app_look:AppLook",
        "uscdr.scenarios.steps.machine:MachineLook",
        "uscdr.scenarios.steps.app_decide:AppDecide",
        "uscdr.scenarios.steps.try_migrations:TryDry",
        "uscdr.scenarios.steps.freeze:EnableMaintenance",
        "uscdr.scenarios.steps.app_deploy:Rollback",
        "uscdr.scenarios.steps.data:DataProbe",
        "uscdr.scenarios.steps.capture:CaptureBefore",
        "uscdr.scenarios.steps.migrate:Migrate",
        "uscdr.scenarios.steps.data:VerifyData",
        "uscdr.scenarios.steps.freeze:DisableMaintenance",
        "uscdr.scenarios.steps.app_deploy:Redeploy",
        "uscdr.scenarios.steps.app_settled:Static",
        "uscdr.scenarios.steps.app_settled:Settled",
        "uscdr.scenarios.steps.application:CheckApplication",
    ),
    "media": (
        "uscdr.scenarios.steps.assess:StatusLook",
        "uscdr.scenarios.steps.media_look:MediaLook",
        "uscdr.scenarios.steps.machine:MachineLook",
        "uscdr.scenarios.steps.media_plan:MediaRepairs",
        "uscdr.scenarios.steps.media_plan:MediaDecide",
        "uscdr.scenarios.steps.media_restore:RestoreBackups",
        "uscdr.scenarios.steps.media_restore:UploadCopies",
        "uscdr.scenarios.steps.media_settings:MediaSettingsStep",
        "uscdr.scenarios.steps.media_verify:VerifyMedia",
        "uscdr.scenarios.steps.application:CheckApplication",
    ),
    "infra": (
        "uscdr.scenarios.steps.assess:StatusLook",
        "uscdr.scenarios.steps.infra_scope:InfraScope",
        "uscdr.scenarios.steps.infra_config:InfraMaterials",
        "uscdr.scenarios.steps.machine:MachineLook",
        "uscdr.scenarios.steps.infra_data:InfraChoose",
        "uscdr.scenarios.steps.infra_data:InfraProve",
        "uscdr.scenarios.steps.infra_config:TryKey",
        "uscdr.scenarios.steps.infra_domains:Preflight",
        "uscdr.scenarios.steps.infra_decide:InfraDecide",
        "uscdr.scenarios.steps.infra_app:CreateApp",
        "uscdr.scenarios.steps.infra_app:StopOld",
        "uscdr.scenarios.steps.infra_data:CaptureLast",
        "uscdr.scenarios.steps.infra_app:SetBuildpacks",
        "uscdr.scenarios.steps.infra_app:OrderDatabase",
        "uscdr.scenarios.steps.infra_app:OrderQueue",
        "uscdr.scenarios.steps.infra_config:SetConfig",
        "uscdr.scenarios.steps.infra_data:ChooseLast",
        "uscdr.scenarios.steps.infra_data:ProveLast",
        "uscdr.scenarios.steps.infra_data:InfraLoad",
        "uscdr.scenarios.steps.data:Compare",
        "uscdr.scenarios.steps.infra_deploy:InfraDeploy",
        "uscdr.scenarios.steps.migrate:Migrate",
        "uscdr.scenarios.steps.data:VerifyData",
        "uscdr.scenarios.steps.infra_deploy:InfraFormation",
        "uscdr.scenarios.steps.start:StartWeb",
        "uscdr.scenarios.steps.freeze:DisableMaintenance",
        "uscdr.scenarios.steps.application:CheckApplication",
        "uscdr.scenarios.steps.infra_domains:BindDomains",
        "uscdr.scenarios.steps.infra_domains:EnableCertificates",
        "uscdr.scenarios.steps.dns_switch:SwitchDns",
        "uscdr.scenarios.steps.infra_domains:AwaitCertificates",
        "uscdr.scenarios.steps.infra_config:EnableMail",
        "uscdr.scenarios.steps.start:StartWorkers",
        "uscdr.scenarios.steps.start:StartBeat",
        "uscdr.scenarios.steps.backups_capture:ScheduleNewDatabase",
        "uscdr.scenarios.steps.infra_after:AddPeople",
        "uscdr.scenarios.steps.infra_after:AddDrains",
        "uscdr.scenarios.steps.app_settled:Settled",
        "uscdr.scenarios.steps.infra_after:PublicLook",
        "uscdr.scenarios.steps.application:CheckApplication",
        "uscdr.scenarios.steps.capture:CaptureFresh",
        "uscdr.scenarios.steps.infra_after:OldPlaceLook",
        "uscdr.scenarios.steps.infra_after:LeftLook",
    ),
    "dns": ("uscdr.scenarios.steps.dns_switch:RollbackDns",),
    "backups": (
        "uscdr.scenarios.steps.assess:StatusLook",
        "uscdr.scenarios.steps.backups_look:BackupSystemLook",
        "uscdr.scenarios.steps.machine:MachineLook",
        "uscdr.scenarios.steps.backups_decide:CommandsLook",
        "uscdr.scenarios.steps.backups_decide:BackupsDecide",
        "uscdr.scenarios.steps.backups_capture:Reschedule",
        "uscdr.scenarios.steps.backups_capture:CaptureTrial",
        "uscdr.scenarios.steps.backups_copy:PullTrial",
        "uscdr.scenarios.steps.backups_copy:ProveTrial",
        "uscdr.scenarios.steps.backups_look:BackupsJudged",
    ),
}
PIPELINES: Mapping[str, tuple[AnyStep, ...]] = LazyTuples(_PIPELINES)
"""What a scenario must hold, in this order: the runbook's."""

_OPERATIONS = {
    "capture": "uscdr.scenarios.steps.backups_capture:CaptureNow",
    "schedule": "uscdr.scenarios.steps.backups_capture:ScheduleBackups",
    "prune": "uscdr.scenarios.steps.backups_copy:PruneCopies",
}
OPERATIONS: Mapping[str, AnyStep] = Lazy(_OPERATIONS)
"""The one step of each run that recovers nothing; no scenarios.yaml names them. `models.operations`: their commands."""

_STEPS = {
    "status.look": "uscdr.scenarios.steps.assess:StatusLook",
    "database.look": "uscdr.scenarios.steps.assess:DatabaseLook",
    "backups.look": "uscdr.scenarios.steps.assess:BackupsLook",
    "machine.look": "uscdr.scenarios.steps.machine:MachineLook",
    "heroku.release_guard": "uscdr.scenarios.steps.freeze:ReleaseGuard",
    "django.try_on_copy": "uscdr.scenarios.steps.try_migrations:TryOnCopy",
    "heroku.maintenance": "uscdr.scenarios.steps.freeze:Maintenance",
    "heroku.stop": "uscdr.scenarios.steps.freeze:StopProcesses",
    "postgres.end_sessions": "uscdr.scenarios.steps.freeze:EndSessions",
    "backup.capture_safety": "uscdr.scenarios.steps.capture:CaptureSafety",
    "backup.choose": "uscdr.scenarios.steps.choose:Choose",
    "backup.prove": "uscdr.scenarios.steps.prove:Prove",
    "data.ledger": "uscdr.scenarios.steps.ledger:LedgerStep",
    "access.look": "uscdr.scenarios.steps.access:AccessLook",
    "backup.restore": "uscdr.scenarios.steps.restore:Restore",
    "data.compare": "uscdr.scenarios.steps.data:Compare",
    "access.withdraw": "uscdr.scenarios.steps.access:WithdrawAccess",
    "django.migrate": "uscdr.scenarios.steps.migrate:Migrate",
    "data.verify": "uscdr.scenarios.steps.data:VerifyData",
    "heroku.start": "uscdr.scenarios.steps.start:StartProcesses",
    "app.settled": "uscdr.scenarios.steps.app_settled:Settled",
    "app.check": "uscdr.scenarios.steps.application:CheckApplication",
    "backup.capture": "uscdr.scenarios.steps.capture:CaptureFresh",
    "app.look": "uscdr.scenarios.steps.app_look:AppLook",
    "app.decide": "uscdr.scenarios.steps.app_decide:AppDecide",
    "django.try": "uscdr.scenarios.steps.try_migrations:TryDry",
    "app.rollback": "uscdr.scenarios.steps.app_deploy:Rollback",
    "data.probe": "uscdr.scenarios.steps.data:DataProbe",
    "backup.capture_before": "uscdr.scenarios.steps.capture:CaptureBefore",
    "app.redeploy": "uscdr.scenarios.steps.app_deploy:Redeploy",
    "app.static": "uscdr.scenarios.steps.app_settled:Static",
    "media.look": "uscdr.scenarios.steps.media_look:MediaLook",
    "media.plan": "uscdr.scenarios.steps.media_plan:MediaRepairs",
    "media.decide": "uscdr.scenarios.steps.media_plan:MediaDecide",
    "media.restore_backups": "uscdr.scenarios.steps.media_restore:RestoreBackups",
    "media.upload": "uscdr.scenarios.steps.media_restore:UploadCopies",
    "media.settings": "uscdr.scenarios.steps.media_settings:MediaSettingsStep",
    "media.verify": "uscdr.scenarios.steps.media_verify:VerifyMedia",
    "infra.scope": "uscdr.scenarios.steps.infra_scope:InfraScope",
    "infra.materials": "uscdr.scenarios.steps.infra_config:InfraMaterials",
    "infra.choose": "uscdr.scenarios.steps.infra_data:InfraChoose",
    "infra.prove": "uscdr.scenarios.steps.infra_data:InfraProve",
    "infra.try_key": "uscdr.scenarios.steps.infra_config:TryKey",
    "dns.preflight": "uscdr.scenarios.steps.infra_domains:Preflight",
    "infra.decide": "uscdr.scenarios.steps.infra_decide:InfraDecide",
    "infra.create_app": "uscdr.scenarios.steps.infra_app:CreateApp",
    "infra.stop_old": "uscdr.scenarios.steps.infra_app:StopOld",
    "infra.capture_last": "uscdr.scenarios.steps.infra_data:CaptureLast",
    "infra.buildpacks": "uscdr.scenarios.steps.infra_app:SetBuildpacks",
    "infra.addon": "uscdr.scenarios.steps.infra_app:OrderAddon",
    "infra.config": "uscdr.scenarios.steps.infra_config:SetConfig",
    "infra.choose_last": "uscdr.scenarios.steps.infra_data:ChooseLast",
    "infra.prove_last": "uscdr.scenarios.steps.infra_data:ProveLast",
    "infra.load": "uscdr.scenarios.steps.infra_data:InfraLoad",
    "infra.deploy": "uscdr.scenarios.steps.infra_deploy:InfraDeploy",
    "infra.formation": "uscdr.scenarios.steps.infra_deploy:InfraFormation",
    "infra.domains": "uscdr.scenarios.steps.infra_domains:BindDomains",
    "infra.certificates": "uscdr.scenarios.steps.infra_domains:EnableCertificates",
    "dns.switch": "uscdr.scenarios.steps.dns_switch:SwitchDns",
    "infra.await_certificates": "uscdr.scenarios.steps.infra_domains:AwaitCertificates",
    "infra.enable_mail": "uscdr.scenarios.steps.infra_config:EnableMail",
    "infra.schedule": "uscdr.scenarios.steps.backups_capture:ScheduleNewDatabase",
    "infra.people": "uscdr.scenarios.steps.infra_after:AddPeople",
    "infra.drains": "uscdr.scenarios.steps.infra_after:AddDrains",
    "infra.public": "uscdr.scenarios.steps.infra_after:PublicLook",
    "infra.old_place": "uscdr.scenarios.steps.infra_after:OldPlaceLook",
    "infra.left": "uscdr.scenarios.steps.infra_after:LeftLook",
    "dns.rollback": "uscdr.scenarios.steps.dns_switch:RollbackDns",
    "backups.system": "uscdr.scenarios.steps.backups_look:BackupSystemLook",
    "backups.commands": "uscdr.scenarios.steps.backups_decide:CommandsLook",
    "backups.decide": "uscdr.scenarios.steps.backups_decide:BackupsDecide",
    "backups.schedule": "uscdr.scenarios.steps.backups_capture:Reschedule",
    "backups.trial": "uscdr.scenarios.steps.backups_capture:CaptureTrial",
    "backups.pull": "uscdr.scenarios.steps.backups_copy:PullTrial",
    "backups.prove": "uscdr.scenarios.steps.backups_copy:ProveTrial",
    "backups.verdict": "uscdr.scenarios.steps.backups_look:BackupsJudged",
    "manual": "uscdr.scenarios.steps.manual:Manual",
}
STEPS: Mapping[str, AnyStep] = Lazy(_STEPS)
"""By the names that scenarios.yaml gives them. Of several classes of one name the one whose parameters choose among
them stands here."""


# From a scenario in YAML to steps that can run.


def chosen(entry: StepEntry) -> AnyStep:
    """The class of a step in scenarios.yaml. Raises KeyError and ValidationError, which the loader words."""
    family = STEPS[entry.use]
    return family.chosen(family.params.model_validate(entry.with_))


def operation(name: str, deps: Adapters) -> list[BoundStep]:
    """The one step of a run that recovers nothing."""
    from uscdr.engine.step import BoundStep

    kind = OPERATIONS[name]
    return [BoundStep(kind(kind.default_id, deps, kind.params()), kind.title, kind.phase, {})]


def bind(scenario: Scenario, deps: Adapters) -> list[BoundStep]:
    """Build every step of `scenario`, in order."""
    from uscdr.engine.step import BoundStep

    bound = []
    for entry in scenario.steps:
        kind = chosen(entry)
        step = kind(entry.id or kind.default_id, deps, kind.params.model_validate(entry.with_))
        bound.append(BoundStep(step, entry.title or kind.title, entry.phase or kind.phase, entry.with_))
    return bound
