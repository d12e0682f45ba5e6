"""How secrets are shown and kept: as their names, or as fingerprints that tell two secrets apart."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr


MIN_SECRET_LENGTH = 6
"""Shorter values would redact ordinary words."""


class Redactor:
    """Replaces registered secrets by their names, in plain, URL-encoded and base64 spelling, alone or within more."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._longest_first: tuple[tuple[str, str], ...] = ()

    def register(self, name: str, value: str) -> None:
        """Remember a secret; values shorter than six characters are not searched for."""
        if len(value) < MIN_SECRET_LENGTH:
            return
        for spelling in (value, quote(value, safe=""), *_in_base64(value)):
            self._names[spelling] = f"[{name}]"
        self._longest_first = tuple(sorted(self._names.items(), key=lambda item: -len(item[0])))

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for spelling, name in self._longest_first:
            text = text.replace(spelling, name)
        return text

    def data(self, value: Any) -> Any:  # noqa: ANN401 - JSON has no closed type
        """JSON-like data without secrets, at any depth."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {key: self.data(item) for key, item in value.items()}
            case list() | tuple():
                return [self.data(item) for item in value]
            case _:
                return value


def _in_base64(value: str) -> Iterator[str]:
    """The three forms of `value` inside base64 text, by its offset, without the mixed ends."""
    data = value.encode(errors="surrogateescape")
    for before in range(3):
        first = -(-before * 8 // 6)
        last = (before + len(data)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * before + data).decode()[first:last]


# Fingerprints of secrets: they tell two secrets apart without revealing them.


_LENGTH = 12
_COST = 1 << 14


def fingerprint(secret: SecretStr, whose: str) -> str:
    """Twelve hexadecimal digits, the same for the same secret of the same application; empty for an empty one.

    A slow hash (scrypt): nobody can try millions of short, human-made secrets.
    """
    value = secret.get_secret_value()
    if not value:
        return ""
    return hashlib.scrypt(value.encode(), salt=whose.encode(), n=_COST, r=8, p=1, dklen=_LENGTH // 2).hex()
