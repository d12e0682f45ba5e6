"""What a proof asks: of scenarios.yaml, of the application for its key, of the repository for its migrations."""

from __future__ import annotations

from pathlib import Path

from uscdr.errors import MachineError, ProviderError
from uscdr.scenarios.deps import Deps
from uscdr.vault.backups.proving import Code, Key, Questions


def questions(deps: Deps) -> Questions:
    """Everything that can be asked; what cannot be had is there with its reason."""
    config = deps.config
    return Questions(
        invariants=config.invariants,
        expected_tables=config.app.expected_tables,
        canaries=config.recovery.canaries,
        key=_key(deps),
        code=_code(deps),
    )


def _key(deps: Deps) -> Key:
    name = deps.config.recovery.key
    try:
        value = deps.platform.config_vars(deps.app).get(name)
    except ProviderError as error:
        return Key(name, why=f"the application's config could not be read: {error.message}")
    if value is None or not value.get_secret_value():
        return Key(name, why=f"the application has no config variable {name}")
    return Key(name, value)


def _code(deps: Deps) -> Code:
    """A repository that does not answer says nothing against the backup."""
    wanted = deps.config.app.source
    if wanted is None or deps.source is None:
        return Code(why="scenarios.yaml names no repository (app.source)")
    try:
        archive = deps.source.archive(wanted.ref, deps.work)
    except (ProviderError, MachineError) as error:
        return Code(why=f"the code could not be had: {error.message}")
    Path(archive.path).unlink(missing_ok=True)
    if not archive.migrations:
        return Code(why=f"{wanted.ref} has no migrations")
    return Code(wanted.ref, frozenset(archive.migrations))
