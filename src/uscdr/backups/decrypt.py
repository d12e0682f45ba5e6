"""Opening a copy: its dump as a private file, handed out only when every digest was found right."""

from __future__ import annotations

import importlib
import io
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from pydantic import SecretStr

from uscdr.backups import manifest as documents
from uscdr.backups.manifest import FORMAT, IDENTITY, MANIFEST, CopyCard, CopyManifest, inside
from uscdr.errors import BadInput, CheckFailed, MachineError, MissingExtra
from uscdr.files import whole
from uscdr.store.encryption import Identity, Recipient, Sealed, Watch, WrongIdentity, unseal
from uscdr.store.store import Store, digest_of, new_private_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import ModuleType

# A passphrase instead of a key: each copy has a key of its own, kept beside it, locked by the passphrase.


SHORTEST = 10
"""Characters."""
LARGEST_FILE = 4096


def read_passphrase(path: Path) -> SecretStr:
    """The first line of the file. Raises BadInput when it cannot be read or is too short to be one."""
    try:
        text = whole(path, LARGEST_FILE).decode("utf-8").split("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise BadInput(f"The passphrase file {path} cannot be read.", why=why or type(error).__name__) from None
    if len(text) < SHORTEST:
        raise BadInput(
            f"The passphrase in {path} is too short.",
            why=f"It guards patients' data wherever the copies are carried; {SHORTEST} characters are the least.",
            next_action="Six random words are a good one.",
        )
    return SecretStr(text)


def new_locked_key(passphrase: SecretStr) -> tuple[Recipient, bytes]:
    """A new public key, and its private half encrypted by `passphrase` (seconds of work, on purpose)."""
    pyrage = _age()
    identity = pyrage.x25519.Identity.generate()
    public = identity.to_public()
    locked: bytes = pyrage.passphrase.encrypt(f"{identity}\n".encode(), passphrase.get_secret_value())
    return Recipient(str(public), public), locked


def _unlock(locked: bytes, passphrase: SecretStr) -> Identity:
    """The private key. Raises WrongIdentity when the passphrase does not open it."""
    pyrage = _age()
    try:
        opened: bytes = pyrage.passphrase.decrypt(locked, passphrase.get_secret_value())
        return Identity(pyrage.x25519.Identity.from_str(opened.decode().strip()))
    except (pyrage.DecryptError, pyrage.IdentityError, UnicodeDecodeError):
        raise WrongIdentity(
            "The passphrase does not open this copy.",
            why="It is another one, or the copy's identity.age is damaged.",
            next_action="Name the file of the passphrase that was in use when the copy was made.",
        ) from None


def _age() -> ModuleType:
    try:
        return importlib.import_module("pyrage")
    except ImportError as error:
        raise MissingExtra(
            "Copies of backups need age encryption, which is not installed.", extra="vault", module="pyrage"
        ) from error


@dataclass(frozen=True)
class Keys:
    """What is at hand to open copies."""

    identities: Sequence[Identity] = ()
    passphrase: SecretStr | None = None

    def may_open(self, card: CopyCard) -> bool:
        """Whether it is worth trying; which private key belongs to which public one shows only then."""
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
    """Without a key: that manifest and dump are the ones that the card names. Raises CheckFailed."""
    _same(
        inside(card.id, MANIFEST), digest_of(store, inside(card.id, MANIFEST)),
        (card.manifest_sha256, card.manifest_size),
    )  # fmt: skip
    _same(card.dump.path, digest_of(store, card.dump.path), (card.dump.sha256, card.dump.size))


def _keys_for(store: Store, card: CopyCard, keys: Keys) -> Sequence[Identity]:
    if keys.identities and card.recipients:
        return keys.identities
    if keys.passphrase is not None and card.passphrase:
        return (_unlock(documents.read(store, inside(card.id, IDENTITY)), keys.passphrase),)
    wanted = " or ".join(
        [*(["--identity FILE"] if card.recipients else []), *(["--passphrase-file FILE"] if card.passphrase else [])]
    )
    raise BadInput(f"The copy {card.id} cannot be opened without its key.", next_action=f"Give it: {wanted}")


def _check_manifest(store: Store, card: CopyCard, keys: Sequence[Identity]) -> None:
    """The card is readable by anybody, and so is changeable; the manifest must say the same."""
    name, plain = inside(card.id, MANIFEST), io.BytesIO()
    done = _decrypted(store, name, keys, plain, None)
    _same(name, (done.sha256, done.size), (card.manifest_sha256, card.manifest_size))
    manifest = documents.parse(CopyManifest, plain.getvalue(), name, FORMAT)
    said = (card.id, card.made_at, card.origin, card.dump)
    if (manifest.id, manifest.made_at, manifest.origin, manifest.dump) != said:
        raise _damaged(inside(card.id, "card.json"), "it does not say what the manifest says")


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
            f"The identity does not open {name}.",
            next_action="The copy's card.json lists the fingerprints of the recipients: use the identity of one.",
        ) from None
    except CheckFailed as error:
        raise _damaged(name, error.why or error.message) from None
    except OSError as error:
        raise MachineError(
            f"{name} could not be decrypted on this machine.", why=error.strerror or type(error).__name__
        ) from error


def _same(name: str, seen: tuple[str, int], wanted: tuple[str, int]) -> None:
    if seen != wanted:
        raise _damaged(name, "it is not what the copy's card names")


def _damaged(name: str, why: str) -> CheckFailed:
    return CheckFailed(
        f"{name} is damaged: {why}.",
        next_action="Pull this backup again while the platform has it, or use another copy: uscdr backup list",
    )
