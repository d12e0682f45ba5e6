"""Copies of backups in a store on this machine: how they are made, and what may never be seen of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from kit_world import PATIENT, new_key
from uscdr.backups.copy import CopyOrder, IncomingDump, Keyring, Keys
from uscdr.backups.manifest import BackupOrigin, CopyCard
from uscdr.backups.proofs import Grade, ProofDocument
from uscdr.errors import ProviderError
from uscdr.models.transfers import Transfer, TransferKind, TransferState, Whose
from uscdr.store.directory import LocalStore
from uscdr.store.encryption import Identity, Recipient

APP, ADDON = "usc-pis", "addon-1"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PASSPHRASE = SecretStr("canary horse battery staple")
DUMP = b"PGDMP" + f" {PATIENT} ".encode() * 20_000


def transfer(number: int = 1, **facts: Any) -> Transfer:
    """A finished manual backup of `DUMP`, an hour old and as many days as its number is below ten."""
    at = facts.pop("at", NOW - timedelta(hours=1))
    kind = facts.pop("kind", TransferKind.MANUAL_BACKUP)
    given = {
        "state": TransferState.COMPLETED, "created_at": at, "started_at": at, "num_keep": 5,
        "finished_at": at + timedelta(minutes=5), "processed_bytes": len(DUMP), "whose": Whose.OURS, **facts,
    }  # fmt: skip
    return Transfer(id=f"transfer-{number}", num=number, name=f"b{number:03}", kind=kind, **given)


class Bytes:
    """A download that gives `data`, and then what `end` raises; after that what the next one of `more` gives.

    A part that is an error is what its request raises.
    """

    def __init__(
        self, data: bytes, end: Callable[[], bytes] = lambda: b"", *more: tuple[bytes, Callable[[], bytes]] | Exception
    ) -> None:
        self._data = data
        self._end = end
        self._more = list(more)

    @property
    def can_resume(self) -> bool:
        return bool(self._more)

    def resume(self) -> None:
        part = self._more.pop(0)
        if isinstance(part, Exception):
            raise part
        self._data, self._end = part

    def read(self, size: int = -1) -> bytes:
        if not self._data:
            return self._end()
        amount = len(self._data) if size < 0 else min(size, 3000)
        data, self._data = self._data[:amount], self._data[amount:]
        return data


def broken(retryable: bool = True) -> Callable[[], bytes]:
    def end() -> bytes:
        raise ProviderError("The download broke off.", provider="fake", retryable=retryable)

    return end


def giving(*streams: IncomingDump) -> Callable[[], AbstractContextManager[IncomingDump]]:
    """Each attempt gets the next one."""
    left = list(streams)

    @contextmanager
    def open_dump() -> Iterator[IncomingDump]:
        yield left.pop(0)

    return open_dump


@dataclass
class Safe:
    """A store, and a key for it."""

    root: Path
    again: list[ProviderError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.work.mkdir(mode=0o700, exist_ok=True)
        public, secret = new_key()
        self.identity_file = self.root / "identity.txt"
        self.identity_file.write_text(secret + "\n")
        self.keyring = Keyring(Recipient.read([public]))

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def store(self) -> LocalStore:
        return LocalStore(self.root / "safe")

    @property
    def keys(self) -> Keys:
        return Keys(Identity.read(self.identity_file))

    def order(
        self, of: Transfer, watch: Callable[[int], None] = lambda done: None, app: str = APP, addon: str = ADDON
    ) -> CopyOrder:
        return CopyOrder(BackupOrigin.of(of, app, addon, "17.2"), "production", watch, self.again.append)

    def pull(self, of: Transfer | None = None, data: bytes = DUMP, app: str = APP, addon: str = ADDON) -> CopyCard:
        order = self.order(of or transfer(), app=app, addon=addon)
        return order.pull(giving(Bytes(data)), self.store, self.keyring)

    def prove(self, card: CopyCard, **facts: Any) -> ProofDocument:
        """A proof as if it had been made."""
        given = {"grade": Grade.DECRYPTS, "proven_at": card.origin.taken_at + timedelta(minutes=20), **facts}
        proof = ProofDocument(
            format=1, sha256=card.dump.plain_sha256, bytes=card.dump.plain_size, app=card.origin.app,
            addon_id=card.origin.addon_id, backup=card.origin.name,
            transfer_id=card.origin.transfer_id, taken_at=card.origin.taken_at, seconds=1.0,
            source="vault", uscdr="0", **given,
        )  # fmt: skip
        proof.keep(self.store)
        return proof

    def names(self) -> list[str]:
        """Every object there is, and every leftover."""
        top = self.root / "safe"
        files = (path for path in top.rglob("*") if path.is_file() and path.name != ".in-use")
        return sorted(path.relative_to(top).as_posix() for path in files)


def dump(number: int) -> bytes:
    """Different bytes for each number, of the same length."""
    return DUMP[:-64] + hashlib.sha256(str(number).encode()).hexdigest().encode()
