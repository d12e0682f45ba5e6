"""Names of servers and databases for a proof, which tell whose they are: what a killed process left can be removed."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket

from uscdr.pgserver.process import birth

_NAME = re.compile(r"(?P<pid>\d+)_(?P<mark>[0-9a-f]{8})_[0-9a-f]{8}")


def own_name() -> str:
    """A new name of this process."""
    return f"{os.getpid()}_{_mark(os.getpid())}_{secrets.token_hex(4)}"


def is_left(name: str) -> bool:
    """Whether the process that gave this name is no more; a name of another form is nobody's here."""
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    pid = int(found["pid"])
    return birth(pid) is None or _mark(pid) != found["mark"]


def this_machine() -> str:
    """Eight hexadecimal digits that tell this machine from others which use the same server."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _mark(pid: int) -> str:
    """Tells this process from another that is given its number later."""
    return hashlib.sha256((birth(pid) or "").encode()).hexdigest()[:8]
