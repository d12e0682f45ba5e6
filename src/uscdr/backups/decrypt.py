"""Decrypt a copy: returns its dump as a private file, only after every checksum matched."""

from __future__ import annotations

import io
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from pydantic import SecretStr

from uscdr.backups.manifest import IDENTITY, MANIFEST, CopyCard, CopyManifest, inside
from uscdr.errors import BadInput, CheckFailed, MachineError
from uscdr.files import whole
from uscdr.store.directory import new_private_file
from uscdr.store.encryption import Identity, Sealed, Watch, WrongIdentity, unseal
from uscdr.store.store import Store, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SHORTEST = 10
"""Characters."""
LARGEST_FILE = 4096


def read_passphrase(path: Path) -> SecretStr:
    """The first line of the file. Raises BadInput if the file is unreadable or the passphrase too short."""
    try:
        text = whole(path, LARGEST_FILE).decode("utf-8").split("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "the file is not UTF-8 text"
        raise BadInput(f"uscdr cannot read the passphrase file {path}.", why=why or type(error).__name__) from None
    if len(text) < SHORTEST:
        raise BadInput(
            f"The passphrase in {path} is too short.",
            why=f"It protects patients' data in every copy and needs at least {SHORTEST} characters.",
            next_action="Use a passphrase of six random words.",
        )
    return SecretStr(text)


@dataclass(frozen=True)
class Keys:
    """The available keys for copies."""

    identities: Sequence[Identity] = ()
    passphrase: SecretStr | None = None

    def may_open(self, card: CopyCard) -> bool:
        """Whether decryption may succeed; only a try shows whether a private key fits."""
        return bool(self.identities and card.recipients) or (self.passphrase is not None and card.passphrase)

    @contextmanager
    def opened(self, store: Store, card: CopyCard, work: Path, watch: Watch | None = None) -> Iterator[Path]:
        """The dump as a decrypted 0600 file in the private directory `work`, removed afterwards.

        Raises CheckFailed (missing or damaged), WrongIdentity, MachineError (this machine's disk).
        """
        opening = _keys_for(store, card, self)
        _check_manifest(store, card, opening)
        path = work / f"{secrets.token_hex(16)}.dump"
        try:
            with new_private_file(path) as target:
                done = _decrypted(store, card.dump.path, opening, target, watch)
            _same(card.dump.path, (done.sha256, done.size), (card.dump.sha256, card.dump.size))
            _same(card.dump.path, (done.plain_sha256, done.plain_size), (card.dump.plain_sha256, card.dump.plain_size))
            yield path
        finally:
            path.unlink(missing_ok=True)


def check_intact(store: Store, card: CopyCard) -> None:
    """Check without a key that manifest and dump match the card. Raises CheckFailed."""
    _same(
        inside(card.id, MANIFEST), digest_of(store, inside(card.id, MANIFEST)),
        (card.manifest_sha256, card.manifest_size),
    )  # fmt: skip
    _same(card.dump.path, digest_of(store, card.dump.path), (card.dump.sha256, card.dump.size))


def _keys_for(store: Store, card: CopyCard, keys: Keys) -> Sequence[Identity]:
    if keys.identities and card.recipients:
        return keys.identities
    if keys.passphrase is not None and card.passphrase:
        return (Identity.unlocked(store.read(inside(card.id, IDENTITY)), keys.passphrase),)
    wanted = " or ".join(
        [*(["--identity FILE"] if card.recipients else []), *(["--passphrase-file FILE"] if card.passphrase else [])]
    )
    raise BadInput(f"uscdr needs a key to decrypt the copy {card.id}.", next_action=f"Pass it: {wanted}")


def _check_manifest(store: Store, card: CopyCard, keys: Sequence[Identity]) -> None:
    """The card is not encrypted, so anybody could change it: the manifest must agree with it."""
    name, plain = inside(card.id, MANIFEST), io.BytesIO()
    done = _decrypted(store, name, keys, plain, None)
    _same(name, (done.sha256, done.size), (card.manifest_sha256, card.manifest_size))
    manifest = CopyManifest.parse(plain.getvalue(), name)
    said = (card.id, card.made_at, card.origin, card.dump)
    if (manifest.id, manifest.made_at, manifest.origin, manifest.dump) != said:
        raise _damaged(inside(card.id, "card.json"), "it differs from the manifest")


def _decrypted(
    store: Store, name: str, keys: Sequence[Identity], target: IO[bytes], watch: Watch | None
) -> Sealed:  # fmt: skip
    with store.open(name) as source:
        return _naming(name, lambda: unseal(source, target, keys, watch))


def _naming(name: str, work: Callable[[], Sealed]) -> Sealed:
    try:
        return work()
    except WrongIdentity:
        raise WrongIdentity(
            f"The identity does not decrypt {name}.",
            next_action="Use the identity of a recipient. The copy's card.json lists the recipients' fingerprints.",
        ) from None
    except CheckFailed as error:
        raise _damaged(name, error.why or error.message) from None
    except OSError as error:
        raise MachineError(
            f"This machine could not decrypt {name}.", why=error.strerror or type(error).__name__
        ) from error


def _same(name: str, seen: tuple[str, int], wanted: tuple[str, int]) -> None:
    if seen != wanted:
        raise _damaged(name, "its checksum differs from the copy's card")


def _damaged(name: str, why: str) -> CheckFailed:
    return CheckFailed(
        f"{name} is damaged: {why}.",
        next_action="Pull this backup again while the platform has it, or use another copy: uscdr backup list",
    )
