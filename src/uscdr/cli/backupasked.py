"""What a proof asks: of scenarios.yaml, of the application or a kit for its key, of the repository for its code."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from uscdr.cli.backupdesk import Desk
from uscdr.errors import MachineError, ProviderError
from uscdr.scenarios.deps import Deps
from uscdr.vault.backups.proving import Code, Key, Questions


def questions(work: Desk) -> Questions:
    """Everything, gathered once for all backups; what cannot be had is noted with its reason."""
    deps = work.deps
    return Questions(
        invariants=deps.config.invariants,
        expected_tables=deps.config.app.expected_tables,
        canaries=deps.config.recovery.canaries,
        key=application_key(deps),
        code=code(deps),
    )


def application_key(deps: Deps) -> Key:
    """The application's own config comes first, then the kit that was named."""
    name = deps.config.recovery.key
    try:
        value = deps.platform.config_vars(deps.app).get(name)
        why = f"the application has no config variable {name}"
    except ProviderError as error:
        value, why = None, f"the application's config could not be asked: {error.message}"
    if not _given(value) and deps.kit is not None:
        held = deps.kit.config()
        value = held.values.get(name) if held else None
        why += f"; the kit does not hold {name}"
    return Key(name, value) if _given(value) else Key(name, why=why)


def _given(value: SecretStr | None) -> bool:
    return value is not None and bool(value.get_secret_value())


def code(deps: Deps) -> Code:
    """The migrations of the configured ref."""
    source = deps.config.app.source
    if deps.source is None or source is None:
        return Code(why="no repository is configured (app.source)")
    try:
        archive = deps.source.archive(source.ref, deps.work)
    except (ProviderError, MachineError) as error:
        return Code(why=f"the code could not be had: {error.message}")
    Path(archive.path).unlink(missing_ok=True)
    why = "" if archive.migrations else f"{source.ref} holds no migrations"
    return Code(source.ref, frozenset(archive.migrations), why)
