"""Encrypt to age recipients, decrypt with an age identity. Works on streams in constant memory."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from uscdr.errors import BadInput, CheckFailed, MachineError, MissingExtra
from uscdr.files import new_file, whole

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from pydantic import SecretStr

IDENTITY_WORD = "AGE-SECRET-KEY-"
_NO_KEY = "No matching keys"
_LARGEST_IDENTITY_FILE = 1 << 20
_TOO_LONG = "Excessive work"
"""age's words for a key that this machine would need too long for."""
_MEASUREMENTS = 20
"""How often it is asked again."""

Watch = Callable[[int], None]
"""Receives the number of plain bytes processed so far; may raise to stop."""


@dataclass(frozen=True)
class Recipient:
    """A public key that data is encrypted to: age (`age1…`) or SSH."""

    text: str
    key: Any = field(repr=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the SHA-256 of the public key's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @classmethod
    def read(cls, texts: Sequence[str]) -> tuple[Recipient, ...]:
        """Parse public keys. Raises BadInput for none, a bad one, or a private key, which the error never shows."""
        wanted = tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))
        if not wanted:
            raise BadInput(
                "No recipient is configured. Nobody could decrypt what uscdr encrypts.",
                next_action="Create a key, or show its public key: uscdr kit key. Configure the public key: "
                "--recipient age1…, USCDR_KIT_RECIPIENTS, or `kit: {recipients: […]}` in scenarios.yaml.",
            )
        return tuple(_recipient(text) for text in wanted)

    @classmethod
    def locked(cls, passphrase: SecretStr) -> tuple[Recipient, bytes]:
        """A new public key, and its private key encrypted by `passphrase` (deliberately takes seconds)."""
        pyrage = _age()
        identity = pyrage.x25519.Identity.generate()
        public = identity.to_public()
        locked: bytes = pyrage.passphrase.encrypt(f"{identity}\n".encode(), passphrase.get_secret_value())
        return cls(str(public), public), locked


