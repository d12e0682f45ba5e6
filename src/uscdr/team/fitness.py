"""Whether a store can be shared: a name that exists is never given twice, and what was stored is seen at once."""

from __future__ import annotations

import secrets
from contextlib import suppress

from uscdr.errors import BadInput, MachineError
from uscdr.vault.leaserow import LEASES
from uscdr.vault.store import ChecksumRefused, NameTaken, NotExclusive, Store

OTHERS = (
    "Share a directory, or a bucket with conditional writes (S3 itself, Google Cloud Storage, Azure, R2, MinIO). "
    "Alone, and tell the others: USCDR_SHARED= before the command"
)


def require_fit(store: Store) -> None:
    """Try it, with an object that is removed again. Raises BadInput saying what the store lacks, MachineError."""
    name = f"{LEASES}/probe-{secrets.token_hex(8)}"
    try:
        store.put_once(name, b"first")
        if _is_given_twice(store, name):
            raise _unfit(store, "It let one name be created twice: two operators would both hear that they are alone.")
        if name not in store.names(LEASES):
            raise _unfit(store, "It does not show at once what was stored: two operators would not see each other.")
    except (ChecksumRefused, NotExclusive) as error:
        raise _unfit(store, f"It cannot create a name only once. {error.why}".strip()) from error
    finally:
        with suppress(MachineError):
            store.delete(name)


def _is_given_twice(store: Store, name: str) -> bool:
    try:
        store.put_once(name, b"second")
    except NameTaken:
        return False
    return True


def _unfit(store: Store, why: str) -> BadInput:
    return BadInput(f"{store.place} cannot be the shared state of a team.", why=why, next_action=OTHERS)
