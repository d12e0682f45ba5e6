"""The place of backups' copies: its store, who can open them, and what a pull and a proof work with."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from uscdr.assembly.escrow import IDENTITY
from uscdr.assembly.job import Job, Surroundings
from uscdr.errors import BadInput, UscdrError
from uscdr.models.heroku import Download, SignedUrl
from uscdr.pgserver.tools import Tool
from uscdr.providers.heroku import dump_stream
from uscdr.providers.http import trust
from uscdr.providers.ports.platform import Platform
from uscdr.providers.postgres import archive
from uscdr.scenarios.candidate import DumpSource, Keep
from uscdr.scenarios.model import Config
from uscdr.scenarios.model_targets import HerokuTarget
from uscdr.scenarios.model_vault import VaultSettings
from uscdr.vault import location
from uscdr.vault.backups import proofs
from uscdr.vault.backups.opening import Keys
from uscdr.vault.backups.passphrase import read_passphrase
from uscdr.vault.backups.proofs import ProofDocument
from uscdr.vault.backups.proving import Decoded, ProofResult, Questions, Subject, document
from uscdr.vault.backups.pulling import Keyring, Stream
from uscdr.vault.seal import identities, recipients
from uscdr.vault.store import Store

RECIPIENTS, PASSPHRASE_FILE = "USCDR_KIT_RECIPIENTS", "USCDR_VAULT_PASSPHRASE_FILE"


def settings(config: Config) -> VaultSettings:
    """The section `vault` of scenarios.yaml."""
    return config.vault


def open_store(place: str | None, config: Config, state: Path, env: Mapping[str, str]) -> Store:
    """Where copies are: as named, as configured for copies or for kits, or in the state directory."""
    return location.open_store(place or settings(config).to or config.kit.to or str(state / "vault"), env)


def standing_recipients(env: Mapping[str, str]) -> tuple[str, ...]:
    """Of the environment, separated by commas or lines: SSH keys hold spaces."""
    return tuple(part for part in re.split(r"[,\n]", env.get(RECIPIENTS, "")) if part.strip())


def keyring(given: tuple[str, ...], passphrase_file: Path | None, config: Config, env: Mapping[str, str]) -> Keyring:
    """Who will be able to open copies. Raises BadInput when nobody would."""
    texts = given or standing_recipients(env) or settings(config).recipients or config.kit.recipients
    file = _passphrase_file(passphrase_file, env)
    passphrase = read_passphrase(file) if file else None
    if not texts and passphrase is None:
        raise BadInput(
            "Nobody could open the copy: there is neither a recipient nor a passphrase.",
            next_action=f"Give a public key (--recipient age1…, {RECIPIENTS}, `vault: {{recipients: […]}}` in "
            f"scenarios.yaml), or the file of a passphrase ({PASSPHRASE_FILE}).",
        )
    return Keyring(recipients(texts) if texts else (), passphrase)


def reading_keys(identity: Path | None, passphrase_file: Path | None, env: Mapping[str, str]) -> Keys:
    """What is at hand to open copies; nothing is no error."""
    named = identity or env.get(IDENTITY)
    file = _passphrase_file(passphrase_file, env)
    return Keys(identities(Path(named)) if named else (), read_passphrase(file) if file else None)


def _passphrase_file(given: Path | None, env: Mapping[str, str]) -> Path | None:
    named = given or env.get(PASSPHRASE_FILE)
    return Path(named) if named else None


def download(job: Job, link: SignedUrl, stop: threading.Event) -> AbstractContextManager[Stream]:
    """Begin to download a backup, as a stream."""
    return dump_stream.opened(link, verify=trust(job.place.ca_file), stop=stop)


def decode(dump: Path) -> Decoded:
    """`pg_restore -l`. Raises CheckFailed when the dump does not decode."""
    found = archive.read(dump, None)
    return Decoded(_version(found.tool), str(found.dumped_from or ""), found.extensions)


def _version(tool: Tool) -> str:
    return ".".join(map(str, tool.version))


def keeping(heroku: HerokuTarget, platform: Platform, store: Callable[[], Store]) -> Keep:
    """Keeps the proofs that a recovery makes with those of `uscdr backup prove`."""

    def keep(source: DumpSource, got: Download, shown: ProofResult, asked: Questions) -> None:
        attachment = platform.database(heroku.app, heroku.database)
        subject = Subject(
            sha256=got.sha256, size=got.size, app=heroku.app, backup=source.name, transfer_id=source.id,
            taken_at=source.taken_at or datetime.now(UTC), source="platform", addon_id=attachment.addon_id,
        )  # fmt: skip
        proofs.keep(store(), document(subject, shown, asked))

    return keep


def fresh_proof(job: Job, around: Surroundings) -> Callable[[str], ProofDocument | None]:
    """By a dump's SHA-256: a young proof in the vault. A vault that cannot be read has none to offer."""

    def look(sha256: str) -> ProofDocument | None:
        config = job.place.config
        try:
            store = open_store(None, config, around.state, around.env)
            return proofs.fresh(store, sha256, config.invariants, datetime.now(UTC))
        except (UscdrError, OSError):
            return None

    return look