@dataclass(frozen=True)
class Identity:
    """A private key that decrypts; its text is never shown."""

    key: Any = field(repr=False, compare=False)

    @classmethod
    def read(cls, path: Path) -> tuple[Identity, ...]:
        """Read an age identity file (comments allowed) or an OpenSSH private key. Raises BadInput, MachineError."""
        try:
            data = whole(path, _LARGEST_IDENTITY_FILE)
        except OSError as error:
            raise BadInput(
                f"uscdr cannot read the identity file {path}.",
                why=error.strerror or type(error).__name__,
                next_action="Name the file that contains AGE-SECRET-KEY-…: --identity PATH",
            ) from error
        found = _ssh_identity(data) if b"PRIVATE KEY" in data else _age_identities(data)
        if not found:
            raise BadInput(
                f"{path} contains no usable age or SSH private key.",
                why="A passphrase protects it, or it is another kind of file.",
                next_action="Decrypt a copy of it (age -d, or ssh-keygen -p) and name that file. Then delete the copy.",
            )
        return found

    @classmethod
    def create(cls, path: Path) -> Recipient:
        """Make a new private key in the new 0600 file `path`, as age-keygen writes it; returns the public key.

        Raises OSError, FileExistsError when the name exists, and MissingExtra before anything is written.
        """
        identity = _age().x25519.Identity.generate()
        public = identity.to_public()
        with new_file(path) as file:
            file.write(f"# public key: {public}\n{identity}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        return Recipient(str(public), public)

    def public(self) -> Recipient | None:
        """The public key; None for an SSH key, whose public half stands in a file of its own."""
        if not hasattr(self.key, "to_public"):
            return None
        public = self.key.to_public()
        return Recipient(str(public), public)

    @classmethod
    def unlocked(cls, locked: bytes, passphrase: SecretStr) -> Identity:
        """The private key that `Recipient.locked` encrypted.

        Raises WrongIdentity if the passphrase does not decrypt it, MachineError on a slow machine.
        """
        pyrage = _age()
        try:
            opened = _decrypt_key(pyrage, locked, passphrase)
            return cls(pyrage.x25519.Identity.from_str(opened.decode().strip()))
        except (pyrage.DecryptError, pyrage.IdentityError, UnicodeDecodeError):
            raise WrongIdentity(
                "The passphrase does not decrypt this copy.",
                why="It is another passphrase, or the copy's identity.age is damaged.",
                next_action="Pass the passphrase that the copy was made with: --passphrase-file FILE",
            ) from None


@dataclass(frozen=True)
class Sealed:
    """One encryption or decryption: SHA-256 (hex) and size (bytes) of the plain and the encrypted side."""

    sha256: str
    size: int
    plain_sha256: str
    plain_size: int


class WrongIdentity(BadInput):
    """The object was not encrypted to this identity."""


def _recipient(text: str) -> Recipient:
    if text.upper().startswith(IDENTITY_WORD) or "PRIVATE KEY" in text:
        raise BadInput(
            "The recipient is a private key.",
            next_action="Pass its public key (age1…). If the private key was on a command line, treat it as exposed.",
        )
    pyrage = _age()
    try:
        if text.startswith("ssh-"):
            plain = " ".join(text.split()[:2])  # drop the comment
            return Recipient(plain, pyrage.ssh.Recipient.from_str(plain))
        return Recipient(text.lower(), pyrage.x25519.Recipient.from_str(text.lower()))
    except pyrage.RecipientError as error:
        raise BadInput(
            f"{text[:12]}… is not an age or SSH public key.",
            why=str(error),
            next_action="Pass a key that begins with age1 or ssh-.",
        ) from None


def _ssh_identity(data: bytes) -> tuple[Identity, ...]:
    pyrage = _age()
    try:
        return (Identity(pyrage.ssh.Identity.from_buffer(data)),)
    except pyrage.IdentityError:
        return ()


def _age_identities(data: bytes) -> tuple[Identity, ...]:
    pyrage = _age()
    lines = (line.strip() for line in data.decode("utf-8", "replace").splitlines())
    try:
        return tuple(
            Identity(pyrage.x25519.Identity.from_str(line)) for line in lines if line.startswith(IDENTITY_WORD)
        )
    except pyrage.IdentityError:
        return ()


def seal(source: IO[bytes], target: IO[bytes], to: Sequence[Recipient], watch: Watch | None = None) -> Sealed:
    """Encrypt `source` into `target` as a binary age file.

    Raises:
        OSError: a stream failed (for example, the disk is full).
        MachineError: the encryption itself failed.
    """
    pyrage = _age()
    plain, sealed = _Tap(source, watch), _Tap(target)
    try:
        pyrage.encrypt_io(plain, sealed, [recipient.key for recipient in to])
    except (pyrage.EncryptError, OSError) as error:
        _reraise(plain, sealed)
        raise MachineError("The encryption failed.", why=str(error)) from None
    return Sealed(sealed.sha256, sealed.size, plain.sha256, plain.size)


def unseal(source: IO[bytes], target: IO[bytes], keys: Sequence[Identity], watch: Watch | None = None) -> Sealed:
    """Decrypt `source` into `target`. The output is valid only if this function returns.

    Raises:
        WrongIdentity: none of `keys` decrypts it.
        CheckFailed: `source` is truncated or damaged.
        OSError: a stream failed.
    """
    pyrage = _age()
    sealed, plain = _Tap(source), _Tap(target, watch)
    try:
        pyrage.decrypt_io(sealed, plain, [identity.key for identity in keys])
    except (pyrage.DecryptError, OSError) as error:
        _reraise(sealed, plain)
        if _NO_KEY in str(error):
            raise WrongIdentity(
                "The identity does not decrypt this kit.",
                next_action="Use the identity of a recipient. The kit's card lists the recipients' fingerprints.",
            ) from None
        raise CheckFailed("The encrypted data is damaged or truncated.", why=str(error)) from None
    return Sealed(sealed.sha256, sealed.size, plain.sha256, plain.size)


class _Tap:
    """Passes bytes on and hashes them; keeps the original error, which age would turn into text."""

    def __init__(self, stream: IO[bytes], watch: Watch | None = None) -> None:
        self._stream = stream
        self._watch = watch
        self._digest = hashlib.sha256()
        self.size = 0
        self.error: BaseException | None = None

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of all bytes that passed."""
        return self._digest.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes."""
        try:
            data = self._stream.read(size)
            self._passed(data)
        except BaseException as error:
            self.error = error
            raise
        return data

    def write(self, data: bytes) -> int:
        """Write all of `data`."""
        try:
            self._stream.write(data)
            self._passed(data)
        except BaseException as error:
            self.error = error
            raise
        return len(data)

    def flush(self) -> None:
        """Flush the target."""
        try:
            self._stream.flush()
        except BaseException as error:
            self.error = error
            raise

    def _passed(self, data: bytes) -> None:
        self._digest.update(data)
        self.size += len(data)
        if self._watch is not None:
            self._watch(self.size)


def _reraise(*taps: _Tap) -> None:
    for tap in taps:
        if tap.error is not None:
            raise tap.error


def _decrypt_key(pyrage: ModuleType, locked: bytes, passphrase: SecretStr) -> bytes:
    """The key as text. Raises DecryptError or MachineError.

    age refuses a key that this machine would need too long for. It measures the machine at each call, within
    milliseconds: that other programs had the processor just then is no reason to refuse.
    """
    for _ in range(_MEASUREMENTS):
        try:
            opened: bytes = pyrage.passphrase.decrypt(locked, passphrase.get_secret_value())
        except pyrage.DecryptError as error:
            if _TOO_LONG not in str(error):
                raise
        else:
            return opened
    raise MachineError(
        "This machine is too slow or too busy to open the copy by its passphrase.",
        why="age refuses a key that takes much longer here than where the copy was made.",
        next_action="End other programs, or use a faster machine. Then run the command again.",
    )


def _age() -> ModuleType:
    """The age library, which an extra of the package installs."""
    try:
        return importlib.import_module("pyrage")
    except ImportError as error:
        raise MissingExtra(
            "Kits and copies of backups need age encryption, which is not installed.", extra="vault", module="pyrage"
        ) from error
