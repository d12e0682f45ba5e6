"""Every step that scenarios.yaml may use, and for each scenario those that it must hold, in the runbook's order."""

from __future__ import annotations

from collections.abc import Mapping

from uscdr.scenarios.steps.access import AccessLook, WithdrawAccess
from uscdr.scenarios.steps.app_decide import Decide
from uscdr.scenarios.steps.app_look import AppLook
from uscdr.scenarios.steps.app_redeploy import Redeploy
from uscdr.scenarios.steps.app_rollback import Rollback
from uscdr.scenarios.steps.app_settled import Settled
from uscdr.scenarios.steps.app_static import Static
from uscdr.scenarios.steps.app_try import TryDry
from uscdr.scenarios.steps.application import CheckApplication
from uscdr.scenarios.steps.assess import BackupsLook, DatabaseLook, StatusLook
from uscdr.scenarios.steps.backups_capture import CaptureNow, CaptureTrial
from uscdr.scenarios.steps.backups_commands import CommandsLook
from uscdr.scenarios.steps.backups_decide import BackupsDecide
from uscdr.scenarios.steps.backups_look import BackupSystemLook
from uscdr.scenarios.steps.backups_prove import ProveTrial
from uscdr.scenarios.steps.backups_prune import PruneCopies
from uscdr.scenarios.steps.backups_pull import PullTrial
from uscdr.scenarios.steps.backups_schedule import Reschedule, ScheduleBackups, ScheduleNewDatabase
from uscdr.scenarios.steps.backups_verdict import BackupsJudged
from uscdr.scenarios.steps.base import AnyStep
from uscdr.scenarios.steps.capture import CaptureBefore, CaptureFresh, CaptureSafety
from uscdr.scenarios.steps.choose import Choose
from uscdr.scenarios.steps.data import Compare, VerifyData
from uscdr.scenarios.steps.data_probe import DataProbe
from uscdr.scenarios.steps.db_try import TryOnCopy
from uscdr.scenarios.steps.dns_preflight import Preflight
from uscdr.scenarios.steps.dns_switch import RollbackDns, SwitchDns
from uscdr.scenarios.steps.freeze import DisableMaintenance, Drain, EnableMaintenance, Maintenance, ReleaseGuard
from uscdr.scenarios.steps.infra_addon import OrderAddon, OrderDatabase, OrderQueue
from uscdr.scenarios.steps.infra_after import AddPeople, OldPlaceLook
from uscdr.scenarios.steps.infra_app import CreateApp, SetBuildpacks, StopOld
from uscdr.scenarios.steps.infra_config import SetConfig, Unsilence
from uscdr.scenarios.steps.infra_decide import InfraDecide
from uscdr.scenarios.steps.infra_deploy import InfraDeploy, InfraFormation
from uscdr.scenarios.steps.infra_domains import AwaitCertificates, BindDomains, EnableCertificates
from uscdr.scenarios.steps.infra_drains import AddDrains
from uscdr.scenarios.steps.infra_dump import InfraChoose, InfraLoad, InfraProve
from uscdr.scenarios.steps.infra_last import CaptureLast, ChooseLast, ProveLast
from uscdr.scenarios.steps.infra_left import LeftLook
from uscdr.scenarios.steps.infra_materials import InfraMaterials, TryKey
from uscdr.scenarios.steps.infra_public import PublicLook
from uscdr.scenarios.steps.infra_scope import InfraScope
from uscdr.scenarios.steps.ledger import LedgerStep
from uscdr.scenarios.steps.machine import MachineLook
from uscdr.scenarios.steps.manual import Manual
from uscdr.scenarios.steps.media_decide import MediaDecide
from uscdr.scenarios.steps.media_look import MediaLook
from uscdr.scenarios.steps.media_plan import MediaRepairs
from uscdr.scenarios.steps.media_restore import RestoreBackups
from uscdr.scenarios.steps.media_settings import MediaSettingsStep
from uscdr.scenarios.steps.media_upload import UploadCopies
from uscdr.scenarios.steps.media_verify import VerifyMedia
from uscdr.scenarios.steps.migrate import Migrate
from uscdr.scenarios.steps.prove import Prove
from uscdr.scenarios.steps.refill import Refill, StartBeat, StartWeb, StartWorkers
from uscdr.scenarios.steps.restore import Restore
from uscdr.scenarios.steps.sessions import EndSessions

PIPELINES: Mapping[str, tuple[AnyStep, ...]] = {
    "db": (
        *(StatusLook, DatabaseLook, BackupsLook, MachineLook),
        *(ReleaseGuard, TryOnCopy, EnableMaintenance, Drain, EndSessions, CaptureSafety),
        *(Choose, Prove, LedgerStep, AccessLook, Restore, Compare, WithdrawAccess, Migrate, VerifyData),
        *(StartWeb, StartWorkers, StartBeat, DisableMaintenance, Settled, CheckApplication, CaptureFresh),
    ),
    "app": (
        *(StatusLook, ReleaseGuard, AppLook, MachineLook, Decide, TryDry),
        *(EnableMaintenance, Rollback, DataProbe, CaptureBefore, Migrate, VerifyData, DisableMaintenance),
        *(Redeploy, Static, Settled, CheckApplication),
    ),
    "media": (
        *(StatusLook, MediaLook, MachineLook, MediaRepairs, MediaDecide),
        *(RestoreBackups, UploadCopies, MediaSettingsStep, VerifyMedia, CheckApplication),
    ),
    "infra": (
        *(StatusLook, InfraScope, InfraMaterials, MachineLook),
        *(InfraChoose, InfraProve, TryKey, Preflight, InfraDecide),
        *(CreateApp, StopOld, CaptureLast, SetBuildpacks, OrderDatabase, OrderQueue, SetConfig),
        *(ChooseLast, ProveLast, InfraLoad, Compare, InfraDeploy, Migrate, VerifyData, InfraFormation),
        *(StartWeb, DisableMaintenance, CheckApplication),
        *(BindDomains, EnableCertificates, SwitchDns, AwaitCertificates),
        *(Unsilence, StartWorkers, StartBeat, ScheduleNewDatabase, AddPeople, AddDrains),
        *(Settled, PublicLook, CheckApplication, CaptureFresh, OldPlaceLook, LeftLook),
    ),
    "dns": (RollbackDns,),
    "backups": (
        *(StatusLook, BackupSystemLook, MachineLook, CommandsLook, BackupsDecide),
        *(Reschedule, CaptureTrial, PullTrial, ProveTrial, BackupsJudged),
    ),
}
"""What a scenario must hold, in this order: the runbook's."""

OPERATIONS: Mapping[str, AnyStep] = {"capture": CaptureNow, "schedule": ScheduleBackups, "prune": PruneCopies}
"""The one step of each run that recovers nothing; no scenarios.yaml names them. `models.operations`: their commands."""

FAMILIES: tuple[AnyStep, ...] = (Maintenance, Refill, OrderAddon, Manual)
"""Steps whose parameters choose the class, and the one that stands in no pipeline."""

STEPS: Mapping[str, AnyStep] = {
    **{step.name: step for pipeline in PIPELINES.values() for step in pipeline},
    **{step.name: step for step in FAMILIES},
}
