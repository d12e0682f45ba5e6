"""A kit of the stand, with the key that opens it and files that do not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyrage  # type: ignore[import-untyped]  # it ships no types

from .canaries import Canaries
from .stand import Stand


@dataclass(frozen=True)
class Escrow:
    """Where kits are, and the private key beside them. Nothing of it may be found anywhere else."""

    place: Path
    identity: Path
    private: str
    recipient: str

    STRANGER: ClassVar[str] = str(pyrage.x25519.Identity.generate().to_public())
    """Somebody else's public key."""

    def wrong_identities(self) -> dict[str, Path]:
        """Files that are no key, or not this kit's."""
        texts = {
            "of another kit": str(pyrage.x25519.Identity.generate()),
            "cut off": self.private[:40],
            "in small letters and cut": self.private[:-1].lower(),
            "a public key": self.recipient,
            "empty": "",
            "blank lines": "\n\n# comment only\n",
            "a novel": "It was a dark and stormy night.\n" * 1000,
        }
        found: dict[str, Path] = {}
        for name, text in texts.items():
            found[name] = self.identity.with_name(f"identity-{len(found)}.txt")
            found[name].write_text(text)
        binary = self.identity.with_name("identity-binary")
        binary.write_bytes(bytes(range(256)))
        directory = self.place
        return {
            **found, "binary": binary, "a directory": directory, "missing": directory / "none",
            "endless": Path("/dev/zero"), "nothing at all": Path("/dev/null"),
        }  # fmt: skip


def escrow(stand: Stand, name: str = "safe") -> Escrow:
    """A key pair, and a kit built for it by the program itself."""
    key = pyrage.x25519.Identity.generate()
    made = Escrow(stand.root / name, stand.root / f"{name}-identity.txt", str(key), str(key.to_public()))
    made.identity.write_text(made.private + "\n")
    made.identity.chmod(0o600)
    stand.canaries.spellings |= Canaries({"kit identity": made.private}).spellings
    stand.errand("--target", "sandbox", "kit", "build", "--recipient", made.recipient, "--to", str(made.place))
    return made
