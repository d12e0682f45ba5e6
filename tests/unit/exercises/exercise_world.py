"""A configuration with exercises, and records on given days, in memory."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from uscdr.backups.catalog import Scope
from uscdr.backups.proofs import Grade, ProofDocument, demands_digest
from uscdr.exercises.basis import Basis
from uscdr.exercises.evidence import KnownFacts
from uscdr.exercises.records import AttestedRecord, DrillRecord, ExerciseLog
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_exercises import Exercise
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load

MANILA = ZoneInfo("Asia/Manila")
CONFIG: Config = load(packaged(), lazily=True).config
BASES = {name: Basis.of(CONFIG, name) for name in ("db", "app", "media", "infra", "backups")}


def day(text: str) -> date:
    return date.fromisoformat(text)


def at_noon(text: str, zone: ZoneInfo = MANILA) -> datetime:
    return datetime.fromisoformat(f"{text}T12:00:00").replace(tzinfo=zone).astimezone(UTC)


def drilled(scenario: str, ended: str | datetime, **changes: Any) -> DrillRecord:
    """A sound drill of the packaged scenarios.yaml."""
    end, basis = ended if isinstance(ended, datetime) else at_noon(ended), BASES[scenario]
    facts: dict[str, Any] = {
        "scenario": scenario, "how": "drop-table", "patients": 40, "sound": True, "exit_code": 0, "rto_seconds": 60.0,
        "rto_verdict": "met", "rpo_seconds": 60.0, "rpo_verdict": "met", "started_at": end - timedelta(minutes=5),
        "ended_at": end, "run": "r", "by": "ada", "uscdr": "0", "steps": basis.steps,
        "configuration": basis.configuration, "recovery_code": basis.recovery_code,
    }  # fmt: skip
    return DrillRecord(**{**facts, **changes})


def attested(name: str, on: str, **changes: Any) -> AttestedRecord:
    facts: dict[str, Any] = {
        "kind": "review", "name": name, "by": "Ada", "on": day(on), "written_at": at_noon(on), "uscdr": "0",
        "document": "1.0",
    }  # fmt: skip
    return AttestedRecord(**{**facts, **changes})


def proof(proven: str | datetime, **changes: Any) -> ProofDocument:
    moment = proven if isinstance(proven, datetime) else at_noon(proven)
    facts: dict[str, Any] = {
        "format": 1, "sha256": "0" * 64, "bytes": 1, "app": "usc-pis", "backup": "b001", "transfer_id": "t",
        "taken_at": moment, "proven_at": moment, "seconds": 1.0, "source": "vault", "grade": Grade.INVARIANTS,
        "uscdr": "0", "demands": demands_digest(CONFIG.invariants), "identity": "",
    }  # fmt: skip
    return ProofDocument(**{**facts, **changes})


def exercise(every: str, done_by: str = "record", *drills: str, name: str = "review") -> Exercise:
    facts: dict[str, Any] = {"name": name, "title": name, "every": every, "done_by": done_by, "drills": drills}
    return Exercise(**facts)


def known(*records: DrillRecord | AttestedRecord, config: Config = CONFIG, **changes: Any) -> KnownFacts:
    facts: dict[str, Any] = {
        "log": ExerciseLog(records), "scope": Scope("usc-pis", demands=demands_digest(config.invariants))
    }  # fmt: skip
    return KnownFacts(config, **{"zone": MANILA, **facts, **changes})
