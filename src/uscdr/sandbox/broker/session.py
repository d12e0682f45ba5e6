"""One connection of a client: who it is, what it queues up for a transaction, what it listens to."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from uscdr.sandbox.broker.channels import Channels, Ear
from uscdr.sandbox.broker.protocol import OK, SECOND, Failure, Reply
from uscdr.sandbox.broker.store import Refused, Store, Value

USER = b"default"
NO_NUMBER = "ERR value is not an integer or out of range"
_WRONG = Failure("WRONGPASS invalid username-password pair or user is disabled.")


@dataclass
class Session:
    """`ear` gets what the client did not ask for: messages of channels."""

    store: Store
    channels: Channels
    ear: Ear
    password: str = field(repr=False)
    known: bool = False
    version: int = SECOND
    database: int = 0
    queued: list[list[bytes]] | None = None
    """Commands since MULTI."""
    spoilt: bool = False
    """Whether one of them was refused."""
    watched: dict[tuple[int, bytes], Value | None] = field(default_factory=dict)

    def enter(self, words: list[bytes]) -> Reply:
        """Check `[user] password`."""
        user, secret = (words[0], words[1]) if len(words) > 1 else (USER, words[0])
        self.known = user == USER and hmac.compare_digest(secret, self.password.encode())
        return OK if self.known else _WRONG

    def forget(self) -> None:
        """Drop the transaction."""
        self.queued, self.spoilt, self.watched = None, False, {}


Command = Callable[[Session, list[bytes]], Reply | Awaitable[Reply]]
Table = dict[str, tuple[int, Command]]
"""By name: the fewest arguments, and what does it."""


def whole(text: bytes) -> int:
    """An integer. Raises Refused."""
    try:
        return int(text)
    except ValueError:
        raise Refused(NO_NUMBER) from None


def number(text: bytes) -> float:
    """A number; `(5` is 5. Raises Refused."""
    try:
        return float(text.removeprefix(b"("))
    except ValueError:
        raise Refused("ERR value is not a valid float") from None


def pairs(words: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Two by two. Raises Refused for an odd number."""
    if len(words) % 2:
        raise Refused("ERR wrong number of arguments")
    return list(zip(words[::2], words[1::2], strict=True))
