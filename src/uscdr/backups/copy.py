"""Copies of backups: pull one from the platform into a store, and decrypt one.

The download streams into the encryption, and the manifest is written last. The decrypted dump is a private file, which
exists only after every checksum matched.
"""

from __future__ import annotations

import io
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Protocol, cast

from pydantic import SecretStr

from uscdr import __version__
from uscdr.backups.manifest import (
    CARD,
    FORMAT,
    IDENTITY,
    MANIFEST,
    BackupOrigin,
    CopyCard,
    CopyManifest,
    Sealing,
    inside,
)
from uscdr.errors import BadInput, CheckFailed, MachineError, ProviderError
from uscdr.files import whole
from uscdr.staging import noted
from uscdr.store.directory import new_private_file
from uscdr.store.encryption import Identity, Recipient, Sealed, Watch, WrongIdentity, seal, unseal
from uscdr.store.store import Store, digest_of

if TYPE_CHECKING:
    from pathlib import Path


# Syncs a large file while it is written, so that the last sync is short.


STEP = 64 << 20
"""Bytes between two syncs; a smaller file is not synced here."""
_EVERY = 0.1
"""Seconds between two checks of the number of written bytes."""


@contextmanager
def _synced_meanwhile(file: IO[bytes]) -> Iterator[None]:
    """Sync the file from time to time in a thread that ends with the context.

    Raises OSError at the end if a sync failed: the system reports a failure once, and a later sync of the same file
    would succeed.
    """
    done, failed = threading.Event(), list[OSError]()

    def sync() -> None:
        synced = 0
        while not done.wait(_EVERY):
            size = os.fstat(file.fileno()).st_size
            if size - synced >= STEP:
                try:
                    os.fsync(file.fileno())
                except OSError as error:
                    failed.append(error)
                    return
                synced = size

    thread = threading.Thread(target=sync, name="sync", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    if failed:
        raise failed[0]


MAGIC = b"PGDMP"
"""The first bytes of a dump in PostgreSQL's custom format."""
ATTEMPTS = 3


class IncomingDump(Protocol):
    """A dump during its download."""

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes; none at the end, if the announced number of bytes arrived.

        Raises ProviderError (also for a short download), Interrupted.
        """
        ...

    @property
    def can_resume(self) -> bool:
        """Whether `resume` may go on after a `read` that failed."""
        ...

    def resume(self) -> None:
        """Go on where the download broke off, with a new link. Raises ProviderError.

        The next `read` continues the same bytes: never those of a file that changed meanwhile.
        """
        ...


OpenDump = Callable[[], AbstractContextManager[IncomingDump]]
"""Starts the download, with a new link each time."""


@dataclass(frozen=True)
class Keyring:
    """The keys that can decrypt a copy: private keys of recipients, a passphrase, or both."""

    recipients: Sequence[Recipient] = ()
    passphrase: SecretStr | None = None


@dataclass(frozen=True)
class CopyOrder:
    """The backup and its target; `watch` receives the number of bytes so far, `again` the error of a failed request.

    `work` is a directory of this process.
    """

    origin: BackupOrigin
    target: str
    watch: Watch
    again: Callable[[ProviderError], None]
    work: Path | None = None

    def pull(self, open_dump: OpenDump, store: Store, keys: Keyring) -> CopyCard:
        """Copy the backup into `store`; writes no plain text on this machine.

        Raises:
            CheckFailed: the download is not a dump, or is smaller than the platform says.
            ProviderError, MachineError, Interrupted: passed on. Then there is no copy.
        """
        to, locked = list(keys.recipients), b""
        if keys.passphrase is not None:
            own, locked = Recipient.locked(keys.passphrase)
            to.append(own)
        with noted(store.place, self.work), store.staging() as staging:
            staged, sealed = _fetched(self, open_dump, to, staging)
            _check_size(sealed, self.origin)
            copy = self.origin.new_copy_id()
            dump = Sealing(
                path=inside(copy, f"objects/{sealed.sha256}.age"), sha256=sealed.sha256, size=sealed.size,
                plain_sha256=sealed.plain_sha256, plain_size=sealed.plain_size,
            )  # fmt: skip
            store.create(dump.path, staged)
            if locked:
                store.put_once(inside(copy, IDENTITY), locked)
            return _finish(self, store, staging, keys, (copy, dump, to))


def _finish(
    order: CopyOrder, store: Store, staging: Path, keys: Keyring, made: tuple[str, Sealing, Sequence[Recipient]]
) -> CopyCard:
    """Write the card, then the manifest, which makes the copy valid."""
    copy, dump, to = made
    now = datetime.now(UTC)
    manifest = CopyManifest(
        format=FORMAT, id=copy, made_at=now, target=order.target, origin=order.origin, dump=dump
    )  # fmt: skip
    staged, sealed = _sealed(io.BytesIO(manifest.model_dump_json().encode()), to, staging, store)
    card = CopyCard(
        format=FORMAT, id=copy, made_at=now, uscdr=__version__, origin=order.origin, dump=dump,
        recipients=tuple(one.fingerprint for one in keys.recipients), passphrase=keys.passphrase is not None,
        manifest_sha256=sealed.sha256, manifest_size=sealed.size,
    )  # fmt: skip
    store.put_once(inside(copy, CARD), card.model_dump_json(indent=1).encode() + b"\n")
    store.create(inside(copy, MANIFEST), staged)
    return card


def _fetched(order: CopyOrder, open_dump: OpenDump, to: Sequence[Recipient], staging: Path) -> tuple[Path, Sealed]:
    """Download and encrypt the dump; a broken download that cannot go on starts anew, a few times."""
    for left in range(ATTEMPTS - 1, -1, -1):
        try:
            with open_dump() as stream:
                return _sealed(_Checked(stream, order.again), to, staging, None, order.watch)
        except ProviderError as error:
            if not (error.retryable and left):
                raise
            order.again(error)
    raise AssertionError("the last attempt returns or raises")


def _sealed(
    source: io.BytesIO | _Checked, to: Sequence[Recipient], staging: Path, store: Store | None,
    watch: Watch | None = None,
) -> tuple[Path, Sealed]:  # fmt: skip
    """Encrypt into a new file of the staging directory; a failed attempt leaves no file."""
    staged = staging / secrets.token_hex(16)
    try:
        with new_private_file(staged) as target, _synced_meanwhile(target):
            sealed = seal(cast("IO[bytes]", source), target, to, watch)
        if isinstance(source, _Checked):
            source.check_whole()
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise MachineError(
            f"uscdr could not write the copy to {store.place if store else staging.parent}.",
            why=error.strerror or type(error).__name__,
            next_action="Free disk space or name another store (--to STORE), and pull again. There is no copy yet.",
        ) from error
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    return staged, sealed


class _Checked:
    """A download that goes on after a cut, and stops at the first bytes that cannot be a dump.

    An error page must not be stored as a backup.
    """

    def __init__(self, stream: IncomingDump, again: Callable[[ProviderError], None]) -> None:
        self._stream = stream
        self._again = again
        self._failures = 0
        """Requests that failed since the last byte arrived."""
        self._start = b""

    def read(self, size: int = -1) -> bytes:
        """Read from the stream. Raises ProviderError when it cannot go on."""
        while True:
            try:
                data = self._stream.read(size)
            except ProviderError as error:
                self._go_on(error)
            else:
                self._failures = 0
                return self._checked(data)

    def _go_on(self, error: ProviderError) -> None:
        while error.retryable and self._stream.can_resume and self._failures < ATTEMPTS - 1:
            self._failures += 1
            self._again(error)
            try:
                self._stream.resume()
            except ProviderError as another:
                error = another
            else:
                return
        raise error

    def _checked(self, data: bytes) -> bytes:
        if len(self._start) < len(MAGIC):
            self._start += data[:64]
            if not MAGIC.startswith(self._start[: len(MAGIC)]):
                raise _no_dump(self._start)
        return data

    def check_whole(self) -> None:
        """At the end: raises CheckFailed if the download is too short for a dump's first bytes."""
        if not self._start.startswith(MAGIC):
            raise _no_dump(self._start)


def _no_dump(start: bytes) -> CheckFailed:
    looks = start.lstrip()
    why = f"A dump begins with {MAGIC.decode()}; this file does not."
    if not start:
        why = "The file is empty."
    elif looks.startswith(b"<"):
        why = "The file looks like a web page or XML, the answer of storage for an expired link."
    return CheckFailed(
        "The platform did not send a PostgreSQL dump.",
        why=why,
        next_action="Pull again: uscdr backup pull. A link is valid for one hour.",
    )


def _check_size(sealed: Sealed, origin: BackupOrigin) -> None:
    """Refuse a dump that is smaller than the platform says; a larger one is kept."""
    if sealed.plain_size < origin.processed_bytes:
        raise CheckFailed(
            f"{origin.name} is incomplete: {sealed.plain_size:,} of {origin.processed_bytes:,} bytes arrived.",
            next_action="Pull again. If it is still incomplete, make a new backup: uscdr backup capture",
        )


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
