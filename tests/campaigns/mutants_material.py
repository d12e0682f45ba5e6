"""What is mutated: a state directory, kits, copies and a team's store, made over the unit tests' fakes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from pydantic import SecretStr
from typing_extensions import override

from backup_world import NOW, Safe, transfer
from fakes import Killed
from kit_world import Workshop
from rehearsal import Rehearsal
from uscdr.checks import baseline
from uscdr.journal import runs
from uscdr.scenarios.config_targets import HerokuTarget, TargetConfig
from uscdr.settings import Operator
from uscdr.shared.journals import JournalStore, Piece
from uscdr.shared.lease import LeaseRequest
from uscdr.store.directory import LocalStore
from uscdr.store.encryption import Identity, Recipient, seal, unseal
from uscdr.store.lease_records import LeaseRow, LeaseTerms
from uscdr.wiring.target import Target

APP, RUN = "usc-pis", "20261101T000000Z-db-00000a"
"""The unfinished run: it was killed when it stopped the processes."""
FINISHED = "20261001T000000Z-db-00000b"
_TEXT = (Path(__file__).parents[2] / "scenarios.yaml").read_text()


@dataclass(frozen=True)
class Material:
    """Where everything is, below `root`: `state`, `safe` (kits), `store` (copies and proofs), `team`, and the keys."""

    root: Path
    key: str
    config: str
    kits: tuple[str, ...]

    @property
    def identity(self) -> Path:
        """Opens the kits."""
        return self.root / "identity.txt"

    @property
    def journal(self) -> Path:
        """Of the unfinished run."""
        return self.root / "state" / "runs" / RUN / "journal.jsonl"

    def unsealed(self, path: Path) -> Any:
        """A sealed document of a kit."""
        target = io.BytesIO()
        unseal(io.BytesIO(path.read_bytes()), target, Identity.read(self.identity))
        return json.loads(target.getvalue())

    def sealed(self, data: bytes) -> bytes:
        """As anybody can seal it who has the public key."""
        public = next(line for line in self.identity.read_text().splitlines() if "public key" in line).split()[-1]
        target = io.BytesIO()
        seal(io.BytesIO(data), target, Recipient.read([public]))
        return target.getvalue()


class _OnTarget(Rehearsal):
    """A rehearsal on a platform of this address."""

    api = ""

    @override
    def target(self) -> Target:
        services = TargetConfig(heroku=HerokuTarget(app=APP, api_url=self.api))
        return Target("real", services, self.config, "digest", SecretStr("token-token"), "test", None, None)


def make(root: Path, api: str) -> Material:
    """Everything, once: a case works on a copy of what it needs."""
    target = f"  real:\n    heroku: {{app: {APP}, api_url: '{api}', data_url: '{api}', status_url: '{api}'}}\n"
    found = Material(root, f"{api} {APP}", _TEXT.replace("targets:\n", f"targets:\n{target}", 1), ())
    state = root / "state"
    state.mkdir(mode=0o700)
    _runs(state, api)
    _baseline(state, found.key)
    _team(root / "team", found)
    _copies(root)
    return Material(found.root, found.key, found.config, _kits(root))


def _runs(state: Path, api: str) -> None:
    finished, cut = _OnTarget(state), _OnTarget(state)
    finished.api = cut.api = api
    with mock.patch.object(runs, "new_run_id", return_value=FINISHED):
        finished.begin()

    def crash(seq: int, moment: str) -> None:
        if moment == "after" and any(one["step"] == "drain" for one in cut.events("step.started")):
            raise Killed

    cut.crash = crash
    with mock.patch.object(runs, "new_run_id", return_value=RUN):
        cut.begin()


def _baseline(state: Path, key: str) -> None:
    checks: Mapping[str, dict[str, Any]] = {
        "row-counts": {"rows": {"patients_patient": 60}},
        "content": {"tables": {"patients_patient": {"rows": 60, "digest": "0" * 32}}},
        "processes": {"quantities": {"web": 2}},
        "homepage": {"seconds": 0.3},
        "freshness": {"newest": {"patients_patient.created_at": "2026-11-20T00:00:00+00:00"}},
    }
    (baseline.Baseline(key=key, taken_at=NOW, run=FINISHED, checks=dict(checks))).save(state)


def _team(place: Path, found: Material) -> None:
    """The unfinished run as the team has it, in three pieces, and the lease of its dead holder."""
    place.mkdir(mode=0o700)
    store = LocalStore(place)
    lines = found.journal.read_bytes().splitlines(keepends=True)
    for first, last in ((0, 2), (2, 5), (5, len(lines))):
        JournalStore(store).put(Piece(RUN, first), b"".join(lines[first:last]))
    who = Operator("bob", "bobs-desk", 4711)
    row = LeaseRow(
        store, LeaseRequest(found.key, RUN, who, "").scope, LeaseTerms(seconds=1.0)
    )  # waited for by those who act
    row.put(1, row.first(who, f"uscdr recover db (run {RUN})"))


def _copies(root: Path) -> None:
    """Two copies of backups with their proofs, of one application."""
    made = root / "copies"
    made.mkdir(mode=0o700)
    safe = Safe(made)
    now = datetime.now(UTC)
    for number in (1, 2):
        card = safe.pull(transfer(number, at=now - timedelta(days=3 - number)))
        safe.prove(card)


def _kits(root: Path) -> tuple[str, ...]:
    shop = Workshop(root)
    built = sorted(shop.build(rpo=14400.0).card.kit for _ in range(2))
    (root / "vault").rename(root / "safe")
    return tuple(built)
