"""What a proof asks: scenarios.yaml, the key of the application or the kit, and the code of the repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.backups.proving import Code, EncryptionKey, Questions
from uscdr.errors import MachineError, ProviderError
from uscdr.redaction import fingerprint

if TYPE_CHECKING:
    from pydantic import SecretStr

    from uscdr.kit.reader import KitReader
    from uscdr.providers.ports.platform import Platform
    from uscdr.scenarios.adapters import Adapters
    from uscdr.scenarios.config import Config


def questions(deps: Adapters) -> Questions:
    """Everything that can be asked; what is not available is named with the reason."""
    return questions_of(deps.config, encryption_key(deps.config, deps.platform, deps.old_app, deps.kit), _code(deps))


def questions_of(config: Config, key: EncryptionKey, code: Code) -> Questions:
    """What scenarios.yaml asks of a dump."""
    return Questions(
        invariants=config.invariants,
        expected_tables=config.app.expected_tables,
        canaries=config.recovery.canaries,
        key=key,
        code=code,
        freshness=config.app.freshness,
    )


def encryption_key(config: Config, platform: Platform, app: str, kit: KitReader | None) -> EncryptionKey:
    """The application's own key, else the one of the named kit."""
    name = config.recovery.encryption_key_variable
    try:
        value = platform.config_vars(app).get(name)
        why = f"the application has no config variable {name}"
    except ProviderError as error:
        value, why = None, f"the application's config could not be asked: {error.message}"
    if not _given(value) and kit is not None:
        held = kit.config()
        value = held.values.get(name) if held else None
        why += f"; the kit does not hold {name}"
    if value is None or not value.get_secret_value():
        return EncryptionKey(name, why=why)
    return EncryptionKey(name, value, fingerprint=fingerprint(value, app))


def _given(value: SecretStr | None) -> bool:
    return value is not None and bool(value.get_secret_value())


def _code(deps: Adapters) -> Code:
    """A repository that does not answer is no evidence against the backup."""
    wanted = deps.config.app.source
    if wanted is None or deps.source is None:
        return Code(why="scenarios.yaml names no repository (app.source)")
    try:
        archive = deps.source.archive(wanted.ref, deps.work)
    except (ProviderError, MachineError) as error:
        return Code(why=f"the code is not available: {error.message}")
    Path(archive.path).unlink(missing_ok=True)
    if not archive.migrations:
        return Code(why=f"{wanted.ref} has no migrations")
    return Code(wanted.ref, archive)
