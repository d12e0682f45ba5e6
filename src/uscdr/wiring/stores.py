"""The store of backup copies, the keys that encrypt and decrypt them, and what a pull and a proof work with."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.backups.proofs import ProofDocument, Proofs
from uscdr.errors import BadInput, UscdrError
from uscdr.store import location
from uscdr.store.store import ReadOnlyStore, Store

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from uscdr.backups.copy import IncomingDump, Keyring, Keys
    from uscdr.backups.proving import Decoded, ProofResult, Questions
    from uscdr.models.heroku import Download, SignedUrl
    from uscdr.pgserver.cluster import Tool
    from uscdr.providers.ports.database import Scratch
    from uscdr.providers.ports.platform import Platform
    from uscdr.scenarios.adapters import CopiesAccess
    from uscdr.scenarios.config import Config, VaultSettings
    from uscdr.scenarios.config_targets import HerokuTarget
    from uscdr.scenarios.prover import DumpSource, Keep
    from uscdr.store.encryption import Recipient
    from uscdr.wiring.context import RunContext

IDENTITY = "USCDR_AGE_IDENTITY"
RECIPIENTS, PASSPHRASE_FILE = "USCDR_KIT_RECIPIENTS", "USCDR_VAULT_PASSPHRASE_FILE"


def settings(config: Config) -> VaultSettings:
    """The section `vault` of scenarios.yaml."""
    return config.vault


def open_store(to: str | None, config: Config, state: Path, env: Mapping[str, str]) -> Store:
    """The store of copies: the named one, the one configured for copies or for kits, or the state directory."""
    return location.open_store(to or settings(config).to or config.kit.to or str(state / "vault"), env)


def standing_recipients(env: Mapping[str, str]) -> tuple[str, ...]:
    """The recipients in the environment, separated by commas or newlines, because SSH keys contain spaces."""
    return tuple(part for part in re.split(r"[,\n]", env.get(RECIPIENTS, "")) if part.strip())


def kit_recipients(given: Sequence[str], config: Config, env: Mapping[str, str]) -> tuple[Recipient, ...]:
    """Who can open kits, and the list of recipients of notices: named, in the environment, or configured.

    Raises BadInput when nobody is named, or a key is none.
    """
    from uscdr.store.encryption import Recipient

    return Recipient.read(given or standing_recipients(env) or config.kit.recipients)


def keyring_for(
    given: tuple[str, ...], passphrase_file: Path | None, config: Config, env: Mapping[str, str]
) -> Keyring:
    """The recipients and the passphrase of new copies. Raises BadInput when there is neither."""
    from uscdr.backups.copy import Keyring, read_passphrase
    from uscdr.store.encryption import Recipient

    texts = given or standing_recipients(env) or settings(config).recipients or config.kit.recipients
    file = _passphrase_file(passphrase_file, env)
    passphrase = read_passphrase(file) if file else None
    if not texts and passphrase is None:
        raise BadInput(
            "uscdr cannot encrypt the copy: there is neither a recipient nor a passphrase.",
            next_action=f"Pass a public key: --recipient age1…, {RECIPIENTS}, or `vault: {{recipients: […]}}` in "
            f"scenarios.yaml. Or set {PASSPHRASE_FILE} to a passphrase file.",
        )
    return Keyring(Recipient.read(texts) if texts else (), passphrase)


def reading_keys(identity: Path | None, passphrase_file: Path | None, env: Mapping[str, str]) -> Keys:
    """The keys that can decrypt copies; perhaps none."""
    from uscdr.backups.copy import Keys, read_passphrase
    from uscdr.store.encryption import Identity

    named = identity or env.get(IDENTITY)
    file = _passphrase_file(passphrase_file, env)
    return Keys(Identity.read(Path(named)) if named else (), read_passphrase(file) if file else None)


def _passphrase_file(given: Path | None, env: Mapping[str, str]) -> Path | None:
    named = given or env.get(PASSPHRASE_FILE)
    return Path(named) if named else None


def _download(
    context: RunContext, sign: Callable[[], SignedUrl], stop: threading.Event
) -> AbstractContextManager[IncomingDump]:  # fmt: skip
    """Start the download of a backup as a stream."""
    from uscdr.providers.heroku.download import open_stream
    from uscdr.providers.http.client import trust

    return open_stream(sign, verify=trust(context.target.ca_file), stop=stop)


def decode(dump: Path) -> Decoded:
    """List the dump with `pg_restore -l`. Raises CheckFailed when pg_restore cannot read it."""
    from uscdr.backups.proving import Decoded
    from uscdr.providers.postgres.archive import Archive

    found = Archive.read(dump, None)
    return Decoded(_version(found.tool), str(found.dumped_from or ""), found.extensions)


def _version(tool: Tool) -> str:
    return ".".join(map(str, tool.version))


def keeping(heroku: HerokuTarget, platform: Platform, store: Callable[[], Store], *, identity: str) -> Keep:
    """Stores a recovery's proofs beside the proofs of `uscdr backup prove`; `identity` as `Target` has it."""

    def keep(source: DumpSource, got: Download, shown: ProofResult, asked: Questions) -> None:
        from uscdr.backups.proving import ProofSubject

        attachment = platform.database(heroku.app, heroku.database)
        subject = ProofSubject(
            sha256=got.sha256, size=got.size, app=heroku.app, backup=source.name, transfer_id=source.id,
            taken_at=source.taken_at or datetime.now(UTC), source="platform", addon_id=attachment.addon_id,
            identity=identity,
        )  # fmt: skip
        shown.document(subject, asked).keep(store())

    return keep


def fresh_proof(context: RunContext) -> Callable[[str], ProofDocument | None]:
    """Finds a fresh proof by a dump's SHA-256; None when there is none, or when the store is unreadable."""

    def look(sha256: str) -> ProofDocument | None:
        config = context.target.config
        try:
            store = open_store(None, config, context.state, context.env)
            return Proofs(store).fresh(sha256, config.invariants, datetime.now(UTC))
        except (UscdrError, OSError):
            return None

    return look


# The store of backup copies in the form that the steps of a scenario use.


def copies_access(context: RunContext, scratch: Callable[[], Scratch]) -> CopiesAccess:
    """The access to copies. It opens the store on first use, because most scenarios do not need it."""
    from uscdr.scenarios.adapters import CopiesAccess

    config, to = context.target.config, context.request.to

    @cache
    def store() -> Store:
        found = open_store(to, config, context.state, context.env)
        return ReadOnlyStore(found) if context.dry_run else found

    def keyring() -> Keyring | None:
        # a resumed run reads its request from JSON, which has lists
        given = tuple(context.request.recipients)
        return keyring_for(given, None, config, context.env) if given or _named(context) else None

    def turn(message: str, say: Callable[[str], None]) -> AbstractContextManager[object]:
        from uscdr.settings import Operator
        from uscdr.store.lease import WriterQueue

        return WriterQueue(Operator.of(context.env), context.stop.pause, say).turn(store(), message)

    return CopiesAccess(
        target=context.target.name,
        to=to,
        store=store,
        keyring=keyring,
        reading=lambda: reading_keys(context.identity, None, context.env),
        download=lambda sign: _download(context, sign, context.stop.event),
        decode=decode,
        scratch=scratch,
        turn=turn,
        identity=context.target.identity,
    )


def _named(context: RunContext) -> bool:
    """Whether configuration or environment name a recipient or a passphrase file."""
    config, env = context.target.config, context.env
    standing = settings(config).recipients or config.kit.recipients
    return bool(standing or env.get(RECIPIENTS, "").strip() or env.get(PASSPHRASE_FILE))
