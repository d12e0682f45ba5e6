"""Which copy of the operator's database a drill takes: a proven one, of this application, that a key can open."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backup_world import DUMP, NOW, Safe, transfer
from kit_world import Workshop
from uscdr.backups.proofs import Grade
from uscdr.drills.own_copy import CopyRequest, own_copy
from uscdr.errors import BadInput
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load


@pytest.fixture(scope="module")
def packaged_config() -> Config:
    return load(packaged(), lazily=True).config


@pytest.fixture
def safe(tmp_path: Path) -> Safe:
    return Safe(tmp_path)


def told(config: Config, root: Path) -> Config:
    """The configuration with stores below `root`."""
    vault = config.vault.model_copy(update={"to": str(root / "safe")})
    kit = config.kit.model_copy(update={"to": str(root / "vault")})
    return config.model_copy(update={"vault": vault, "kit": kit})


def asked(name: str, identity: Path | None = None, target: str | None = None) -> CopyRequest:
    return CopyRequest(name, target, identity, None)


def test_the_newest_proven_copy_is_taken_and_a_newer_one_without_a_proof_is_not(
    packaged_config: Config, safe: Safe, tmp_path: Path
) -> None:
    config = told(packaged_config, tmp_path)
    proven = safe.pull(transfer(1, at=NOW - timedelta(hours=5)))
    safe.prove(proven, proven_at=NOW)
    newer = safe.pull(transfer(2, at=NOW - timedelta(hours=1)), data=DUMP + b"2")
    safe.prove(newer, grade=Grade.DECODES, proven_at=NOW)
    found = own_copy(asked("vault:newest", safe.identity_file), config, tmp_path)
    assert (found.id, found.backup) == (proven.id, "b001")
    with found.opened(safe.work) as path:
        assert path.read_bytes() == DUMP
    assert list(safe.work.iterdir()) == []
    assert own_copy(asked("vault:b001", safe.identity_file), config, tmp_path).id == proven.id
    with pytest.raises(BadInput, match="b002 is not proven"):
        own_copy(asked("vault:b002", safe.identity_file), config, tmp_path)


def test_a_copy_of_another_application_is_none(packaged_config: Config, safe: Safe, tmp_path: Path) -> None:
    card = safe.pull(app="somebody-elses")
    safe.prove(card, proven_at=NOW)
    with pytest.raises(BadInput, match="no proven copy of the database of usc-pis"):
        own_copy(asked("vault:newest", safe.identity_file), told(packaged_config, tmp_path), tmp_path)


def test_with_several_targets_one_must_be_named(packaged_config: Config, safe: Safe, tmp_path: Path) -> None:
    only = packaged_config.targets["production"]
    other = only.model_copy(update={"heroku": only.heroku.model_copy(update={"app": "usc-pis-staging"})})
    config = told(packaged_config, tmp_path).model_copy(update={"targets": {"production": only, "staging": other}})
    safe.prove(safe.pull(app="usc-pis-staging"), proven_at=NOW)
    with pytest.raises(BadInput, match="does not know whose database") as caught:
        own_copy(asked("vault:newest", safe.identity_file), config, tmp_path)
    assert "--target production" in caught.value.next_action
    assert own_copy(asked("vault:newest", safe.identity_file, "staging"), config, tmp_path).backup == "b001"


def test_the_dump_of_a_kit_is_taken_if_it_was_restored(packaged_config: Config, tmp_path: Path) -> None:
    shop, config = Workshop(tmp_path), told(packaged_config, tmp_path)
    built = shop.build()
    facts = shop.read(built).dump()
    assert facts is not None
    found = own_copy(asked("kit:newest", shop.identity_file), config, tmp_path)
    assert (found.id, found.backup) == (built.card.kit, facts.backup)
    with found.opened(shop.work) as path:
        assert path.stat().st_size == facts.bytes
    other = replace(asked(f"kit:{built.card.kit}", shop.identity_file), target="staging")
    staging = config.targets["production"].model_copy(
        update={"heroku": config.targets["production"].heroku.model_copy(update={"app": "usc-pis-staging"})}
    )
    with pytest.raises(BadInput, match="is of usc-pis"):
        own_copy(other, config.model_copy(update={"targets": {"staging": staging}}), tmp_path)
