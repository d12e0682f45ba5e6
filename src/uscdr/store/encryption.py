"""Encrypt to age recipients, decrypt with an age identity. Works on streams in constant memory."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from typing_extensions import override

from uscdr.errors import BadInput, CheckFailed, MachineError, MissingExtra
from uscdr.files import new_file, whole

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor
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
    with closing(_Source(source, watch)) as plain, closing(_Target(target)) as sealed:
        try:
            pyrage.encrypt_io(plain, sealed, [recipient.key for recipient in to])
        except (pyrage.EncryptError, OSError) as error:
            _reraise(plain, sealed)
            raise MachineError("The encryption failed.", why=str(error)) from None
        return _done(sealed, plain)


def unseal(source: IO[bytes], target: IO[bytes], keys: Sequence[Identity], watch: Watch | None = None) -> Sealed:
    """Decrypt `source` into `target`. The output is valid only if this function returns.

    Raises:
        WrongIdentity: none of `keys` decrypts it.
        CheckFailed: `source` is truncated or damaged.
        OSError: a stream failed.
    """
    pyrage = _age()
    with closing(_Source(source)) as sealed, closing(_Target(target, watch)) as plain:
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
        return _done(sealed, plain)


# age holds the interpreter while it works, so this thread only reads and encrypts: a thread for each side hashes large
# blocks meanwhile, and writes them.


_PART = 1 << 16
"""Bytes that are read at a time. The system maps larger memory anew each time, which costs more than a copy."""
_BLOCK = 1 << 20
"""Bytes that are hashed, or written, at a time."""
_AHEAD = 4
"""Blocks of one side that may wait for its thread, so that memory does not depend on the size of the data."""


class _Beside:
    """Gathers bytes into blocks, and does `work` with each, in their order, in a thread that the first one starts.

    The memory of a block is used again after its work.
    """

    def __init__(self, work: Callable[[memoryview], object]) -> None:
        self._work = work
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[Future[object], memoryview]] = deque()
        self._space = memoryview(bytearray())
        self._filled = 0
        self._free: list[memoryview] = []
        self.size = 0
        """Bytes that were added."""

    def add(self, data: bytes) -> None:
        """Waits while _AHEAD blocks wait. Raises what the work with an earlier block raised."""
        done, size = 0, len(data)
        if self._filled + size > len(self._space) < _BLOCK:
            self._grow(self._filled + size)
        while done < size:
            end = min(self._filled + size - done, _BLOCK)
            amount = end - self._filled
            self._space[self._filled : end] = data if amount == size else data[done : done + amount]
            done, self._filled = done + amount, end
            if end == _BLOCK:
                self._hand_over()
        self.size += size

    def finish(self) -> None:
        """Return when all is done, the last bytes on this thread. Raises what the work raised."""
        while self._waiting:
            self._take_back()
        if self._filled:
            self._work(self._space[: self._filled])
            self._filled = 0

    def close(self) -> None:
        """Leave no thread behind; what still waits is not done."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _grow(self, size: int) -> None:
        """Small data has a small block: many small files would pay for memory that they do not use."""
        larger = memoryview(bytearray(min(max(size, 2 * self._filled), _BLOCK)))
        larger[: self._filled] = self._space[: self._filled]
        self._space = larger

    def _hand_over(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="blocks")
        while self._waiting and (len(self._waiting) >= _AHEAD or self._waiting[0][0].done()):
            self._take_back()
        self._waiting.append((self._pool.submit(self._work, self._space), self._space))
        self._space = self._free.pop() if self._free else memoryview(bytearray(_BLOCK))
        self._filled = 0

    def _take_back(self) -> None:
        done, space = self._waiting.popleft()
        done.result()
        self._free.append(space)


class _Side:
    """Hashes one side; keeps the original error, which age would turn into text."""

    def __init__(self, watch: Watch | None) -> None:
        self._digest = hashlib.sha256()
        self._beside = _Beside(self._work)
        self._watch = watch
        self.error: BaseException | None = None

    @property
    def size(self) -> int:
        """Bytes that passed."""
        return self._beside.size

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of all bytes that passed, once it is finished."""
        return self._digest.hexdigest()

    def finish(self) -> None:
        """Do what is still to do. Raises what the stream raised."""
        self._beside.finish()

    def close(self) -> None:
        """Leave no thread behind."""
        self._beside.close()

    def _work(self, block: memoryview) -> None:
        """What happens to each block beside the encryption."""
        self._digest.update(block)

    def _passed(self, data: bytes) -> None:
        self._beside.add(data)
        if self._watch is not None:
            self._watch(self.size)


class _Source(_Side):
    """Reads a stream in parts, and gives them away in pieces."""

    def __init__(self, stream: IO[bytes], watch: Watch | None = None) -> None:
        super().__init__(watch)
        self._stream = stream
        self._part = b""
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes; age asks for 8 KiB, more than a hundred thousand times for 1 GB."""
        if self._at >= len(self._part):
            self._next()
        begin = self._at
        self._at = begin + size if size >= 0 else len(self._part)
        return self._part[begin : self._at]

    def _next(self) -> None:
        try:
            self._part, self._at = self._stream.read(_PART), 0
            self._passed(self._part)
        except BaseException as error:
            self.error = error
            raise


class _Target(_Side):
    """Takes what age writes; it is written, before it is hashed, beside the encryption."""

    def __init__(self, stream: IO[bytes], watch: Watch | None = None) -> None:
        super().__init__(watch)
        self._stream = stream

    def write(self, data: bytes) -> int:
        """Take all of `data`. That the disk refused it is raised by a later call, or by `finish`."""
        try:
            self._passed(data)
        except BaseException as error:
            self.error = error
            raise
        return len(data)

    def flush(self) -> None:
        """Nothing: `finish` writes what is left."""

    @override
    def _work(self, block: memoryview) -> None:
        self._stream.write(block)
        super()._work(block)


def _done(sealed: _Side, plain: _Side) -> Sealed:
    """The result, once both sides are hashed and written. Raises OSError."""
    sealed.finish()
    plain.finish()
    return Sealed(sealed.sha256, sealed.size, plain.sha256, plain.size)


def _reraise(*sides: _Side) -> None:
    for side in sides:
        if side.error is not None:
            raise side.error


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
