"""A passphrase instead of a key: each copy has a key of its own, kept beside it, locked by the passphrase.

The dump itself is encrypted to that key, so that it streams; `age -d -i identity.age` asks for the passphrase.
Source: age(1), passphrase-encrypted identity files.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from pydantic import SecretStr

from uscdr.errors import BadInput, MissingExtra
from uscdr.reading import whole
from uscdr.vault.seal import Identity, Recipient, WrongIdentity

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


def unlock(locked: bytes, passphrase: SecretStr) -> Identity:
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
