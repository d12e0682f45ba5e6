"""A process of its own that works on a store: `store_worker.py PLACE VERB …`. Says `ready`, then waits for a line."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from store_places import open_place

from uscdr.errors import LockHeld
from uscdr.settings import Operator
from uscdr.store.directory import new_private_file
from uscdr.store.lease import _hold
from uscdr.store.lease_records import LeaseTerms
from uscdr.store.store import NameTaken, Store, digest_of

PIECE = 1 << 20


def content(seed: str, size: int) -> Iterator[bytes]:
    """`size` bytes (whole pieces and a rest) that differ by seed."""
    for start in range(0, size, PIECE):
        block = hashlib.sha256(f"{seed} {start}".encode()).digest() * (PIECE // 32)
        yield block[: min(PIECE, size - start)]


def digest(seed: str, size: int) -> str:
    whole = hashlib.sha256()
    for piece in content(seed, size):
        whole.update(piece)
    return whole.hexdigest()


def create(store: Store, name: str, seed: str, size: str) -> str:
    with store.staging() as staging:
        file = staging / "staged"
        with new_private_file(file) as target:
            for piece in content(seed, int(size)):
                target.write(piece)
        ready()
        before = memory()
        try:
            store.create(name, file)
        except NameTaken:
            return "taken"
    return f"created {peak() - before}"


def put_once(store: Store, name: str, seed: str) -> str:
    ready()
    try:
        store.put_once(name, seed.encode())
    except NameTaken:
        return "taken"
    return "created"


def read(store: Store, name: str) -> str:
    ready()
    before = memory()
    found, size = digest_of(store, name)
    return f"{found} {size} {peak() - before}"


def lease(store: Store, scope: str, who: str, seconds: str, take_over: str) -> str:
    """Hold it until a second line comes."""
    ready()
    terms = LeaseTerms(seconds=float(seconds), grace=1.5, look=0.2)
    try:
        with _hold(store, scope, Operator(who, "host", os.getpid()), take_over=take_over == "yes", terms=terms) as held:
            tell("held")
            sys.stdin.readline()
            held.check()
    except LockHeld as error:
        return f"refused {error.message}"
    return "released"


def memory() -> int:
    """Resident memory in KiB; the peak is counted from here on."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak() -> int:
    return _status("VmHWM")


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def ready() -> None:
    tell("ready")
    sys.stdin.readline()


VERBS: dict[str, Callable[..., str]] = {"create": create, "put_once": put_once, "read": read, "lease": lease}

if __name__ == "__main__":
    text, verb, *rest = sys.argv[1:]
    tell(VERBS[verb](open_place(text, os.environ), *rest))
