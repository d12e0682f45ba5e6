"""Messages to whoever listens at that moment: nothing of them is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from uscdr.sandbox.broker.protocol import Push


@dataclass
class Ear:
    """What one connection listens to, and how it is written to."""

    send: Callable[[Push], None]
    names: set[bytes] = field(default_factory=set)
    patterns: set[bytes] = field(default_factory=set)

    @property
    def count(self) -> int:
        """To how many names and patterns."""
        return len(self.names) + len(self.patterns)


class Channels:
    """Who listens to what."""

    def __init__(self) -> None:
        self._ears: list[Ear] = []

    def join(self, ear: Ear) -> None:
        """Somebody may listen."""
        self._ears.append(ear)

    def leave(self, ear: Ear) -> None:
        """Somebody hung up."""
        self._ears.remove(ear)

    def publish(self, name: bytes, message: bytes) -> int:
        """Send a message; to how many."""
        heard = 0
        for ear in list(self._ears):
            if name in ear.names:
                ear.send(Push((b"message", name, message)))
                heard += 1
            for pattern in sorted(one for one in ear.patterns if fits(name, one)):
                ear.send(Push((b"pmessage", pattern, name, message)))
                heard += 1
        return heard

    def listeners(self, name: bytes) -> int:
        """How many listen to exactly that name."""
        return sum(name in ear.names for ear in self._ears)

    def names(self) -> list[bytes]:
        """To which names somebody listens."""
        return sorted({name for ear in self._ears for name in ear.names})


def fits(name: bytes, pattern: bytes) -> bool:
    """Whether a name is one of those of a glob pattern."""
    return fnmatchcase(name.decode("latin-1"), pattern.decode("latin-1").replace("[^", "[!"))
